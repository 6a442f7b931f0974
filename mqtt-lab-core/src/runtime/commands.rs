//! Commands as they arrive: read, remembered, answered.

use super::unix_micros;
use crate::link::{Incoming, Publish};
use mqtt_lab_wire::{Command, CommandResult, Datatype, Part, Text, Topic, Value};
use std::collections::VecDeque;
use std::time::Duration;

/// Command ids remembered per device: as many as a broker may send once more after a cut.
pub(crate) const REMEMBERED: usize = 64;

/// A command's channel, and who waits for its answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Order {
    pub(crate) channel: String,
    pub(crate) id: Option<String>,
    /// Where an MQTT 5 client wants the answer too, with its correlation data.
    reply: Option<(String, Option<bytes::Bytes>)>,
}

/// What became of an incoming message on `…/set`.
#[derive(Debug, PartialEq)]
pub(crate) enum Received {
    /// To be applied.
    Order(Order, Value),
    /// Applied before: answer again.
    Again(Order, String),
    /// Refused at once, with the reason.
    Refused(Order, String),
    /// Not a command at all.
    Stray,
}

/// A command that was answered. Its id belongs to the channel: two senders that count from 1 do not collide.
#[derive(Debug)]
struct Answered {
    channel: String,
    id: String,
    payload: String,
}

/// The last commands with an id.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    answered: VecDeque<Answered>,
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
            _ => return Received::Stray,
        };
        let properties = message.properties.as_deref();
        let reply = properties.and_then(|p| Some((p.response_topic.clone()?, p.correlation_data.clone())));
        let order = |id: Option<&str>| Order { channel: channel.clone(), id: id.map(str::to_owned), reply };
        let command = match Command::decode(&message.payload) {
            Ok(command) => command,
            Err(error) => {
                return Received::Refused(order(Command::id_in(&message.payload)), error.to_string());
            }
        };
        let order = order(command.id);
        if let Some(answer) = self.answer_to(&order) {
            return Received::Again(order, answer.to_owned());
        }
        if message.retain {
            return Received::Refused(order, "a command must not be retained".into());
        }
        if let Some(life) = outlived(&command, message) {
            return Received::Refused(
                order,
                format!("it came later than its life of {} ms", life.as_millis()),
            );
        }
        let value = command.value_for(datatype(&channel).unwrap_or(Datatype::Float)).into();
        Received::Order(order, value)
    }

    fn answer_to(&self, order: &Order) -> Option<&str> {
        let id = order.id.as_deref()?;
        let same = |answered: &&Answered| answered.id == id && answered.channel == order.channel;
        self.answered.iter().find(same).map(|answered| answered.payload.as_str())
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
            let (channel, id) = (order.channel.clone(), id.clone());
            self.answered.push_back(Answered { channel, id, payload: payload.clone() });
        }
        payload
    }
}

/// The life that is over: by the sender's clock; without one that can be right, as far as the broker told, and here.
fn outlived(command: &Command<'_>, message: &Incoming) -> Option<Duration> {
    let (own, now_us) = (command.ttl_ms.map(|ms| Duration::from_millis(ms.into())), unix_micros());
    if command.is_expired(now_us) {
        return own;
    }
    // The broker counted up to the delivery; since then the message waited behind others.
    let left = message.properties.as_ref().and_then(|properties| properties.message_expiry);
    let own = own.filter(|_| command.plausibly_sent_us(now_us).is_none());
    [left, own].into_iter().flatten().find(|life| message.received.elapsed() > *life)
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
    use crate::link::Properties;

    fn receive(commands: &Commands, payload: &str) -> Received {
        let message = Incoming::detached("lab/demo/led/on/set", payload.to_owned());
        commands.receive("lab", &message, |_| Some(Datatype::Bool))
    }

    fn order(payload: &str) -> Order {
        match receive(&Commands::default(), payload) {
            Received::Order(order, _) => order,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_bare_value_is_a_command_without_id() {
        let order = Order { channel: "on".into(), id: None, reply: None };
        let expected = Received::Order(order.clone(), Value::Bool(true));
        assert_eq!(receive(&Commands::default(), "true"), expected);
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
    fn the_same_id_on_another_channel_is_another_command() {
        let mut commands = Commands::default();
        commands.answer(&order(r#"{"v":true,"id":"c1"}"#), &Ok(Some(Value::Bool(true))));
        let message = Incoming::detached("lab/demo/led/blink/set", r#"{"v":true,"id":"c1"}"#);
        let received = commands.receive("lab", &message, |_| Some(Datatype::Bool));
        assert!(matches!(received, Received::Order(..)), "{received:?}");
    }

    #[test]
    fn the_oldest_of_65_ids_is_forgotten() {
        let mut commands = Commands::default();
        for i in 0..=REMEMBERED {
            commands.answer(&order(&format!(r#"{{"v":true,"id":"c{i}"}}"#)), &Ok(None));
        }
        assert!(matches!(receive(&commands, r#"{"v":true,"id":"c0"}"#), Received::Order(..)));
        assert!(matches!(receive(&commands, r#"{"v":true,"id":"c1"}"#), Received::Again(..)));
    }

    #[test]
    fn a_command_older_than_its_life_is_refused() {
        let old = format!(r#"{{"v":true,"id":"c1","t":{},"ttl_ms":5000}}"#, unix_micros() - 6_000_000);
        let Received::Refused(_, reason) = receive(&Commands::default(), &old) else { panic!("applied") };
        assert_eq!(reason, "it came later than its life of 5000 ms");
        let young = format!(r#"{{"v":true,"id":"c1","t":{},"ttl_ms":5000}}"#, unix_micros() - 1_000_000);
        assert!(matches!(receive(&Commands::default(), &young), Received::Order(..)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_life_without_clock_goes_on_while_the_command_waits_here() {
        let own = Incoming::detached("lab/demo/led/on/set", r#"{"v":true,"id":"c1","ttl_ms":5000}"#);
        let mut brokers = Incoming::detached("lab/demo/led/on/set", r#"{"v":true,"id":"c2"}"#);
        let expiry = Some(Duration::from_secs(5));
        brokers.properties = Some(Box::new(Properties { message_expiry: expiry, ..Properties::default() }));
        let receive = |message| Commands::default().receive("lab", message, |_| Some(Datatype::Bool));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(matches!(receive(&own), Received::Order(..)));
        assert!(matches!(receive(&brokers), Received::Order(..)));
        tokio::time::advance(Duration::from_millis(1)).await;
        for late in [&own, &brokers] {
            let Received::Refused(_, reason) = receive(late) else { panic!("applied") };
            assert_eq!(reason, "it came later than its life of 5000 ms");
        }
    }

    #[test]
    fn rubbish_is_refused_and_whoever_waits_is_told_why() {
        let received = receive(&Commands::default(), "{\"id\":\"c1\",\"v\":");
        let Received::Refused(order, reason) = received else { panic!("read") };
        assert_eq!(reason, "the payload is not valid JSON at byte 15");
        assert_eq!(order.id.as_deref(), Some("c1"));
        assert_eq!(order.answers("lab/demo/led/on/result".into(), "no").len(), 1);
    }
}
