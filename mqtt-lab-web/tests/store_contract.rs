//! The same stories for every engine: what [`Store`] promises.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use mqtt_lab_web::store::sqlite::SqliteStore;
use mqtt_lab_web::store::{
    Command, CommandState, DeviceId, Fault, LostAndFound, NewSample, NewSeries, Outcome, SavedSeries,
    SavedVariable, SeriesId, StateCause, StateChange, Store, WhenMeasured, Write, WriteReport,
};
use mqtt_lab_wire::{BootId, Channel, Datatype, Info, PluginForm, PluginInfo, State, Value};

/// Monday, 23 November 2026, 12:00 UTC, in microseconds.
const NOON: i64 = 1_795_435_200_000_000;
const SECOND: i64 = 1_000_000;

/// A database that can be opened again.
trait Engine {
    fn new() -> Self;
    async fn open(&self) -> Arc<dyn Store>;
}

struct Sqlite(tempfile::TempDir);

impl Engine for Sqlite {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Arc<dyn Store> {
        let path = self.0.path().join("below/lab.sqlite");
        Arc::new(SqliteStore::open(path.to_str().unwrap()).await.unwrap())
    }
}

/// A store with one device and one series.
struct Bench {
    store: Arc<dyn Store>,
    device: DeviceId,
    series: SavedSeries,
}

impl Bench {
    async fn new(engine: &impl Engine) -> Self {
        Self::with(engine, Datatype::Float).await
    }

    async fn with(engine: &impl Engine, datatype: Datatype) -> Self {
        let store = engine.open().await;
        let device = store.open_device("demo", "thermometer", NOON).await.unwrap();
        let series = store.open_series(&series_of(device, "temperature", datatype)).await.unwrap();
        Self { store, device, series }
    }

    fn sample(&self, value: impl Into<Value>, when: WhenMeasured, number: Option<(&str, u64)>) -> Write {
        let number = number.map(|(boot, n)| (boot.parse::<BootId>().unwrap(), n));
        let (device, series) = (self.device, self.series.id);
        Write::Sample(NewSample {
            device,
            series,
            value: value.into(),
            when,
            wrong_clock: false,
            number,
            arrived_us: NOON,
        })
    }

    async fn write(&self, batch: &[Write]) -> WriteReport {
        self.store.write(batch).await.unwrap()
    }

    async fn all(&self) -> Vec<(i64, Value)> {
        let points = self.store.points(&self.series, 0..i64::MAX, 5_000).await.unwrap();
        points.into_iter().map(|point| (point.t_us, point.value)).collect()
    }

    async fn found(&self, batch: &[Write]) -> LostAndFound {
        self.write(batch).await.counts[0].1.numbered.unwrap()
    }

    fn sent(&self, boot: &str, sent: u64) -> Write {
        Write::Sent { device: self.device, boot: boot.parse().unwrap(), sent }
    }
}

fn series_of(device: DeviceId, channel: &str, datatype: Datatype) -> NewSeries {
    NewSeries { device, channel: channel.to_owned(), datatype, unit: Some("°C".to_owned()), now_us: NOON }
}

fn at(t_us: i64) -> WhenMeasured {
    WhenMeasured::Known(t_us)
}

fn wrong_clock(t_us: i64, arrived_us: i64) -> WhenMeasured {
    WhenMeasured::WrongClock { t_us, arrived_us, fresh: true }
}

fn since_boot(ms: u64, arrived_us: i64) -> WhenMeasured {
    WhenMeasured::SinceBoot { ms, arrived_us, fresh: true }
}

async fn a_sample_comes_back_as_it_was_written(engine: &impl Engine) {
    for (datatype, value) in [
        (Datatype::Float, Value::Float(21.5)),
        (Datatype::Int, Value::Int(-(1 << 53))),
        (Datatype::Bool, Value::Bool(true)),
        (Datatype::Text, Value::from("a 'quoted' \u{1F321} text")),
        (Datatype::Color, Value::from("#ff8800")),
    ] {
        let bench = Bench::with(engine, datatype).await;
        bench.write(&[bench.sample(value.clone(), at(NOON), None)]).await;
        assert_eq!(bench.all().await, [(NOON, value.clone())]);
        let again = bench.store.series(bench.series.id).await.unwrap().unwrap();
        assert_eq!(again.last.map(|last| last.value), Some(value));
        bench.store.close().await;
    }
}

