//! A database file that is deleted, replaced or overwritten while it is open.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};

use mqtt_lab_web::store::sqlite::SqliteStore;
use mqtt_lab_web::store::{
    DeviceId, Fault, Healed, NewSample, NewSeries, SavedSeries, Store, StoreError, WhenMeasured, Write,
};
use mqtt_lab_wire::{Datatype, Value};

const NOON: i64 = 1_795_435_200_000_000;

struct Bench {
    folder: tempfile::TempDir,
    path: PathBuf,
    store: SqliteStore,
    device: DeviceId,
    series: SavedSeries,
    next: i64,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/lab.sqlite");
        let store = open(&path).await;
        let device = store.open_device("demo", "x", NOON).await.unwrap();
        let new =
            NewSeries { device, channel: "t".into(), datatype: Datatype::Float, unit: None, now_us: NOON };
        let series = store.open_series(&new).await.unwrap();
        Self { folder, path, store, device, series, next: 0 }
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        self.next += 1;
        let (device, series) = (self.device, self.series.id);
        let (value, when) = (Value::Float(1.0), WhenMeasured::Known(NOON + self.next));
        let sample =
            NewSample { device, series, value, when, wrong_clock: false, number: None, arrived_us: NOON };
        self.store.write(&[Write::Sample(sample)]).await.map(drop)
    }

    /// Samples in the file that is there now, as another program sees it.
    async fn samples(&self) -> usize {
        let points = self.store.points(&self.series, 0..i64::MAX, 10_000).await.unwrap();
        points.len()
    }

    /// A write that fails, then a repair, then a write that works.
    async fn repaired(&mut self, expected: Healed) {
        let error = self.write().await.unwrap_err();
        assert_eq!(error.fault(), Fault::Outside, "{error}: nothing is acknowledged");
        assert_eq!(healed(&self.store).await, expected);
        self.write().await.unwrap();
        assert_eq!(self.store.heal().await.unwrap(), Healed::Nothing);
    }
}

/// A file that is gone is made again by the second look.
async fn healed(store: &SqliteStore) -> Healed {
    match store.heal().await {
        Err(StoreError::Changed { .. }) => store.heal().await.unwrap(),
        healed => healed.unwrap(),
    }
}

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path.to_str().unwrap()).await.unwrap()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

/// What a start after this finds.
async fn found_again(bench: Bench) -> usize {
    bench.store.close().await;
    let Bench { folder, path, series, .. } = bench;
    let store = open(&path).await;
    let snapshot = store.load(NOON).await.unwrap();
    assert_eq!((snapshot.devices.len(), snapshot.series.len()), (1, 1));
    let points = store.points(&series, 0..i64::MAX, 10_000).await.unwrap().len();
    store.close().await;
    drop(folder);
    points
}

#[tokio::test]
async fn a_deleted_database_is_made_again_with_all_it_held() {
    let mut bench = Bench::new().await;
    bench.write().await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(beside(&bench.path, suffix)).unwrap();
    }
    bench.repaired(Healed::Restored).await;
    assert_eq!(bench.samples().await, 2);
    assert_eq!(found_again(bench).await, 2);
}

#[tokio::test]
async fn a_database_alone_without_its_log_is_made_again() {
    let mut bench = Bench::new().await;
    bench.write().await.unwrap();
    std::fs::remove_file(&bench.path).unwrap();
    bench.repaired(Healed::Restored).await;
    assert_eq!(found_again(bench).await, 2);
}

#[tokio::test]
async fn a_deleted_folder_is_made_again() {
    let mut bench = Bench::new().await;
    bench.write().await.unwrap();
    std::fs::remove_dir_all(bench.path.parent().unwrap()).unwrap();
    bench.repaired(Healed::Restored).await;
    assert_eq!(found_again(bench).await, 2);
}

