//! What every built-in kind must keep.

use mqtt_lab_core::testing::Bench;
use mqtt_lab_core::{Kind, Role, Value};
use mqtt_lab_plugins::plugin;
use std::time::Duration;

/// Kinds that need something to be plugged in; they are read in tests of their own.
const HARDWARE: [&str; 2] = ["serial", "i2c"];

fn sensors() -> Vec<Kind> {
    let plugin = plugin();
    let sensors = plugin.kinds().iter().filter(|kind| kind.role() != Role::Actuator);
    sensors.filter(|kind| !HARDWARE.contains(&kind.name())).cloned().collect()
}

/// The settings of a kind's sample: as it is, or with every default switched on.
fn sample_settings(kind: &Kind, all: bool) -> serde_json::Value {
    let sample = kind.sample_toml();
    let lines = sample.lines().map(|line| match line.strip_prefix('#') {
        Some(option) if all && !option.starts_with('#') => option,
        _ => line,
    });
    let table: toml::Table = lines.collect::<Vec<_>>().join("\n").parse().expect("a sample is TOML");
    let (_, blocks) = table.iter().next().expect("a sample holds a block");
    let block = blocks[0].as_table().expect("a block is a table");
    assert_eq!(block["kind"].as_str(), Some(kind.name()));
    let settings = block.get("settings").cloned().unwrap_or(toml::Value::Table(toml::Table::new()));
    settings.try_into().expect("settings are plain values")
}

fn seeded(kind: &Kind, seed: u64) -> Bench {
    if kind.is_seeded() {
        Bench::new(&plugin(), kind.name(), [("seed", seed)])
    } else {
        Bench::new(&plugin(), kind.name(), ())
    }
}

#[test]
fn every_kind_works_with_its_sample_and_without_settings_if_it_needs_none() {
    for kind in plugin().kinds() {
        Bench::new(&plugin(), kind.name(), sample_settings(kind, false));
        if !HARDWARE.contains(&kind.name()) {
            Bench::new(&plugin(), kind.name(), ());
        }
    }
}

#[test]
fn every_sensor_gives_100_readings_that_fit_its_description() {
    for kind in sensors() {
        let mut bench = seeded(&kind, 7);
        for _ in 0..100 {
            assert!(!bench.read().is_empty(), "{}", kind.name());
        }
    }
}

#[test]
fn every_sensor_stands_being_interrupted_anywhere() {
    for kind in sensors() {
        let mut bench = seeded(&kind, 7);
        for _ in 0..10 {
            bench.cancel_everywhere();
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_values_and_another_one_others() {
    for kind in sensors().into_iter().filter(Kind::is_seeded) {
        // Of a motion detector the times are random, not the values.
        let run = |seed| {
            let mut bench = seeded(&kind, seed);
            let read = |bench: &mut Bench| (bench.read(), bench.elapsed());
            (0..50).map(|_| read(&mut bench)).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7), "{}", kind.name());
        assert_ne!(run(7), run(8), "{}", kind.name());
    }
}

#[test]
fn every_unknown_setting_is_refused() {
    for kind in plugin().kinds() {
        let mut settings = sample_settings(kind, false);
        settings["colour"] = "red".into();
        let error = Bench::try_new(&plugin(), kind.name(), settings).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `colour`"), "{}: {error}", kind.name());
    }
}

/// A sample with every default switched on means the same as one with none.
#[test]
fn every_sample_is_complete_and_its_defaults_are_true() {
    for kind in plugin().kinds() {
        let mut with = Bench::new(&plugin(), kind.name(), sample_settings(kind, true));
        let mut without = Bench::new(&plugin(), kind.name(), sample_settings(kind, false));
        assert_eq!(with.description(), without.description(), "{}", kind.name());
        if kind.is_seeded() {
            assert_eq!(with.read(), without.read(), "{}", kind.name());
            assert_eq!(with.read(), without.read(), "{}", kind.name());
        }
    }
}

/// The range in a setting's schema, from which editors and `mqtt-lab check` go, is the one that the device keeps,
/// and the one that its text tells.
#[test]
fn every_range_in_a_schema_is_true() {
    let mut ranges = 0;
    for kind in plugin().kinds().iter().filter(|kind| !HARDWARE.contains(&kind.name())) {
        let schema = kind.settings_schema();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let (Some(min), Some(max)) = (property["minimum"].as_f64(), property["maximum"].as_f64()) else {
                let number = property["type"] == "number" || property["type"] == "integer";
                assert!(name == "seed" || !number, "{}: `{name}` has no range", kind.name());
                continue;
            };
            let whole = property["type"] == "integer";
            let attempt = |value: f64| {
                #[allow(clippy::cast_possible_truncation, reason = "whole numbers of settings are small")]
                let value = if whole { (value as i64).into() } else { serde_json::Value::from(value) };
                let settings = serde_json::Map::from_iter([(name.clone(), value)]);
                Bench::try_new(&plugin(), kind.name(), settings)
            };
            let beyond = if whole { 1.0 } else { (max - min) / 1_000.0 };
            for value in [min, max] {
                let taken = attempt(value);
                // One setting may depend on another, which is then the one that is named.
                let refused = taken.err().filter(|error| error.to_string().contains(&format!("`{name} = ")));
                assert!(refused.is_none(), "{}: {refused:?}", kind.name());
            }
            assert!(
                attempt(min - beyond).is_err() && attempt(max + beyond).is_err(),
                "{}: `{name}`",
                kind.name()
            );
            let text = property["description"].as_str().expect("a doc comment");
            let numbers: Vec<f64> =
                text.split(['(', ')', ' ', ':', ';', ',']).filter_map(|word| word.parse().ok()).collect();
            assert!(numbers.windows(2).any(|pair| pair == [min, max]), "{}: `{name}`: {text}", kind.name());
            ranges += 1;
        }
    }
    assert!(ranges > 40, "{ranges} ranges");
}

#[test]
fn motion_is_reported_when_it_begins_and_when_it_ends() {
    let mut bench = Bench::new(&plugin(), "motion", [("hold_s", 3.0)]);
    assert_eq!(bench.read().get("motion"), Some(&Value::Bool(false)));
    assert_eq!(bench.read().get("motion"), Some(&Value::Bool(true)));
    let begun = bench.elapsed();
    assert_eq!(bench.read().get("motion"), Some(&Value::Bool(false)));
    assert!(bench.elapsed() - begun >= Duration::from_secs(3));
}

#[test]
fn a_lamp_obeys() {
    let mut bench = Bench::new(&plugin(), "led", ());
    assert_eq!(bench.set("on", true).get("on"), Some(&Value::Bool(true)));
    let error = bench.try_set("on", "maybe").unwrap_err();
    assert_eq!(
        error.to_string(),
        "channel `on` does not take `maybe`: expected `true` or `false`, `on` or `off`, 1 or 0"
    );
}

#[test]
fn a_dimmer_keeps_its_range() {
    let mut bench = Bench::new(&plugin(), "dimmer", ());
    assert_eq!(bench.set("brightness", 40).get("brightness"), Some(&Value::Float(40.0)));
    let error = bench.try_set("brightness", 101).unwrap_err();
    assert_eq!(
        error.to_string(),
        "channel `brightness` does not take `101 %`: expected a number from 0 to 100"
    );
    let error = Bench::try_new(&plugin(), "dimmer", [("brightness_percent", 140.0)]).unwrap_err();
    assert_eq!(error.to_string(), "`brightness_percent = 140` must be from 0 to 100");
}