async fn a_device_and_a_series_are_made_once(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let store = &bench.store;
    assert_eq!(store.open_device("demo", "thermometer", NOON).await.unwrap(), bench.device);
    assert_ne!(store.open_device("other", "thermometer", NOON).await.unwrap(), bench.device);
    let again = store.open_series(&series_of(bench.device, "temperature", Datatype::Float)).await.unwrap();
    assert_eq!(again.id, bench.series.id);
    let text = store.open_series(&series_of(bench.device, "temperature", Datatype::Text)).await.unwrap();
    assert_ne!(text.id, bench.series.id);
    assert_eq!(store.series(SeriesId(999)).await.unwrap(), None);
}

async fn a_numbered_sample_is_stored_once_also_after_a_restart(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let first: Vec<_> = (1..=250_u64)
        .map(|n| bench.sample(n as f64, at(NOON + n as i64 * SECOND), Some(("k3f9", n))))
        .collect();
    let report = bench.write(&first).await;
    assert_eq!(report.stored(), 250);
    assert!(bench.write(&first).await.outcomes.iter().all(|outcome| *outcome == Outcome::Duplicate));
    bench.store.close().await;
    drop(bench);
    let bench = Bench::new(engine).await;
    assert_eq!(bench.write(&first).await.stored(), 0);
    assert_eq!(bench.all().await.len(), 250);
    let found = bench.found(&first[..1]).await;
    assert_eq!(found, LostAndFound { duplicate: 501, lost: 0 });
}

async fn a_repetition_within_a_batch_is_found(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let sample = bench.sample(1.0, at(NOON), Some(("k3f9", 1)));
    let report = bench.write(&[sample.clone(), sample]).await;
    assert_eq!(report.outcomes, [Outcome::Stored(NOON), Outcome::Duplicate]);
}

async fn two_samples_of_one_instant_are_both_kept(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let report = bench
        .write(&[
            bench.sample(1.0, at(NOON), Some(("k3f9", 1))),
            bench.sample(1.0, at(NOON), Some(("k3f9", 2))),
            bench.sample(9.0, at(NOON + 2), Some(("k3f9", 3))),
            bench.sample(1.0, at(NOON), Some(("zzzz", 1))),
        ])
        .await;
    let stored = [NOON, NOON + 1, NOON + 2, NOON + 3].map(Outcome::Stored);
    assert_eq!(report.outcomes, stored);
    assert_eq!(bench.write(&[bench.sample(5.0, at(NOON - 1), Some(("k3f9", 4)))]).await.stored(), 1);
    assert_eq!(bench.all().await.len(), 5);
}

async fn a_clock_that_stands_still_loses_nothing(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    for batch in 0..5_u64 {
        let numbers = batch * 500 + 1..=batch * 500 + 500;
        let batch: Vec<_> = numbers.map(|n| bench.sample(1.0, at(NOON), Some(("k3f9", n)))).collect();
        assert_eq!(bench.write(&batch).await.stored(), 500);
    }
    let all = bench.all().await;
    assert_eq!((all.len(), all[2_499].0), (2_500, NOON + 2_499));
}

async fn without_numbers_an_equal_value_at_one_instant_is_the_same(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let (one, two) = (bench.sample(1.0, at(NOON), None), bench.sample(2.0, at(NOON), None));
    let report = bench.write(&[one.clone(), one.clone(), two.clone()]).await;
    let first = [Outcome::Stored(NOON), Outcome::Duplicate, Outcome::Stored(NOON + 1)];
    assert_eq!(report.outcomes, first);
    assert_eq!(bench.write(&[one, two]).await.stored(), 0);
    assert_eq!(bench.write(&[bench.sample(3.0, at(NOON), None)]).await.counts[0].1.numbered, None);
}

