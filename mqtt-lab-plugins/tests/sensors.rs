//! What the simulated sensors measure, and what they refuse.

use mqtt_lab_core::testing::Bench;
use mqtt_lab_core::{Reading, Value};
use mqtt_lab_plugins::plugin;
use serde_json::json;
use std::time::Duration;

/// Kinds whose values can be falsified, with the channel.
const FALSIFIABLE: [(&str, &str); 4] =
    [("temperature", "temperature"), ("humidity", "humidity"), ("light", "illuminance"), ("power", "power")];

fn bench(kind: &str, settings: serde_json::Value) -> Bench {
    Bench::new(&plugin(), kind, settings)
}

fn number(reading: &Reading, channel: &str) -> f64 {
    reading.get(channel).and_then(Value::as_f64).expect("a number")
}

#[track_caller]
fn refused(kind: &str, settings: serde_json::Value, expected: &str) {
    let error = Bench::try_new(&plugin(), kind, settings).expect_err("must be refused");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn every_simulated_sensor_can_be_broken_and_mended() {
    for (kind, channel) in FALSIFIABLE {
        let mut sensor = bench(kind, json!({"seed": 7}));
        let mut sound = bench(kind, json!({"seed": 7}));
        assert_eq!(sensor.read(), sound.read(), "{kind}");
        sensor.set("fault", "stuck");
        let first = sensor.read().get(channel).cloned();
        assert!((0..9).all(|_| sensor.read().get(channel).cloned() == first), "{kind} is stuck");
        sensor.set("fault", "dropout");
        let missing = (0..100).filter(|_| sensor.read().get(channel).is_none()).count();
        assert!((20..80).contains(&missing), "{kind}: {missing} dropped out");
        // The true value went on meanwhile, untouched.
        sensor.set("fault", "none");
        let sound = (0..111).map(|_| sound.read()).last();
        assert_eq!(Some(sensor.read()), sound, "{kind}");
        let error = sensor.try_set("fault", "melted").unwrap_err().to_string();
        assert_eq!(
            error, "channel `fault` does not take `melted`: expected one of the channel's choices",
            "{kind}"
        );
    }
}

#[test]
fn a_fault_of_the_settings_is_there_from_the_start() {
    for (kind, channel) in FALSIFIABLE {
        let mut sensor = bench(kind, json!({"seed": 7, "fault": "stuck"}));
        let fault = sensor.description().find("fault").and_then(|fault| fault.initial.clone());
        assert_eq!(fault, Some("stuck".into()), "{kind}");
        assert_eq!(sensor.read().get(channel), sensor.read().get(channel), "{kind}");
        let error = Bench::try_new(&plugin(), kind, json!({"fault": "melted"})).unwrap_err().to_string();
        assert!(
            error.starts_with("`fault`: unknown variant `melted`, expected one of `none`, `stuck`"),
            "{error}"
        );
        let error = Bench::try_new(&plugin(), kind, json!({"fault_size": -1})).unwrap_err().to_string();
        assert!(error.starts_with("`fault_size = -1` must be from 0 to "), "{error}");
    }
}

#[test]
fn a_day_has_a_noon_and_a_night_and_clouds_take_light() {
    let clear = json!({"cloud_percent": 0, "max_cloud_step_percent": 0, "day_s": 240, "start_hour": 6});
    let mut light = bench("light", clear);
    let mut at_hour = |hours: u64| {
        let lux = number(&light.read(), "illuminance");
        light.advance(Duration::from_secs(10 * hours));
        lux
    };
    assert_eq!([6, 12, 3].map(&mut at_hour), [0.0, 10_000.0, 0.0], "sunrise, noon, midnight");
    assert_eq!(at_hour(0), 0.0, "3 o'clock");
    let overcast = json!({"cloud_percent": 100, "max_cloud_step_percent": 0, "start_hour": 12});
    assert_eq!(number(&bench("light", overcast).read(), "illuminance"), 2_500.0);
    refused("light", json!({"day_s": 0}), "`day_s = 0` must be from 1 to 604800");
}

#[test]
fn a_meter_sums_up_what_its_load_takes() {
    let mut meter = bench("power", json!({"load_watts": 1000, "standby_watts": 0, "noise_percent": 0}));
    assert_eq!(meter.read(), Reading::new().with("energy", 0.0).with("power", 1000.0));
    meter.advance(Duration::from_secs(1800));
    meter.set("load", 3000);
    meter.advance(Duration::from_secs(1800));
    assert_eq!(meter.read(), Reading::new().with("energy", 2.0).with("power", 3000.0));
    refused("power", json!({"load_watts": -1}), "`load_watts = -1` must be from 0 to 100000");
}

#[test]
fn who_came_goes_and_is_counted() {
    let mut door = bench("rfid", json!({"cards": ["a", "b"], "mean_away_s": 3, "mean_stay_s": 2}));
    let mut inside = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let reading = door.read();
        let card = reading.get("card").expect("a card").to_string();
        let came = reading.get("event") == Some(&"came".into());
        assert!(if came { inside.insert(card) } else { inside.remove(&card) }, "{reading:?}");
        assert_eq!(number(&reading, "present"), inside.len() as f64);
    }
    refused("rfid", json!({"cards": []}), "`cards` has 0 ids, it must have from 1 to 100");
    refused("rfid", json!({"cards": ["a", "a"]}), "`cards` has `a` twice: every card has an id of its own");
    refused("rfid", json!({"cards": [""]}), "`cards` has 0 bytes of text, it must have from 1 to 32");
}
