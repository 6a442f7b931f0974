//! Devices that panic, err, hang or lie: shown with the error, started again, and no other disturbed.

mod support;

use mqtt_lab_core::config::DeviceConfig;
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
