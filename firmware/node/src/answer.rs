//! What becomes of a command.

use crate::shared::Shared;
use crate::{Fault, Text, ValueRef};
use core::fmt::{self, Write as _};
use minimq::{InboundPublish, OwnedResponseTarget};
use mqtt_lab_wire::{Command, CommandResult, Datatype, Part, Topic};

/// Longest reason that is told, in bytes.
const MAX_REASON: usize = 96;

/// Where an MQTT 5 client wants the answer, too.
type Reply = OwnedResponseTarget<128, 32>;

/// The answer to a command that somebody waits for.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The channel's number, where it is known: there goes `…/result`.
    channel: Option<u8>,
    id: heapless::String<64>,
    outcome: Result<Option<ValueRef<'static>>, Refusal>,
    reply: Option<Reply>,
}

impl Answer {
    /// Writes the payload.
    pub(crate) fn encode(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let value = self.outcome.as_ref().ok().copied().flatten();
        let reason = self.outcome.as_ref().err().map(in_words);
        let error = reason.as_deref().map(Text::new);
        CommandResult { id: &self.id, value, error }.encode(out)
    }

    /// The channel on whose `…/result` the answer must still be said.
    pub(crate) fn result_channel(&self) -> Option<usize> {
        self.channel.filter(|_| !self.id.is_empty()).map(usize::from)
    }

    /// What is left to say after the answer was said once: first on `…/result`, then to an MQTT 5 client.
    pub(crate) fn rest(self) -> Option<Self> {
        self.result_channel()?;
        Some(Self { channel: None, ..self }).filter(|rest| rest.reply.is_some())
    }

    /// Where an MQTT 5 client wants the answer.
    pub(crate) fn reply_topic(&self) -> &str {
        self.reply.as_ref().map_or("", Reply::topic)
    }

    /// What that client recognises it by.
    pub(crate) fn correlation(&self) -> Option<&[u8]> {
        self.reply.as_ref()?.correlation_data()
    }

    /// Whether anybody waits for it.
    fn is_awaited(&self) -> bool {
        self.result_channel().is_some() || self.reply.is_some()
    }
}

/// Why a command was refused.
#[derive(Debug)]
enum Refusal {
    Fault(Fault),
    Text(&'static str),
    Unreadable(mqtt_lab_wire::DecodeError),
    Value(mqtt_lab_wire::ValueError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Unreadable(error) => error.fmt(f),
            Self::Value(error) => error.fmt(f),
        }
    }
}

/// Obeys a message on `…/set` and keeps the answer. `None`: it is no command of this device.
pub(crate) fn obey<const SAMPLES: usize>(
    shared: &mut Shared<'_, SAMPLES>,
    root: &str,
    message: &InboundPublish<'_>,
    now_ms: u64,
) -> Option<()> {
    let Ok(Topic { part: Part::Set(name), .. }) = Topic::parse(root, message.topic()) else { return None };
    let found = (0u8..).zip(shared.channels()).find(|(_, channel)| channel.name == name);
    let command = Command::decode(message.payload());
    let id = command.as_ref().map_or_else(|_| Command::id_in(message.payload()), |command| command.id);
    let outcome = match (&command, found) {
        (Err(error), _) => Err(Refusal::Unreadable(*error)),
        (Ok(_), None) => Err(Refusal::Text("this device has no such channel")),
        (Ok(command), Some((number, _))) => execute(shared, command, number, message, now_ms),
    };
    let answer = Answer {
        channel: found.map(|(number, _)| number),
        id: id.and_then(|id| id.try_into().ok()).unwrap_or_default(),
        outcome,
        reply: message.reply_owned().ok().flatten(),
    };
    if answer.is_awaited() {
        shared.answer(answer);
    }
    Some(())
}

/// Applies a command that can be read, once per channel and id.
fn execute<const SAMPLES: usize>(
    shared: &mut Shared<'_, SAMPLES>,
    command: &Command<'_>,
    at: u8,
    message: &InboundPublish<'_>,
    now_ms: u64,
) -> Result<Option<ValueRef<'static>>, Refusal> {
    let number = usize::from(at);
    let channel = &shared.channels()[number];
    if !channel.settable {
        return Err(Refusal::Text("this channel takes no commands"));
    }
    if message.retained() {
        return Err(Refusal::Text("a command must not be retained"));
    }
    if command.id.is_some_and(|id| shared.notes.told.knows(at, id)) {
        return Ok(shared.notes.held[number]);
    }
    if matches!(channel.datatype, Datatype::Text | Datatype::Color) {
        return Err(Refusal::Text("this board takes no texts"));
    }
    let value = channel.check(command.value_for(channel.datatype)).map_err(Refusal::Value)?;
    let new = shared.apply(number, value, now_ms).map_err(Refusal::Fault)?;
    if let Some(id) = command.id {
        shared.notes.told.remember(at, id);
    }
    Ok(new)
}

/// The reason, cut where it is too long.
fn in_words(refusal: &Refusal) -> heapless::String<MAX_REASON> {
    struct Cut(heapless::String<MAX_REASON>);
    impl fmt::Write for Cut {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            text.chars().try_for_each(|c| self.0.push(c)).map_err(|_| fmt::Error)
        }
    }
    let mut cut = Cut(heapless::String::new());
    // An error means that the rest does not fit.
    let _ = write!(cut, "{refusal}");
    cut.0
}
