//! `$error` shows what is wrong now: the success of what failed clears it.

mod support;

use mqtt_lab_core::config::DeviceConfig;
use mqtt_lab_core::prelude::*;
use support::Nothing;
use support::changing::{Bench, device};

/// Does what it is told with every value, each a way to fail.
struct Moody {
    event: Option<f64>,
}

#[async_trait]
impl Actuator for Moody {
    fn describe(&self) -> Description {
        Description::actuator().output(Channel::int("mood")).output(Channel::bool("on"))
    }

    async fn apply(&mut self, channel: &str, value: Value) -> Result<Reading> {
        match value.as_i64() {
            Some(1) => Err(Error::new("fuse blown").fatal()),
            // A panic without a backtrace, whose first one may take longer than the time limit below.
            Some(2) => std::panic::resume_unwind(Box::new("no hands")),
            Some(3) => std::future::pending().await,
            Some(4) => Ok(Reading::new().with("colour", 1)),
            _ => Ok(Reading::new().with(channel.to_owned(), value)),
        }
    }
}

#[async_trait]
impl Sensor for Moody {
    fn describe(&self) -> Description {
        Description::sensor().channel(Channel::float("event")).control(Channel::float("next")).on_event()
    }

    async fn read(&mut self) -> Result<Reading> {
        match self.event.take() {
            Some(event) if event < 0.0 => Err(Error::new("too cold")),
            Some(event) => Ok(Reading::new().with("event", event)),
            None => std::future::pending().await,
        }
    }

    async fn set(&mut self, _channel: &str, value: Value) -> Result<()> {
        self.event = value.as_f64();
        Ok(())
    }
}

async fn started(kind: &str) -> Bench {
    let plugin = Plugin::new("moody", "0.0.0")
        .kind(Kind::actuator("actuator", |_: Nothing| Moody { event: None }))
        .kind(Kind::both("both", |_: Nothing| Moody { event: None }).cooperative());
    let mut x = DeviceConfig { read_timeout_s: 0.3, ..device(kind, "x") };
    x.inputs.insert("on".into(), "demo/switch/on".into());
    Bench::start(plugin, vec![x]).await
}

async fn shows(bench: &mut Bench, error: &str) {
    let wanted = |seen: &support::Seen| seen.topic == "lab/demo/x/$error" && seen.payload == error;
    bench.observer.until(error, wanted).await;
}

#[tokio::test]
async fn a_failure_of_an_actuator_is_cleared_by_its_next_success() {
    for kind in ["actuator", "both"] {
        let mut bench = started(kind).await;
        for (mood, error) in [
            (1, "fuse blown"),
            (2, "panicked: no hands"),
            (3, "did not answer within 300ms"),
            (4, "the reading has a channel `colour`"),
        ] {
            bench.observer.publish("lab/demo/x/mood/set", &mood.to_string()).await;
            bench.observer.on("lab/demo/x/$error", error).await;
            if mood != 4 {
                bench.observer.on("lab/demo/x/$state", "ready").await;
            }
            let last = bench.observer.last("lab/demo/x/$error").expect("shown").payload.clone();
            assert!(last.contains(error), "a new instance has not proved anything yet: {last}");
            bench.observer.publish("lab/demo/x/mood/set", &(10 + mood).to_string()).await;
            shows(&mut bench, "").await;
        }
        // An input is as good as a command.
        bench.observer.publish("lab/demo/x/mood/set", "1").await;
        bench.observer.on("lab/demo/x/$state", "init").await;
        bench.observer.on("lab/demo/x/$state", "ready").await;
        bench.observer.publish("lab/demo/switch/on", "true").await;
        shows(&mut bench, "").await;
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_success_clears_no_error_of_something_else() {
    let mut bench = started("both").await;
    bench.observer.publish("lab/demo/x/next/set", "-1").await;
    shows(&mut bench, "too cold").await;
    bench.observer.publish("lab/demo/switch/on", "21.5").await;
    let input = "input `on` from `demo/switch/on`: channel `on` does not take `21.5`: expected `true` or `false`, `on` or `off`, 1 or 0";
    shows(&mut bench, &format!("too cold; {input}")).await;
    bench.observer.publish("lab/demo/x/next/set", "5").await;
    shows(&mut bench, input).await;
    bench.observer.publish("lab/demo/switch/on", "true").await;
    shows(&mut bench, "").await;
    bench.stop().await;
}

#[tokio::test]
async fn failures_count_only_in_a_row() {
    let mut bench = started("actuator").await;
    for _ in 0..6 {
        bench.observer.publish("lab/demo/x/mood/set", "4").await;
        bench.observer.on("lab/demo/x/$error", "colour").await;
        bench.observer.publish("lab/demo/x/on/set", "true").await;
        shows(&mut bench, "").await;
    }
    bench.observer.catch_up().await;
    assert_eq!(bench.states("x"), ["ready"]);
    bench.stop().await;
}