async fn a_stamped_sample_is_always_new(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let stamped = bench.sample(1.0, WhenMeasured::Stamped(NOON), None);
    let report = bench.write(&[stamped.clone(), stamped]).await;
    assert_eq!(report.outcomes, [NOON, NOON + 1].map(Outcome::Stored));
}

async fn the_boot_of_a_sender_without_clock_is_fixed_once(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let first = bench.sample(1.0, since_boot(1_000, NOON), Some(("k3f9", 1)));
    assert_eq!(bench.write(std::slice::from_ref(&first)).await.outcomes, [Outcome::Stored(NOON)]);
    bench.store.close().await;
    drop(bench);
    let bench = Bench::new(engine).await;
    // It comes 7 s late; its time is still counted from the same boot.
    let late = bench.sample(2.0, since_boot(3_000, NOON + 9 * SECOND), Some(("k3f9", 2)));
    let report = bench.write(&[late, first]).await;
    assert_eq!(report.outcomes, [Outcome::Stored(NOON + 2 * SECOND), Outcome::Duplicate]);
}

async fn an_old_retained_sample_does_not_fix_the_boot(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let old = WhenMeasured::SinceBoot { ms: 1_000, arrived_us: NOON + 60 * SECOND, fresh: false };
    bench.write(&[bench.sample(1.0, old, Some(("k3f9", 1)))]).await;
    let live = bench.sample(2.0, since_boot(61_000, NOON + 61 * SECOND), Some(("k3f9", 61)));
    assert_eq!(bench.write(&[live]).await.outcomes, [Outcome::Stored(NOON + 61 * SECOND)]);
    let next = bench.sample(2.0, since_boot(62_000, NOON + 70 * SECOND), Some(("k3f9", 62)));
    assert_eq!(bench.write(&[next]).await.outcomes, [Outcome::Stored(NOON + 62 * SECOND)]);
}

async fn the_offset_of_a_wrong_clock_is_fixed_once(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let first = bench.sample(1.0, wrong_clock(5 * SECOND, NOON), Some(("k3f9", 1)));
    assert_eq!(bench.write(std::slice::from_ref(&first)).await.outcomes, [Outcome::Stored(NOON)]);
    bench.store.close().await;
    drop(bench);
    let bench = Bench::new(engine).await;
    // It comes 7 s late; its time is still corrected by the same offset.
    let late = bench.sample(2.0, wrong_clock(7 * SECOND, NOON + 9 * SECOND), Some(("k3f9", 2)));
    let other = bench.sample(3.0, wrong_clock(7 * SECOND, NOON + 9 * SECOND), Some(("next", 1)));
    let report = bench.write(&[late, first, other]).await;
    let stored = Outcome::Stored;
    assert_eq!(report.outcomes, [stored(NOON + 2 * SECOND), Outcome::Duplicate, stored(NOON + 9 * SECOND)]);
    let windows = bench.store.load(NOON).await.unwrap().devices[0].life.clone().unwrap();
    assert!(windows.1.clock_offset_us.is_some() && windows.1.epoch_us.is_none());
}

async fn an_old_retained_sample_does_not_fix_the_offset(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let old = |t_us| WhenMeasured::WrongClock { t_us, arrived_us: NOON, fresh: false };
    let report = bench
        .write(&[
            bench.sample(1.0, old(10 * SECOND), Some(("k3f9", 1))),
            bench.sample(2.0, wrong_clock(70 * SECOND, NOON), Some(("k3f9", 61))),
            bench.sample(3.0, old(11 * SECOND), Some(("k3f9", 2))),
        ])
        .await;
    assert_eq!(report.outcomes, [NOON, NOON + 1, NOON - 59 * SECOND].map(Outcome::Stored));
}

