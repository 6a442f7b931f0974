//! The example plugins, built as their README says, in one lab; each measures, obeys or tells. The program of its own runs.
//!
//! Feature `system-tests`; needs `make`, `gcc` and `python3`.

mod support;

use serde_json::Value;
use std::net::UdpSocket;
use std::path::Path;
use support::{Lab, run};
use tempfile::TempDir;

/// Runs a line of shell in the folder of the examples.
#[track_caller]
fn typed(line: &str) -> String {
    support::typed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"), line)
}

fn value(lab: &Lab, device: &str, channel: &str) -> impl Fn(&dyn Fn(&Value) -> bool) -> Value {
    move |wanted| {
        lab.poll(&format!("/api/v1/devices/demo/{device}"), |found| {
            let channels = found["channels"].as_array()?;
            let value = channels.iter().find(|other| other["name"] == channel)?["value"].clone();
            wanted(&value).then_some(value)
        })
    }
}

fn set(lab: &Lab, device: &str, channel: &str, value: &str) {
    lab.until_state(&format!("demo/{device}"), "ready");
    let path = format!("/api/v1/devices/demo/{device}/{channel}/set");
    let (status, command) = lab.request("POST", &path, Some(&format!("{{\"value\":{value}}}")));
    assert_eq!(status, 202, "{command}");
    let id = command["id"].as_str().expect("an id");
    lab.poll(&format!("/api/v1/commands/{id}"), |command| (command["state"] == "confirmed").then_some(()));
}

#[test]
fn all_six_plugins_work_in_one_lab() {
    for plugin in ["first-sensor", "first-actuator", "knock", "oven"] {
        typed(&format!("cargo test -q --locked --manifest-path {plugin}/Cargo.toml"));
        typed(&format!("cargo build -q --release --locked --manifest-path {plugin}/Cargo.toml"));
    }
    typed("make -C button-c");
    let folder = TempDir::new().expect("a folder");
    // Any free port, so that two runs do not meet.
    let port = UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let toml = std::fs::read_to_string(examples.join("plugins.toml")).expect("the lab");
    let toml = toml.replace("plugin = \"", &format!("plugin = \"{}/", examples.display()));
    let toml = toml.replace("settings.port = 4000", &format!("settings.port = {port}"));
    let lab = Lab::start(folder.path(), Some(&toml));

    // In the folder of the lab, where this test may write. Not yet there: the sensor waits for it.
    set(&lab, "note", "text", "\"buy milk\"");
    value(&lab, "file-size", "size")(&|size| *size == "buy milk".len());
    for oven in ["oven", "oven-apart"] {
        let temperature = value(&lab, oven, "temperature");
        temperature(&|celsius| celsius.as_f64().is_some_and(|celsius| celsius < 21.0));
        set(&lab, oven, "target", "200");
        temperature(&|celsius| celsius.as_f64().is_some_and(|celsius| celsius > 30.0));
    }
    value(&lab, "load", "load")(&|load| load.as_f64().is_some_and(|load| load >= 0.0));
    set(&lab, "load", "over-minutes", "15");
    set(&lab, "counting-lamp", "on", "true");
    value(&lab, "counting-lamp", "switched")(&|switched| *switched == 1);

    lab.until_state("demo/knock", "ready");
    let knocking = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let visitor = lab.poll("/api/v1/devices/demo/knock", |found| {
        // The sensor binds its port in its first `read`: knock until it is heard.
        knocking.send_to(b"Anna", ("127.0.0.1", port)).ok()?;
        let channels = found["channels"].as_array()?;
        channels.iter().find(|channel| channel["name"] == "visitor" && channel["value"] == "Anna").cloned()
    });
    assert_eq!(visitor["datatype"], "text");
    let (ended, output) = lab.interrupt();
    assert!(ended.success() && !output.iter().any(|line| line.contains("ERROR")), "{output:#?}");
}

#[test]
fn a_program_of_its_own_hears_its_sensor() {
    let said = typed("cargo run -q --locked --manifest-path own-lab/Cargo.toml");
    let levels = said.lines().map(|line| {
        let sample = line.strip_prefix("lab/demo/roof/level ").unwrap_or_else(|| panic!("{said}"));
        serde_json::from_str::<Value>(sample).expect("JSON")["v"].as_f64().expect("a number")
    });
    let levels: Vec<_> = levels.collect();
    // What was sent before it listened is not repeated: it begins anywhere.
    assert!(levels.len() == 3 && levels[0] >= 12.5, "{said}");
    assert!(levels.windows(2).all(|pair| (pair[1] - pair[0] - 0.5).abs() < 1e-9), "{said}");
}

#[test]
fn what_an_example_refuses_is_found_in_the_file() {
    let folder = TempDir::new().expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/load-python/load.py");
    let toml =
        format!("[[sensor]]\nkind = \"load\"\nplugin = {script:?}\n\n[sensor.settings]\nover_minutes = 2\n");
    std::fs::write(folder.path().join("lab.toml"), toml).expect("writable");
    let checked = run(&["check", "lab.toml"], folder.path());
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert_eq!(checked.status.code(), Some(78), "{said}");
    assert_eq!(said, "error: lab.toml:6:1: `sensor.settings.over_minutes`: expected 1, 5 or 15\n");
}
