//! The setups in `config/`: all are right, those that a test can run do run, and the same seed gives the same values.

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use support::{Lab, run};

/// Too many devices for a test among others: `tests/thousand.rs`.
const LARGE: &str = "thousand";
/// Needs another lab's broker.
const GUEST: &str = "last-will";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

/// The setups with their names.
fn setups() -> Vec<(String, PathBuf)> {
    let files = std::fs::read_dir(folder()).expect("a folder").map(|entry| entry.expect("readable").path());
    let setups = files.filter(|file| file.extension().is_some_and(|extension| extension == "toml"));
    let name = |file: &Path| file.file_stem().expect("a name").to_string_lossy().into_owned();
    setups.map(|file| (name(&file), file)).collect()
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).expect("the file")
}

fn start(folder: &Path, name: &str) -> Lab {
    Lab::start(folder, Some(&text(&format!("{name}.toml"))))
}

/// How many devices a setup asks for.
fn devices(file: &Path) -> usize {
    let table: toml::Table = std::fs::read_to_string(file).expect("the file").parse().expect("TOML");
    let blocks = ["sensor", "actuator"].into_iter().filter_map(|role| table.get(role)?.as_array());
    let count = |block: &toml::Value| block.get("count").and_then(toml::Value::as_integer).unwrap_or(1);
    // The variables of the one group that has some are a device of their own.
    let variables = i64::from(table.contains_key("variable"));
    usize::try_from(blocks.flatten().map(count).sum::<i64>() + variables).expect("a count")
}

fn value<'a>(device: &'a Value, channel: &str) -> &'a Value {
    let mut channels = device["channels"].as_array().into_iter().flatten();
    channels.find(|found| found["name"] == channel).map_or(&Value::Null, |found| &found["value"])
}

#[test]
fn every_setup_is_right_and_explained_in_both_languages() {
    let (english, german) = (text("README.md"), text("README.de.md"));
    for (name, file) in setups() {
        let output = run(&["check", &file.display().to_string()], &folder());
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let heading = format!("\n## {name}.toml\n");
        assert!(english.contains(&heading) && german.contains(&heading), "{name} is not in both READMEs");
        // Editors complete from what the first line names.
        let begin = "#:schema lab.schema.json\n# ";
        assert!(text(&format!("{name}.toml")).starts_with(begin), "{name} begins with what it is for");
    }
}

/// Of a program with all kinds of the default build.
#[cfg(not(any(feature = "serial", feature = "i2c")))]
#[test]
fn the_schema_beside_the_setups_is_the_schema() {
    let output = run(&["schema"], &folder());
    let told = "out of date: `cargo run -- schema > config/lab.schema.json`";
    assert!(text("lab.schema.json") == String::from_utf8_lossy(&output.stdout), "{told}");
}

#[test]
fn the_reference_tells_every_option() {
    let output = run(&["options"], &folder());
    let reference = std::fs::read_to_string(folder().join("../docs/options.md")).expect("the reference");
    let told = "out of date: `cargo run -- options > docs/options.md`";
    assert!(reference == String::from_utf8_lossy(&output.stdout), "{told}");
}

#[test]
fn every_device_of_every_setup_gets_ready() {
    for (name, file) in setups().into_iter().filter(|(name, _)| ![LARGE, GUEST].contains(&name.as_str())) {
        let data = tempfile::tempdir().expect("a folder");
        let lab = start(data.path(), &name);
        lab.poll("/api/v1/devices", |found| {
            let ready = found.as_array()?.iter().filter(|device| device["state"] == "ready").count();
            (ready == devices(&file)).then_some(())
        });
        let (ended, output) = lab.interrupt();
        assert!(ended.success(), "{name}: {output:#?}");
        let bad = output.iter().any(|line| line.contains("WARN") || line.contains("ERROR"));
        assert!(!bad, "{name}: {output:#?}");
    }
}

