//! What the actuators do with commands, and what they refuse.

use mqtt_lab_core::testing::Bench;
use mqtt_lab_core::{Reading, Value};
use mqtt_lab_plugins::plugin;
use serde_json::json;

fn bench(kind: &str, settings: serde_json::Value) -> Bench {
    Bench::new(&plugin(), kind, settings)
}

#[track_caller]
fn refused(kind: &str, settings: serde_json::Value, expected: &str) {
    let error = Bench::try_new(&plugin(), kind, settings).expect_err("must be refused");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_coloured_lamp_keeps_its_colour_while_it_is_off() {
    let mut lamp = bench("rgb-light", json!({}));
    assert_eq!(lamp.set("color", "#ff8000"), Reading::new().with("color", "#ff8000"));
    assert_eq!(lamp.set("on", true), Reading::new().with("on", true));
    let error = lamp.try_set("color", "red").unwrap_err();
    assert_eq!(error.to_string(), "channel `color` does not take `red`: expected a colour `#rrggbb`");
    refused("rgb-light", json!({"color": "red"}), "`color = \"red\"`: expected a colour `#rrggbb`");
}

#[test]
fn a_heater_takes_power_by_level_and_switch() {
    let mut heater = bench("heater", json!({"rated_watts": 1500}));
    assert_eq!(heater.read(), Reading::new().with("power", 0.0));
    assert_eq!(heater.set("level", 40), Reading::new().with("level", 40.0).with("power", 600.0));
    assert_eq!(heater.set("on", false), Reading::new().with("on", false).with("power", 0.0));
    assert_eq!(heater.set("level", 100).get("power"), Some(&Value::Float(0.0)));
    assert_eq!(heater.set("on", true).get("power"), Some(&Value::Float(1500.0)));
    assert_eq!(heater.read().get("power"), Some(&Value::Float(1500.0)));
    refused("heater", json!({"rated_watts": 0}), "`rated_watts = 0` must be from 1 to 100000");
    refused("heater", json!({"level_percent": -1}), "`level_percent = -1` must be from 0 to 100");
}

#[test]
fn a_display_shows_texts_and_numbers_that_fit() {
    let mut display = bench("display", json!({"max_bytes": 8, "unit": "°C"}));
    assert_eq!(display.set("text", "Guten Tg"), Reading::new().with("text", "Guten Tg"));
    let error = display.try_set("text", "Guten Tag").unwrap_err();
    assert_eq!(
        error.to_string(),
        "channel `text` does not take `Guten Tag`: expected at most 8 bytes of text"
    );
    assert_eq!(display.set("number", 21.54).get("text"), Some(&"21.5 °C".into()));
    let error = display.try_set("number", -21.54).unwrap_err();
    assert_eq!(error.to_string(), "`-21.5 °C` is longer than the display, which has 8 bytes");
    refused("display", json!({"max_bytes": 300}), "`max_bytes = 300` must be from 1 to 256");
    refused(
        "display",
        json!({"text": "12345", "max_bytes": 4}),
        "`text` has 5 bytes of text, it must have from 0 to 4",
    );
    refused("display", json!({"decimals": 7}), "`decimals = 7` must be from 0 to 6");
}
