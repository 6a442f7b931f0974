//! A running lab goes over to a changed configuration: who is touched, who is not, and what remains.

mod support;

use mqtt_lab_core::config::{ChannelConfig, DeviceConfig};
use mqtt_lab_core::link::LinkStatus;
use mqtt_lab_core::prelude::*;
use mqtt_lab_core::{BuildError, Lab};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use support::changing::{Bench, device, give_up_after, lab, words};

#[tokio::test]
async fn only_the_device_that_differs_is_restarted() {
    let mut bench =
        Bench::start(support::plugin(), vec![device("counter", "same"), device("counter", "other")]).await;
    let boots = (bench.boot("same").await, bench.boot("other").await);
    let mut other = device("counter", "other");
    other.interval_s = 0.03;
    // In another place of the file, a device is still the same.
    let changes = bench.apply(vec![other, device("counter", "same")]).await;
    assert_eq!((changes.restarted, changes.unchanged), (words(&["demo/other"]), 1));
    bench.comes("other/$interval", "\"v\":0.03").await;
    bench.comes("other/$state", "ready").await;
    assert_ne!(bench.boot("other").await, boots.1);
    assert!(bench.states("other").contains(&"disconnected"));
    bench.observer.on("lab/demo/same/count", "").await;
    assert_eq!(bench.boot("same").await, boots.0);
    assert_eq!(bench.states("same"), ["ready"]);
    assert_eq!(bench.running.status("demo/same").expect("runs").reconnects, 0);
    assert!(!bench.observer.seen.iter().any(|seen| seen.payload == "lost"));
    bench.stop().await;
}

#[tokio::test]
async fn a_changed_count_touches_no_other_device_of_its_table() {
    let table = |count| DeviceConfig { count, ..device("cooperative-counter", "c") };
    let mut bench = Bench::start(support::plugin(), vec![table(3)]).await;
    let changes = bench.apply(vec![table(5)]).await;
    assert_eq!((changes.started, changes.unchanged), (words(&["demo/c-4", "demo/c-5"]), 3));
    let changes = bench.apply(vec![table(2)]).await;
    assert_eq!((changes.stopped, changes.unchanged), (words(&["demo/c-3", "demo/c-4", "demo/c-5"]), 2));
    assert_eq!(bench.running.devices().collect::<Vec<_>>(), ["demo/c-1", "demo/c-2"]);
    assert_eq!(bench.states("c-1"), ["ready"]);
    bench.stop().await;
}

#[tokio::test]
async fn a_removed_device_leaves_neither_a_message_nor_a_will() {
    let mut gone = device("counter", "gone");
    gone.retain = true;
    let mut bench = Bench::start(support::plugin(), vec![device("counter", "stays"), gone]).await;
    bench.observer.publish("lab/demo/gone/step/set", "7").await;
    bench.comes("gone/step", "\"v\":7,").await;
    bench.observer.on("lab/demo/gone/count", "").await;
    let parts = ["$info", "$interval", "$paused", "$qos", "$state", "count", "half", "step"];
    assert_eq!(bench.retained("gone").await, parts.map(|part| format!("lab/demo/gone/{part}")));
    let changes = bench.apply(vec![device("counter", "stays")]).await;
    assert_eq!((&changes.stopped, changes.to_string()), (&words(&["demo/gone"]), "1 device removed".into()));
    assert_eq!(bench.states("gone"), ["ready", "disconnected", ""]);
    assert_eq!(bench.retained("gone").await, words(&[]));
    assert!(bench.retained("stays").await.contains(&"lab/demo/stays/$info".to_owned()));
    let last = bench.observer.seen.iter().rev().find(|seen| seen.topic.starts_with("lab/demo/gone/"));
    assert_eq!(last.expect("seen").topic, "lab/demo/gone/$info", "nothing makes the device known again");
    assert_eq!(bench.running.status("demo/gone"), None);
    bench.stop().await;
}

