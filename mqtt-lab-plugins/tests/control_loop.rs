//! Room, heater and thermostat as `inputs` connect them, with the clock under control.

use mqtt_lab_core::testing::Bench;
use mqtt_lab_core::{Device, Value};
use mqtt_lab_plugins::plugin;
use serde_json::json;
use std::time::Duration;

/// The three devices. A value of one reaches the next one a second later, as over a slow network.
struct Loop {
    room: Box<dyn Device>,
    heater: Box<dyn Device>,
    thermostat: Box<dyn Device>,
}

async fn create(kind: &str, settings: serde_json::Value) -> Box<dyn Device> {
    let plugin = plugin();
    let found = plugin.kinds().iter().find(|known| known.name() == kind).expect("a kind");
    let settings = settings.as_object().expect("a table").clone();
    found.create(settings).await.expect("valid settings")
}

async fn read(device: &mut dyn Device, channel: &str) -> Value {
    device.read().await.expect("a reading").get(channel).expect("the channel").clone()
}

async fn set(device: &mut dyn Device, channel: &str, value: impl Into<Value>) {
    device.set(channel, value.into()).await.expect("taken");
}

impl Loop {
    async fn new(mode: &str) -> Self {
        Self {
            room: create("room", json!({"seed": 1})).await,
            heater: create("heater", json!({})).await,
            thermostat: create("thermostat", json!({"mode": mode})).await,
        }
    }

    /// The temperatures of so many seconds, in °C.
    async fn run(&mut self, seconds: u32) -> Vec<f64> {
        let mut temperatures = Vec::new();
        for _ in 0..seconds {
            let celsius = read(&mut *self.room, "temperature").await;
            let output = read(&mut *self.thermostat, "output").await;
            let power = read(&mut *self.heater, "power").await;
            temperatures.push(celsius.as_f64().expect("a number"));
            set(&mut *self.thermostat, "temperature", celsius).await;
            set(&mut *self.heater, "level", output).await;
            set(&mut *self.room, "power", power).await;
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        temperatures
    }
}

#[track_caller]
fn holds(temperatures: &[f64], setpoint: f64, within: f64) {
    let largest = temperatures.iter().map(|t| (t - setpoint).abs()).fold(0.0, f64::max);
    assert!(largest <= within, "{largest} K away from {setpoint} °C");
}

/// After a step of the set-point up, one down, and a colder day.
async fn holds_the_setpoint(mode: &str, within: f64) {
    let mut control = Loop::new(mode).await;
    for (setpoint, outside) in [(20.0, 5.0), (23.0, 5.0), (18.0, 5.0), (18.0, -5.0)] {
        set(&mut *control.thermostat, "setpoint", setpoint).await;
        set(&mut *control.room, "outside", outside).await;
        control.run(600).await;
        holds(&control.run(1200).await, setpoint, within);
    }
}

#[tokio::test(start_paused = true)]
async fn pi_holds_the_setpoint() {
    holds_the_setpoint("pi", 0.2).await;
}

#[tokio::test(start_paused = true)]
async fn two_point_swings_around_the_setpoint() {
    holds_the_setpoint("two-point", 0.5).await;
    let mut control = Loop::new("two-point").await;
    control.run(600).await;
    let swing = control.run(1200).await;
    let (low, high) = (swing.iter().copied().fold(f64::MAX, f64::min), swing.into_iter().fold(0.0, f64::max));
    assert!(low < 19.85 && high > 20.15, "never at rest: {low} to {high}");
}

#[tokio::test(start_paused = true)]
async fn pi_does_not_overshoot_after_a_long_way_up() {
    let mut control = Loop::new("pi").await;
    let highest = control.run(1800).await.into_iter().fold(0.0, f64::max);
    assert!(highest < 20.5, "{highest}");
}

#[test]
fn a_thermostat_without_a_temperature_heats_nothing() {
    let mut thermostat = Bench::new(&plugin(), "thermostat", json!({"stale_after_s": 30}));
    let output = |bench: &mut Bench| bench.read().get("output").and_then(Value::as_f64);
    assert_eq!(output(&mut thermostat), Some(0.0));
    thermostat.set("temperature", 15);
    assert_eq!(output(&mut thermostat), Some(100.0));
    thermostat.advance(Duration::from_secs(31));
    assert_eq!(output(&mut thermostat), Some(0.0), "the thermometer is gone");
    thermostat.set("temperature", 15);
    assert_eq!(output(&mut thermostat), Some(100.0));
}

#[test]
fn a_room_cools_to_the_outside_and_refuses_what_has_no_meaning() {
    let mut room = Bench::new(&plugin(), "room", json!({"noise_kelvin": 0}));
    assert_eq!(room.read(), 15.0.into());
    room.advance(Duration::from_secs(400));
    // A time constant later 1/e of the 10 K is left.
    assert_eq!(room.read(), 8.68.into());
    room.set("power", 750);
    room.advance(Duration::from_secs(100_000));
    assert_eq!(room.read(), 20.0.into());
    for (settings, expected) in [
        (json!({"loss_watts_per_kelvin": 0}), "`loss_watts_per_kelvin = 0` must be from 0.01 to 1000000"),
        (
            json!({"capacity_joules_per_kelvin": -1}),
            "`capacity_joules_per_kelvin = -1` must be from 1 to 1000000000",
        ),
    ] {
        let error = Bench::try_new(&plugin(), "room", settings).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let error = Bench::try_new(&plugin(), "thermostat", json!({"setpoint_celsius": 50})).unwrap_err();
    assert_eq!(error.to_string(), "`setpoint_celsius = 50` must be from 5 to 35");
}
