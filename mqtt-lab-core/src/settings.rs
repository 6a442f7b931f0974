//! A device's settings: read into the student's own struct, with the way to what is wrong.

use crate::Error;
use serde::de::DeserializeOwned;
use std::fmt;

/// The settings of one device, as they came from the `settings` table of its TOML block.
pub type Settings = serde_json::Map<String, serde_json::Value>;

/// Reads settings into a struct. A key that the struct does not know is an error, also without
/// `deny_unknown_fields`: nothing is silently ignored.
pub(crate) fn parse<C: DeserializeOwned>(settings: Settings) -> Result<C, CreateError> {
    let json = serde_json::Value::Object(settings);
    let mut track = serde_path_to_error::Track::new();
    let mut unknown: Option<Vec<String>> = None;
    let parsed = {
        let deserializer = serde_path_to_error::Deserializer::new(&json, &mut track);
        let mut ignored = |path: serde_ignored::Path<'_>| {
            unknown.get_or_insert_with(|| keys(&path));
        };
        C::deserialize(serde_ignored::Deserializer::new(deserializer, &mut ignored))
    };
    match (parsed, unknown) {
        (Ok(_), Some(path)) => Err(unknown_key(path)),
        (Ok(parsed), None) => Ok(parsed),
        (Err(error), _) => Err(wrong_value(&track.path(), &error)),
    }
}

fn wrong_value(path: &serde_path_to_error::Path, error: &serde_json::Error) -> CreateError {
    let mut path: Vec<String> = path.iter().map(ToString::to_string).collect();
    let message = error.to_string();
    // Of an unknown field serde tells the name in the message only.
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    if let Some(key) = unknown {
        path.retain(|part| part != "?" && part != key);
        path.push(key.to_owned());
    }
    CreateError::Setting { path, message: in_words(&message) }
}

/// Serde's message in the terms of the file that a person wrote.
fn in_words(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("missing field `") {
        return format!("the setting `{} is missing", rest.split(" at line").next().unwrap_or(rest));
    }
    if let Some((found, choices)) =
        message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once("`, expected "))
    {
        return format!("expected {}, found the text \"{found}\"", either(choices));
    }
    let wrong = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    match wrong.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((found, expected)) => {
            format!("expected {}, found {}", expected_in_words(expected), found_in_words(found))
        }
        None => message.to_owned(),
    }
}

/// The choices between the backquotes, as a file writes them.
fn either(choices: &str) -> String {
    let words: Vec<String> =
        choices.split('`').skip(1).step_by(2).map(|word| format!("\"{word}\"")).collect();
    match words.as_slice() {
        [] => choices.to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The range of a type, which is no word of a file.
fn expected_in_words(expected: &str) -> String {
    let bits = expected.get(1..).filter(|bits| bits.bytes().all(|byte| byte.is_ascii_digit()));
    match (expected.as_bytes().first(), bits.and_then(|bits| bits.parse::<u32>().ok()), expected) {
        (Some(b'u'), Some(bits @ 1..=32), _) => format!("a whole number from 0 to {}", (1_u64 << bits) - 1),
        (Some(b'i'), Some(bits @ 1..=32), _) => {
            let end = 1_u64 << (bits - 1);
            format!("a whole number from -{end} to {}", end - 1)
        }
        (Some(b'u'), _, "usize" | "u64" | "u128") => "a whole number of at least 0".into(),
        (_, _, "isize" | "i64" | "i128") => "a whole number".into(),
        (_, _, "f32" | "f64") => "a number".into(),
        (_, _, "a string" | "string" | "a borrowed string") => "a text in quotes".into(),
        (_, _, "a boolean") => "true or false".into(),
        (_, _, "a sequence") => "a list".into(),
        (_, _, "a map") => "a table".into(),
        _ if expected.starts_with("struct ") => "a table".into(),
        _ => expected.to_owned(),
    }
}

fn found_in_words(found: &str) -> String {
    if let Some(text) = found.strip_prefix("string ") {
        return format!("the text {text}");
    }
    match found.split_once(" `") {
        Some(("integer" | "floating point" | "boolean", value)) => value.trim_end_matches('`').to_owned(),
        _ => match found {
            "sequence" => "a list".into(),
            "map" => "a table".into(),
            _ => found.to_owned(),
        },
    }
}

fn unknown_key(path: Vec<String>) -> CreateError {
    let key = path.last().map_or("", String::as_str);
    let message = format!("unknown field `{key}`, the device has no such setting");
    CreateError::Setting { path, message }
}

fn keys(path: &serde_ignored::Path<'_>) -> Vec<String> {
    use serde_ignored::Path;
    match path {
        Path::Root => Vec::new(),
        Path::Map { parent, key } => with(parent, key.clone()),
        Path::Seq { parent, index } => with(parent, index.to_string()),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            keys(parent)
        }
    }
}

fn with(parent: &serde_ignored::Path<'_>, last: String) -> Vec<String> {
    let mut path = keys(parent);
    path.push(last);
    path
}

/// Why a device could not be constructed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateError {
    /// A setting is unknown, missing or of the wrong type.
    Setting {
        /// The way to the key inside `settings`; empty when a key is missing at the top.
        path: Vec<String>,
        /// What is wrong.
        message: String,
    },
    /// The settings could be read, and the constructor refused them.
    Refused(Error),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Serde names an unknown key itself.
            Self::Setting { path, message } => match path.last() {
                Some(key) if !message.contains(&format!("`{key}`")) => {
                    write!(f, "`{}`: {message}", path.join("."))
                }
                _ => f.write_str(message),
            },
            Self::Refused(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for CreateError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code, reason = "only read")]
    struct Options {
        port: u16,
        names: Vec<String>,
        mode: Mode,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Fast,
        Slow,
        Off,
    }

    #[track_caller]
    fn check(json: serde_json::Value, expected: &str) {
        let serde_json::Value::Object(settings) = json else { panic!("a table") };
        assert_eq!(parse::<Options>(settings).expect_err("refused").to_string(), expected);
    }

    #[test]
    fn a_wrong_setting_is_told_in_the_terms_of_its_file() {
        let right = || serde_json::json!({"port": 1, "names": [], "mode": "fast"});
        let with = |key: &str, value: serde_json::Value| {
            let mut changed = right();
            changed[key] = value;
            changed
        };
        check(
            with("port", "1".into()),
            "`port`: expected a whole number from 0 to 65535, found the text \"1\"",
        );
        check(with("port", 70_000.into()), "`port`: expected a whole number from 0 to 65535, found 70000");
        check(with("names", true.into()), "`names`: expected a list, found true");
        check(
            with("mode", "fats".into()),
            "`mode`: expected \"fast\", \"slow\" or \"off\", found the text \"fats\"",
        );
        check(serde_json::json!({"port": 1, "names": []}), "the setting `mode` is missing");
    }
}
