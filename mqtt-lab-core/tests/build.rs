//! Mistakes in a configuration: all of them at once, each with what was tried, on what, and what to do.

mod support;

use mqtt_lab_core::config::{ChannelConfig, DeviceConfig};
use mqtt_lab_core::{BuildError, Kind, Lab, Plugin};
use std::sync::Arc;
use support::{Lamp, Nothing, plugin};

/// Checks a device as `mqtt-lab check` does.
async fn mistakes(device: DeviceConfig) -> Vec<String> {
    let lab = Lab::builder().broker("127.0.0.1:1").plugin(&plugin()).device(device).build();
    let error = match lab {
        Ok(lab) => lab.check().await.expect_err("a mistake"),
        Err(error) => error,
    };
    match error {
        BuildError::Devices(problems) => problems.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    }
}

#[track_caller]
fn check(mistakes: &[String], expected: &str) {
    assert_eq!(mistakes, [expected]);
}

#[tokio::test]
async fn an_unknown_kind_gets_the_right_word() {
    check(
        &mistakes(DeviceConfig::new("countre")).await,
        "`kind`: there is no kind `countre` (hint: did you mean `counter`?)",
    );
    check(
        &mistakes(DeviceConfig::new("xyz")).await,
        "`kind`: there is no kind `xyz` (hint: the kinds are: bad, bad-actuator, button, cooperative-bad, \
         cooperative-counter, counter, lamp)",
    );
}

#[tokio::test]
async fn a_kind_that_was_left_out_is_told_with_how_to_get_it() {
    let without = mqtt_lab_core::Plugin::new("boards", "1").left_out("serial", "build with it");
    let lab = Lab::builder().broker("127.0.0.1:1").plugin(&plugin()).plugin(&without);
    let error = lab.device(DeviceConfig::new("serial")).build().expect_err("left out");
    assert_eq!(
        error.to_string(),
        "`kind`: this program was built without the kind `serial` (hint: build with it)"
    );
}

#[tokio::test]
async fn a_wrong_word_in_a_topic_is_named() {
    check(
        &mistakes(DeviceConfig::new("lamp").id("My Lamp")).await,
        "`id`: `My Lamp` cannot be part of a topic: a name has 1 to 64 of the characters `a-z`, `0-9` and `-`",
    );
}

#[tokio::test]
async fn the_same_id_twice_is_refused() {
    let twice = [DeviceConfig::new("lamp"), DeviceConfig::new("button").id("lamp")];
    let error =
        Lab::builder().broker("127.0.0.1:1").plugin(&plugin()).devices(twice).build().expect_err("twice");
    assert_eq!(
        error.to_string(),
        "`id`: there is already a device `lamp` in group `demo` (hint: give one of them another `id` or `group`)"
    );
}

#[test]
fn an_id_that_no_topic_can_have_is_refused_wherever_it_comes_from() {
    let odd = Plugin::new("odd", "0.0.0").kind(Kind::actuator("My_Lamp", |_: Nothing| Lamp(Arc::default())));
    let problems = |device: DeviceConfig| {
        let lab = Lab::builder().broker("127.0.0.1:1").plugin(&odd).plugin(&plugin()).device(device);
        lab.build().expect_err("a mistake").to_string()
    };
    let rule = "cannot be part of a topic: a name has 1 to 64 of the characters `a-z`, `0-9` and `-`";
    assert_eq!(
        problems(DeviceConfig::new("My_Lamp")),
        format!("`id`: `My_Lamp` {rule} (hint: without `id` the kind is the name; add a line `id = \"…\"`)")
    );
    let mut many = DeviceConfig::new("lamp").id("a".repeat(63));
    many.count = 3;
    let told = problems(many);
    assert!(told.contains("aaa-1` cannot be") && !told.contains("aaa-2`"), "{told}");
    let both = [DeviceConfig::new("lmap").id("x"), DeviceConfig::new("lamp").id("x")];
    let lab = Lab::builder().broker("127.0.0.1:1").plugin(&plugin()).devices(both);
    let told = lab.build().expect_err("two mistakes").to_string();
    assert!(
        told.contains("there is no kind `lmap`") && told.contains("there is already a device `x`"),
        "{told}"
    );
}

#[tokio::test]
async fn settings_are_checked_by_the_plugins_own_struct() {
    let unknown = DeviceConfig::new("counter").setting("stepp", 1);
    check(&mistakes(unknown).await, "`settings.stepp`: unknown field `stepp`, expected `count` or `step`");
    let wrong = DeviceConfig::new("counter").setting("step", "many");
    check(
        &mistakes(wrong).await,
        "`settings.step`: expected a whole number from 0 to 4294967295, found the text \"many\"",
    );
    let missing = DeviceConfig::new("bad");
    check(&mistakes(missing).await, "`settings`: the setting `fault` is missing");
    let refused = DeviceConfig::new("bad").setting("fault", "refuse_in_new").setting("key", 30);
    check(&mistakes(refused).await, "`settings`: no such wire");
}

#[tokio::test]
async fn channels_and_inputs_must_exist() {
    let mut device = DeviceConfig::new("counter");
    device.channels.insert("cuont".into(), ChannelConfig::default());
    device.inputs.insert("half".into(), "demo/x/y".into());
    let hint = "(hint: `counter` has the channels: count, half, step)";
    assert_eq!(
        mistakes(device).await,
        [
            format!("`channels.cuont`: there is no channel `cuont` {hint}"),
            format!("`inputs.half`: there is no control variable `half` {hint}")
        ]
    );
}

#[tokio::test]
async fn numbers_out_of_range_are_all_named() {
    let mut device = DeviceConfig::new("counter");
    (device.count, device.interval_s, device.keep_alive_s) = (0, -1.0, Some(3));
    device.will.topic = Some("a/#".into());
    device.inputs.insert("step".into(), "demo/x".into());
    assert_eq!(
        mistakes(device).await,
        [
            "`count`: `0` must be from 1 to 20000",
            "`interval_s`: `-1` must be from 0.001 to 604800 seconds",
            "`keep_alive_s`: `3` must be from 5 to 65535 seconds",
            "`will.topic`: `a/#` cannot be published to: no `+`, `#` or empty topic",
            "`inputs.step`: `demo/x` must be `group/device/channel`",
        ]
    );
}

#[tokio::test]
async fn a_lab_without_broker_says_so() {
    let error = Lab::builder().plugin(&plugin()).build().expect_err("no broker");
    assert_eq!(error.to_string(), "the lab has no broker: `LabBuilder::broker` or `mqtt.brokers` names one");
}

#[tokio::test]
async fn a_kind_offered_twice_is_refused() {
    let other = mqtt_lab_core::Plugin::new("other", "1").kind(plugin().kinds()[0].clone());
    let lab = Lab::builder().broker("127.0.0.1:1").plugin(&plugin()).plugin(&other);
    let error = lab.build().expect_err("taken");
    assert_eq!(
        error.to_string(),
        "plugin `other` offers the kind `counter`, which plugin `test` already offers"
    );
}

#[tokio::test]
async fn count_makes_devices_with_numbers_and_seeds_of_their_own() {
    let mut many = DeviceConfig::new("counter").id("c");
    many.count = 3;
    let lab = Lab::builder().broker("127.0.0.1:1").plugin(&plugin()).device(many).build().expect("valid");
    assert_eq!(lab.devices().collect::<Vec<_>>(), ["demo/c-1", "demo/c-2", "demo/c-3"]);
}
