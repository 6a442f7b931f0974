//! A device that is stuck in its code is not shown as `ready`.

mod support;

use mqtt_lab_core::config::DeviceConfig;
use mqtt_lab_core::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use support::Nothing;
use support::changing::{Bench, device};

/// Lets a stuck device go when the test ends, however it does.
#[derive(Clone, Default)]
struct Stuck(Arc<AtomicBool>);

impl Stuck {
    fn spin(&self) {
        while !self.0.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
    }
}

/// Held by the test.
struct LetGo(Stuck);

impl Drop for LetGo {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// How an event sensor behaves in its first life; it is well in its second.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// `read` never yields.
    Loops,
    /// A command is answered, and then the device blocks.
    BlocksLater,
    None,
}

struct Waiting {
    fault: Fault,
    stuck: Stuck,
    waits: u32,
}

#[async_trait]
impl Sensor for Waiting {
    fn describe(&self) -> Description {
        Description::sensor()
            .channel(Channel::int("waits"))
            .control(Channel::bool("go").initial(false))
            .on_event()
    }

    async fn read(&mut self) -> Result<Reading> {
        if self.fault == Fault::Loops {
            self.stuck.spin();
        }
        self.waits += 1;
        // Longer than any test: a wait that is interrupted would begin again and count.
        tokio::time::sleep(Duration::from_secs(3600)).await;
        Ok(Reading::new().with("waits", self.waits))
    }

    async fn set(&mut self, _channel: &str, _value: Value) -> Result<()> {
        if self.fault == Fault::BlocksLater {
            self.fault = Fault::Loops;
        }
        Ok(())
    }
}

fn plugin(fault: Fault, stuck: &Stuck) -> Plugin {
    let stuck = stuck.clone();
    let lives = Arc::new(AtomicU32::new(0));
    let new = move |_: Nothing| {
        let first = lives.fetch_add(1, Ordering::Relaxed) == 0;
        Waiting { fault: if first { fault } else { Fault::None }, stuck: stuck.clone(), waits: 0 }
    };
    Plugin::new("waiting", "0.0.0")
        .kind(Kind::sensor("waiting", new.clone()))
        .kind(Kind::sensor("cooperative", new).cooperative())
}

async fn started(kind: &str, fault: Fault) -> (Bench, LetGo) {
    let x = DeviceConfig { read_timeout_s: 0.5, ..device(kind, "x") };
    let stuck = LetGo(Stuck::default());
    (Bench::start(plugin(fault, &stuck.0), vec![x]).await, stuck)
}

async fn is_noticed(bench: &mut Bench) {
    bench.observer.on("lab/demo/x/$error", "did not answer within 2s").await;
    bench.observer.on("lab/demo/x/$state", "init").await;
    bench.observer.on("lab/demo/x/$state", "ready").await;
    // The new instance gives a sign of life.
    let cleared = |seen: &support::Seen| seen.topic == "lab/demo/x/$error" && seen.payload.is_empty();
    bench.observer.until("no error", cleared).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_sensor_that_never_yields_is_recreated() {
    let (mut bench, _stuck) = started("waiting", Fault::Loops).await;
    is_noticed(&mut bench).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cooperative_sensor_that_blocks_a_worker_is_recreated_on_its_own_thread() {
    let (mut bench, _stuck) = started("cooperative", Fault::BlocksLater).await;
    bench.observer.publish("lab/demo/x/go/set", "true").await;
    is_noticed(&mut bench).await;
    bench.stop().await;
}

/// An actuator whose answer comes, and which then spins in the background.
struct Spinning {
    stuck: Stuck,
    first: bool,
}

#[async_trait]
impl Actuator for Spinning {
    fn describe(&self) -> Description {
        Description::actuator().output(Channel::bool("on"))
    }

    async fn apply(&mut self, _channel: &str, value: Value) -> Result<Reading> {
        // On the runtime of the device's own thread.
        let stuck = self.stuck.clone();
        if self.first {
            tokio::spawn(async move { stuck.spin() });
        }
        Ok(value.into())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_actuator_that_blocks_after_its_answer_is_recreated() {
    let held = LetGo(Stuck::default());
    let stuck = held.0.clone();
    let lives = AtomicU32::new(0);
    let first = move || lives.fetch_add(1, Ordering::Relaxed) == 0;
    let new = move |_: Nothing| Spinning { stuck: stuck.clone(), first: first() };
    let plugin = Plugin::new("spinning", "0.0.0").kind(Kind::actuator("spinning", new));
    let x = DeviceConfig { read_timeout_s: 0.5, ..device("spinning", "x") };
    let mut bench = Bench::start(plugin, vec![x]).await;
    bench.observer.publish("lab/demo/x/on/set", "true").await;
    is_noticed(&mut bench).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_wait_for_an_event_is_not_interrupted_by_the_question() {
    static WAITS: AtomicU32 = AtomicU32::new(0);
    struct Patient;

    #[async_trait]
    impl Sensor for Patient {
        fn describe(&self) -> Description {
            Description::sensor().channel(Channel::int("waits")).on_event()
        }

        async fn read(&mut self) -> Result<Reading> {
            let waits = WAITS.fetch_add(1, Ordering::Relaxed) + 1;
            // Three questions long.
            tokio::time::sleep(Duration::from_secs(7)).await;
            Ok(Reading::new().with("waits", waits))
        }
    }

    let plugin = Plugin::new("patient", "0.0.0").kind(Kind::sensor("patient", |_: Nothing| Patient));
    let x = DeviceConfig { read_timeout_s: 0.5, ..device("patient", "x") };
    let mut bench = Bench::start(plugin, vec![x]).await;
    bench.observer.on("lab/demo/x/waits", "\"v\":1,").await;
    assert_eq!(bench.states("x"), ["ready"]);
    bench.stop().await;
}
