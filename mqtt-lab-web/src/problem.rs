//! What stands against a user's wish. Each problem has a name and the values of its words, so that a page can tell it in
//! its own language; the English words are here.

use std::fmt;

use mqtt_lab_wire::{Datatype, ValueError};
use serde::Serialize;

use crate::store::StoreError;

/// Why something was not done. Serialised as `{"problem": "no-device", "values": {"device": "demo/led"}}`.
#[derive(Debug, Serialize, thiserror::Error)]
#[serde(tag = "problem", content = "values", rename_all = "kebab-case")]
pub(crate) enum Problem {
    #[error("there is no device `{device}`")]
    NoDevice { device: String },
    #[error("`{channel}` cannot be the name of a channel")]
    ChannelName { channel: String },
    #[error("{most} channels of the device are described already, more are not possible")]
    ChannelsFull { most: usize },
    #[error("the device describes `{channel}` itself; it cannot be changed here")]
    ChannelDescribed { channel: String },
    #[error("the channel `{channel}` takes no commands")]
    NotSettable { channel: String },
    #[error("the channel `{channel}` does not take `{value}`: {misfit}")]
    Value {
        channel: String,
        value: String,
        #[serde(flatten)]
        misfit: Misfit,
    },
    #[error(
        "`{device}` has not answered {most} commands yet; wait for its answers, or send commands with a shorter life"
    )]
    DeviceBusy { device: String, most: usize },
    #[error("{most} commands are waiting for an answer; try again later")]
    CommandsWaiting { most: usize },
    #[error("the broker is away: {reason}")]
    BrokerAway { reason: String },
    #[error("{reason}")]
    NotReady { parts: Vec<String>, reason: String },
    #[error("the broker did not confirm in time; the message may still arrive")]
    NotConfirmed,
    #[error("the store does not answer; the log of the lab says why")]
    StoreAway,
    #[error("the answer took too long")]
    TooSlow,
    #[error("too many wrong tokens came from this address; try again in {seconds} s")]
    TooManyTries { seconds: u64 },
    #[error("a name has 1 to {most} characters in one line; `null` takes it back")]
    Name { most: usize },
    #[error("`{device}` does not run in this program: nobody here has its plug")]
    ForeignPlug { device: String },
    #[error("the program that runs `{device}` did not answer in time; the plug may still be pulled")]
    PlugUnanswered { device: String },
    #[error("`topic` is empty")]
    TopicEmpty,
    #[error("`topic` has a wildcard: one publishes to one topic")]
    TopicWildcard,
    #[error("`topic` contains the character NUL")]
    TopicNul,
    #[error("`topic` is longer than {most} bytes")]
    TopicLong { most: usize },
    #[error("`payload` has at most {most} bytes")]
    PayloadLong { most: usize },
    #[error("nothing was heard on this topic")]
    TopicUnheard,
    #[error("there is no variable `{variable}`")]
    NoVariable { variable: String },
    #[error("there is already a variable `{variable}`")]
    VariableTaken { variable: String },
    #[error("the variable `{variable}` stands in the lab's file: change it there")]
    VariableDeclared { variable: String },
    #[error("there are {most} variables already, more are not possible")]
    VariablesFull { most: usize },
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = crate::health::chain(&error), "the store fails");
        Self::StoreAway
    }
}

/// Why a channel does not take a value, and the name of that: `{"reason": "expected a number of at most 10", "expected":
/// "at-most", "max": 10.0}`.
#[derive(Debug, Serialize)]
pub(crate) struct Misfit {
    reason: String,
    expected: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
}

