//! A board on a serial port: the Arduino sketch of `firmware/boards/arduino-uno` in a simulator, and a real lab.
//!
//! Feature `system-tests`; needs Debian's gcc-avr, avr-libc, arduino-core-avr, libsimavr-dev, libelf-dev and gcc.

#[path = "../support/mod.rs"]
mod support;

mod board;

use board::Workshop;
use serde_json::Value;
use std::path::Path;
use support::Lab;

const DEVICE: &str = "/api/v1/devices/demo/arduino";

/// The sketch's own lab file, with another port.
fn lab_file(port: &Path) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware/boards/arduino-uno/lab.toml");
    let text = std::fs::read_to_string(file).expect("the lab file");
    let changed = text.replace("/dev/ttyACM0", &port.display().to_string());
    assert_ne!(changed, text, "there is a port to replace");
    changed
}

fn channel<'a>(device: &'a Value, name: &str) -> &'a Value {
    let mut channels = device["channels"].as_array().into_iter().flatten();
    channels.find(|channel| channel["name"] == name).unwrap_or(&Value::Null)
}

/// Waits for a temperature near this one: the converter has steps of 0.5 °C.
#[track_caller]
fn until_celsius(lab: &Lab, celsius: f64) {
    lab.poll(DEVICE, |device| {
        let temperature = channel(device, "temperature");
        let near = temperature["value"].as_f64().is_some_and(|value| (value - celsius).abs() <= 1.0);
        (near && temperature["unit"] == "°C").then_some(())
    });
}

#[track_caller]
fn until_led(lab: &Lab, on: bool) {
    lab.poll(DEVICE, |device| (channel(device, "led")["value"] == on).then_some(()));
}

#[track_caller]
fn until_error(lab: &Lab, parts: &[&str]) {
    lab.poll(DEVICE, |device| {
        let error = device["error"].as_str().unwrap_or_default();
        parts.iter().all(|part| error.contains(part)).then_some(())
    });
}

#[track_caller]
fn until_well(lab: &Lab) {
    lab.poll(DEVICE, |device| device["error"].as_str().is_none_or(str::is_empty).then_some(()));
}

/// Sends a command and waits for its end.
#[track_caller]
fn switch(lab: &Lab, on: bool) -> Value {
    let body = format!(r#"{{"value":{on}}}"#);
    let (status, command) = lab.request("POST", &format!("{DEVICE}/led/set"), Some(&body));
    assert_eq!(status, 202, "{command}");
    let id = command["id"].as_str().expect("an id");
    lab.poll(&format!("/api/v1/commands/{id}"), |command| {
        (command["state"] != "pending").then(|| command.clone())
    })
}

#[track_caller]
fn switched(lab: &Lab, on: bool) {
    let ended = switch(lab, on);
    assert_eq!(ended["state"], "confirmed", "{ended}");
}

#[test]
fn an_arduino_measures_obeys_and_comes_back_after_it_was_unplugged() {
    let folder = tempfile::tempdir().expect("a folder");
    let workshop = Workshop::open(folder.path());
    let port = folder.path().join("ttyACM0");
    let mut board = workshop.plug_in(&port, 235);
    let lab = Lab::start(folder.path(), Some(&lab_file(&port)));
    until_celsius(&lab, 23.5);
    board.set_millivolts(400);
    until_celsius(&lab, 40.0);

    switched(&lab, true);
    board.until_lamp(true);
    until_led(&lab, true);
    until_well(&lab);

    board.unplug();
    until_error(
        &lab,
        &[&format!("cannot open port `{}`: No such file", port.display()), "plug the board in"],
    );
    let refused = switch(&lab, false);
    assert_eq!(refused["state"], "refused", "{refused}");
    assert!(refused["error"].as_str().is_some_and(|why| why.contains("cannot open port")), "{refused}");

    // Restarted, its lamp is off; the lab learns it without asking.
    let board = workshop.plug_in(&port, 300);
    until_celsius(&lab, 30.0);
    until_led(&lab, false);
    until_well(&lab);
    switched(&lab, true);
    board.until_lamp(true);
    until_led(&lab, true);
    lab.interrupt();
}

#[test]
fn a_lab_begins_without_its_board_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let workshop = Workshop::open(folder.path());
    let port = folder.path().join("ttyACM0");
    let lab = Lab::start(folder.path(), Some(&lab_file(&port)));
    until_error(&lab, &["cannot open port", "plug the board in"]);
    let _board = workshop.plug_in(&port, 235);
    until_celsius(&lab, 23.5);
    until_well(&lab);
    lab.interrupt();
}
