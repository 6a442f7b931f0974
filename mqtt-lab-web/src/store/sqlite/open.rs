//! Opens the file: folder, lock, schema, connections.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, RwLock};

use sqlx::SqlitePool;
use sqlx::migrate::{MigrateError, Migrator};
use tokio::sync::Mutex;

use super::connections::{Access, Connections, pool};
use super::files::with_suffix;
use super::{During as _, SqliteStore};
use crate::store::StoreError;
use crate::store::fault::is_damage;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");

impl SqliteStore {
    /// Opens the database at `url` (a path, with or without `sqlite:` before it). Folder, file and
    /// schema are made if need be; an older schema is brought up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError`] names the path, the cause, and by [`StoreError::hint`] the way out.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let path = path_of(url)?;
        let lock = prepare(&path)?;
        let first = pool(&path, 1, Access::Create).await.map_err(|source| open_error(&path, source))?;
        migrate(&first, &path).await?;
        let identity = identity(&first).await.during("read the database's identity")?;
        let connections = Connections::open(&path).await?;
        first.close().await;
        connections.files.wrote();
        Ok(Self {
            path,
            connections: RwLock::new(Arc::new(connections)),
            generation: AtomicU64::new(0),
            gone: AtomicBool::new(false),
            cache: Mutex::default(),
            identity,
            lock: Some(lock).into(),
        })
    }
}

impl SqliteStore {
    /// Checks what [`SqliteStore::open`] can refuse of an address, and of what is there. Nothing is made or changed.
    ///
    /// # Errors
    ///
    /// [`StoreError`], as [`SqliteStore::open`].
    pub fn validate(url: &str) -> Result<(), StoreError> {
        let path = path_of(url)?;
        check_place(&path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        // The first one above that exists must be a folder.
        if let Some(above) = folder.ancestors().find(|above| above.exists()).filter(|above| !above.is_dir()) {
            let source =
                io::Error::new(io::ErrorKind::NotADirectory, format!("`{}` is a file", above.display()));
            return Err(StoreError::CreateFolder { path: folder.to_owned(), source });
        }
        let mut first = [0; MAGIC.len()];
        let read = File::open(&path).and_then(|mut file| file.read(&mut first));
        match read {
            Ok(count) if count > 0 && first != *MAGIC => {
                let source = sqlx::Error::Protocol("file is not a database".into());
                Err(StoreError::NotADatabase { path, source })
            }
            _ => Ok(()),
        }
    }
}

/// How every database of SQLite begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Checks that a database can be at a path.
fn check_place(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Err(StoreError::IsFolder { path: path.to_owned() });
    }
    if path.exists() && !path.is_file() {
        let source = sqlx::Error::Protocol("it is a device or a pipe".into());
        return Err(StoreError::NotADatabase { path: path.to_owned(), source });
    }
    if path.exists() {
        let not_writable = |source| StoreError::NotWritable { path: path.to_owned(), source };
        // SQLite would open a write-protected file for reading and fail much later.
        OpenOptions::new().append(true).open(path).map_err(not_writable)?;
    }
    Ok(())
}

fn path_of(url: &str) -> Result<PathBuf, StoreError> {
    let path = match url.split_once(':') {
        Some(("sqlite", rest)) => rest.strip_prefix("//").unwrap_or(rest),
        Some((_, rest)) if rest.starts_with("//") => "",
        _ => url,
    };
    if path.is_empty() || path == ":memory:" {
        return Err(StoreError::UnknownEngine { url: without_password(url) });
    }
    Ok(PathBuf::from(path))
}

/// An address that may be shown: nothing of `user:password@` is left.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((engine, _)), Some((_, host))) => format!("{engine}://{host}"),
        _ => url.to_owned(),
    }
}

/// Checks what SQLite reports badly or not at all, and locks the file for this process.
pub(super) fn prepare(path: &Path) -> Result<File, StoreError> {
    check_place(path)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let failed = |source| StoreError::CreateFolder { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let not_writable = |source| StoreError::NotWritable { path: path.to_owned(), source };
    let lock = OpenOptions::new().create(true).append(true).open(with_suffix(path, ".lock"));
    let lock = lock.map_err(not_writable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            tracing::warn!(path = %path.display(), "this file system cannot lock files: two labs could write one database");
            Ok(lock)
        }
        Err(TryLockError::Error(error)) => Err(not_writable(error)),
    }
}

pub(super) fn open_error(path: &Path, source: sqlx::Error) -> StoreError {
    let path = path.to_owned();
    if is_damage(&source) {
        return StoreError::NotADatabase { path, source };
    }
    StoreError::Open { path, source }
}

pub(super) async fn migrate(pool: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    let error = match MIGRATIONS.run(pool).await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let path = path.to_owned();
    Err(match error {
        MigrateError::VersionMissing(found) => StoreError::Newer { path, found },
        MigrateError::Execute(source) if is_damage(&source) => StoreError::NotADatabase { path, source },
        other => StoreError::Migrate { path, source: Box::new(other) },
    })
}

pub(super) async fn identity(pool: &SqlitePool) -> sqlx::Result<String> {
    let made = format!("{:08x}", rand::random::<u32>());
    let insert = "insert into meta (key, value) values ('identity', $1) on conflict do nothing";
    let is_new = sqlx::query(insert).bind(made).execute(pool).await?.rows_affected() > 0;
    if is_new {
        super::former_session::ended(&mut *pool.acquire().await?).await?;
    }
    sqlx::query_scalar("select value from meta where key = 'identity'").fetch_one(pool).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Option<&str>) {
        assert_eq!(path_of(url).ok(), expected.map(PathBuf::from));
    }

    #[test]
    fn an_address_is_a_path_with_or_without_scheme() {
        check("sqlite:data/lab.db", Some("data/lab.db"));
        check("sqlite://data/lab.db", Some("data/lab.db"));
        check("sqlite:///data/lab.db", Some("/data/lab.db"));
        check("data/lab.db", Some("data/lab.db"));
        check(r"C:\data\lab.db", Some(r"C:\data\lab.db"));
        check("postgres://localhost/lab", None);
        check("sqlite::memory:", None);
        check("", None);
    }

    #[test]
    fn an_error_shows_no_password() {
        let error = path_of("postgres://me:secret@host/lab").err().map(|e| e.to_string());
        let expected = "cannot open database `postgres://host/lab`: only SQLite is built in";
        assert_eq!(error.as_deref(), Some(expected));
    }
}
