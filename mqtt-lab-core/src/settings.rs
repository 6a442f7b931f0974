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
    CreateError::Setting { path, message }
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
