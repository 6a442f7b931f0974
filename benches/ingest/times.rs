//! The store alone, with times that do not just increase. Random times change a page of the file for nearly every
//! sample, which costs more than finding its place.

use std::path::Path;
use std::time::Instant;

use mqtt_lab_web::store::sqlite::SqliteStore;
use mqtt_lab_web::store::{DeviceId, NewSample, NewSeries, SeriesId, Store as _, WhenMeasured, Write};
use mqtt_lab_wire::{Datatype, Value};

/// Samples of one pattern, in batches as the writer makes them.
const SAMPLES: i64 = 200_000;
const BATCH: i64 = 8_000;
/// Monday, 23 November 2026, 12:00 UTC, in microseconds.
const NOON: i64 = 1_795_435_200_000_000;
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// The time of the n-th sample of a series.
type Pattern = fn(i64) -> i64;

/// What unnumbered samples are measured with.
const PATTERNS: [(&str, Pattern); 8] = [
    ("increasing", increasing),
    ("constant", |_| NOON),
    ("falling", |n| NOON - n * SECOND / 10),
    ("a cycle over 1,000 instants", |n| NOON + n % 1_000 * SECOND),
    ("random within a day", |n| NOON + scattered(n) % DAY),
    ("random within a minute", |n| NOON + scattered(n) % (60 * SECOND)),
    ("one in the future, then normal", |n| if n == 0 { NOON + 1_000 * DAY } else { increasing(n) }),
    ("in seconds, at 10 Hz", |n| NOON + n / 10 * SECOND),
];

fn increasing(n: i64) -> i64 {
    NOON + n * SECOND / 10
}

fn scattered(n: i64) -> i64 {
    (crate::load::scattered(n.cast_unsigned()) >> 2).cast_signed()
}

/// One row for each pattern, with one series and with fifty.
pub(crate) async fn rows() {
    for count in [50, 1] {
        let numbered = rate(count, increasing, true).await;
        crate::row(&format!("store, {count} series: numbered, increasing"), numbered, "samples/s", None);
        for (name, pattern) in PATTERNS {
            let name = format!("store, {count} series: {name}");
            let part = rate(count, pattern, false).await / numbered;
            crate::row(&name, part, "of numbered", None);
        }
    }
}

/// Samples a second.
async fn rate(count: i64, pattern: Pattern, numbered: bool) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, device, series) = open(folder.path(), count).await;
    let boot = "k3f9".parse().expect("a boot id");
    let sample = |n: i64| {
        let series = series[usize::try_from(n % count).expect("small")];
        let (when, value) = (WhenMeasured::Known(pattern(n / count)), Value::Int(n));
        let number = numbered.then_some((boot, n.cast_unsigned() + 1));
        Write::Sample(NewSample { device, series, value, when, wrong_clock: false, number, arrived_us: NOON })
    };
    let begin = Instant::now();
    let mut stored = 0;
    for batch in 0..SAMPLES / BATCH {
        let batch: Vec<_> = (batch * BATCH..(batch + 1) * BATCH).map(sample).collect();
        stored += store.write(&batch).await.expect("written").stored();
    }
    let seconds = begin.elapsed().as_secs_f64();
    assert_eq!(i64::try_from(stored), Ok(SAMPLES), "all values differ");
    store.close().await;
    #[allow(clippy::cast_precision_loss, reason = "small")]
    let samples = SAMPLES as f64;
    samples / seconds
}

async fn open(folder: &Path, count: i64) -> (SqliteStore, DeviceId, Vec<SeriesId>) {
    let path = folder.join("times.sqlite");
    let store = SqliteStore::open(path.to_str().expect("text")).await.expect("a database");
    let device = store.open_device("load", "times", NOON).await.expect("a device");
    let mut series = Vec::new();
    for number in 0..count {
        let (channel, datatype) = (format!("value-{number}"), Datatype::Int);
        let new = NewSeries { device, channel, datatype, unit: None, now_us: NOON };
        series.push(store.open_series(&new).await.expect("a series").id);
    }
    (store, device, series)
}