async fn a_clock_that_is_set_meanwhile_gets_another_offset(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let (past, future) = (0, NOON + 1_000_000 * SECOND);
    let times = [(past, 0), (future, 1), (future + SECOND, 3), (past, 4)];
    let sample = |(n, (t_us, s)): (u64, (i64, i64))| {
        bench.sample(1.0, wrong_clock(t_us, NOON + s * SECOND), Some(("k3f9", n)))
    };
    let batch: Vec<_> = (1..).zip(times).map(sample).collect();
    let stored = [0, 1, 2, 4].map(|s| Outcome::Stored(NOON + s * SECOND));
    assert_eq!(bench.write(&batch).await.outcomes, stored);
}

async fn samples_of_a_wrong_clock_are_counted(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let wrong = |write| match write {
        Write::Sample(sample) => Write::Sample(NewSample { wrong_clock: true, ..sample }),
        other => other,
    };
    let numbered = wrong(bench.sample(1.0, wrong_clock(0, NOON), Some(("k3f9", 1))));
    let unnumbered = wrong(bench.sample(2.0, WhenMeasured::Stamped(NOON), None));
    let right = bench.sample(3.0, at(NOON), None);
    let counts = bench.write(&[numbered.clone(), numbered, unnumbered, right]).await.counts[0].1;
    assert_eq!((counts.received, counts.stored, counts.wrong_clock), (4, 3, 2), "a repeated one only once");
    bench.store.close().await;
    let again = engine.open().await;
    assert_eq!(again.load(NOON).await.unwrap().devices[0].counts, counts);
}

async fn a_message_without_a_value_is_counted_and_neither_lost_nor_stored(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let (device, boot) = (bench.device, "k3f9".parse().unwrap());
    let empty = |n: Option<u64>| {
        let (number, arrived_us) = (n.map(|n| (boot, n)), NOON + SECOND);
        Write::NoReading { device, number, arrived_us }
    };
    let sample = |n: u64| bench.sample(1.0, at(NOON + n as i64), Some(("k3f9", n)));
    bench.write(&[sample(1), empty(Some(2)), sample(4), empty(None)]).await;
    // It comes again, as it may at QoS 1.
    let counts = bench.write(&[empty(Some(2))]).await.counts[0].1;
    assert_eq!((counts.received, counts.stored, counts.refused, counts.no_reading), (2, 2, 0, 2));
    assert_eq!(counts.numbered, Some(LostAndFound { duplicate: 1, lost: 1 }), "only number 3 is missing");
    bench.store.close().await;
    drop(bench);
    let bench = Bench::new(engine).await;
    assert_eq!(bench.write(&[empty(None)]).await.counts[0].1.no_reading, 3);
    let saved = bench.store.load(NOON).await.unwrap().devices.remove(0);
    assert_eq!((saved.counts.no_reading, saved.last_seen_us), (3, Some(NOON + SECOND)));
    let life = bench.store.lives(device).await.unwrap()[0];
    assert_eq!((life.stored, life.refused, life.no_reading, life.found.lost), (2, 0, 1, 1));
}

async fn a_sample_dated_tomorrow_is_not_the_last_value(engine: &impl Engine) {
    for (datatype, now, tomorrow) in [
        (Datatype::Float, Value::Float(21.5), Value::Float(99.0)),
        (Datatype::Text, Value::from("now"), Value::from("tomorrow")),
    ] {
        let bench = Bench::with(engine, datatype).await;
        let day = 86_400 * SECOND;
        bench.write(&[bench.sample(tomorrow.clone(), at(NOON + day), None)]).await;
        let last = async |now_us| {
            let all = bench.store.load(now_us).await.unwrap().series;
            let opened = NewSeries { now_us, ..series_of(bench.device, "temperature", datatype) };
            let opened = bench.store.open_series(&opened).await.unwrap();
            let loaded = all.into_iter().find(|series| series.id == bench.series.id).unwrap();
            assert_eq!(loaded.last, opened.last);
            loaded.last.map(|last| (last.t_us, last.value))
        };
        assert_eq!(last(NOON).await, None);
        bench.write(&[bench.sample(now.clone(), at(NOON), None)]).await;
        assert_eq!(last(NOON - 1).await, None);
        assert_eq!(last(NOON).await, Some((NOON, now)));
        assert_eq!(last(NOON + day).await, Some((NOON + day, tomorrow)));
        bench.store.close().await;
    }
}

