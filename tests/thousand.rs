//! A thousand sensors in one lab, under the limits of a desktop: they get ready, are heard, and end in order.
//! Alone in its program: other tests would starve beside it.

mod support;

use support::Lab;

const DEVICES: usize = 1_000;

#[test]
fn a_thousand_devices_start_under_the_soft_limit_of_desktops() {
    let data = tempfile::tempdir().expect("a folder");
    let lab = Lab::start_below(data.path(), "ulimit -Sn 1024", include_str!("../config/thousand.toml"));
    let ready = format!("mqtt_lab_devices{{state=\"ready\"}} {DEVICES}\n");
    lab.poll("/metrics", |text| text.as_str()?.contains(&ready).then_some(()));
    lab.poll("/api/v1/devices", |found| {
        let heard = found.as_array()?.iter().filter(|device| {
            let mut channels = device["channels"].as_array().into_iter().flatten();
            channels.any(|channel| channel["name"] == "temperature" && channel["value"].is_f64())
        });
        (heard.count() == DEVICES).then_some(())
    });
    let (ended, output) = lab.interrupt();
    assert!(ended.success(), "{output:#?}");
    // A warning is fine: on a busy machine a thousand connections take longer than the lab waits without a word.
    assert!(!output.iter().any(|line| line.contains("ERROR")), "{output:#?}");
}
