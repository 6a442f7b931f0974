//! The store in one SQLite file: embedded, nothing to install.
//!
//! One connection writes (`BEGIN IMMEDIATE`), a few others read; the journal is a write-ahead log,
//! so they do not wait for each other. `synchronous = NORMAL`: a kill of the process loses nothing
//! that was committed, a power cut may lose the last moments. A file that is deleted or replaced meanwhile is
//! noticed with the next write, and put right.

mod batch;
mod bulk;
mod cache;
mod channels;
mod commands;
mod connections;
mod counts;
mod devices;
mod files;
mod former_session;
mod heal;
mod load;
mod lookup;
mod open;
mod placing;
mod points;
mod rollup;
mod rows;
mod series;
mod value;
mod variables;

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use mqtt_lab_wire::Value;
use sqlx::SqlitePool;
use tokio::sync::Mutex;

use super::{
    ChannelSettings, Command, CommandState, DeviceId, Generation, Healed, LifeCounts, NewSeries, Point,
    SavedSeries, SavedVariable, SeriesId, Snapshot, StateChange, Store, StoreError, Write, WriteReport,
};
use cache::Cache;
use connections::{Connections, Writing};

/// A store in one SQLite file. See [`SqliteStore::open`].
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    connections: RwLock<Arc<Connections>>,
    generation: AtomicU64,
    /// The last look found no file.
    gone: AtomicBool,
    /// What the writer knows of the database by heart; valid because no one else writes it.
    cache: Mutex<Cache>,
    identity: String,
    /// Held until the store is closed: another lab cannot open the same file.
    lock: std::sync::Mutex<Option<File>>,
}

impl SqliteStore {
    fn connections(&self) -> Arc<Connections> {
        Arc::clone(&self.connections.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_connections(&self, new: Arc<Connections>) {
        *self.connections.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    async fn writing(&self) -> Result<Writing, StoreError> {
        self.connections().writing().await
    }

    fn readers(&self) -> SqlitePool {
        self.connections().readers.clone()
    }
}

/// Names what was tried when a statement fails.
trait During<T> {
    fn during(self, what: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for sqlx::Result<T> {
    fn during(self, what: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Query { what, source })
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn engine(&self) -> &'static str {
        "sqlite"
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    async fn has_former_session(&self) -> Result<bool, StoreError> {
        former_session::exists(&self.readers()).await.during("read which client ids were used")
    }

    async fn former_session_ended(&self) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let done = former_session::ended(&mut writing.connection).await;
        writing.end(done, "note which client ids are used").await
    }

    async fn load(&self, now_us: i64) -> Result<Snapshot, StoreError> {
        let mut writing = self.writing().await?;
        let done = commands::time_out_pending(&mut writing.connection, now_us).await;
        writing.end(done, "end the commands of an earlier run").await?;
        load::snapshot(&self.readers(), now_us).await
    }

    async fn open_device(&self, group: &str, device: &str, now_us: i64) -> Result<DeviceId, StoreError> {
        let mut writing = self.writing().await?;
        let done = devices::open(&mut writing.connection, group, device, now_us).await;
        writing.end(done, "add a device").await
    }

    async fn open_series(&self, new: &NewSeries) -> Result<SavedSeries, StoreError> {
        let mut writing = self.writing().await?;
        let opened = series::open(&mut writing.connection, new).await;
        let id = writing.end(opened, "add a series").await?;
        let missing = || StoreError::Query { what: "add a series", source: sqlx::Error::RowNotFound };
        series::one(&self.readers(), id, new.now_us).await?.ok_or_else(missing)
    }

    fn generation(&self) -> Generation {
        self.generation.load(Ordering::Acquire)
    }

    async fn write_for(&self, generation: Generation, batch: &[Write]) -> Result<WriteReport, StoreError> {
        let mut cache = self.cache.lock().await;
        // It changes only while the cache is locked.
        if generation != self.generation() {
            return Err(StoreError::OtherDatabase);
        }
        let mut writing = self.writing().await?;
        let written = batch::write(&mut writing.connection, &mut cache, batch).await;
        let report = writing.end(written, "write a batch of messages").await?;
        // Only now: what was written to a file that is gone was not written.
        cache.in_doubt = false;
        Ok(report)
    }

    async fn set_shown(&self, id: DeviceId, name: Option<&str>, hidden: bool) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let done = devices::set_shown(&mut writing.connection, id, name, hidden).await;
        writing.end(done, "change a device").await
    }

    async fn set_channel(
        &self,
        id: DeviceId,
        channel: &str,
        settings: &ChannelSettings,
    ) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let done = channels::set(&mut writing.connection, id, channel, settings).await;
        writing.end(done, "describe a channel").await
    }

    async fn states(&self, id: DeviceId, limit: u32) -> Result<Vec<StateChange>, StoreError> {
        devices::states(&self.readers(), id, limit).await
    }

    async fn lives(&self, id: DeviceId) -> Result<Vec<LifeCounts>, StoreError> {
        devices::lives(&self.readers(), id).await
    }

    async fn commands(&self, id: DeviceId, limit: u32) -> Result<Vec<Command>, StoreError> {
        commands::of_device(&self.readers(), id, limit).await
    }

    async fn command(&self, id: &str) -> Result<Option<Command>, StoreError> {
        commands::one(&self.readers(), id).await
    }

    async fn insert_command(&self, device: DeviceId, command: &Command) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let done = commands::insert(&mut writing.connection, device, command).await;
        writing.end(done, "add a command").await
    }

    async fn end_command(
        &self,
        id: &str,
        state: CommandState,
        error: Option<&str>,
        ended_us: i64,
    ) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let done = commands::end(&mut writing.connection, id, state, error, ended_us).await;
        writing.end(done, "end a command").await
    }

    async fn variables(&self) -> Result<Vec<SavedVariable>, StoreError> {
        variables::all(&self.readers()).await
    }

    async fn define_variable(&self, group: &str, name: &str, definition: &str) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let done = variables::define(&mut writing.connection, group, name, definition).await;
        writing.end(done, "keep a variable").await
    }

    async fn keep_variable(&self, group: &str, name: &str, value: &Value) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let done = variables::keep(&mut writing.connection, group, name, value).await;
        writing.end(done, "keep the value of a variable").await
    }

    async fn forget_variable(&self, group: &str, name: &str) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let done = variables::forget(&mut writing.connection, group, name).await;
        writing.end(done, "forget a variable").await
    }

    async fn series(&self, id: SeriesId) -> Result<Option<SavedSeries>, StoreError> {
        series::one(&self.readers(), id, i64::MAX).await
    }

    async fn points(
        &self,
        series: &SavedSeries,
        range: Range<i64>,
        max_points: usize,
    ) -> Result<Vec<Point>, StoreError> {
        points::points(&self.readers(), series, range, max_points).await.during("read points")
    }

    async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.readers()).await.during("read")?;
        Ok(())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let mut writing = self.writing().await?;
        let sql = "insert into meta (key, value) values ('probe', '') on conflict do update set value = excluded.value";
        let done = sqlx::query(sql).execute(&mut *writing.connection).await.map(drop);
        writing.end(done, "write").await
    }

    async fn heal(&self) -> Result<Healed, StoreError> {
        SqliteStore::heal(self).await
    }

    async fn close(&self) {
        self.connections().close().await;
        // Even if someone still holds the store, another may open the file now.
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}
