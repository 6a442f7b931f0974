//! What the simulated sensors measure, and what they refuse.

use mqtt_lab_core::testing::Bench;
use mqtt_lab_core::{Reading, Value};
use mqtt_lab_plugins::plugin;
use serde_json::json;
use std::time::Duration;

/// Kinds whose values can be falsified, with the channel.
const FALSIFIABLE: [(&str, &str); 6] = [
    ("temperature", "temperature"),
    ("humidity", "humidity"),
    ("light", "illuminance"),
    ("power", "power"),
    ("signal", "value"),
    ("room", "temperature"),
];

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
        assert!(error.starts_with("`fault`: expected \"none\", \"stuck\", "), "{error}");
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

/// Five values of a generator, one second after the other.
fn five(signal: &mut Bench) -> [f64; 5] {
    [(); 5].map(|()| {
        let value = number(&signal.read(), "value");
        signal.advance(Duration::from_secs(1));
        value
    })
}

#[test]
fn a_generator_gives_every_waveform_and_obeys() {
    let mut signal =
        bench("signal", json!({"waveform": "sine", "period_s": 4, "amplitude": 2, "offset": 10}));
    assert_eq!(five(&mut signal), [10.0, 12.0, 10.0, 8.0, 10.0]);
    signal.set("waveform", "square");
    signal.set("duty", 25);
    assert_eq!(five(&mut signal), [12.0, 8.0, 8.0, 8.0, 12.0]);
    signal.set("waveform", "sawtooth");
    assert_eq!(five(&mut signal), [8.0, 9.0, 10.0, 11.0, 8.0]);
    signal.set("waveform", "step");
    signal.set("period", 2);
    assert_eq!(five(&mut signal), [10.0, 10.0, 12.0, 12.0, 12.0]);
    signal.set("waveform", "constant");
    assert_eq!(five(&mut signal), [10.0; 5]);
    signal.set("waveform", "expression");
    signal.set("expression", "t^2");
    signal.set("amplitude", 1);
    signal.set("offset", 0);
    assert_eq!(five(&mut signal), [0.0, 1.0, 4.0, 9.0, 16.0]);
    let error = signal.try_set("expression", "t^").unwrap_err().to_string();
    assert!(error.starts_with("at character 3 of the formula: expected a number"), "{error}");
    assert_eq!(number(&signal.read(), "value"), 25.0, "the old formula stays");
    for random in ["uniform", "gaussian", "walk"] {
        signal.set("waveform", random);
        let values = five(&mut signal);
        assert!(values.iter().all(|v| v.abs() < 6.0) && values[0] != values[1], "{random}: {values:?}");
    }
}

#[test]
fn a_recording_is_replayed_and_begins_anew_or_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("room.csv");
    std::fs::write(&file, "s,room\n0,20.5\n1,21\n").expect("writable");
    let file = file.to_str().expect("a path of letters");
    let settings = json!({"waveform": "csv", "file": file, "column": "room"});
    assert_eq!(five(&mut bench("signal", settings)), [20.5, 21.0, 20.5, 21.0, 20.5]);
    let mut once = bench("signal", json!({"waveform": "csv", "file": file, "column": 2, "at_end": "stop"}));
    assert_eq!([once.read(), once.read()], [20.5.into(), 21.0.into()]);
    assert!(once.read().is_empty() && once.read().is_empty());
    once.set("waveform", "csv");
    assert_eq!(once.read(), 20.5.into(), "from the start");
}

#[test]
fn a_generator_says_what_is_wrong_with_its_settings() {
    let needs = "the waveform `csv` needs a recording: name one in the settings, `file = \"…\"`";
    refused("signal", json!({"waveform": "csv"}), needs);
    assert_eq!(bench("signal", json!({})).try_set("waveform", "csv").unwrap_err().to_string(), needs);
    refused("signal", json!({"period_s": 0}), "`period_s = 0` must be from 0.001 to 604800");
    refused("signal", json!({"separator": "|"}), r#"`separator = "|"` must be ",", ";" or "\t""#);
    refused(
        "signal",
        json!({"expression": "2*x"}),
        "`expression`: at character 3 of the formula: `x` is not known: t, pi, sin, cos, tan, exp, ln, sqrt, abs, floor, \
         min, max",
    );
    let error = Bench::try_new(&plugin(), "signal", json!({"file": "no-such.csv"})).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the recording `no-such.csv`: "), "{error}");
}
