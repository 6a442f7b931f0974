//! Devices that follow others: what they received survives their own failures.

mod support;

use mqtt_lab_core::config::DeviceConfig;
use mqtt_lab_core::prelude::*;
use support::Nothing;
use support::changing::{Bench, device};

/// Follows `target` and shows it on `reached`; fails when `broken` is set. A negative target is too much for it.
#[derive(Default)]
struct Follower {
    target: f64,
}

#[async_trait]
impl Actuator for Follower {
    fn describe(&self) -> Description {
        Description::actuator()
            .output(Channel::float("target"))
            .output(Channel::bool("broken"))
            .channel(Channel::float("reached"))
    }

    async fn apply(&mut self, channel: &str, value: Value) -> Result<Reading> {
        if channel == "broken" {
            return Err(Error::new("cable pulled").fatal());
        }
        self.target = value.as_f64().expect("checked");
        assert!(self.target >= 0.0, "too cold");
        Ok(Reading::new().with("reached", self.target))
    }
}

struct Leader;

#[async_trait]
impl Actuator for Leader {
    fn describe(&self) -> Description {
        Description::actuator().output(Channel::float("level"))
    }

    async fn apply(&mut self, _channel: &str, value: Value) -> Result<Reading> {
        Ok(value.into())
    }
}

fn plugin() -> Plugin {
    Plugin::new("follow", "0.0.0")
        .kind(Kind::actuator("follower", |_: Nothing| Follower::default()))
        .kind(Kind::actuator("cooperative", |_: Nothing| Follower::default()).cooperative())
}

fn follower(kind: &str) -> DeviceConfig {
    let mut follower = device(kind, "x");
    follower.inputs.insert("target".into(), "demo/leader/level".into());
    follower
}

async fn started(kind: &str) -> Bench {
    Bench::start(plugin(), vec![follower(kind)]).await
}

/// How often a value was reached.
fn times(bench: &Bench, value: &str) -> usize {
    let reached = bench.observer.payloads("lab/demo/x/reached");
    reached.iter().filter(|payload| payload.contains(&format!("\"v\":{value},"))).count()
}

/// Waits until a value was reached for the `count`th time.
async fn reaches(bench: &mut Bench, value: &str, count: usize) {
    while times(bench, value) < count {
        bench.observer.until(value, |seen| seen.topic == "lab/demo/x/reached").await;
    }
    assert_eq!(times(bench, value), count);
}

async fn breaks(bench: &mut Bench) {
    bench.observer.publish("lab/demo/x/broken/set", "true").await;
    bench.observer.on("lab/demo/x/$state", "init").await;
}

async fn a_value_is_applied_again(kind: &str) {
    let mut bench = started(kind).await;
    bench.observer.publish("lab/demo/leader/level", "5").await;
    bench.observer.on("lab/demo/x/reached", "\"v\":5,").await;
    breaks(&mut bench).await;
    // Nothing is sent to it any more: it has to remember.
    bench.observer.on("lab/demo/x/reached", "\"v\":5,").await;
    breaks(&mut bench).await;
    bench.observer.publish("lab/demo/leader/level", "7").await;
    bench.observer.on("lab/demo/x/reached", "\"v\":7,").await;
    bench.observer.catch_up().await;
    assert_eq!((times(&bench, "5"), times(&bench, "7")), (2, 1));
    bench.stop().await;
}

#[tokio::test]
async fn a_value_received_before_or_during_a_failure_is_applied_to_the_next_instance() {
    a_value_is_applied_again("follower").await;
}

#[tokio::test]
async fn a_value_received_before_or_during_a_failure_is_applied_to_the_next_cooperative_instance() {
    a_value_is_applied_again("cooperative").await;
}