#[test]
fn devices_follow_each_other() {
    let data = tempfile::tempdir().expect("a folder");
    let lab = start(data.path(), "control-loop");
    // The way once around: room, thermostat, heater, and back to the room.
    let heated = |device: &Value| value(device, "power").as_f64().filter(|watts| *watts > 0.0);
    lab.poll("/api/v1/devices/demo/room", heated);
    lab.poll("/api/v1/devices/demo/meter", |meter| value(meter, "load").as_f64().filter(|load| *load > 0.0));
    let set = "/api/v1/devices/demo/variables/set-point/set";
    let (status, answer) = lab.request("POST", set, Some(r#"{"value":24.5}"#));
    assert_eq!(status, 202, "{answer}");
    lab.poll("/api/v1/devices/demo/thermostat", |found| (value(found, "setpoint") == 24.5).then_some(()));
    lab.interrupt();

    let data = tempfile::tempdir().expect("a folder");
    let lab = start(data.path(), "groups");
    lab.until_state("red/led", "ready");
    lab.until_state("blue/led", "ready");
    let (status, answer) = lab.request("POST", "/api/v1/devices/red/led/on/set", Some(r#"{"value":true}"#));
    assert_eq!(status, 202, "{answer}");
    lab.poll("/api/v1/devices/blue/led", |led| (value(led, "on") == true).then_some(()));
    lab.interrupt();

    let data = tempfile::tempdir().expect("a folder");
    let lab = start(data.path(), "smart-home");
    lab.poll("/api/v1/devices/home/display", |display| {
        value(display, "text").as_str().filter(|text| text.ends_with(" °C")).map(drop)
    });
    lab.interrupt();
}

#[test]
fn the_devices_with_wills_are_lost_when_they_are_killed() {
    let data = tempfile::tempdir().expect("a folder");
    let lab = Lab::start(data.path(), None);
    let wills =
        text("last-will.toml").replace("127.0.0.1:1883", &lab.broker).replace("delay_s = 10", "delay_s = 1");
    let guest = Lab::start(data.path(), Some(&wills));
    let all = ["will-default", "will-alarm", "will-once", "will-delayed"];
    for id in all {
        lab.until_state(&format!("demo/{id}"), "ready");
    }
    guest.kill();
    for id in all {
        lab.until_state(&format!("demo/{id}"), "lost");
    }
    lab.interrupt();
}

/// The first values of a device's series, as they were stored.
fn stored(lab: &Lab, device: &str, channel: &str, n: usize) -> Vec<Value> {
    let series = lab.poll(&format!("/api/v1/devices/demo/{device}"), |device| {
        let mut channels = device["channels"].as_array()?.iter();
        channels.find(|found| found["name"] == channel)?["series"].as_i64()
    });
    lab.poll(&format!("/api/v1/series/{series}/points"), |answer| {
        let points = answer["points"].as_array()?;
        (points.len() >= n).then(|| points[..n].iter().map(|point| point[1].clone()).collect())
    })
}

#[test]
fn the_same_seed_stores_the_same_values() {
    const SEEDED: [(&str, &str); 4] = [
        ("temperature", "temperature"),
        ("humidity", "humidity"),
        ("light", "illuminance"),
        ("signal", "value"),
    ];
    // A reading may be late by half a step of time.
    let block = |kind: &str| {
        let timed = matches!(kind, "light" | "signal");
        let settings = if timed { "[sensor.settings]\ntime_step_s = 1.0\n" } else { "" };
        format!("[[sensor]]\nkind = \"{kind}\"\ninterval_s = 1.0\nqos = 1\n{settings}")
    };
    let blocks = SEEDED.map(|(kind, _)| block(kind));
    let values = |seed: u32| {
        let data = tempfile::tempdir().expect("a folder");
        let lab = Lab::start(data.path(), Some(&format!("[lab]\nseed = {seed}\n{}", blocks.concat())));
        let values = SEEDED.map(|(kind, channel)| stored(&lab, kind, channel, 5));
        lab.interrupt();
        values
    };
    let first = values(5);
    assert_eq!(first, values(5));
    assert_ne!(first, values(6));
}
