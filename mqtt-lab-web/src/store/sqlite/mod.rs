//! The store in one SQLite file: embedded, nothing to install.
//!
//! One connection writes (`BEGIN IMMEDIATE`), a few others read; the journal is a write-ahead log,
//! so they do not wait for each other. `synchronous = NORMAL`: a kill of the process loses nothing
//! that was committed, a power cut may lose the last moments.

mod batch;
mod bulk;
mod cache;
mod commands;
mod devices;
mod load;
mod open;
mod placing;
mod points;
mod rollup;
mod series;
mod value;
mod variables;

use std::fs::File;
use std::ops::Range;
use std::sync::PoisonError;

use async_trait::async_trait;
use mqtt_lab_wire::Value;
use sqlx::SqlitePool;
use tokio::sync::Mutex;

use super::{
    Command, CommandState, DeviceId, LifeCounts, NewSeries, Point, SavedSeries, SavedVariable, SeriesId,
    Snapshot, StateChange, Store, StoreError, Write, WriteReport,
};
use cache::Cache;

/// A store in one SQLite file. See [`SqliteStore::open`].
#[derive(Debug)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    /// What the writer knows of the database by heart; valid because no one else writes it.
    cache: Mutex<Cache>,
    identity: String,
    /// Held until the store is closed: another lab cannot open the same file.
    lock: std::sync::Mutex<Option<File>>,
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

    fn identity(&self) -> &str {
        &self.identity
    }

    async fn load(&self, now_us: i64) -> Result<Snapshot, StoreError> {
        commands::time_out_pending(&self.writer, now_us)
            .await
            .during("end the commands of an earlier run")?;
        load::snapshot(&self.readers).await
    }

    async fn open_device(&self, group: &str, device: &str, now_us: i64) -> Result<DeviceId, StoreError> {
        devices::open(&self.writer, group, device, now_us).await.during("add a device")
    }

    async fn open_series(&self, new: &NewSeries) -> Result<SavedSeries, StoreError> {
        series::open(&self.writer, new).await
    }

    async fn write(&self, batch: &[Write]) -> Result<WriteReport, StoreError> {
        let mut cache = self.cache.lock().await;
        batch::write(&self.writer, &mut cache, batch).await.during("write a batch of messages")
    }

    async fn set_shown(&self, id: DeviceId, name: Option<&str>, hidden: bool) -> Result<(), StoreError> {
        devices::set_shown(&self.writer, id, name, hidden).await.during("change a device")
    }

    async fn states(&self, id: DeviceId, limit: u32) -> Result<Vec<StateChange>, StoreError> {
        devices::states(&self.readers, id, limit).await
    }

    async fn lives(&self, id: DeviceId) -> Result<Vec<LifeCounts>, StoreError> {
        devices::lives(&self.readers, id).await
    }

    async fn commands(&self, id: DeviceId, limit: u32) -> Result<Vec<Command>, StoreError> {
        commands::of_device(&self.readers, id, limit).await
    }

    async fn command(&self, id: &str) -> Result<Option<Command>, StoreError> {
        commands::one(&self.readers, id).await
    }

    async fn insert_command(&self, device: DeviceId, command: &Command) -> Result<(), StoreError> {
        commands::insert(&self.writer, device, command).await.during("add a command")
    }

    async fn end_command(
        &self,
        id: &str,
        state: CommandState,
        error: Option<&str>,
        ended_us: i64,
    ) -> Result<(), StoreError> {
        commands::end(&self.writer, id, state, error, ended_us).await.during("end a command")
    }

    async fn variables(&self) -> Result<Vec<SavedVariable>, StoreError> {
        variables::all(&self.readers).await
    }

    async fn define_variable(&self, group: &str, name: &str, definition: &str) -> Result<(), StoreError> {
        variables::define(&self.writer, group, name, definition).await.during("keep a variable")
    }

    async fn keep_variable(&self, group: &str, name: &str, value: &Value) -> Result<(), StoreError> {
        variables::keep(&self.writer, group, name, value).await.during("keep the value of a variable")
    }

    async fn forget_variable(&self, group: &str, name: &str) -> Result<(), StoreError> {
        variables::forget(&self.writer, group, name).await.during("forget a variable")
    }

    async fn series(&self, id: SeriesId) -> Result<Option<SavedSeries>, StoreError> {
        series::one(&self.readers, id).await
    }

    async fn points(
        &self,
        series: &SavedSeries,
        range: Range<i64>,
        max_points: usize,
    ) -> Result<Vec<Point>, StoreError> {
        points::points(&self.readers, series, range, max_points).await.during("read points")
    }

    async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.readers).await.during("read")?;
        Ok(())
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        // Even if someone still holds the store, another may open the file now.
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}
