//! What can be wrong with the file of an SQLite store, and what it says then.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use mqtt_lab_web::store::sqlite::SqliteStore;
use mqtt_lab_web::store::{NewSample, NewSeries, Store, StoreError, WhenMeasured, Write};
use mqtt_lab_wire::{Datatype, Value};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

async fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path.to_str().unwrap()).await
}

async fn raw(path: &Path) -> SqlitePool {
    SqlitePool::connect_with(SqliteConnectOptions::new().filename(path)).await.unwrap()
}

#[track_caller]
fn check(error: &StoreError, path: &Path) {
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    assert!(!error.hint().is_empty());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.sqlite");
    std::fs::write(&path, "this is a letter, not a database\n".repeat(100)).unwrap();
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::NotADatabase { .. }), "{error:?}");
    check(&error, &path);
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is a letter"));
}

#[tokio::test]
async fn a_damaged_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.sqlite");
    open(&path).await.unwrap().close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::NotADatabase { .. }), "{error:?}");
}

#[tokio::test]
async fn a_folder_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::IsFolder { .. }), "{error:?}");
    check(&error, folder.path());
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = open(&file.join("lab.sqlite")).await.unwrap_err();
    assert!(matches!(error, StoreError::CreateFolder { .. }), "{error:?}");
    check(&error, &file);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_takes_no_files_is_named() {
    let path = Path::new("/proc/lab.sqlite");
    let error = open(path).await.unwrap_err();
    assert!(matches!(error, StoreError::NotWritable { .. }), "{error:?}");
    check(&error, path);
}

/// As version 0.1.0 first made it: the schema of then, with a device, a life and its counts.
#[tokio::test]
async fn a_database_of_an_older_program_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.sqlite");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let old = SqlitePool::connect_with(options).await.unwrap();
    let mut first = sqlx::migrate!("./migrations/sqlite");
    first.migrations.to_mut().retain(|migration| migration.version == 1);
    first.run(&old).await.unwrap();
    let content = "insert into device (id, class, name, created) values (1, 'demo', 'x', 1);
        insert into device_count values (1, 12, 2, 1, 'too hot', 5);
        insert into receive_window values (1, 'k3f9', '3-10,12-13', 0, 14, null, 5)";
    sqlx::raw_sql(content).execute(&old).await.unwrap();
    old.close().await;
    let store = open(&path).await.unwrap();
    let device = store.load(9).await.unwrap().devices.remove(0);
    assert_eq!((device.counts.received, device.counts.stored), (12, 10));
    assert_eq!(device.counts.numbered.map(|found| (found.duplicate, found.lost)), Some((2, 2)));
    let life = store.lives(device.id).await.unwrap()[0];
    assert_eq!((life.stored, life.found.lost, life.began_us), (10, 2, 5), "counted from the first that came");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.sqlite");
    open(&path).await.unwrap().close().await;
    let pool = raw(&path).await;
    let sql = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
               values (9999, 'from the future', true, x'00', 0)";
    sqlx::query(sql).execute(&pool).await.unwrap();
    pool.close().await;
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 9999, .. }), "{error:?}");
    check(&error, &path);
}

#[tokio::test]
async fn two_labs_cannot_open_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.sqlite");
    let first = open(&path).await.unwrap();
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    check(&error, &path);
    first.close().await;
    drop(first);
    open(&path).await.unwrap();
}

#[tokio::test]
async fn roll_ups_count_only_what_was_really_inserted() {
    const NOON: i64 = 1_795_435_200_000_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.sqlite");
    let store = open(&path).await.unwrap();
    let device = store.open_device("demo", "x", NOON).await.unwrap();
    let channel = "v".to_owned();
    let new = NewSeries { device, channel, datatype: Datatype::Float, unit: None, now_us: NOON };
    let series = store.open_series(&new).await.unwrap().id;
    let sample = |n: u64, t_us: i64, value: f64| {
        let number = Some(("k3f9".parse().unwrap(), n));
        let (when, value) = (WhenMeasured::Known(t_us), Value::Float(value));
        Write::Sample(NewSample { device, series, value, when, wrong_clock: false, number, arrived_us: NOON })
    };
    let batch = [
        sample(1, NOON, 4.0),
        sample(2, NOON, -1.0), // at the next microsecond
        sample(1, NOON, 4.0),  // again
        sample(3, NOON + 60_000_000, 10.0),
    ];
    store.write(&batch).await.unwrap();
    store.write(&batch).await.unwrap();
    store.write(&[sample(4, NOON + 5, 2.0)]).await.unwrap();
    let pool = raw(&path).await;
    let read = async |sql: &'static str| -> Vec<(i64, i64, f64, f64, f64)> {
        sqlx::query_as(sql).fetch_all(&pool).await.unwrap()
    };
    let minutes = read("select t, count, min, max, sum from rollup_minute order by t").await;
    assert_eq!(minutes, [(NOON, 3, -1.0, 4.0, 5.0), (NOON + 60_000_000, 1, 10.0, 10.0, 10.0)]);
    let hours = read("select t, count, min, max, sum from rollup_hour").await;
    assert_eq!(hours, [(NOON, 4, -1.0, 10.0, 15.0)]);
    let rows: i64 = sqlx::query_scalar("select count(*) from sample").fetch_one(&pool).await.unwrap();
    assert_eq!(rows, 4);
}
