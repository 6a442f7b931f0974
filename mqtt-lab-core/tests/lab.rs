//! A lab on a real broker: what devices say, and what they do when they are told something.

mod support;

use mqtt_lab_core::config::{ChannelConfig, DeviceConfig, MqttVersion};
use mqtt_lab_core::{PayloadForm, Qos};
use mqtt_lab_wire::{CommandResult, Info, Role, Sample, SampleTime, ValueRef};
use std::sync::atomic::Ordering;
use support::{APPLIED, Observer, broker, lab};

/// A device that is read ten times a second.
fn device(kind: &str, id: &str) -> DeviceConfig {
    let mut device = DeviceConfig::new(kind).id(id);
    device.interval_s = 0.1;
    device
}

#[tokio::test]
async fn a_device_announces_itself_and_numbers_its_samples() {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let running =
        lab(&broker).device(device("counter", "c")).build().expect("valid").start().await.expect("runs");
    let info = observer.on("lab/demo/c/$info", "").await;
    assert!(info.retain);
    let info = Info::decode(info.payload.as_bytes()).expect("a description");
    assert_eq!((info.role, info.kind.as_deref()), (Some(Role::Sensor), Some("counter")));
    let names: Vec<_> = info.channels.iter().map(|channel| channel.name.as_ref()).collect();
    assert_eq!(names, ["count", "half", "step", "$interval", "$qos", "$paused"]);
    let state = observer.on("lab/demo/c/$state", "ready").await;
    assert!(state.retain && state.qos == 1);
    for _ in 0..5 {
        observer.on("lab/demo/c/count", "").await;
    }
    let samples: Vec<_> =
        observer.seen.iter().filter(|s| !s.topic.contains("/$") || s.payload.contains("\"n\"")).collect();
    let samples: Vec<_> =
        samples.iter().map(|s| Sample::decode(s.payload.as_bytes()).expect("a sample")).collect();
    let mut numbers: Vec<_> = samples.iter().map(|s| s.number.expect("numbered").1).collect();
    numbers.sort_unstable();
    let expected: Vec<u64> = (1..=u64::try_from(numbers.len()).expect("few")).collect();
    assert_eq!(numbers, expected, "no number is missing or used twice");
    assert!(samples.iter().all(|s| matches!(s.time, Some(SampleTime::Unix(_)))));
    let counts: Vec<_> = observer.seen.iter().filter(|s| s.topic.ends_with("/count")).collect();
    let times: Vec<_> =
        counts.iter().map(|s| Sample::decode(s.payload.as_bytes()).expect("a sample").time).collect();
    assert!(
        times
            .windows(2)
            .all(|w| matches!(w, [Some(SampleTime::Unix(a)), Some(SampleTime::Unix(b))] if a < b))
    );
    running.stop().await;
}

#[tokio::test]
async fn qos_and_retain_are_those_of_reading_channel_and_device() {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let mut plain = device("counter", "plain");
    plain.qos = Some(Qos::AtMostOnce);
    plain.payload = PayloadForm::Plain;
    plain.version = Some(MqttVersion::V311);
    let mut mixed = device("counter", "mixed");
    mixed.qos = Some(Qos::ExactlyOnce);
    mixed.retain = true;
    mixed.channels.insert("half".into(), ChannelConfig { qos: Some(Qos::AtLeastOnce), retain: Some(false) });
    let lab = lab(&broker).devices([plain, mixed, DeviceConfig::new("button")]);
    let running = lab.build().expect("valid").start().await.expect("runs");
    let count = observer.on("lab/demo/plain/count", "").await;
    assert_eq!((count.qos, count.retain, count.payload.as_str()), (0, false, "1"));
    let count = observer.on("lab/demo/mixed/count", "").await;
    assert_eq!((count.qos, count.retain), (2, true));
    let half = observer.on("lab/demo/mixed/half", "").await;
    assert_eq!((half.qos, half.retain), (1, false));
    running.connected(std::time::Duration::from_secs(30)).await;
    observer.publish("lab/demo/button/poke/set", "7").await;
    let press = observer.on("lab/demo/button/press", "\"v\":7").await;
    assert_eq!((press.qos, press.retain), (2, true), "the reading's own QoS and retain");
    running.stop().await;
}

