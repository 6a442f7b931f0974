//! A kind's TOML block, made of the schema of its settings.

use mqtt_lab_wire::Role;
use serde_json::Value;
use std::fmt::Write as _;

/// A block that asks for `kind`. Above each setting stands its doc comment; what has a default is
/// commented out and shows it, what has none stands there to be filled in.
pub(crate) fn block(kind: &str, role: Role, schema: &Value) -> String {
    let table = if role == Role::Actuator { "actuator" } else { "sensor" };
    let mut out = format!("[[{table}]]\nkind = {}\n", Value::from(kind));
    if schema.is_null() {
        out.push_str("## Its plugin does not tell which settings there are.\n");
    }
    let Some(properties) = schema["properties"].as_object().filter(|all| !all.is_empty()) else { return out };
    // Writing to a String cannot fail.
    let _ = write!(out, "\n[{table}.settings]\n");
    let required = |key: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|r| r == key));
    for (key, property) in properties {
        for line in property["description"].as_str().unwrap_or_default().lines() {
            let _ = writeln!(out, "{}", format!("## {line}").trim_end());
        }
        if required(key) {
            let _ = writeln!(out, "{} = {}", toml_key(key), example(property));
        } else {
            let default = property.get("default").filter(|default| !default.is_null());
            let _ = match default {
                Some(default) => writeln!(out, "#{} = {}", toml_key(key), toml_value(default)),
                None => writeln!(out, "#{} =", toml_key(key)),
            };
        }
    }
    out
}

fn toml_key(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { key.to_owned() } else { Value::from(key).to_string() }
}

/// JSON's numbers, texts, truth values and arrays are TOML as they are; a table is written in one line.
fn toml_value(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let entries = entries.iter().filter(|(_, value)| !value.is_null());
            let entries: Vec<_> =
                entries.map(|(k, v)| format!("{} = {}", toml_key(k), toml_value(v))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(toml_value).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A value of the right type, within its range where there is one.
fn example(property: &Value) -> String {
    if let Some(first) = property["enum"].get(0) {
        return toml_value(first);
    }
    let lowest = &property["minimum"];
    let datatype = property["type"].as_str().or_else(|| property["type"][0].as_str());
    match datatype {
        Some("number") => format!("{:?}", lowest.as_f64().unwrap_or(0.0)),
        Some("integer") => lowest.as_i64().unwrap_or(0).to_string(),
        Some("boolean") => "false".into(),
        Some("array") => "[]".into(),
        Some("object") => "{}".into(),
        _ => "\"\"".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_setting_has_its_comment_and_its_default() {
        let schema = json!({
            "properties": {
                "celsius": { "description": "Start, in °C.\nTwo lines.", "type": "number", "default": 21.0 },
                "port": { "description": "Where it is.", "type": "string" },
                "pin": { "type": "integer", "minimum": 2 },
                "label": { "type": ["string", "null"], "default": null },
            },
            "required": ["port", "pin"],
        });
        let expected = "[[sensor]]\nkind = \"tank\"\n\n[sensor.settings]\n## Start, in °C.\n## Two lines.\n\
                        #celsius = 21.0\n#label =\npin = 2\n## Where it is.\nport = \"\"\n";
        assert_eq!(block("tank", Role::Both, &schema), expected);
    }

    #[test]
    fn a_kind_without_settings_has_no_settings_table() {
        assert_eq!(
            block("led", Role::Actuator, &json!({ "type": "object" })),
            "[[actuator]]\nkind = \"led\"\n"
        );
    }
}
