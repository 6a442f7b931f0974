//! Reads a description, and names the member that is wrong.

use super::{Info, MAX_CHANNELS, PluginInfo, SCHEMA, WillInfo};
use crate::sample::trimmed;
use crate::{Channel, Part, Topic};
use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString as _};
use core::fmt;

/// Longest description, in bytes.
const MAX_BYTES: usize = 64 * 1024;

#[derive(serde::Deserialize)]
struct Versioned {
    schema: u32,
}

/// Reads the plugin, or nothing: what a newer sender says of its plugin hides no device.
pub(super) fn plugin<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PluginInfo>, D::Error> {
    let plugin = <serde_json::Value as serde::Deserialize>::deserialize(deserializer)?;
    Ok(serde_json::from_value(plugin).ok())
}

/// Why a description was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfoError {
    /// The member that is wrong, as `channels[2].datatype`; none: all of it.
    pub member: Option<String>,
    /// What is there and what was expected.
    pub problem: String,
}

impl InfoError {
    fn whole(problem: impl Into<String>) -> Self {
        Self { member: None, problem: problem.into() }
    }

    fn member(member: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { member: Some(member.into()), problem: problem.into() }
    }
}

impl fmt::Display for InfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.member {
            Some(member) => write!(f, "in the description, `{member}`: {}", self.problem),
            None => write!(f, "the description: {}", self.problem),
        }
    }
}

impl core::error::Error for InfoError {}

impl From<serde_path_to_error::Error<serde_json::Error>> for InfoError {
    fn from(error: serde_path_to_error::Error<serde_json::Error>) -> Self {
        let (member, problem) = (error.path().to_string(), error.inner().to_string());
        if !error.inner().is_data() {
            return Self::whole(format!("not valid JSON: {problem}"));
        }
        // The member says where it is.
        let problem = in_words(problem.split(" at line ").next().unwrap_or_default());
        if member == "." { Self::whole(problem) } else { Self::member(member, problem) }
    }
}

/// Names Rust's types in words.
fn in_words(problem: &str) -> String {
    const TYPES: [(&str, &str); 4] = [
        ("expected u8", "expected a whole number from 0 to 255"),
        ("expected u16", "expected a whole number from 0 to 65535"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected f64", "expected a number"),
    ];
    let ends =
        |(rust, words): &(&str, &str)| problem.strip_suffix(rust).map(|begin| format!("{begin}{words}"));
    TYPES.iter().find_map(ends).unwrap_or_else(|| problem.to_owned())
}

impl Info {
    /// Reads the payload of `$info`, whoever sent it. Unknown fields are ignored.
    ///
    /// # Errors
    ///
    /// [`InfoError`] when it is too long, no JSON, of another schema, or its channels are not at most
    /// [`MAX_CHANNELS`] with different usable names.
    pub fn decode(payload: &[u8]) -> Result<Self, InfoError> {
        if payload.len() > MAX_BYTES {
            return Err(InfoError::whole(format!("longer than {MAX_BYTES} bytes")));
        }
        let text = trimmed(payload).map_err(|_| InfoError::whole("not UTF-8 text"))?;
        let Versioned { schema } = read(text)?;
        if schema != SCHEMA {
            return Err(InfoError::member("schema", format!("unknown schema {schema}, expected {SCHEMA}")));
        }
        let info: Self = read(text)?;
        check(&info.channels)?;
        check_will(info.will.as_ref())?;
        Ok(info)
    }
}

fn read<'de, T: serde::Deserialize<'de>>(text: &'de str) -> Result<T, InfoError> {
    Ok(serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text))?)
}

/// A will is published on one topic, which somebody has to subscribe to.
fn check_will(will: Option<&WillInfo>) -> Result<(), InfoError> {
    let Some(will) = will else { return Ok(()) };
    let topic = &will.topic;
    if topic.is_empty() || topic.contains(['+', '#', '\0']) || topic.starts_with('$') {
        let problem = "expected a topic without wildcards that does not begin with `$`";
        return Err(InfoError::member("will.topic", format!("`{}`, {problem}", topic.escape_debug())));
    }
    Ok(())
}

fn check(channels: &[Channel]) -> Result<(), InfoError> {
    if channels.len() > MAX_CHANNELS {
        let problem = format!("{} channels, expected at most {MAX_CHANNELS}", channels.len());
        return Err(InfoError::member("channels", problem));
    }
    let mut names = BTreeSet::new();
    for (at, channel) in channels.iter().enumerate() {
        let member = || format!("channels[{at}].name");
        let topic = format!("r/g/d/{}", channel.name);
        if !matches!(Topic::parse("r", &topic), Ok(topic) if topic.part == Part::Sample(&channel.name)) {
            let problem =
                format!("`{}` cannot be a channel's name: it is a level of its topic", channel.name);
            return Err(InfoError::member(member(), problem));
        }
        if !names.insert(&channel.name) {
            return Err(InfoError::member(member(), format!("`{}` is described twice", channel.name)));
        }
    }
    Ok(())
}
