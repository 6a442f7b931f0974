//! The JSON Schema of a lab's file: what an editor completes from, and what a file is checked against.

use crate::config::{Config, built_in};
use crate::failure::Failure;
use mqtt_lab_core::Kind;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// `mqtt-lab schema`.
pub(crate) fn print() -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(schema()).map_err(|error| Failure::of(&error, None))?;
    crate::terminal::print_line(&text)
}

/// The schema (draft 2020-12), with the settings of all kinds that are compiled in. Made once: a file, those it
/// includes and every variable are checked against it.
pub(crate) fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(make);
    &SCHEMA
}

fn make() -> Value {
    let mut schema = schemars::schema_for!(Config).to_value();
    schema["title"] = "An mqtt-lab".into();
    schema["$defs"]["DeviceConfig"]["allOf"] = built_in().kinds().iter().filter_map(rule).collect();
    schema["$defs"]["DeviceConfig"]["properties"]["kind"]["examples"] =
        built_in().kinds().iter().map(|kind| Value::from(kind.name())).collect();
    schema
}

/// The rule that a kind has the settings it has; kinds of a plugin may have the same name.
fn rule(kind: &Kind) -> Option<Value> {
    let settings = settings(kind);
    (!settings.is_null()).then(|| {
        json!({
            "if": {
                "properties": { "kind": { "const": kind.name() }, "plugin": false },
                "required": ["kind"],
            },
            "then": { "properties": { "settings": settings } },
        })
    })
}

/// The schema of a kind's settings, with what it refers to in its place: a reference would look for it in the whole
/// lab's schema.
pub(crate) fn settings(kind: &Kind) -> Value {
    let mut settings = kind.settings_schema();
    let parts = settings.as_object_mut().and_then(|all| all.remove("$defs")).unwrap_or_default();
    if let Some(all) = settings.as_object_mut() {
        all.remove("$schema");
    }
    inline(&mut settings, &parts);
    settings
}

fn inline(schema: &mut Value, parts: &Value) {
    let named = schema["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix("#/$defs/"))
        .map(|name| parts[name].clone());
    if let (Some(Value::Object(part)), Some(all)) = (named, schema.as_object_mut()) {
        all.remove("$ref");
        for (key, value) in part {
            // What is said at the place counts more than what the part says of itself.
            all.entry(key).or_insert(value);
        }
    }
    match schema {
        Value::Object(all) => all.values_mut().for_each(|inner| inline(inner, parts)),
        Value::Array(all) => all.iter_mut().for_each(|inner| inline(inner, parts)),
        _ => {}
    }
}