async fn losses_are_counted_and_taken_back(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let sample = |n: u64| bench.sample(1.0, at(NOON + n as i64), Some(("k3f9", n)));
    assert_eq!(bench.found(&[sample(5), sample(6), sample(9)]).await.lost, 2);
    assert_eq!(bench.found(&[bench.sent("k3f9", 12)]).await.lost, 5);
    assert_eq!(bench.found(&[sample(7), sample(12)]).await.lost, 3);
    assert_eq!(bench.found(&[sample(8), sample(10), sample(11)]).await.lost, 0);
    assert_eq!(bench.found(&[bench.sample(1.0, at(NOON), Some(("next", 4)))]).await.lost, 0);
    assert_eq!(bench.found(&[bench.sent("next", 5), bench.sent("never", 100)]).await.lost, 1);
}

async fn a_life_heard_of_from_its_beginning_loses_its_head_too(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let life = |boot: &str, whole| {
        let (device, boot) = (bench.device, boot.parse().unwrap());
        Write::Life { device, boot, whole, arrived_us: NOON }
    };
    let third = |boot| bench.sample(1.0, at(NOON), Some((boot, 3)));
    assert_eq!(bench.found(&[life("whole", true), life("whole", false), third("whole")]).await.lost, 2);
    assert_eq!(bench.found(&[life("older", false), life("older", true), third("older")]).await.lost, 2);
    assert_eq!(bench.found(&[life("unheard", true), bench.sent("unheard", 4)]).await.lost, 6);
    bench.store.close().await;
    let again = engine.open().await;
    assert_eq!(again.load(NOON).await.unwrap().devices[0].counts.numbered.map(|found| found.lost), Some(6));
}

async fn each_life_has_its_own_counts(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let (device, boot) = (bench.device, "first".parse().unwrap());
    let refused = |n| {
        let number = Some((boot, n));
        Write::Refused { device, reason: "too hot".to_owned(), number, arrived_us: NOON }
    };
    let sample = |boot, n: u64| bench.sample(1.0, at(NOON + n as i64), Some((boot, n)));
    bench.write(&[sample("first", 1), refused(2), sample("first", 4), sample("first", 1)]).await;
    // It comes again, as it may at QoS 1.
    bench.write(&[refused(2)]).await;
    let Write::Sample(mut later) = sample("second", 1) else { unreachable!() };
    later.arrived_us += SECOND;
    let counts = bench.write(&[Write::Sample(later), bench.sample(2.0, at(NOON), None)]).await.counts[0].1;
    assert_eq!((counts.received, counts.stored, counts.refused), (5, 4, 1));
    assert_eq!(counts.numbered, Some(LostAndFound { duplicate: 2, lost: 1 }), "the refused one is not lost");
    let lives = bench.store.lives(bench.device).await.unwrap();
    let lives: Vec<_> = lives.iter().map(|l| (l.boot.to_string(), l.stored, l.refused, l.found)).collect();
    let found = |duplicate, lost| LostAndFound { duplicate, lost };
    assert_eq!(lives, [("second".to_owned(), 1, 0, found(0, 0)), ("first".to_owned(), 2, 1, found(2, 1))]);
}

async fn losses_of_many_lives_add_up(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    for life in 0..80_i64 {
        let boot = format!("life{life}");
        let sample = |n: u64| {
            let when = at(NOON + life * SECOND + n as i64);
            let Write::Sample(sample) = bench.sample(1.0, when, Some((&boot, n))) else { unreachable!() };
            Write::Sample(NewSample { arrived_us: NOON + life * SECOND, ..sample })
        };
        let found = bench.found(&[sample(1), sample(3)]).await;
        assert_eq!(i64::try_from(found.lost), Ok(life + 1));
    }
    bench.store.close().await;
    drop(bench);
    let store = engine.open().await;
    let snapshot = store.load(NOON).await.unwrap();
    assert_eq!(snapshot.devices[0].counts.numbered.map(|found| found.lost), Some(80));
    assert_eq!(
        snapshot.devices[0].life.as_ref().map(|(boot, _)| boot.to_string()).as_deref(),
        Some("life79")
    );
}

