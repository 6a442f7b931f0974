//! The open connections of one database file.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use super::files::{Files, Look};
use crate::store::{Fault, StoreError};

/// How long a statement waits for a lock that another program holds on the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;
/// Rows that the database's thread may be ahead of whoever reads them: it need not wait in the middle of a look-up.
const ROW_BUFFER: usize = 512;
/// Prepared statements of a connection: each INSERT and look-up has a few sizes.
const STATEMENTS: usize = 150;
/// Pages that a writer keeps, in KiB (negative: SQLite's way to say so). Times all over a large table touch more pages
/// in a batch than SQLite's 2 MB, and each would be read again.
const WRITER_CACHE: &str = "-32768";
/// Pages in the write-ahead log before they go into the database: those times change a page in batch after batch, and
/// each time it would be written twice.
const WRITE_AHEAD: &str = "16000";

/// One connection writes, a few others read.
#[derive(Debug)]
pub(super) struct Connections {
    writer: SqlitePool,
    pub(super) readers: SqlitePool,
    /// Does nothing as long as all is well. It keeps the file open, so that a deleted one can still be read.
    anchor: Mutex<Option<SqliteConnection>>,
    pub(super) files: Arc<Files>,
}

impl Connections {
    /// Opens a file that exists and has its schema.
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| super::open::open_error(path, source);
        let writer = pool(path, 1, Access::Write).await.map_err(failed)?;
        let readers = pool(path, READERS, Access::Read).await.map_err(failed)?;
        let mut anchor = options(path, Access::Write).connect().await.map_err(failed)?;
        // A connection opens the log with its first statement.
        sqlx::query("select count(*) from meta").execute(&mut anchor).await.map_err(failed)?;
        let files = Files::of(path);
        let files = files.map_err(|source| StoreError::NotWritable { path: path.to_owned(), source })?;
        Ok(Self { writer, readers, anchor: Mutex::new(Some(anchor)), files: Arc::new(files) })
    }

    /// The connection that writes, if the files are still those that it writes to.
    pub(super) async fn writing(&self) -> Result<Writing, StoreError> {
        let connection =
            self.writer.acquire().await.map_err(|source| StoreError::Query { what: "write", source })?;
        unchanged(&self.files, Files::look).await?;
        Ok(Writing { connection, files: Arc::clone(&self.files) })
    }

    /// What has become of the files. Waits for the connection that writes, so that no write is under way.
    pub(super) async fn look(&self) -> Result<Look, StoreError> {
        let _writer = self.writer.acquire().await;
        look(&self.files, Files::look).await
    }

    /// Copies everything that was committed into a new file, also of a database that was deleted.
    pub(super) async fn copy_to(&self, path: &Path) -> sqlx::Result<()> {
        let to = path.to_string_lossy().into_owned();
        self.anchored(sqlx::query("vacuum into $1").bind(to)).await
    }

    /// Writes what stands only in the log into the database.
    pub(super) async fn checkpoint(&self) -> sqlx::Result<()> {
        self.anchored(sqlx::query("pragma wal_checkpoint(truncate)")).await
    }

    async fn anchored(&self, query: sqlx::query::Query<'_, Sqlite, SqliteArguments>) -> sqlx::Result<()> {
        let mut anchor = self.anchor.lock().await;
        let anchor = anchor.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        query.execute(anchor).await.map(drop)
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        if let Some(anchor) = self.anchor.lock().await.take() {
            // The last one to close moves the log into the database; what fails there stays in the log.
            let _ = anchor.close().await;
        }
    }
}

/// The connection that writes.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) connection: PoolConnection<Sqlite>,
    files: Arc<Files>,
}

impl Writing {
    /// Ends a write. What was written counts only if the files are still ours; and a connection on which a write
    /// failed is closed: SQLite ends the transaction by itself when the disk is full, sqlx does not notice, and
    /// would refuse every later one.
    pub(super) async fn end<T>(self, result: sqlx::Result<T>, what: &'static str) -> Result<T, StoreError> {
        match result {
            Ok(value) => {
                // The connection is still held: nobody writes meanwhile.
                unchanged(&self.files, Files::look_after_write).await?;
                Ok(value)
            }
            Err(source) => {
                if Fault::of(&source) != Fault::Data {
                    // It may write a last time.
                    let _ = self.connection.close().await;
                    let files = Arc::clone(&self.files);
                    on_disk(move || files.wrote()).await;
                }
                Err(StoreError::Query { what, source })
            }
        }
    }
}

async fn unchanged(files: &Arc<Files>, how: fn(&Files) -> io::Result<Look>) -> Result<(), StoreError> {
    match look(files, how).await? {
        Look::Same => Ok(()),
        _ => Err(StoreError::Changed { path: files.path().to_owned() }),
    }
}

async fn look(files: &Arc<Files>, how: fn(&Files) -> io::Result<Look>) -> Result<Look, StoreError> {
    let its = Arc::clone(files);
    let look = on_disk(move || how(&its)).await;
    look.map_err(|source| StoreError::NotWritable { path: files.path().to_owned(), source })
}

/// Runs what asks the file system, which may take its time, on a thread made for waiting.
pub(super) async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime shuts down, and with it whoever waits.
            Err(_) => std::future::pending().await,
        },
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Makes the file if there is none.
    Create,
    Write,
    Read,
}

pub(super) fn options(path: &Path, access: Access) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(access == Access::Create)
        .read_only(access == Access::Read)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT)
        .row_buffer_size(ROW_BUFFER)
        .statement_cache_capacity(STATEMENTS)
        .foreign_keys(true);
    match access {
        Access::Read => options,
        Access::Create | Access::Write => {
            let options = options.journal_mode(SqliteJournalMode::Wal).pragma("cache_size", WRITER_CACHE);
            options.pragma("wal_autocheckpoint", WRITE_AHEAD)
        }
    }
}

pub(super) async fn pool(path: &Path, connections: u32, access: Access) -> sqlx::Result<SqlitePool> {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options(path, access))
        .await
}
