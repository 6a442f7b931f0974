//! Messages with values: one on a channel's topic, several in an object.

use mqtt_lab_core::link::Incoming;
use mqtt_lab_wire::{Members, Message, Received, Topic, Written};

use super::intake::Intake;
use super::retry::Stopped;
use crate::registry::{Arrival, Step};
use crate::store::Write;

impl Intake {
    /// A message on a channel's topic.
    pub(super) async fn sample(
        &mut self,
        topic: &Topic<'_>,
        channel: &str,
        message: &Incoming,
        now_us: i64,
    ) -> Result<Vec<Write>, Stopped> {
        let key = (topic.group, topic.device, channel);
        if message.payload.is_empty() && (message.retain || self.registry.keeps_retained(key)) {
            return Ok(Vec::new());
        }
        self.health.received.add(1);
        match Message::read(&message.payload) {
            Ok(Message::Sample(sample)) => self.value(topic, channel, &sample, message, now_us).await,
            Ok(Message::Object(text) | Message::NoSample(text, _)) if self.registry.takes_texts(key) => {
                let sample = Received::new(Written::Bare(text));
                self.value(topic, channel, &sample, message, now_us).await
            }
            Ok(Message::Object(object)) => self.members(topic, Some(channel), object, message, now_us).await,
            Ok(Message::NoSample(_, why)) => {
                self.refuse_value(topic, message, (channel, &why.to_string()), None, now_us).await
            }
            Ok(Message::Empty) => self.nothing(topic, channel, message, now_us).await,
            Err(error) => {
                self.refuse_value(topic, message, (channel, &error.to_string()), None, now_us).await
            }
        }
    }

    /// A message on a device's own topic.
    pub(super) async fn reading(
        &mut self,
        topic: &Topic<'_>,
        message: &Incoming,
        now_us: i64,
    ) -> Result<Vec<Write>, Stopped> {
        self.health.received.add(1);
        match Message::read_reading(&message.payload) {
            Ok(Message::Object(object)) => self.members(topic, None, object, message, now_us).await,
            Ok(Message::NoSample(_, why)) => self.refuse(topic, message, &why.to_string(), now_us).await,
            Ok(Message::Empty | Message::Sample(_)) => self.nothing(topic, "", message, now_us).await,
            Err(error) => self.refuse(topic, message, &error.to_string(), now_us).await,
        }
    }

    /// The members of an object.
    async fn members(
        &mut self,
        topic: &Topic<'_>,
        prefix: Option<&str>,
        object: &str,
        message: &Incoming,
        now_us: i64,
    ) -> Result<Vec<Write>, Stopped> {
        let members = match Members::read(object, prefix) {
            Ok(members) => members,
            Err(error) => {
                let reason = (prefix.unwrap_or_default(), &*error.to_string());
                return self.refuse_value(topic, message, reason, None, now_us).await;
            }
        };
        // The message itself is counted already.
        self.health.received.add(members.all.len().saturating_sub(1));
        let mut writes = Vec::with_capacity(members.all.len());
        for (channel, value) in &members.all {
            let sample = Received { time: members.time, ..Received::new(*value) };
            writes.extend(self.value(topic, channel, &sample, message, now_us).await?);
        }
        if members.refused.is_empty() {
            self.registry.take_usable((topic.group, topic.device, prefix.unwrap_or_default()));
        }
        for refused in &members.refused {
            let reason = (prefix.unwrap_or_default(), &*refused.to_string());
            writes.extend(self.refuse_value(topic, message, reason, None, now_us).await?);
        }
        Ok(writes)
    }

    /// One value of one channel.
    async fn value(
        &mut self,
        topic: &Topic<'_>,
        channel: &str,
        sample: &Received<'_>,
        message: &Incoming,
        now_us: i64,
    ) -> Result<Vec<Write>, Stopped> {
        let key = (topic.group, topic.device, channel);
        let arrival = Arrival::of(message, now_us, self.connection);
        let mut writes = Vec::new();
        loop {
            match self.registry.take_sample(key, sample, &arrival) {
                Step::Write(new) => {
                    let (group, device, channel) = key;
                    writes.extend(self.commands.showed(group, device, channel, &new.value, now_us));
                    writes.push(Write::Sample(new));
                    return Ok(writes);
                }
                Step::NoReading(device) => {
                    writes.push(Write::NoReading { device, number: sample.number, arrived_us: now_us });
                    return Ok(writes);
                }
                Step::Old => return Ok(writes),
                Step::Revive(id) => writes.extend(self.registry.revive(id)),
                Step::OpenDevice => {
                    if self.open(topic, message, now_us).await?.is_none() {
                        return Ok(writes);
                    }
                }
                Step::OpenSeries(new) => {
                    let opened = self.retry.run(|| self.store.open_series(&new)).await?;
                    match opened {
                        Ok(series) => self.registry.add_series(series),
                        Err(error) => {
                            let reason = (channel, &*error.cause());
                            let refused = self.refuse_value(topic, message, reason, sample.number, now_us);
                            writes.extend(refused.await?);
                            return Ok(writes);
                        }
                    }
                }
                Step::Refuse(reason) => {
                    let refused =
                        self.refuse_value(topic, message, (channel, &reason), sample.number, now_us);
                    writes.extend(refused.await?);
                    return Ok(writes);
                }
            }
        }
    }

    /// An empty message: no reading.
    async fn nothing(
        &mut self,
        topic: &Topic<'_>,
        channel: &str,
        message: &Incoming,
        now_us: i64,
    ) -> Result<Vec<Write>, Stopped> {
        let key = (topic.group, topic.device, channel);
        let arrival = Arrival::of(message, now_us, self.connection);
        loop {
            match self.registry.take_empty(key, &arrival) {
                Step::OpenDevice if self.open(topic, message, now_us).await?.is_some() => {}
                Step::NoReading(device) => {
                    return Ok(vec![Write::NoReading { device, number: None, arrived_us: now_us }]);
                }
                _ => return Ok(Vec::new()),
            }
        }
    }
}