#[tokio::test]
async fn a_command_is_applied_once_per_id_and_answered_each_time() {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let running =
        lab(&broker).device(DeviceConfig::new("lamp")).build().expect("valid").start().await.expect("runs");
    let first = observer.on("lab/demo/lamp/on", "\"v\":false").await;
    assert!(first.retain, "the initial state is known from the start");
    assert_eq!(running.connected(std::time::Duration::from_secs(30)).await, Vec::<&str>::new());
    let before = APPLIED.load(Ordering::Relaxed);
    for _ in 0..3 {
        observer.publish("lab/demo/lamp/on/set", r#"{"v":true,"id":"c1"}"#).await;
    }
    for _ in 0..3 {
        let answer = observer.on("lab/demo/lamp/on/result", "c1").await;
        let answer = CommandResult::decode(answer.payload.as_bytes()).expect("a result");
        assert_eq!((answer.value, answer.error), (Some(ValueRef::Bool(true)), None));
    }
    assert_eq!(APPLIED.load(Ordering::Relaxed) - before, 1);
    let states = observer.seen.iter().filter(|s| s.topic == "lab/demo/lamp/on").count();
    assert_eq!(states, 2, "the state is published when it changed");
    running.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_the_reason() {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let running =
        lab(&broker).device(DeviceConfig::new("lamp")).build().expect("valid").start().await.expect("runs");
    running.connected(std::time::Duration::from_secs(30)).await;
    let cases = [
        ("brightness", "101", "channel `brightness` does not take `101 %`: expected a number from 0 to 100"),
        ("on", "\"x\"", "channel `on` does not take `x`: expected `true` or `false`, `on` or `off`, 1 or 0"),
        ("colour", "1", "`colour` takes no commands; these channels do: on, brightness"),
        ("$interval", "1", "`$interval` takes no commands, nor does any other channel of this device"),
    ];
    for (channel, value, reason) in cases {
        let command = format!(r#"{{"v":{value},"id":"{channel}"}}"#);
        observer.publish(&format!("lab/demo/lamp/{channel}/set"), &command).await;
        let answer = observer.on(&format!("lab/demo/lamp/{channel}/result"), "").await;
        let answer = CommandResult::decode(answer.payload.as_bytes()).expect("a result");
        assert_eq!(answer.error.map(|error| error.to_string()).as_deref(), Some(reason));
    }
    let late = r#"{"v":true,"id":"late","t":1732375200,"ttl_ms":1000}"#;
    observer.publish("lab/demo/lamp/on/set", late).await;
    observer.on("lab/demo/lamp/on/result", "it came later than its life of 1000 ms").await;
    // Rubbish harms nobody.
    observer.publish("lab/demo/lamp/on/set", "{\"v\":").await;
    observer.publish("lab/demo/lamp/on/set", r#"{"v":true,"id":"after"}"#).await;
    observer.on("lab/demo/lamp/on/result", "after").await;
    running.stop().await;
}

#[tokio::test]
async fn an_mqtt_5_response_topic_is_answered_too() {
    use mqtt_lab_core::link::{Properties, Publish};
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let running =
        lab(&broker).device(DeviceConfig::new("lamp")).build().expect("valid").start().await.expect("runs");
    running.connected(std::time::Duration::from_secs(30)).await;
    let properties = Properties { response_topic: Some("my/answers".into()), ..Properties::default() };
    let command = Publish::new("lab/demo/lamp/on/set", "true").properties(properties);
    observer.link.publish(command).await.expect("accepted");
    observer.on("my/answers", "\"ok\":true").await;
    running.stop().await;
}

#[tokio::test]
async fn the_user_sets_interval_qos_pause_and_the_sensors_own_control_variable() {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let mut slow = device("counter", "c");
    slow.interval_s = 3600.0;
    let running = lab(&broker).device(slow).build().expect("valid").start().await.expect("runs");
    running.connected(std::time::Duration::from_secs(30)).await;
    observer.on("lab/demo/c/count", "\"v\":1,").await;
    observer.publish("lab/demo/c/step/set", "10").await;
    observer.on("lab/demo/c/step", "\"v\":10,").await;
    observer.publish("lab/demo/c/$interval/set", "0.05").await;
    let interval = observer.on("lab/demo/c/$interval", "0.05").await;
    assert!(interval.retain);
    observer.on("lab/demo/c/count", "\"v\":11,").await;
    observer.publish("lab/demo/c/$qos/set", "2").await;
    observer.on("lab/demo/c/$qos", "\"v\":2,").await;
    let count = observer.until("sample at QoS 2", |s| s.topic == "lab/demo/c/count" && s.qos == 2).await;
    assert!(!count.retain);
    observer.publish("lab/demo/c/$paused/set", "true").await;
    observer.on("lab/demo/c/$state", "sleeping").await;
    observer.catch_up().await;
    let before = observer.seen.len();
    observer.publish("lab/demo/c/$paused/set", "false").await;
    observer.on("lab/demo/c/$state", "ready").await;
    let meanwhile = observer.seen[before..].iter().filter(|s| s.topic == "lab/demo/c/count").count();
    assert!(meanwhile <= 1, "a sleeping sensor sends nothing");
    observer.on("lab/demo/c/count", "").await;
    running.stop().await;
}

#[tokio::test]
async fn an_input_follows_a_channel_of_another_device() {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let mut follower = device("counter", "follower");
    follower.interval_s = 3600.0;
    follower.inputs.insert("step".into(), "demo/leader/level".into());
    let running = lab(&broker).device(follower).build().expect("valid").start().await.expect("runs");
    running.connected(std::time::Duration::from_secs(30)).await;
    observer.publish("lab/demo/leader/level", r#"{"v":42,"b":"x","n":1}"#).await;
    observer.on("lab/demo/follower/step", "\"v\":42,").await;
    observer.publish("lab/demo/leader/level", "1000").await;
    observer.on("lab/demo/follower/$error", "expected a number from 1 to 100").await;
    running.stop().await;
}

#[tokio::test]
async fn an_orderly_stop_says_goodbye_and_fires_no_will() {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let running =
        lab(&broker).device(device("counter", "c")).build().expect("valid").start().await.expect("runs");
    observer.on("lab/demo/c/count", "").await;
    assert_eq!(running.stop().await.len(), 0);
    observer.on("lab/demo/c/$state", "disconnected").await;
    observer.catch_up().await;
    let last = observer.seen.iter().rev().find(|s| s.topic == "lab/demo/c/$stats").expect("a count");
    let sent = mqtt_lab_wire::Stats::decode(last.payload.as_bytes()).expect("a count").sent;
    let numbered = observer.seen.iter().filter(|s| s.payload.contains("\"n\":")).count();
    assert_eq!(sent, u64::try_from(numbered).expect("few"), "every sample arrived");
    assert!(!observer.seen.iter().any(|s| s.payload == "lost"));
}

#[tokio::test]
async fn a_device_that_is_gone_without_goodbye_leaves_its_will() {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let mut own = device("counter", "own");
    own.will.topic = Some("alarm/own".into());
    own.will.payload = Some("help".into());
    own.will.qos = Some(Qos::ExactlyOnce);
    own.will.retain = Some(false);
    let lab = lab(&broker).devices([device("counter", "c"), own]);
    let running = lab.build().expect("valid").start().await.expect("runs");
    running.connected(std::time::Duration::from_secs(30)).await;
    observer.on("lab/demo/c/count", "").await;
    drop(running);
    let mut wills = [
        observer.until("a will", |s| s.payload == "lost" || s.payload == "help").await,
        observer.until("the other will", |s| s.payload == "lost" || s.payload == "help").await,
    ];
    wills.sort_by(|a, b| a.topic.cmp(&b.topic));
    assert_eq!((wills[0].topic.as_str(), wills[0].qos, wills[0].retain), ("alarm/own", 2, false));
    assert_eq!((wills[1].topic.as_str(), wills[1].qos, wills[1].retain), ("lab/demo/c/$state", 1, true));
}
