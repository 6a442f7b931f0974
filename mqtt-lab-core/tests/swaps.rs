//! A plugin is loaded again: running devices get an instance of the new one without a new connection.

mod support;

use mqtt_lab_core::config::{ChannelConfig, DeviceConfig};
use mqtt_lab_core::prelude::*;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use support::Nothing;
use support::changing::{Bench, device, give_up_after, words};

/// What the constructor of a version does.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Lives,
    Refuses,
    Panics,
    Hangs,
    /// Lives, but takes no control variable.
    Deaf,
}

/// A sensor whose plugin is written anew while it runs: it measures the value of its control variable
/// on a channel that is named after the version.
struct Version {
    number: u32,
    fate: Fate,
    step: i64,
}

impl Version {
    fn new(number: u32, fate: Fate) -> Result<Self> {
        match fate {
            Fate::Refuses => Err(Error::new("no such wire")),
            // A panic without a backtrace, whose first one may take longer than the time limit below.
            Fate::Panics => std::panic::resume_unwind(Box::new("no new")),
            Fate::Hangs => loop {
                std::thread::park();
            },
            Fate::Lives | Fate::Deaf => Ok(Self { number, fate, step: 1 }),
        }
    }
}

#[async_trait]
impl Sensor for Version {
    fn describe(&self) -> Description {
        let own = format!("own-{}", self.number);
        Description::sensor()
            .channel(Channel::int(format!("version-{}", self.number)))
            .control(Channel::int("step").range(1.0, 100.0).initial(self.step))
            .control(Channel::bool(own).initial(true))
    }