#[tokio::test]
async fn a_new_device_appears() {
    let mut bench = Bench::start(support::plugin(), vec![device("counter", "first")]).await;
    let changes = bench.apply(vec![device("counter", "first"), device("lamp", "second")]).await;
    assert_eq!(changes.to_string(), "1 device added");
    bench.observer.publish("lab/demo/second/on/set", "true").await;
    bench.comes("second/on", "\"v\":true").await;
    bench.stop().await;
}

#[tokio::test]
async fn another_kind_under_the_same_name_leaves_nothing_of_the_old_one() {
    let mut bench = Bench::start(support::plugin(), vec![device("counter", "x")]).await;
    bench.observer.on("lab/demo/x/count", "").await;
    let changes = bench.apply(vec![device("lamp", "x")]).await;
    assert_eq!(changes.restarted, words(&["demo/x"]));
    bench.comes("x/on", "\"v\":false").await;
    let expected = ["$info", "$state", "brightness", "on"].map(|part| format!("lab/demo/x/{part}"));
    assert_eq!(bench.retained("x").await, expected);
    bench.stop().await;
}

#[tokio::test]
async fn one_mistake_changes_nothing() {
    let mut bench = Bench::start(support::plugin(), vec![device("counter", "x"), device("lamp", "y")]).await;
    let boot = bench.boot("x").await;
    let refused = device("bad", "x").setting("fault", "refuse_in_new");
    let unknown = device("counter", "x").setting("stepp", 1);
    let mut no_such_channel = device("counter", "x");
    no_such_channel.channels.insert("cuont".into(), ChannelConfig::default());
    let mut no_such_source = device("counter", "x");
    no_such_source.inputs.insert("step".into(), "demo/new/cuont".into());
    for mistake in [refused, unknown, no_such_channel, no_such_source] {
        // All else that is right would have been a change, too.
        let lab = bench.lab(vec![mistake, device("counter", "new")]);
        let error = bench.running.apply(lab).await.expect_err("a mistake");
        assert!(matches!(error, BuildError::Devices(_)), "{error}");
        bench.observer.on("lab/demo/x/count", "").await;
    }
    bench.observer.catch_up().await;
    assert_eq!((bench.states("x"), bench.states("y")), (vec!["ready"], vec!["ready"]));
    assert_eq!(bench.boot("x").await, boot);
    assert_eq!(bench.running.devices().collect::<Vec<_>>(), ["demo/x", "demo/y"]);
    assert!(bench.observer.payloads("lab/demo/new/$info").is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn a_new_device_that_panics_is_shown_with_its_error() {
    let mut bench = Bench::start(support::plugin(), vec![device("counter", "x")]).await;
    let panics = device("bad", "bad").setting("fault", "panic_in_new").setting("key", 0);
    let changes = bench.apply(vec![device("counter", "x"), panics]).await;
    assert_eq!(changes.started, words(&["demo/bad"]));
    bench.comes("bad/$error", "panicked: no new").await;
    bench.stop().await;
}

#[tokio::test]
async fn the_same_again_changes_nothing_and_back_again_is_a_change() {
    let mut bench = Bench::start(support::plugin(), vec![device("counter", "x")]).await;
    let mut slow = device("counter", "x");
    slow.interval_s = 0.2;
    for _ in 0..2 {
        assert_eq!(bench.apply(vec![device("counter", "x")]).await.to_string(), "nothing changed");
        assert_eq!(bench.apply(vec![slow.clone()]).await.to_string(), "1 device restarted");
        assert_eq!(bench.apply(vec![slow.clone()]).await.to_string(), "nothing changed");
        assert_eq!(bench.apply(vec![device("counter", "x")]).await.to_string(), "1 device restarted");
    }
    bench.observer.on("lab/demo/x/count", "").await;
    bench.stop().await;
}

#[tokio::test]
async fn a_changed_option_of_all_devices_restarts_all_of_them() {
    let table = |interval_s| DeviceConfig { count: 300, interval_s, ..device("cooperative-counter", "c") };
    let mut bench = Bench::start(support::plugin(), vec![table(60.0), device("lamp", "l")]).await;
    let changes = bench.apply(vec![table(30.0), device("lamp", "l")]).await;
    assert_eq!((changes.restarted.len(), changes.unchanged), (300, 1));
    let changes = bench.apply(vec![device("lamp", "l")]).await;
    assert_eq!(changes.to_string(), "300 devices removed");
    assert_eq!(bench.retained("c-300").await, words(&[]));
    bench.stop().await;
}

#[tokio::test]
async fn another_root_is_another_lab() {
    let mut bench = Bench::start(support::plugin(), vec![device("counter", "x")]).await;
    let moved = lab(&bench.broker, &bench.plugin).root("moved").device(device("counter", "x"));
    let changes = bench.running.apply(moved.build().expect("valid")).await.expect("applied");
    assert_eq!((changes.started, changes.stopped), (words(&["demo/x"]), words(&["demo/x"])));
    bench.observer.on("moved/demo/x/count", "").await;
    assert_eq!(bench.retained("x").await, words(&[]));
    bench.stop().await;
}

#[tokio::test]
async fn an_apply_given_up_leaves_nothing_half_done() {
    let mut bench =
        Bench::start(support::plugin(), vec![device("counter", "a"), device("counter", "b")]).await;
    let mut changed = device("counter", "b");
    changed.interval_s = 0.03;
    for round in 0..12 {
        let wanted = match round % 2 {
            0 => vec![changed.clone(), device("counter", "c")],
            _ => vec![device("counter", "a"), device("counter", "b")],
        };
        let lab = bench.lab(wanted);
        give_up_after(round, bench.running.apply(lab)).await;
    }
    // Whatever was done of it, the next change arrives where it should.
    bench.apply(vec![changed, device("counter", "d")]).await;
    assert_eq!(bench.running.devices().collect::<Vec<_>>(), ["demo/b", "demo/d"]);
    bench.comes("b/$interval", "\"v\":0.03").await;
    bench.observer.on("lab/demo/d/count", "").await;
    for gone in ["a", "c"] {
        assert_eq!(bench.retained(gone).await, words(&[]));
    }
    assert!(!bench.observer.seen.iter().any(|seen| seen.payload == "lost"), "no will fired");
    bench.stop().await;
}

#[tokio::test]
async fn a_stop_says_goodbye_for_all_devices_old_and_new() {
    let mut bench =
        Bench::start(support::plugin(), vec![device("counter", "a"), device("counter", "b")]).await;
    let mut changed = device("counter", "b");
    changed.interval_s = 0.03;
    bench.apply(vec![device("counter", "a"), changed, device("counter", "c")]).await;
    let Bench { running, mut observer, broker, .. } = bench;
    assert_eq!(running.stop().await.len(), 0);
    observer.catch_up().await;
    for device in ["a", "b", "c"] {
        let state = observer.last(&format!("lab/demo/{device}/$state")).expect("said");
        assert_eq!(state.payload, "disconnected", "{device}");
    }
    assert!(!observer.seen.iter().any(|seen| seen.payload == "lost"));
    drop(broker);
}

#[tokio::test]
async fn a_stop_after_an_apply_given_up_stops_everything() {
    let mut bench = Bench::start(support::plugin(), vec![device("counter", "a"), device("lamp", "b")]).await;
    let mut changed = device("counter", "a");
    changed.interval_s = 0.03;
    let lab = bench.lab(vec![changed]);
    // The check needs no construction, so that the change is under way after one step.
    give_up_after(0, bench.running.apply(lab)).await;
    let Bench { running, mut observer, broker, .. } = bench;
    assert_eq!(running.stop().await.len(), 0);
    observer.catch_up().await;
    assert_eq!(observer.last("lab/demo/a/$state").expect("said").payload, "disconnected");
    assert_eq!(observer.payloads("lab/demo/b/$state"), ["ready", "disconnected", ""]);
    assert!(!observer.seen.iter().any(|seen| seen.payload == "lost"));
    drop(broker);
}

#[tokio::test]
async fn a_dropped_lab_leaves_its_wills_after_a_change_as_well() {
    let mut bench = Bench::start(support::plugin(), vec![device("counter", "a")]).await;
    let mut changed = device("counter", "a");
    changed.interval_s = 0.03;
    bench.apply(vec![changed, device("lamp", "b")]).await;
    drop(bench.running);
    let mut wills = Vec::new();
    for _ in 0..2 {
        wills.push(bench.observer.until("a will", |seen| seen.payload == "lost").await.topic);
    }
    wills.sort();
    assert_eq!(wills, ["lab/demo/a/$state", "lab/demo/b/$state"]);
}

/// A port that only one can hold.
#[derive(Default)]
struct Port {
    taken: AtomicBool,
    reads: AtomicU32,
}

/// Holds the port, and gives it back late.
struct Holder(Arc<Port>);

impl Holder {
    fn new(port: &Arc<Port>) -> Result<Self> {
        let free = !port.taken.swap(true, Ordering::SeqCst);
        free.then(|| Self(Arc::clone(port))).ok_or_else(|| Error::new("the port is taken"))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.taken.store(false, Ordering::SeqCst);
    }
}

#[async_trait]
impl Sensor for Holder {
    fn describe(&self) -> Description {
        Description::sensor().channel(Channel::int("byte"))
    }

    async fn read(&mut self) -> Result<Reading> {
        let reads = self.0.reads.fetch_add(1, Ordering::SeqCst);
        // A slow line: it takes longer than a goodbye.
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(reads.into())
    }
}

#[tokio::test]
async fn the_old_device_has_given_back_what_it_held_when_the_new_one_is_constructed() {
    let port = Arc::new(Port::default());
    let shared = Arc::clone(&port);
    let kind = Kind::sensor("port", move |_: support::Nothing| Holder::new(&shared));
    let mut bench = Bench::start(Plugin::new("serial", "0.0.0").kind(kind), vec![device("port", "x")]).await;
    for interval_s in [0.06, 0.07] {
        let reads = port.reads.load(Ordering::SeqCst);
        support::becomes_true("a reading begins", || port.reads.load(Ordering::SeqCst) > reads).await;
        let changed = DeviceConfig { interval_s, ..device("port", "x") };
        assert_eq!(bench.apply(vec![changed]).await.restarted, words(&["demo/x"]));
    }
    bench.observer.on("lab/demo/x/byte", "").await;
    let errors = bench.observer.payloads("lab/demo/x/$error");
    assert!(!errors.iter().any(|error| error.contains("taken")), "{errors:?}");
    bench.stop().await;
}

/// A lab that never reaches a broker, so that every goodbye takes its full time.
fn nowhere(plugin: &Plugin, devices: Vec<DeviceConfig>) -> Lab {
    Lab::builder().broker("127.0.0.1:1").plugin(plugin).devices(devices).build().expect("valid")
}

#[tokio::test(start_paused = true)]
async fn what_a_removed_device_could_not_deliver_the_stop_reports() {
    let plugin = support::plugin();
    let lab = nowhere(&plugin, vec![device("cooperative-counter", "x")]);
    let mut running = lab.start().await.expect("runs without a broker");
    let changes = running.apply(nowhere(&plugin, Vec::new())).await.expect("applied");
    assert_eq!(changes.stopped, words(&["demo/x"]));
    let failed = running.stop().await;
    assert!(matches!(&failed[..], [one] if one.device == "demo/x"), "{failed:?}");
}

/// Both would have the same client id.
#[tokio::test(start_paused = true)]
async fn a_device_added_again_waits_until_the_removed_one_has_left() {
    let plugin = support::plugin();
    let devices = vec![device("cooperative-counter", "x")];
    let mut running = nowhere(&plugin, devices.clone()).start().await.expect("runs without a broker");
    give_up_after(0, running.apply(nowhere(&plugin, Vec::new()))).await;
    assert_eq!(running.devices().count(), 0);
    let again = running.apply(nowhere(&plugin, devices));
    tokio::time::timeout(Duration::from_secs(1), again).await.expect_err("waits for the goodbye");
    assert_eq!(running.status("demo/x"), Some(LinkStatus::default()), "no second connection");
    // Nobody waits for the change any more, but it takes place.
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(running.status("demo/x").expect("is there").error.is_some(), "it tries to connect");
}