#[tokio::test]
async fn a_reloaded_plugin_and_changed_options_keep_the_value() {
    let mut bench = started("follower").await;
    bench.observer.publish("lab/demo/leader/level", "5").await;
    bench.observer.on("lab/demo/x/reached", "\"v\":5,").await;
    bench.plugin = plugin();
    assert_eq!(bench.apply(vec![follower("follower")]).await.to_string(), "1 device swapped");
    reaches(&mut bench, "5", 2).await;
    let changed = DeviceConfig { interval_s: 7.0, ..follower("follower") };
    assert_eq!(bench.apply(vec![changed]).await.to_string(), "1 device restarted");
    reaches(&mut bench, "5", 3).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_command_replaces_the_value_until_the_next_one() {
    let mut bench = started("follower").await;
    bench.observer.publish("lab/demo/leader/level", "5").await;
    bench.observer.on("lab/demo/x/reached", "\"v\":5,").await;
    bench.observer.publish("lab/demo/x/target/set", "6").await;
    bench.observer.on("lab/demo/x/reached", "\"v\":6,").await;
    breaks(&mut bench).await;
    bench.observer.on("lab/demo/x/$state", "ready").await;
    bench.observer.publish("lab/demo/leader/level", "8").await;
    bench.observer.on("lab/demo/x/reached", "\"v\":8,").await;
    assert_eq!(times(&bench, "5"), 1);
    bench.stop().await;
}

#[tokio::test]
async fn a_value_that_ends_the_device_twice_is_not_applied_again() {
    let mut bench = started("follower").await;
    bench.observer.publish("lab/demo/leader/level", "-1").await;
    bench.observer.on("lab/demo/x/$error", "panicked: too cold").await;
    for state in ["init", "ready", "init", "ready"] {
        bench.observer.on("lab/demo/x/$state", state).await;
    }
    bench.observer.publish("lab/demo/leader/level", "3").await;
    bench.observer.on("lab/demo/x/reached", "\"v\":3,").await;
    bench.stop().await;
}

async fn shows(bench: &mut Bench, error: &str) {
    let topic = "lab/demo/x/$error";
    if bench.observer.last(topic).is_none_or(|seen| seen.payload != error) {
        bench.observer.until(error, |seen| seen.topic == topic && seen.payload == error).await;
    }
}

#[tokio::test]
async fn a_removed_source_is_reported_until_it_is_back() {
    let leader = || DeviceConfig { interval_s: 0.05, ..device("leader", "leader") };
    let follower = || {
        let mut follower = device("follower", "x");
        follower.inputs.insert("target".into(), "demo/leader/level".into());
        follower
    };
    let plugin = plugin().kind(Kind::actuator("leader", |_: Nothing| Leader));
    let mut bench = Bench::start(plugin, vec![leader(), follower()]).await;
    bench.observer.publish("lab/demo/leader/level/set", "2000").await;
    bench.observer.on("lab/demo/x/reached", "\"v\":2000,").await;
    for _ in 0..2 {
        bench.apply(vec![follower()]).await;
        let text =
            "input `target` from `demo/leader/level`: its source was removed; the last value `2000` stays";
        shows(&mut bench, text).await;
        bench.apply(vec![leader(), follower()]).await;
        shows(&mut bench, "").await;
        bench.observer.publish("lab/demo/leader/level/set", "2000").await;
        bench.observer.on("lab/demo/leader/level", "\"v\":2000,").await;
    }
    bench.observer.catch_up().await;
    let errors = bench.observer.payloads("lab/demo/x/$error");
    assert_eq!(errors.iter().filter(|error| !error.is_empty()).count(), 2, "{errors:?}");
    bench.stop().await;
}

#[tokio::test]
async fn a_foreign_source_that_clears_its_value_or_never_existed_is_reported() {
    let mut bench = started("follower").await;
    let input = "input `target` from `demo/leader/level`";
    shows(
        &mut bench,
        &format!("{input}: its source does not exist or has sent nothing yet; no value was received"),
    )
    .await;
    bench.observer.publish("lab/demo/leader/level", "5").await;
    shows(&mut bench, "").await;
    bench.observer.publish("lab/demo/leader/level", "").await;
    shows(&mut bench, &format!("{input}: its source was removed; the last value `5` stays")).await;
    bench.observer.publish("lab/demo/leader/level", "6").await;
    shows(&mut bench, "").await;
    bench.stop().await;
}