impl From<ValueError> for Misfit {
    fn from(error: ValueError) -> Self {
        let (min, max) = match error {
            ValueError::Range { min, max } => (min, max),
            ValueError::TooLong(bytes) => (None, Some(f64::from(bytes))),
            _ => (None, None),
        };
        let expected = match error {
            ValueError::Datatype(Datatype::Float) | ValueError::NotFinite => "number",
            ValueError::Datatype(Datatype::Int) | ValueError::IntRange => "whole-number",
            ValueError::Datatype(Datatype::Bool) => "switch",
            ValueError::Datatype(Datatype::Text) => "text",
            ValueError::Datatype(Datatype::Choice) | ValueError::NotAChoice => "choice",
            ValueError::Datatype(Datatype::Color) | ValueError::NotAColor => "color",
            ValueError::Range { min: Some(_), max: Some(_) } => "range",
            ValueError::Range { max: None, .. } => "at-least",
            ValueError::Range { .. } => "at-most",
            ValueError::TooLong(_) => "length",
            _ => "other",
        };
        Self { reason: error.to_string(), expected, min, max }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

#[cfg(test)]
mod tests {
    use std::iter::successors;

    use serde_json::{Value, json};

    use super::*;

    /// The next one, so that no new one is forgotten here.
    fn next(problem: &Problem) -> Option<Problem> {
        let (text, most) = (String::new, 1);
        Some(match problem {
            Problem::NoDevice { .. } => Problem::ChannelName { channel: text() },
            Problem::ChannelName { .. } => Problem::ChannelsFull { most },
            Problem::ChannelsFull { .. } => Problem::ChannelDescribed { channel: text() },
            Problem::ChannelDescribed { .. } => Problem::NotSettable { channel: text() },
            Problem::NotSettable { .. } => {
                Problem::Value { channel: text(), value: text(), misfit: ValueError::NotAColor.into() }
            }
            Problem::Value { .. } => Problem::DeviceBusy { device: text(), most },
            Problem::DeviceBusy { .. } => Problem::CommandsWaiting { most },
            Problem::CommandsWaiting { .. } => Problem::BrokerAway { reason: text() },
            Problem::BrokerAway { .. } => Problem::NotReady { parts: Vec::new(), reason: text() },
            Problem::NotReady { .. } => Problem::NotConfirmed,
            Problem::NotConfirmed => Problem::StoreAway,
            Problem::StoreAway => Problem::TooSlow,
            Problem::TooSlow => Problem::TooManyTries { seconds: 1 },
            Problem::TooManyTries { .. } => Problem::Name { most },
            Problem::Name { .. } => Problem::ForeignPlug { device: text() },
            Problem::ForeignPlug { .. } => Problem::PlugUnanswered { device: text() },
            Problem::PlugUnanswered { .. } => Problem::TopicEmpty,
            Problem::TopicEmpty => Problem::TopicWildcard,
            Problem::TopicWildcard => Problem::TopicNul,
            Problem::TopicNul => Problem::TopicLong { most },
            Problem::TopicLong { .. } => Problem::PayloadLong { most },
            Problem::PayloadLong { .. } => Problem::TopicUnheard,
            Problem::TopicUnheard => Problem::NoVariable { variable: text() },
            Problem::NoVariable { .. } => Problem::VariableTaken { variable: text() },
            Problem::VariableTaken { .. } => Problem::VariableDeclared { variable: text() },
            Problem::VariableDeclared { .. } => Problem::VariablesFull { most },
            Problem::VariablesFull { .. } => return None,
        })
    }

    fn german() -> Value {
        serde_json::from_str(include_str!("../assets/i18n/problems.de.json")).unwrap()
    }

    /// The words of a key, whose gaps are all among the values.
    fn assert_filled(german: &Value, key: &str, values: &Value) {
        let words = german[key].as_str().unwrap_or_else(|| panic!("there are no words for {key}"));
        for gap in words.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()) {
            assert!(values.get(gap).is_some(), "{key}: {gap} is not among {values}");
        }
    }

    #[test]
    fn every_problem_has_its_german_words_with_values_for_every_gap() {
        let german = german();
        let all = successors(Some(Problem::NoDevice { device: String::new() }), next);
        let told = all.map(|problem| {
            let known = serde_json::to_value(problem).unwrap();
            let key = format!("problem.{}", known["problem"].as_str().unwrap());
            assert_filled(&german, &key, &known["values"]);
            key
        });
        let told: Vec<_> = told.collect();
        let words = german.as_object().unwrap().keys();
        let unused: Vec<_> =
            words.filter(|key| !key.starts_with("problem.expected.") && !told.contains(key)).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }

    #[test]
    fn every_reason_has_its_german_words() {
        let range = |min, max| ValueError::Range { min, max };
        let all = [
            (ValueError::Datatype(Datatype::Float), "number"),
            (ValueError::Datatype(Datatype::Int), "whole-number"),
            (ValueError::Datatype(Datatype::Bool), "switch"),
            (ValueError::Datatype(Datatype::Text), "text"),
            (ValueError::Datatype(Datatype::Choice), "choice"),
            (ValueError::Datatype(Datatype::Color), "color"),
            (range(Some(1.0), Some(2.0)), "range"),
            (range(Some(1.0), None), "at-least"),
            (range(None, Some(2.0)), "at-most"),
            (ValueError::TooLong(5), "length"),
        ];
        for (error, name) in all {
            let misfit = Misfit::from(error);
            assert_eq!(misfit.expected, name);
            assert_filled(
                &german(),
                &format!("problem.expected.{name}"),
                &serde_json::to_value(misfit).unwrap(),
            );
        }
    }

    #[test]
    fn a_problem_tells_its_name_and_its_values() {
        let misfit = ValueError::Range { min: None, max: Some(10.0) }.into();
        let problem = Problem::Value { channel: "level".to_owned(), value: "11".to_owned(), misfit };
        assert_eq!(
            problem.to_string(),
            "the channel `level` does not take `11`: expected a number of at most 10"
        );
        let values = json!({"channel": "level", "value": "11", "reason": "expected a number of at most 10",
            "expected": "at-most", "max": 10.0});
        assert_eq!(serde_json::to_value(problem).unwrap(), json!({"problem": "value", "values": values}));
    }
}
