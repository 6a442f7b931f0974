//! Opens the file: folder, lock, schema, connections.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::Mutex;

use super::{During, SqliteStore};
use crate::store::StoreError;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");

/// How long a statement waits for a lock that another program holds on the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;

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
        let writer = connect(&path, 1, false).await?;
        migrate(&writer, &path).await?;
        let identity = identity(&writer).await.during("read the database's identity")?;
        let readers = connect(&path, READERS, true).await?;
        Ok(Self { writer, readers, cache: Mutex::default(), identity, lock: Some(lock).into() })
    }
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
fn prepare(path: &Path) -> Result<File, StoreError> {
    if path.is_dir() {
        return Err(StoreError::IsFolder { path: path.to_owned() });
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let failed = |source| StoreError::CreateFolder { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let not_writable = |source| StoreError::NotWritable { path: path.to_owned(), source };
    if path.exists() {
        // SQLite would open a write-protected file for reading and fail much later.
        OpenOptions::new().append(true).open(path).map_err(not_writable)?;
    }
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock = OpenOptions::new().create(true).append(true).open(lock_path).map_err(not_writable)?;
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

async fn connect(path: &Path, connections: u32, read_only: bool) -> Result<SqlitePool, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(!read_only)
        .read_only(read_only)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true);
    let options = if read_only { options } else { options.journal_mode(SqliteJournalMode::Wal) };
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|source| open_error(path, source))
}

fn open_error(path: &Path, source: sqlx::Error) -> StoreError {
    let path = path.to_owned();
    if is_damaged(&source) {
        return StoreError::NotADatabase { path, source };
    }
    StoreError::Open { path, source }
}

/// `SQLITE_CORRUPT` and `SQLITE_NOTADB`, with or without an extended code.
fn is_damaged(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    matches!(code.map(|code| code & 0xff), Some(11 | 26))
}

async fn migrate(pool: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    let error = match MIGRATIONS.run(pool).await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let path = path.to_owned();
    Err(match error {
        MigrateError::VersionMissing(found) => StoreError::Newer { path, found },
        MigrateError::Execute(source) if is_damaged(&source) => StoreError::NotADatabase { path, source },
        other => StoreError::Migrate { path, source: Box::new(other) },
    })
}

async fn identity(pool: &SqlitePool) -> sqlx::Result<String> {
    let made = format!("{:08x}", rand::random::<u32>());
    let insert = "insert into meta (key, value) values ('identity', $1) on conflict do nothing";
    sqlx::query(insert).bind(made).execute(pool).await?;
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