async fn refusals_are_counted_with_the_last_reason(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    for reason in ["one", "two"] {
        let (device, reason) = (bench.device, reason.to_owned());
        bench.write(&[Write::Refused { device, reason, number: None, arrived_us: NOON }]).await;
    }
    let snapshot = bench.store.load(NOON).await.unwrap();
    let device = &snapshot.devices[0];
    assert_eq!((device.counts.refused, device.refusal.as_deref()), (2, Some("two")));
    assert_eq!(device.last_seen_us, Some(NOON));
}

async fn states_are_kept_newest_first(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let change = |t_us, state, cause| StateChange { t_us, state, cause };
    let changes = [
        change(NOON, State::Ready, StateCause::Announced),
        change(NOON + 1, State::Lost, StateCause::Will),
        change(NOON + 1, State::Disconnected, StateCause::Orderly),
        change(NOON + 2, State::Ready, StateCause::BrokerRestart),
    ];
    let device = bench.device;
    bench.write(&changes.map(|change| Write::State { device, change })).await;
    let states = bench.store.states(device, 2).await.unwrap();
    assert_eq!(states, [changes[3], changes[2]]);
    assert_eq!(bench.store.load(NOON).await.unwrap().devices[0].state, Some(changes[3]));
}

fn command(id: &str, sent_us: i64) -> Command {
    Command {
        id: id.to_owned(),
        group: "demo".to_owned(),
        device: "thermometer".to_owned(),
        channel: "on".to_owned(),
        value: Value::Bool(true),
        state: CommandState::Pending,
        error: None,
        sent_us,
        ended_us: None,
    }
}

async fn commands_end_once_and_a_late_answer_counts(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let store = &bench.store;
    for (i, id) in ["a", "b", "c"].into_iter().enumerate() {
        store.insert_command(bench.device, &command(id, NOON + i as i64)).await.unwrap();
    }
    assert_eq!(
        store.insert_command(bench.device, &command("a", NOON)).await.unwrap_err().fault(),
        Fault::Data
    );
    store.end_command("a", CommandState::Confirmed, None, NOON + 5).await.unwrap();
    store.end_command("a", CommandState::TimedOut, None, NOON + 6).await.unwrap();
    store.end_command("b", CommandState::TimedOut, None, NOON + 6).await.unwrap();
    let (id, error) = ("b".to_owned(), Some("too hot".to_owned()));
    bench.write(&[Write::EndCommand { id, state: CommandState::Refused, error, ended_us: NOON + 7 }]).await;
    store.end_command("unknown", CommandState::Confirmed, None, NOON).await.unwrap();
    let states: Vec<_> = store.commands(bench.device, 10).await.unwrap();
    let states: Vec<_> = states.iter().map(|c| (c.id.as_str(), c.state, c.ended_us)).collect();
    assert_eq!(
        states,
        [
            ("c", CommandState::Pending, None),
            ("b", CommandState::Refused, Some(NOON + 7)),
            ("a", CommandState::Confirmed, Some(NOON + 5)),
        ]
    );
    assert_eq!(store.command("b").await.unwrap().unwrap().error.as_deref(), Some("too hot"));
    // The next process cannot be answered.
    store.load(NOON + 9).await.unwrap();
    let left = store.command("c").await.unwrap().unwrap();
    assert_eq!((left.state, left.ended_us), (CommandState::TimedOut, Some(NOON + 9)));
    assert_eq!(store.command("unknown").await.unwrap(), None);
}

