//! Random batches, beside a map of instants that does the same in the simplest way.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use mqtt_lab_wire::{Datatype, Value};
use proptest::prelude::*;

use super::run::MAX_VALUES;
use super::{End, Runs};
use crate::store::sqlite::SqliteStore;
use crate::store::{
    DeviceId, NewSample, NewSeries, Outcome, SavedSeries, SeriesId, Store as _, WhenMeasured, Write,
};

const NOON: i64 = 1_795_435_200_000_000;
/// Instants after noon that are checked one by one.
const NEAR: i64 = 200;

/// A sample, without its number.
#[derive(Clone, Debug)]
struct One {
    series: usize,
    t: i64,
    value: u8,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Numbered,
    Known,
    Stamped,
}

#[derive(Clone, Debug)]
enum Step {
    Batch(Vec<One>),
    /// Its last write is one that the database does not take.
    RolledBack(Vec<One>),
    /// As after a restart.
    Forget,
}

fn one() -> impl Strategy<Value = One> {
    let t = prop_oneof![
        4 => 0..NEAR,
        4 => (0..NEAR / 2).prop_map(|t| 2 * t),
        4 => 0_i64..12,
        3 => Just(50_i64),
        2 => (0_i64..1_000).prop_map(|t| t * 1_000_000),
        1 => Just(i64::from(i32::MAX) * 1_000_000),
    ];
    let how = prop_oneof![Just(How::Numbered), Just(How::Known), Just(How::Known), Just(How::Stamped)];
    (0_usize..3, t, 0_u8..8, how).prop_map(|(series, t, value, how)| One { series, t, value, how })
}

fn step() -> impl Strategy<Value = Step> {
    let batch = || prop::collection::vec(one(), 1..60);
    prop_oneof![
        8 => batch().prop_map(Step::Batch),
        1 => batch().prop_map(Step::RolledBack),
        2 => Just(Step::Forget),
    ]
}

/// What is stored, by instant.
#[derive(Default)]
struct Model(BTreeMap<i64, u8>);

impl Model {
    fn place(&mut self, t: i64, value: u8, how: How) -> Outcome {
        let mut free = t;
        while self.0.contains_key(&free) {
            free += 1;
        }
        let from = t.max(free - i64::try_from(MAX_VALUES).unwrap());
        if how == How::Known && self.0.range(from..free).any(|(_, known)| *known == value) {
            return Outcome::Duplicate;
        }
        self.0.insert(free, value);
        Outcome::Stored(free)
    }
}

/// A store with a series of numbers, one of texts, and one of numbers that are 0 or below.
struct Bench {
    store: SqliteStore,
    device: DeviceId,
    series: [SavedSeries; 3],
    number: u64,
}

impl Bench {
    async fn open(folder: &std::path::Path) -> Self {
        let store = SqliteStore::open(folder.join("lab.sqlite").to_str().unwrap()).await.unwrap();
        let device = store.open_device("demo", "x", NOON).await.unwrap();
        let mut series = Vec::new();
        for (channel, datatype) in [("a", Datatype::Float), ("b", Datatype::Text), ("c", Datatype::Float)] {
            let channel = channel.to_owned();
            let new = NewSeries { device, channel, datatype, unit: None, now_us: NOON };
            series.push(store.open_series(&new).await.unwrap());
        }
        Self { store, device, series: series.try_into().unwrap(), number: 0 }
    }

    fn write(&mut self, one: &One) -> Write {
        self.number += 1;
        let t_us = NOON + one.t;
        let (when, number) = match one.how {
            How::Numbered => (WhenMeasured::Known(t_us), Some(("k3f9".parse().unwrap(), self.number))),
            How::Known => (WhenMeasured::Known(t_us), None),
            How::Stamped => (WhenMeasured::Stamped(t_us), None),
        };
        let (device, series) = (self.device, self.series[one.series].id);
        let value = value(one.series, one.value);
        let arrived_us = NOON;
        Write::Sample(NewSample { device, series, value, when, wrong_clock: false, number, arrived_us })
    }
}

fn value(series: usize, value: u8) -> Value {
    match series {
        0 => Value::Float(f64::from(value)),
        1 => Value::from(format!("text {value}").as_str()),
        // Both zeros, which are equal.
        _ => Value::Float(-f64::from(value)),
    }
}

async fn run(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(folder.path()).await;
    let mut models: [Model; 3] = Default::default();
    for step in steps {
        match step {
            Step::Batch(batch) => {
                let writes: Vec<_> = batch.iter().map(|one| bench.write(one)).collect();
                let report = bench.store.write(&writes).await.unwrap();
                for (one, outcome) in batch.iter().zip(report.outcomes) {
                    let expected = models[one.series].place(NOON + one.t, one.value, one.how);
                    assert_eq!(outcome, expected, "{one:?}");
                }
            }
            Step::RolledBack(batch) => {
                let mut writes: Vec<_> = batch.iter().map(|one| bench.write(one)).collect();
                let boot = "k3f9".parse().unwrap();
                writes.push(Write::Life { device: DeviceId(4_711), boot, whole: false, arrived_us: NOON });
                bench.store.write(&writes).await.unwrap_err();
            }
            Step::Forget => bench.store.cache.lock().await.runs = Runs::default(),
        }
        let cache = bench.store.cache.lock().await;
        for (series, model) in bench.series.iter().zip(&models) {
            check_known(&cache.runs, series.id, model, cache.in_doubt);
        }
    }
    for (number, (series, model)) in bench.series.iter().zip(&models).enumerate() {
        let points = bench.store.points(series, 0..i64::MAX, 1_000_000).await.unwrap();
        let stored: Vec<_> = points.into_iter().map(|point| (point.t_us, point.value)).collect();
        let expected: Vec<_> = model.0.iter().map(|(t, v)| (*t, value(number, *v))).collect();
        assert_eq!(stored, expected);
    }
    bench.store.close().await;
}

/// What is known is true.
fn check_known(runs: &Runs, series: SeriesId, model: &Model, in_doubt: bool) {
    if in_doubt {
        return;
    }
    for t_us in NOON - 2..NOON + NEAR {
        let (End::Free(end) | End::Unknown(end)) = runs.search(series, t_us);
        assert!((t_us..end).all(|t_us| model.0.contains_key(&t_us)), "{}", t_us - NOON);
        if let End::Free(free) = runs.search(series, t_us) {
            assert!(!model.0.contains_key(&free), "{} is taken", free - NOON);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn samples_are_placed_as_in_a_map(steps in prop::collection::vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
