//! The line protocol of process plugins: one JSON object per line, UTF-8.
//!
//! Both ends use these types; `docs/plugins.md` is for those who write an end in another language.

use crate::{Error, Qos, Reading, Result, Value};
use mqtt_lab_wire::Str;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

/// Longest line, in bytes.
pub(crate) const MAX_LINE: usize = 1024 * 1024;

/// What the lab asks.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Request {
    /// Comes back in the answer.
    pub(crate) id: u64,
    #[serde(flatten)]
    pub(crate) op: Op,
}

/// What is to be done.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Op {
    /// Answer with name, version and kinds.
    Manifest,
    /// Construct the one device of this process; answer with its description.
    Create {
        /// One of the manifest's kinds.
        kind: String,
        /// The settings of the TOML block.
        settings: Map<String, Json>,
    },
    /// Answer with a reading, or after `wait_ms` with `pending`.
    Read {
        /// Longest wait.
        wait_ms: u32,
    },
    /// Take a value for a settable channel; answer with the new state, or nothing.
    Set {
        /// The channel.
        channel: String,
        /// The value, of the channel's datatype and in its range.
        value: Json,
    },
}

/// What a plugin answers; a line without `id` is log.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Answer {
    /// That of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<u64>,
    /// The result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ok: Option<Json>,
    /// Nothing happened yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) pending: bool,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Whether the device must be constructed anew.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) fatal: bool,
    /// Whether the device panicked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) panicked: bool,
    /// The way to a wrong setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) setting: Option<Vec<String>>,
    /// QoS of this reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) qos: Option<u8>,
    /// Whether this reading is retained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retain: Option<bool>,
    /// Level of a line of log: `error`, `warn`, `info`, `debug`, `trace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<String>,
    /// Text of a line of log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

impl Answer {
    /// The answer that carries `reading`.
    pub(crate) fn of(reading: &Reading) -> Self {
        let bare = reading.values().next().filter(|(name, _)| name.is_empty() && reading.values().len() == 1);
        let ok = match bare {
            Some((_, value)) => to_json(value),
            None => reading.values().map(|(name, value)| (name.to_owned(), to_json(value))).collect(),
        };
        Self {
            ok: Some(ok),
            qos: reading.qos_override().map(Qos::level),
            retain: reading.retain_override(),
            ..Self::default()
        }
    }

    /// The reading: a bare value, or an object of channels and values.
    pub(crate) fn reading(self) -> Result<Reading> {
        let mut reading = match self.ok.unwrap_or_default() {
            Json::Null => Reading::new(),
            Json::Object(values) => {
                let mut reading = Reading::new();
                for (channel, value) in values {
                    let value = from_json(&channel, value)?;
                    reading = reading.with(Str::Owned(channel), value);
                }
                reading
            }
            bare => Reading::from(from_json("", bare)?),
        };
        if let Some(level) = self.qos {
            let qos = Qos::from_level(level).ok_or_else(|| {
                Error::new(format_args!("the reading asks for QoS {level}; there are 0, 1 and 2"))
            })?;
            reading = reading.qos(qos);
        }
        Ok(match self.retain {
            Some(retain) => reading.retain(retain),
            None => reading,
        })
    }
}

/// A checked value as JSON.
pub(crate) fn to_json(value: &Value) -> Json {
    match value {
        Value::Float(number) => json!(number),
        Value::Int(integer) => json!(integer),
        Value::Bool(boolean) => json!(boolean),
        Value::Text(text) => json!(text),
    }
}

fn from_json(channel: &str, value: Json) -> Result<Value> {
    match value {
        Json::Bool(boolean) => Ok(Value::Bool(boolean)),
        Json::String(text) => Ok(Value::Text(text)),
        Json::Number(number) => {
            Ok(number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)), Value::Int))
        }
        Json::Null | Json::Array(_) | Json::Object(_) => Err(Error::new(format_args!(
            "the value of channel `{channel}` is no number, text or truth value"
        ))),
    }
}