async fn a_variable_keeps_definition_and_value_apart(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let store = &bench.store;
    store.keep_variable("demo", "b", &Value::Bool(true)).await.unwrap();
    store.define_variable("demo", "a", "{}").await.unwrap();
    store.keep_variable("demo", "a", &Value::Float(1.0)).await.unwrap();
    store.keep_variable("demo", "a", &Value::Float(2.0)).await.unwrap();
    store.define_variable("demo", "a", "{\"min\":1}").await.unwrap();
    store.keep_variable("attic", "a", &Value::Text("x".to_owned())).await.unwrap();
    store.forget_variable("attic", "a").await.unwrap();
    store.forget_variable("attic", "unknown").await.unwrap();
    let saved = |name: &str, definition: Option<&str>, value| SavedVariable {
        group: "demo".to_owned(),
        name: name.to_owned(),
        definition: definition.map(str::to_owned),
        value: Some(value),
    };
    let expected = [saved("a", Some("{\"min\":1}"), Value::Float(2.0)), saved("b", None, Value::Bool(true))];
    assert_eq!(store.variables().await.unwrap(), expected);
}

async fn thinning_keeps_the_extremes(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let wave = |i: i64| {
        if i == 1_234 {
            99.0
        } else if i == 777 {
            -99.0
        } else {
            (i as f64 / 50.0).sin()
        }
    };
    let batch: Vec<_> = (0..3_000).map(|i| bench.sample(wave(i), at(NOON + i * SECOND), None)).collect();
    bench.write(&batch).await;
    let range = NOON..NOON + 3_000 * SECOND;
    for max_points in [4, 10, 1_000] {
        let points = bench.store.points(&bench.series, range.clone(), max_points).await.unwrap();
        assert!(points.len() <= max_points && points.is_sorted_by_key(|point| point.t_us));
        let values: Vec<_> = points.iter().filter_map(|point| point.value.as_f64()).collect();
        assert!(values.contains(&99.0) && values.contains(&-99.0), "{max_points}");
    }
    let some = bench.store.points(&bench.series, NOON + 5 * SECOND..NOON + 8 * SECOND, 10).await.unwrap();
    assert_eq!(some.iter().map(|point| point.t_us - NOON).collect::<Vec<_>>(), [5, 6, 7].map(|i| i * SECOND));
    assert!(bench.store.points(&bench.series, 5..5, 10).await.unwrap().is_empty());
}

async fn texts_are_thinned_to_the_last_of_each_stretch(engine: &impl Engine) {
    let bench = Bench::with(engine, Datatype::Text).await;
    let batch: Vec<_> = (0..100).map(|i| bench.sample(format!("{i}").as_str(), at(NOON + i), None)).collect();
    bench.write(&batch).await;
    let points = bench.store.points(&bench.series, NOON..NOON + 100, 10).await.unwrap();
    let texts: Vec<_> = points.iter().filter_map(|point| point.value.as_str()).collect();
    assert_eq!(texts, ["9", "19", "29", "39", "49", "59", "69", "79", "89", "99"]);
}

async fn everything_is_there_after_a_restart(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let (device, store) = (bench.device, &bench.store);
    let mut info = Info::default();
    info.kind = Some("temperature".into());
    let (name, version) = ("tank".into(), "0.1.0".into());
    info.plugin = Some(PluginInfo { name, version, form: PluginForm::Process, loads: 3 });
    info.channels = vec![Channel::float("temperature").unit("°C")];
    bench
        .write(&[
            Write::Info { device, info: Some(Box::new(info.clone())), removed: false },
            Write::Said { device, state: Some(State::Ready), error: Some("it smokes".to_owned()) },
            bench.sample(1.0, at(NOON), Some(("k3f9", 1))),
            bench.sample(2.0, at(NOON + 1), Some(("k3f9", 2))),
        ])
        .await;
    store.set_shown(device, Some("Ofen"), true).await.unwrap();
    let identity = store.identity().to_owned();
    store.close().await;
    drop(bench);
    let store = engine.open().await;
    assert_eq!(store.identity(), identity);
    let snapshot = store.load(NOON + SECOND).await.unwrap();
    let saved = &snapshot.devices[0];
    assert_eq!((saved.group.as_str(), saved.device.as_str()), ("demo", "thermometer"));
    assert_eq!((saved.name.as_deref(), saved.hidden, saved.removed), (Some("Ofen"), true, false));
    assert_eq!((saved.info.as_ref(), saved.error.as_deref()), (Some(&info), Some("it smokes")));
    assert_eq!((saved.announced_state, saved.counts.received), (Some(State::Ready), 2));
    assert!(saved.life.as_ref().is_some_and(|(_, window)| window.contains(2) && !window.contains(3)));
    let last = snapshot.series[0].last.as_ref();
    assert_eq!(last.map(|last| (last.t_us, last.value.clone())), Some((NOON + 1, Value::Float(2.0))));
}