    async fn read(&mut self) -> Result<Reading> {
        Ok(Reading::new().with(format!("version-{}", self.number), self.step))
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<()> {
        if self.fate == Fate::Deaf {
            return Err(Error::new("too loud"));
        }
        if channel == "step" {
            self.step = value.as_i64().expect("checked");
        }
        Ok(())
    }
}

/// The plugin as it is after an edit.
fn version(number: u32, fate: Fate) -> Plugin {
    Plugin::new("edited", "0.0.0")
        .kind(Kind::sensor("version", move |_: Nothing| Version::new(number, fate)))
        .kind(Kind::sensor("shared", move |_: Nothing| Version::new(number, fate)).cooperative())
}

fn quick(kind: &str) -> DeviceConfig {
    DeviceConfig { read_timeout_s: 0.5, ..device(kind, "x") }
}

/// Starts version 1 of a kind, whose user sets `step` to 10.
async fn first(kind: &str) -> Bench {
    let mut bench = Bench::start(version(1, Fate::Lives), vec![quick(kind)]).await;
    bench.observer.publish("lab/demo/x/step/set", "10").await;
    bench.observer.on("lab/demo/x/version-1", "\"v\":10,").await;
    bench
}

async fn a_swap_keeps_connection_and_control_variables(kind: &str) {
    let mut bench = first(kind).await;
    let boot = bench.boot("x").await;
    bench.observer.publish("lab/demo/x/$interval/set", "0.04").await;
    bench.comes("x/$interval", "0.04").await;
    bench.plugin = version(2, Fate::Lives);
    let changes = bench.apply(vec![quick(kind)]).await;
    assert_eq!((changes.swapped, changes.kept_old), (words(&["demo/x"]), Vec::new()));
    bench.observer.on("lab/demo/x/version-2", "\"v\":10,").await;
    bench.observer.catch_up().await;
    assert_eq!(bench.boot("x").await, boot);
    assert_eq!(bench.states("x"), ["ready"]);
    assert_eq!(bench.running.status("demo/x").expect("runs").reconnects, 0);
    let parts = ["$info", "$interval", "$paused", "$qos", "$state", "own-2", "step"];
    assert_eq!(bench.retained("x").await, parts.map(|part| format!("lab/demo/x/{part}")));
    assert!(bench.observer.last("lab/demo/x/$info").expect("said").payload.contains("version-2"));
    assert!(bench.observer.last("lab/demo/x/step").expect("said").payload.contains("\"v\":10,"));
    assert!(bench.observer.last("lab/demo/x/$interval").expect("said").payload.contains("0.04"));
    // What it said before is in order: no number is missing or used twice.
    bench.observer.publish("lab/demo/x/step/set", "11").await;
    bench.observer.on("lab/demo/x/version-2", "\"v\":11,").await;
    let own = bench.observer.seen.iter().filter(|seen| seen.topic.starts_with("lab/demo/x/"));
    let own = own.filter_map(|seen| mqtt_lab_wire::Sample::decode(seen.payload.as_bytes()).ok()?.number);
    let mut numbers: Vec<_> = own.map(|(_, number)| number).collect();
    numbers.sort_unstable();
    assert!((1..).zip(&numbers).all(|(expected, number)| expected == *number), "{numbers:?}");
    bench.stop().await;
}

#[tokio::test]
async fn a_swap_keeps_connection_and_control_variables_of_a_device_with_its_own_thread() {
    a_swap_keeps_connection_and_control_variables("version").await;
}

#[tokio::test]
async fn a_swap_keeps_connection_and_control_variables_of_a_cooperative_device() {
    a_swap_keeps_connection_and_control_variables("shared").await;
}

async fn the_old_one_runs_on(fate: Fate, why: &str) {
    let mut bench = first("version").await;
    bench.plugin = version(2, fate);
    for _ in 0..2 {
        let changes = bench.apply(vec![quick("version")]).await;
        assert_eq!(changes.kept_old, [("demo/x".to_owned(), why.to_owned())]);
        assert_eq!((changes.swapped, changes.unchanged), (Vec::new(), 0));
        bench.observer.on("lab/demo/x/version-1", "\"v\":10,").await;
    }
    assert_eq!(bench.states("x"), ["ready"]);
    // The next edit is better.
    bench.plugin = version(3, Fate::Lives);
    assert_eq!(bench.apply(vec![quick("version")]).await.to_string(), "1 device swapped");
    bench.observer.on("lab/demo/x/version-3", "\"v\":10,").await;
    bench.stop().await;
}

#[tokio::test]
async fn a_new_version_that_refuses_leaves_the_old_one_running() {
    the_old_one_runs_on(Fate::Refuses, "cannot be constructed: no such wire").await;
}

#[tokio::test]
async fn a_new_version_that_panics_leaves_the_old_one_running() {
    the_old_one_runs_on(Fate::Panics, "panicked: no new").await;
}

#[tokio::test]
async fn a_new_version_that_hangs_leaves_the_old_one_running() {
    the_old_one_runs_on(Fate::Hangs, "did not answer within 500ms").await;
}

#[tokio::test]
async fn a_new_version_that_does_not_take_the_control_variables_leaves_the_old_one_running() {
    the_old_one_runs_on(Fate::Deaf, "too loud").await;
}

#[tokio::test]
async fn a_new_version_without_a_configured_channel_leaves_the_old_one_running() {
    let mut configured = quick("version");
    configured.channels.insert("version-1".into(), ChannelConfig::default());
    let mut bench = Bench::start(version(1, Fate::Lives), vec![configured.clone()]).await;
    bench.plugin = version(2, Fate::Lives);
    let changes = bench.apply(vec![configured]).await;
    assert_eq!(
        changes.kept_old[0].1,
        "`channels.version-1`: there is no channel `version-1` (hint: `version` has the channels: \
         version-2, step, own-2)"
    );
    bench.observer.on("lab/demo/x/version-1", "").await;
    bench.stop().await;
}

#[tokio::test]
async fn a_failed_device_is_healed_by_its_new_version() {
    let panics = device("version", "x");
    let mut bench = Bench::start(version(1, Fate::Panics), vec![panics.clone()]).await;
    bench.comes("x/$error", "panicked: no new").await;
    bench.plugin = version(2, Fate::Lives);
    assert_eq!(bench.apply(vec![panics]).await.to_string(), "1 device swapped");
    bench.comes("x/$state", "ready").await;
    bench.comes("x/step", "\"v\":1,").await;
    bench.comes("x/$error", "").await;
    bench.observer.catch_up().await;
    assert_eq!(bench.observer.last("lab/demo/x/$error").expect("said").payload, "");
    bench.stop().await;
}

#[tokio::test]
async fn an_event_sensor_that_waits_is_swapped_at_once() {
    let mut bench = Bench::start(support::plugin(), vec![device("button", "x")]).await;
    bench.plugin = support::plugin();
    assert_eq!(bench.apply(vec![device("button", "x")]).await.to_string(), "1 device swapped");
    bench.observer.publish("lab/demo/x/poke/set", "7").await;
    bench.observer.on("lab/demo/x/press", "\"v\":7").await;
    assert_eq!(bench.states("x"), ["ready"]);
    assert!(bench.observer.payloads("lab/demo/x/$error").iter().all(|error| error.is_empty()));
    bench.stop().await;
}

#[tokio::test]
async fn a_paused_device_stays_paused() {
    let mut bench = first("shared").await;
    bench.observer.publish("lab/demo/x/$paused/set", "true").await;
    bench.comes("x/$state", "sleeping").await;
    bench.plugin = version(2, Fate::Lives);
    bench.apply(vec![quick("shared")]).await;
    bench.comes("x/$info", "version-2").await;
    bench.observer.catch_up().await;
    assert_eq!(bench.states("x"), ["ready", "sleeping"]);
    assert!(bench.observer.payloads("lab/demo/x/version-2").is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn a_swap_given_up_takes_place_or_does_not() {
    let mut bench = first("version").await;
    for round in 0..6 {
        bench.plugin = version(round + 2, Fate::Lives);
        let lab = bench.lab(vec![quick("version")]);
        give_up_after(round, bench.running.apply(lab)).await;
        let changes = bench.apply(vec![quick("version")]).await;
        assert_eq!(changes.swapped.len() + changes.unchanged, 1, "{changes:?}");
        bench.observer.on(&format!("lab/demo/x/version-{}", round + 2), "\"v\":10,").await;
    }
    assert_eq!(bench.states("x"), ["ready"]);
    bench.stop().await;
}

/// Notes the threads on which it was constructed.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_hundred_swaps_leave_no_thread_behind() {
    let threads: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let plugin = |number| {
        let threads = Arc::clone(&threads);
        let new = move |_: Nothing| {
            let thread = std::fs::read_link("/proc/thread-self").expect("Linux");
            threads.lock().expect("whole").push(PathBuf::from("/proc").join(thread));
            Version::new(number, Fate::Lives)
        };
        Plugin::new("edited", "0.0.0").kind(Kind::sensor("version", new))
    };
    let mut bench = Bench::start(plugin(0), vec![device("version", "x")]).await;
    for number in 1..=100 {
        bench.plugin = plugin(number);
        assert_eq!(bench.apply(vec![device("version", "x")]).await.swapped, words(&["demo/x"]));
    }
    bench.observer.on("lab/demo/x/version-100", "").await;
    assert_eq!(bench.states("x"), ["ready"]);
    let seen = threads.lock().expect("whole").clone();
    assert_eq!(seen.len(), 101);
    // The number of a thread that is gone may be given again, at most to the last one here.
    let last = &seen[100];
    let gone = || seen.iter().filter(|thread| *thread != last).all(|thread| !thread.exists());
    support::becomes_true("the old threads are gone", gone).await;
    assert!(last.exists());
    bench.stop().await;
    support::becomes_true("the last thread is gone", || !last.exists()).await;
}
