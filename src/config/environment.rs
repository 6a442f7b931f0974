//! Options that environment variables set.

use super::Config;
use super::layers::{Layers, merge};
use crate::schema;
use crate::validate;
use toml::de::DeTable;
use toml::{Table, Value};

/// What begins the name of an environment variable that overrides an option: `MQTT_LAB_WEB__BIND` is
/// `bind` in `[web]`.
const PREFIX: &str = "MQTT_LAB_";

impl Layers {
    /// Takes the options that the environment sets, and notes variables that set none.
    pub(super) fn add_environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        let mut named: Vec<_> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        named.sort();
        for (name, value) in named {
            let rest = &name[PREFIX.len()..];
            if !rest.contains("__") {
                self.warnings.push(unused(&name, rest));
                continue;
            }
            let way: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
            match option(&way, &value) {
                Ok(table) => {
                    merge(&mut self.table, table);
                    self.environment.push((way, name));
                }
                Err((message, hint)) => {
                    let message = format!("environment variable `{name}`: `{}`: {message}", way.join("."));
                    self.mistakes.push((0, message, hint));
                }
            }
        }
    }
}

/// The variables. `std::env::vars` would panic at one that is no text, whoever set it.
pub(super) fn variables() -> impl Iterator<Item = (String, String)> {
    let named = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    named.map(|(name, value)| (name, value.to_string_lossy().into_owned()))
}

/// What is said of a variable that sets no option.
fn unused(name: &str, rest: &str) -> super::Told {
    let word = rest.to_ascii_lowercase();
    let tables = schema::schema()["properties"].as_object().into_iter().flatten();
    let meant = tables.filter_map(|(table, _)| Some((table, word.strip_prefix(table)?.strip_prefix('_')?)));
    let meant = meant.into_iter().find(|(table, _)| word.starts_with(table.as_str()));
    let hint = match meant {
        Some((table, key)) => {
            let right = format!("{PREFIX}{}__{}", table.to_ascii_uppercase(), key.to_ascii_uppercase());
            format!("two underscores stand between table and key: `{right}`")
        }
        None => format!("options are set by `{PREFIX}TABLE__KEY`, such as `{PREFIX}WEB__BIND`"),
    };
    (0, format!("environment variable `{name}` sets no option"), Some(hint))
}

