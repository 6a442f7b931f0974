//! Handles what arrives: values of other devices, and commands.

use super::{DeviceTask, FIRST_PAUSE, Life};
use crate::Description;
use crate::link::{Event, Incoming};
use crate::runtime::commands::{Order, Received};
use crate::runtime::device_log::{Level, Subject};
use crate::runtime::errors::Cause;
use mqtt_lab_wire::{Channel, Datatype, Message, Value, Written};

impl DeviceTask {
    pub(super) async fn handle(&mut self, event: Event) {
        match event {
            Event::Message(message) => self.message(message).await,
            Event::Connected { broker, session_present } => {
                tracing::debug!(device = self.spec.name(), broker, session_present, "connected");
                self.inputs.connected(session_present);
                if self.publisher.lowered(&self.link.status().downgrades) {
                    self.send(self.publisher.info()).await;
                    self.renew_birth();
                }
            }
            Event::Discarded { count } => {
                let text =
                    format!("{count} messages at QoS 0 were discarded: the spool and the queue were full");
                let subject = Subject::Error(Cause::Discarded);
                self.log_failure(Level::Warn, subject, "commands discarded", &text);
                self.errors.failed(Cause::Discarded, &text);
                self.show_errors().await;
            }
            Event::ClientIdContested { reason } => self.contested(Some(&reason)).await,
            Event::ClientIdFree => self.contested(None).await,
            Event::Disconnected { reason } => {
                tracing::debug!(device = self.spec.name(), reason, "disconnected");
            }
        }
    }

    pub(super) async fn message(&mut self, message: Incoming) {
        let message = Acknowledged(Some(message));
        let Some(message) = &message.0 else { return };
        if self.twin.describes(&message.topic) {
            self.described(message).await;
            // A device may follow a channel of its own.
            if self.inputs.describes(&message.topic) {
                self.inputs.described(&message.topic, &message.payload);
                self.forgive_sources().await;
            }
        } else if self.inputs.follows(&message.topic) {
            self.input(message).await;
        } else if self.inputs.describes(&message.topic) {
            self.inputs.described(&message.topic, &message.payload);
            self.forgive_sources().await;
        } else {
            self.command(message).await;
        }
    }

    /// A value of another device, handed to the control variables that follow it.
    pub(super) async fn input(&mut self, message: &Incoming) {
        if message.payload.is_empty() {
            return self.inputs.cleared(&message.topic);
        }
        for input in self.inputs.received(&message.topic, &message.payload) {
            self.follow(input).await;
        }
        self.forgive_sources().await;
    }

    /// Shows which sources are missing.
    pub(super) async fn report_sources(&mut self) {
        self.inputs.reported();
        for (input, problem) in self.inputs.missing() {
            let Some(problem) = problem else { continue };
            let subject = Subject::Error(Cause::Source(input.clone()));
            self.log_failure(Level::Warn, subject, &format!("{input} has no source"), &problem);
            self.errors.failed(Cause::Source(input), &problem);
        }
        self.show_errors().await;
    }

    /// Shows sources that are missing no longer.
    async fn forgive_sources(&mut self) {
        if !self.errors.misses_a_source() {
            return;
        }
        for (input, problem) in self.inputs.missing() {
            if problem.is_none() {
                self.errors.succeeded(&Cause::Source(input));
            }
        }
        self.show_errors().await;
    }

    /// Applies the last value of every input to a new instance.
    pub(super) async fn restore_inputs(&mut self) {
        for input in self.inputs.to_restore() {
            self.follow(input).await;
        }
    }