async fn a_refused_row_undoes_its_batch_and_the_next_batch_is_right(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    let good = bench.sample(1.0, at(NOON), Some(("k3f9", 1)));
    let bad = Write::Sent { device: DeviceId(4_711), boot: "k3f9".parse().unwrap(), sent: 1 };
    assert_eq!(bench.store.write(&[good.clone(), bad]).await.unwrap_err().fault(), Fault::Data);
    assert!(bench.all().await.is_empty());
    assert_eq!(bench.write(&[good]).await.stored(), 1);
}

async fn reading_and_writing_do_not_wait_for_each_other(engine: &impl Engine) {
    let bench = Arc::new(Bench::new(engine).await);
    let writer = tokio::spawn({
        let bench = Arc::clone(&bench);
        async move {
            for batch in 0..20_i64 {
                let times = batch * 100..batch * 100 + 100;
                let batch: Vec<_> = times.map(|i| bench.sample(i as f64, at(NOON + i), None)).collect();
                bench.write(&batch).await;
            }
        }
    });
    while !writer.is_finished() {
        // A batch is seen whole or not at all.
        assert_eq!(bench.all().await.len() % 100, 0);
    }
    writer.await.unwrap();
    assert_eq!(bench.all().await.len(), 2_000);
}

async fn huge_values_do_not_stop_the_store(engine: &impl Engine) {
    let bench = Bench::new(engine).await;
    for value in [f64::MAX, f64::MAX, -f64::MAX, -f64::MAX, -f64::MAX, f64::MIN_POSITIVE, -0.0] {
        let stamped = bench.sample(value, WhenMeasured::Stamped(NOON), None);
        assert_eq!(bench.write(&[stamped]).await.stored(), 1);
    }
}

macro_rules! stories {
    ($engine:ident, $module:ident: $($story:ident)+) => {
        mod $module {
            use super::{Engine as _, $engine};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    super::$story(&$engine::new()).await;
                }
            )+
        }
    };
}

stories! { Sqlite, sqlite:
    a_sample_comes_back_as_it_was_written
    a_device_and_a_series_are_made_once
    a_numbered_sample_is_stored_once_also_after_a_restart
    a_repetition_within_a_batch_is_found
    two_samples_of_one_instant_are_both_kept
    a_clock_that_stands_still_loses_nothing
    without_numbers_an_equal_value_at_one_instant_is_the_same
    a_stamped_sample_is_always_new
    the_boot_of_a_sender_without_clock_is_fixed_once
    an_old_retained_sample_does_not_fix_the_boot
    the_offset_of_a_wrong_clock_is_fixed_once
    an_old_retained_sample_does_not_fix_the_offset
    a_clock_that_is_set_meanwhile_gets_another_offset
    samples_of_a_wrong_clock_are_counted
    a_message_without_a_value_is_counted_and_neither_lost_nor_stored
    a_sample_dated_tomorrow_is_not_the_last_value
    losses_are_counted_and_taken_back
    a_life_heard_of_from_its_beginning_loses_its_head_too
    each_life_has_its_own_counts
    losses_of_many_lives_add_up
    refusals_are_counted_with_the_last_reason
    states_are_kept_newest_first
    commands_end_once_and_a_late_answer_counts
    thinning_keeps_the_extremes
    texts_are_thinned_to_the_last_of_each_stretch
    a_variable_keeps_definition_and_value_apart
    everything_is_there_after_a_restart
    a_refused_row_undoes_its_batch_and_the_next_batch_is_right
    reading_and_writing_do_not_wait_for_each_other
    huge_values_do_not_stop_the_store
}