/// A table with one option, whose value is TOML or else a text.
fn option(way: &[String], value: &str) -> Result<Table, (String, Option<String>)> {
    let is_list = way.first().is_some_and(|table| schema::schema()["properties"][table]["type"] == "array");
    if is_list {
        let hint = "write them into a file".to_owned();
        return Err(("variables of the environment set no lists of tables or files".to_owned(), Some(hint)));
    }
    let key = way.join(".");
    let literal = format!("{key} = {value}");
    let quoted = format!("{key} = {}", Value::String(value.into()));
    let mut wrong = None;
    // What has several lines could be more than a value.
    let texts = [Some(literal).filter(|_| !value.contains(['\n', '\r'])), Some(quoted)];
    for text in texts.into_iter().flatten() {
        let Ok(document) = DeTable::parse(&text) else { continue };
        let mistakes = validate::mistakes(document.get_ref(), schema::schema());
        if let Some(mistake) = mistakes.into_iter().next() {
            // A text that cannot be one says more than that a number is no text.
            let says_more = !mistake.message.starts_with("expected ");
            wrong = wrong.filter(|_| !says_more).or(Some((mistake.message, mistake.hint)));
            continue;
        }
        match toml::from_str::<Config>(&text) {
            Ok(_) => return toml::from_str(&text).map_err(|error| (error.to_string(), None)),
            Err(error) => wrong = wrong.or_else(|| Some((error.message().replace('\n', ", "), None))),
        }
    }
    let hint = format!("a name is `{PREFIX}TABLE__KEY`, such as `{PREFIX}WEB__BIND`");
    Err(wrong.unwrap_or_else(|| ("this cannot be an option".to_owned(), Some(hint))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_environment(variables: &[(&str, &str)]) -> Layers {
        let mut layers = Layers::default();
        layers.add_environment(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        layers
    }

    fn told(told: &[super::super::Told]) -> Vec<(&str, Option<&str>)> {
        told.iter().map(|(_, message, hint)| (message.as_str(), hint.as_deref())).collect()
    }

    #[test]
    fn the_environment_sets_options_as_toml_or_as_text() {
        let layers = with_environment(&[
            ("MQTT_LAB_WEB__BIND", "127.0.0.1:9000"),
            ("MQTT_LAB_WEB__TOKEN", "1234"),
            ("MQTT_LAB_MQTT__BROKERS", "[\"a:1\", \"b:1\"]"),
            ("MQTT_LAB_MQTT__QOS", "2"),
            ("HOME", "x"),
        ]);
        assert_eq!((layers.mistakes, layers.warnings), (Vec::new(), Vec::new()));
        let expected = "[mqtt]\nbrokers = [\"a:1\", \"b:1\"]\nqos = 2\n[web]\nbind = \"127.0.0.1:9000\"\ntoken = \"1234\"\n";
        assert_eq!(layers.table, expected.parse().expect("TOML"));
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_harms_nobody() {
        use std::os::unix::ffi::OsStrExt as _;
        let program = std::env::current_exe().expect("this test");
        let mut command = std::process::Command::new(program);
        command.args(["--exact", "config::environment::tests::the_environment_can_be_read"]);
        let status = command.env("OTHER", std::ffi::OsStr::from_bytes(b"\xff")).output().expect("it runs");
        let said = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(status.status.success() && said.contains("1 passed"), "{said}");
    }

    #[test]
    fn the_environment_can_be_read() {
        assert!(variables().count() > 0);
    }

    #[test]
    fn a_wrong_variable_is_named_with_its_option_and_what_was_meant() {
        let layers = with_environment(&[
            ("MQTT_LAB_WEB__BND", "x"),
            ("MQTT_LAB_MQTT__QOS", "7"),
            ("MQTT_LAB_BROKER__BIND", "1883"),
            ("MQTT_LAB_", "x"),
            ("MQTT_LAB___", "x"),
            ("MQTT_LAB_WEB__NAME", "a\"\n[lab]\nseed = 2"),
        ]);
        let expected = [
            (
                "environment variable `MQTT_LAB_BROKER__BIND`: `broker.bind`: `1883` is not of the form `host:port`",
                Some("write host and port: `127.0.0.1:1883`"),
            ),
            ("environment variable `MQTT_LAB_MQTT__QOS`: `mqtt.qos`: expected 0, 1 or 2, found 7", None),
            (
                "environment variable `MQTT_LAB_WEB__BND`: `web.bnd`: unknown key `bnd`",
                Some("did you mean `bind`?"),
            ),
            (
                "environment variable `MQTT_LAB___`: `.`: this cannot be an option",
                Some("a name is `MQTT_LAB_TABLE__KEY`, such as `MQTT_LAB_WEB__BIND`"),
            ),
        ];
        assert_eq!(told(&layers.mistakes), expected);
        assert!(layers.table.get("lab").is_none(), "{:?}", layers.table);
    }

    #[test]
    fn a_variable_that_sets_nothing_is_told() {
        let layers = with_environment(&[
            ("MQTT_LAB_WEB_BIND", "x"),
            ("MQTT_LAB_MQTT_KEEP_ALIVE_S", "9"),
            ("MQTT_LAB_X", ""),
        ]);
        let expected = [
            (
                "environment variable `MQTT_LAB_MQTT_KEEP_ALIVE_S` sets no option",
                Some("two underscores stand between table and key: `MQTT_LAB_MQTT__KEEP_ALIVE_S`"),
            ),
            (
                "environment variable `MQTT_LAB_WEB_BIND` sets no option",
                Some("two underscores stand between table and key: `MQTT_LAB_WEB__BIND`"),
            ),
            (
                "environment variable `MQTT_LAB_X` sets no option",
                Some("options are set by `MQTT_LAB_TABLE__KEY`, such as `MQTT_LAB_WEB__BIND`"),
            ),
        ];
        assert_eq!(told(&layers.warnings), expected);
    }
}