    /// Applies the last value of an input. Without an instance, the next one is given it.
    async fn follow(&mut self, input: usize) {
        if !matches!(self.life, Life::Up(_)) {
            return;
        }
        let Some((name, payload)) = self.inputs.attempt(input) else { return };
        let (channel, cause) = (name.channel.clone(), Cause::Input(name.clone()));
        let value = match self.publisher.find(&channel) {
            Some(described) => followed(&payload, &described),
            None => Err("no such channel".to_owned()),
        };
        let outcome = match value {
            Ok(Some(value)) => self.apply(cause.clone(), &channel, &value).await.map(drop),
            // The source has no value at present: the last one stays.
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if matches!(self.life, Life::Up(_)) {
            self.inputs.survived(input);
        }
        if let Err(error) = outcome {
            // A failure of the device is counted already.
            if matches!(self.life, Life::Up(_)) {
                let what = format!("{name} refused");
                self.log_failure(Level::Warn, Subject::Error(cause.clone()), &what, &error);
                self.errors.failed(cause, &error);
                self.show_errors().await;
            }
        }
    }

    pub(super) async fn command(&mut self, message: &Incoming) {
        let datatype = |channel: &str| self.publisher.find(channel).map(|channel| channel.datatype);
        let (order, outcome) = match self.commands.receive(&self.spec.root, message, datatype) {
            // The subscription lets through nothing else.
            Received::Stray => return,
            Received::Again(order, answer) => return self.answer(&order, &answer).await,
            Received::Refused(order, reason) => (order, Err(reason)),
            Received::Order(order, value) => {
                let outcome = self.apply(Cause::Setting, &order.channel, &value).await;
                if outcome.is_ok() {
                    self.inputs.overridden(&order.channel);
                }
                (order, outcome)
            }
        };
        let known = self.publisher.find(&order.channel).is_some();
        let subject = Subject::Command(known.then(|| order.channel.clone()));
        match &outcome {
            Ok(_) => self.log_success(&subject),
            Err(reason) => {
                let what = format!("command to `{}` refused", order.channel);
                self.log_failure(Level::Info, subject, &what, reason);
            }
        }
        let answer = self.commands.answer(&order, &outcome);
        self.answer(&order, &answer).await;
    }

    pub(super) async fn answer(&mut self, order: &Order, answer: &str) {
        let topic = self.publisher.result_topic(&order.channel);
        for message in order.answers(topic, answer) {
            self.send(message).await;
        }
    }

    /// Applies a value; the channel's new value, or why not. An error of the device is one of `cause`.
    pub(super) async fn apply(
        &mut self,
        cause: Cause,
        channel: &str,
        value: &Value,
    ) -> Result<Option<Value>, String> {
        if channel.starts_with('$') {
            return self.control(channel, value).await;
        }
        let checked = self.publisher.description().check_command(channel, value);
        let value = checked.map_err(|error| error.to_string())?;
        let Life::Up(instance) = &mut self.life else {
            return Err("the device is being recreated after an error".into());
        };
        let state = match instance.set(channel, value, self.spec.read_timeout()).await {
            Ok(state) => state,
            Err(error) => {
                let text = error.to_string();
                if error.ends_the_device() {
                    self.failed(cause, error).await;
                }
                return Err(text);
            }
        };
        let now = state.get(channel).cloned();
        match self.publisher.reading(&state) {
            Ok(messages) => {
                for message in messages {
                    self.send(message).await;
                }
                self.renew_birth();
                self.applied(channel).await;
                Ok(now)
            }
            Err(wrong) => {
                self.wrong_reading(cause, &wrong).await;
                Err(format!("the device answered wrongly: {wrong}"))
            }
        }
    }

    /// The device has applied a value to a channel.
    async fn applied(&mut self, channel: &str) {
        if self.publisher.controls.interval().is_none() {
            // Of a polled device, readings tell whether it is well.
            self.pause = FIRST_PAUSE;
        }
        self.errors.applied(channel);
        self.errors.succeeded(&Cause::Discarded);
        self.show_errors().await;
    }

    /// Sets one of the framework's own control variables.
    pub(super) async fn control(&mut self, channel: &str, value: &Value) -> Result<Option<Value>, String> {
        let known = Description::sensor();
        let known = self.publisher.controls.channels().into_iter().fold(known, Description::channel);
        let value = known.check_command(channel, value).map_err(|error| error.to_string())?;
        self.publisher.controls.set(channel, &value);
        if let Some(message) = self.publisher.hold(channel, &value) {
            self.send(message).await;
        }
        self.send(self.publisher.info()).await;
        if matches!(self.life, Life::Up(_)) {
            self.resume().await;
        }
        self.renew_birth();
        Ok(Some(value))
    }
}

/// A message that is acknowledged whatever becomes of it: one that has the task panic must not come again, and
/// one that never is acknowledged would hold up the acknowledgements of all later ones.
struct Acknowledged(Option<Incoming>);

impl Drop for Acknowledged {
    fn drop(&mut self) {
        if let Some(message) = self.0.take() {
            message.ack();
        }
    }
}

/// What a channel means by the message that it follows; `None`: there is no value in it.
fn followed(payload: &[u8], channel: &Channel) -> Result<Option<Value>, String> {
    let written = match Message::read(payload).map_err(|error| error.to_string())? {
        Message::Empty => return Ok(None),
        Message::Sample(sample) => sample.value,
        Message::Object(text) | Message::NoSample(text, _) if channel.datatype == Datatype::Text => {
            Written::Bare(text)
        }
        Message::Object(_) => return Err("the message is an object without `v`, not a value".to_owned()),
        Message::NoSample(_, why) => return Err(why.to_string()),
    };
    let meaning = written
        .for_channel(channel)
        .map_err(|error| format!("channel `{}` does not take `{written}`: {error}", channel.name))?;
    Ok(meaning.value.map(Value::from))
}
