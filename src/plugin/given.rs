//! Values of the command line: as in TOML, else a text.

use crate::failure::Failure;
use mqtt_lab_core::{Channel, Datatype, Settings, Value};

/// The settings of `--set key=value`. A key may have dots, as in TOML.
pub(super) fn settings(given: &[(String, String)]) -> Result<Settings, Failure> {
    let lines: String = given.iter().map(|(key, value)| format!("{key} = {}\n", toml(value))).collect();
    toml::from_str(&lines).map_err(|error| {
        let line = error.span().map_or(0, |span| lines[..span.start.min(lines.len())].matches('\n').count());
        let (key, value) = given.get(line).cloned().unwrap_or_default();
        Failure::config(format!("`--set {key}={value}`: {}", error.message().replace('\n', ", ")), None)
    })
}

/// The value of `--send channel=value`, of the datatype that the channel has.
pub(super) fn value(text: &str, channel: Option<&Channel>) -> Value {
    let texts = [Datatype::Text, Datatype::Choice, Datatype::Color];
    let is_text = channel.is_some_and(|channel| texts.contains(&channel.datatype));
    match parsed(text) {
        Some(toml::Value::String(text)) => Value::Text(text),
        Some(toml::Value::Boolean(boolean)) if !is_text => Value::Bool(boolean),
        Some(toml::Value::Integer(integer)) if !is_text => Value::Int(integer),
        Some(toml::Value::Float(number)) if !is_text => Value::Float(number),
        _ => Value::Text(text.to_owned()),
    }
}

/// A TOML value; none where the text is no such thing. A date is a text: JSON has none.
fn parsed(text: &str) -> Option<toml::Value> {
    let table: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    let value = (table.len() == 1).then(|| table.get("value").cloned())?;
    value.filter(|value| !value.is_datetime())
}

fn toml(text: &str) -> String {
    parsed(text).unwrap_or_else(|| text.into()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(settings: &[(&str, &str)]) -> Result<String, Failure> {
        let given: Vec<_> = settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        super::settings(&given)
            .map(|settings| settings.into_iter().map(|(k, v)| format!("{k}:{v};")).collect())
    }

    #[test]
    fn a_setting_is_toml_or_else_a_text() {
        let settings = [("port", "/dev/ttyUSB0"), ("pins", "[1, 2]"), ("slow", "true"), ("name", "\"7\"")];
        let expected = "name:\"7\";pins:[1,2];port:\"/dev/ttyUSB0\";slow:true;";
        assert_eq!(given(&settings).expect("right"), expected);
        assert_eq!(given(&[("since", "2026-01-01")]).expect("right"), "since:\"2026-01-01\";");
        assert_eq!(given(&[("a", "1\nb = 2")]).expect("right"), "a:\"1\\nb = 2\";");
        assert_eq!(given(&[("a.b", "1"), ("a.c", "x")]).expect("right"), "a:{\"b\":1,\"c\":\"x\"};");
    }

    #[test]
    fn a_key_that_is_none_is_told() {
        assert!(format!("{:?}", given(&[("a", "1"), ("a", "2")])).contains("`--set a=2`: duplicate key"));
        assert!(format!("{:?}", given(&[("ä b", "1")])).contains("`--set ä b=1`: "));
    }

    #[test]
    fn a_text_channel_takes_what_looks_like_a_number() {
        assert_eq!(value("75", None), Value::Int(75));
        assert_eq!(value("off", None), Value::Text("off".into()));
        let text = Channel::text("display");
        assert_eq!(value("75", Some(&text)), Value::Text("75".into()));
        assert_eq!(value("\"75\"", Some(&text)), Value::Text("75".into()));
    }
}
