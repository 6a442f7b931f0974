//! Commands as they arrive: read, remembered, answered.

use super::unix_micros;
use crate::link::{Incoming, Publish};
use mqtt_lab_wire::{Command, CommandResult, Datatype, Part, Text, Topic, Value};
use std::collections::VecDeque;

/// Command ids remembered per device.
const REMEMBERED: usize = 64;

/// A command to apply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Order {
    pub(crate) channel: String,
    pub(crate) value: Value,
    pub(crate) id: Option<String>,
    /// Where an MQTT 5 client wants the answer too, with its correlation data.
    reply: Option<(String, Option<bytes::Bytes>)>,
}

/// What became of an incoming message on `…/set`.
#[derive(Debug, PartialEq)]
pub(crate) enum Received {
    /// To be applied.
    Order(Order),
    /// Applied before: answer again.
    Again(Order, String),
    /// Refused at once, with the reason.
    Refused(Order, String),
    /// Cannot be read; nobody to answer to but an MQTT 5 response topic.
    Unreadable(String),
}

/// The last command ids with their answers.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    answered: VecDeque<(String, String)>,
}

impl Commands {
    /// Reads a message on `…/set`. `datatype` tells that of a channel.
    pub(crate) fn receive(
        &self,
        root: &str,
        message: &Incoming,
        datatype: impl Fn(&str) -> Option<Datatype>,
    ) -> Received {
        let channel = match Topic::parse(root, &message.topic) {
            Ok(Topic { part: Part::Set(channel), .. }) => channel.to_owned(),
            _ => return Received::Unreadable(format!("`{}` is no topic of a command", message.topic)),
        };
        let command = match Command::decode(&message.payload) {
            Ok(command) => command,
            Err(error) => return Received::Unreadable(format!("command to `{channel}`: {error}")),
        };
        let properties = message.properties.as_deref();
        let reply = properties.and_then(|p| Some((p.response_topic.clone()?, p.correlation_data.clone())));
        let value = command.value_for(datatype(&channel).unwrap_or(Datatype::Float)).into();
        let order = Order { channel, value, id: command.id.map(str::to_owned), reply };
        if let Some(answer) = self.answer_to(command.id) {
            return Received::Again(order, answer.to_owned());
        }
        if message.retain {
            return Received::Refused(order, "a command must not be retained".into());
        }
        if command.is_expired(unix_micros()) {
            let life = command.ttl_ms.unwrap_or_default();
            return Received::Refused(order, format!("it came later than its life of {life} ms"));
        }
        Received::Order(order)
    }

    fn answer_to(&self, id: Option<&str>) -> Option<&str> {
        self.answered.iter().find(|(known, _)| Some(known.as_str()) == id).map(|(_, answer)| answer.as_str())
    }

    /// Remembers what became of a command and returns the answer's payload.
    pub(crate) fn answer(&mut self, order: &Order, outcome: &Result<Option<Value>, String>) -> String {
        let result = CommandResult {
            id: order.id.as_deref().unwrap_or_default(),
            value: outcome.as_ref().ok().and_then(Option::as_ref).map(Value::as_ref),
            error: outcome.as_ref().err().map(|error| Text::new(error)),
        };
        let mut payload = String::new();
        result.encode(&mut payload).expect("writing to a String cannot fail");
        if let Some(id) = &order.id {
            if self.answered.len() == REMEMBERED {
                self.answered.pop_front();
            }
            self.answered.push_back((id.clone(), payload.clone()));
        }
        payload
    }
}

impl Order {
    /// The messages that carry an answer: on `…/result` if the command had an id, and where an MQTT 5
    /// client asked for it.
    pub(crate) fn answers(&self, result_topic: String, payload: &str) -> Vec<Publish> {
        let mut answers = Vec::new();
        if self.id.is_some() {
            answers.push(Publish::new(result_topic, payload.to_owned()));
        }
        if let Some((topic, correlation)) = &self.reply {
            let properties =
                crate::link::Properties { correlation_data: correlation.clone(), ..Default::default() };
            answers.push(Publish::new(topic.clone(), payload.to_owned()).properties(properties));
        }
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(commands: &Commands, payload: &str) -> Received {
        let message = Incoming::detached("lab/demo/led/on/set", payload.to_owned());
        commands.receive("lab", &message, |_| Some(Datatype::Bool))
    }

    fn order(payload: &str) -> Order {
        match receive(&Commands::default(), payload) {
            Received::Order(order) => order,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_bare_value_is_a_command_without_id() {
        let order = order("true");
        assert_eq!(
            (order.channel.as_str(), order.value.clone(), order.id.clone()),
            ("on", Value::Bool(true), None)
        );
        assert!(order.answers("r".into(), "{}").is_empty(), "nobody asked");
    }

    #[test]
    fn an_id_is_applied_once_and_answered_again() {
        let mut commands = Commands::default();
        let order = order(r#"{"v":true,"id":"c1"}"#);
        let answer = commands.answer(&order, &Ok(Some(Value::Bool(true))));
        assert_eq!(answer, r#"{"id":"c1","ok":true,"v":true}"#);
        assert_eq!(receive(&commands, r#"{"v":true,"id":"c1"}"#), Received::Again(order, answer));
    }

    #[test]
    fn the_oldest_of_65_ids_is_forgotten() {
        let mut commands = Commands::default();
        for i in 0..=REMEMBERED {
            commands.answer(&order(&format!(r#"{{"v":true,"id":"c{i}"}}"#)), &Ok(None));
        }
        assert!(matches!(receive(&commands, r#"{"v":true,"id":"c0"}"#), Received::Order(_)));
        assert!(matches!(receive(&commands, r#"{"v":true,"id":"c1"}"#), Received::Again(..)));
    }

    #[test]
    fn a_command_older_than_its_life_is_refused() {
        let old = format!(r#"{{"v":true,"id":"c1","t":{},"ttl_ms":5000}}"#, unix_micros() - 6_000_000);
        let Received::Refused(_, reason) = receive(&Commands::default(), &old) else { panic!("applied") };
        assert_eq!(reason, "it came later than its life of 5000 ms");
        let young = format!(r#"{{"v":true,"id":"c1","t":{},"ttl_ms":5000}}"#, unix_micros() - 1_000_000);
        assert!(matches!(receive(&Commands::default(), &young), Received::Order(_)));
    }

    #[test]
    fn rubbish_is_unreadable_and_says_why() {
        let Received::Unreadable(reason) = receive(&Commands::default(), "{\"v\":") else { panic!("read") };
        assert_eq!(reason, "command to `on`: the payload is not valid JSON at byte 5");
    }
}
