//! Devices that panic, err, hang or lie: shown with the error, started again, and no other disturbed.

mod support;

use mqtt_lab_core::config::DeviceConfig;
use mqtt_lab_core::prelude::*;
use support::{Observer, broker, lab};

fn bad(fault: &str, kind: &str, lives: u32, key: u32) -> DeviceConfig {
    let mut device = DeviceConfig::new(kind).id("bad").setting("fault", fault).setting("lives", lives);
    device = device.setting("key", key);
    device.interval_s = 0.05;
    device.read_timeout_s = 0.5;
    device
}

/// Starts a bad device beside a good one; the error is shown, the good one goes on.
async fn shows(fault: &str, key: u32, message: &str) {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let mut good = DeviceConfig::new("counter").id("good");
    good.interval_s = 0.05;
    let kinds = ["bad", "cooperative-bad"];
    // A blocking `read` is what cooperative kinds promise not to have.
    let kind = if fault == "block_in_read" { kinds[0] } else { kinds[key as usize % 2] };
    let lab = lab(&broker).devices([bad(fault, kind, u32::MAX, key), good]);
    let running = lab.build().expect("valid").start().await.expect("runs");
    let error =
        observer.until("an error", |s| s.topic == "lab/demo/bad/$error" && !s.payload.is_empty()).await;
    assert_eq!(error.payload, message, "{fault}");
    assert!(error.retain);
    for _ in 0..3 {
        observer.on("lab/demo/good/count", "").await;
    }
    assert!(!observer.seen.iter().any(|s| s.topic == "lab/demo/bad/value"), "no wrong value is sent");
    running.stop().await;
}

macro_rules! shown {
    ($($name:ident $key:literal $fault:literal $message:literal;)+) => {$(
        #[tokio::test]
        async fn $name() {
            shows($fault, $key, $message).await;
        }
    )+};
}

shown! {
    an_error_is_shown 0 "err_in_read" "wire broken";
    a_fatal_error_is_shown 1 "fatal_in_read" "wire burnt";
    a_panic_in_read_is_shown 2 "panic_in_read" "panicked: no read";
    a_panic_in_the_constructor_is_shown 3 "panic_in_new" "panicked: no new";
    a_panic_in_describe_is_shown 4 "panic_in_describe" "panicked: no words";
    a_read_that_never_returns_is_shown 5 "hang_in_read" "did not answer within 500ms";
    a_read_that_blocks_its_thread_is_shown 6 "block_in_read" "did not answer within 500ms";
    nan_is_shown 7 "nan" "channel `value` does not take `NaN`: NaN and infinity are not values";
    a_value_out_of_range_is_shown 8 "out_of_range"
        "channel `value` does not take `11`: expected a number from 0 to 10";
    an_undeclared_channel_is_shown 9 "undeclared"
        "the reading has a channel `humidity`, the description has: value";
    a_wrong_datatype_is_shown 10 "wrong_datatype" "channel `value` does not take `warm`: expected a number";
    a_bare_value_of_two_channels_is_shown 11 "bare_value_of_two"
        "a bare value needs exactly one channel, the description has 2: use `Reading::with`";
    a_channel_described_twice_is_shown 12 "twice_described"
        "describes itself wrongly: the channel `value` is described twice";
}

#[tokio::test]
async fn a_device_that_heals_is_ready_again_and_its_error_is_cleared() {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let lab = lab(&broker).device(bad("panic_in_read", "bad", 1, 20));
    let running = lab.build().expect("valid").start().await.expect("runs");
    observer.on("lab/demo/bad/$error", "panicked: no read").await;
    // Its `init` may have come before the error: a connection begins with the state, then the error.
    observer.on("lab/demo/bad/$state", "ready").await;
    assert!(observer.seen.iter().any(|s| s.topic == "lab/demo/bad/$state" && s.payload == "init"));
    observer.on("lab/demo/bad/value", "\"v\":1,").await;
    observer.until("no error", |s| s.topic == "lab/demo/bad/$error" && s.payload.is_empty()).await;
    running.stop().await;
}

#[tokio::test]
async fn a_command_to_a_failing_actuator_is_answered_with_the_reason() {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let cases = [
        ("err_in_read", 21, "fuse blown"),
        ("panic_in_apply", 22, "panicked: no hands"),
        ("hang_in_apply", 23, "did not answer within 500ms"),
    ];
    for (fault, key, reason) in cases {
        let lab = lab(&broker).device(bad(fault, "bad-actuator", u32::MAX, key));
        let running = lab.build().expect("valid").start().await.expect("runs");
        running.connected(std::time::Duration::from_secs(30)).await;
        observer.publish("lab/demo/bad/on/set", &format!(r#"{{"v":true,"id":"{fault}"}}"#)).await;
        let answer = observer.on("lab/demo/bad/on/result", fault).await;
        assert!(answer.payload.contains(reason), "{}", answer.payload);
        running.stop().await;
    }
}

/// A sensor that ends when it is set, does not take the value in its second life, and is well in its third.
struct Stubborn {
    life: u32,
    level: Option<f64>,
}

#[async_trait]
impl Sensor for Stubborn {
    fn describe(&self) -> Description {
        Description::sensor().channel(Channel::int("life")).control(Channel::float("level").initial(0.0))
    }

    async fn read(&mut self) -> Result<Reading> {
        match self.level {
            Some(_) if self.life == 1 => Err(Error::new("cable pulled").fatal()),
            _ => Ok(Reading::new().with("life", self.life)),
        }
    }

    async fn set(&mut self, _channel: &str, value: Value) -> Result<()> {
        if self.life == 2 {
            return Err(Error::new("no answer"));
        }
        self.level = value.as_f64();
        Ok(())
    }
}

#[tokio::test]
async fn a_device_that_refuses_in_its_new_life_what_it_was_told_in_the_old_one_gets_another_life() {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let lives = std::sync::atomic::AtomicU32::new(0);
    let kind = Kind::sensor("stubborn", move |_: std::collections::BTreeMap<String, f64>| Stubborn {
        life: 1 + lives.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
        level: None,
    });
    let plugin = Plugin::new("stubborn", "1").kind(kind);
    let mut device = DeviceConfig::new("stubborn");
    device.interval_s = 0.05;
    let running = lab(&broker).plugin(&plugin).device(device).build().expect("valid");
    let running = running.start().await.expect("runs");
    observer.on("lab/demo/stubborn/life", "\"v\":1,").await;
    observer.publish("lab/demo/stubborn/level/set", "4").await;
    observer.on("lab/demo/stubborn/$error", "cable pulled").await;
    observer.on("lab/demo/stubborn/$error", "no answer").await;
    observer.on("lab/demo/stubborn/life", "\"v\":3,").await;
    running.stop().await;
}