#[tokio::test]
async fn a_deleted_log_takes_nothing_along() {
    let mut bench = Bench::new().await;
    bench.write().await.unwrap();
    std::fs::remove_file(beside(&bench.path, "-wal")).unwrap();
    bench.repaired(Healed::Restored).await;
    std::fs::remove_file(beside(&bench.path, "-shm")).unwrap();
    bench.repaired(Healed::Restored).await;
    assert_eq!(found_again(bench).await, 3);
}

/// A copy of the database as it is now, as `sqlite3 .backup` makes it.
async fn backup(bench: &Bench) -> PathBuf {
    let to = bench.folder.path().join("backup.sqlite");
    let from = format!("sqlite:{}", bench.path.display());
    let pool = sqlx::SqlitePool::connect(&from).await.unwrap();
    sqlx::query("vacuum into $1").bind(to.to_str().unwrap()).execute(&pool).await.unwrap();
    pool.close().await;
    to
}

#[tokio::test]
async fn a_backup_that_is_moved_there_is_opened() {
    let mut bench = Bench::new().await;
    bench.write().await.unwrap();
    let backup = backup(&bench).await;
    bench.write().await.unwrap();
    let generation = bench.store.generation();
    std::fs::rename(backup, &bench.path).unwrap();
    bench.repaired(Healed::Replaced).await;
    assert_eq!(bench.store.generation(), generation + 1);
    assert_eq!(found_again(bench).await, 2, "the backup's one, and the one since");
}

#[tokio::test]
async fn a_backup_that_is_copied_over_it_is_opened() {
    let mut bench = Bench::new().await;
    bench.write().await.unwrap();
    let backup = backup(&bench).await;
    for _ in 0..50 {
        bench.write().await.unwrap();
    }
    std::fs::copy(backup, &bench.path).unwrap();
    bench.repaired(Healed::Replaced).await;
    assert_eq!(found_again(bench).await, 2);
}

#[tokio::test]
async fn ids_of_a_replaced_database_are_refused() {
    let mut bench = Bench::new().await;
    bench.write().await.unwrap();
    let old = bench.store.generation();
    std::fs::rename(backup(&bench).await, &bench.path).unwrap();
    bench.repaired(Healed::Replaced).await;
    let error = bench.store.write_for(old, &[]).await.unwrap_err();
    assert!(matches!(error, StoreError::OtherDatabase));
}

#[tokio::test]
async fn something_else_in_its_place_is_neither_used_nor_overwritten() {
    let mut bench = Bench::new().await;
    bench.write().await.unwrap();
    std::fs::remove_file(&bench.path).unwrap();
    std::fs::write(&bench.path, "a shopping list").unwrap();
    assert!(bench.write().await.is_err());
    let error = bench.store.heal().await.unwrap_err();
    assert!(error.cause().contains("not an SQLite database"), "{}", error.cause());
    assert_eq!(std::fs::read_to_string(&bench.path).unwrap(), "a shopping list");
    // Moved away, the lab's own is made again.
    std::fs::rename(&bench.path, bench.folder.path().join("list")).unwrap();
    assert_eq!(healed(&bench.store).await, Healed::Restored);
    assert_eq!(found_again(bench).await, 1);
}

#[tokio::test]
async fn a_damaged_page_is_the_fault_of_what_needs_it() {
    let mut bench = Bench::new().await;
    for _ in 0..2_000 {
        bench.write().await.unwrap();
    }
    bench.store.close().await;
    // The last pages hold the newest samples.
    let mut bytes = std::fs::read(&bench.path).unwrap();
    let pages = bytes.len() / 4_096;
    for page in 20..pages {
        bytes[page * 4_096..page * 4_096 + 100].fill(0xff);
    }
    std::fs::write(&bench.path, bytes).unwrap();
    bench.store = open(&bench.path).await;
    let error = bench.write().await.unwrap_err();
    assert_eq!(error.fault(), Fault::Suspect, "{}", error.cause());
    bench.store.probe().await.unwrap();
}
