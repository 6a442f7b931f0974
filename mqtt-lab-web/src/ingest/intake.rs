//! What a message means: one message in, things to write out.

use std::collections::HashSet;
use std::sync::Arc;

use mqtt_lab_core::link::Incoming;
use mqtt_lab_wire::{BootId, CommandResult, Info, Part, PayloadForm, State, Stats, Topic, TopicError};
use tokio::sync::watch;

use super::bounds::{bounded, shortened};
use super::marker::Marker;
use super::redeliveries::Redeliveries;
use super::refusals::Refusals;
use super::restarts::Restarts;
use super::retry::{Retry, Stopped};
use crate::bus::Outlet;
use crate::commands::Commands;
use crate::health::Health;
use crate::registry::{Refusal, Registry};
use crate::store::{DeviceId, Store, Write};
use crate::topics::Topics;

/// Longest reason of a refusal, in characters.
const MAX_REASON_CHARS: usize = 300;
/// Topics of last wills outside of the lab's root that are listened to.
const MAX_WILLS: usize = 1_000;

/// Reads messages. Whatever arrives, it never panics and never fails but for the stop.
pub(crate) struct Intake {
    pub(super) registry: Arc<Registry>,
    pub(super) commands: Arc<Commands>,
    pub(super) store: Arc<dyn Store>,
    pub(super) health: Arc<Health>,
    pub(super) retry: Retry,
    refusals: Refusals,
    pub(super) connection: u64,
    restarts: Restarts,
    redeliveries: Redeliveries,
    outlet: Arc<dyn Outlet>,
    marker: Arc<Marker>,
    topics: Arc<Topics>,
    /// Topics of last wills outside of the root, listened to.
    wills: HashSet<String>,
    /// What is heard of first from now on began while the broker had our subscription.
    listening: bool,
}

impl Intake {
    pub(crate) fn new(
        registry: Arc<Registry>,
        commands: Arc<Commands>,
        store: Arc<dyn Store>,
        health: Arc<Health>,
        outlet: Arc<dyn Outlet>,
        marker: Arc<Marker>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self {
            registry,
            commands,
            retry: Retry { store: Arc::clone(&store), database: health.database.clone(), stop },
            store,
            refusals: Refusals::new(Arc::clone(&health)),
            health,
            connection: 1,
            restarts: Restarts::default(),
            redeliveries: Redeliveries::default(),
            outlet,
            marker,
            topics: Arc::default(),
            wills: HashSet::new(),
            listening: false,
        }
    }

    /// Whether the broker runs in this program.
    pub(crate) fn of_own_broker(mut self, own: bool) -> Self {
        self.restarts = Restarts::of_own_broker(own);
        self
    }

    /// Where the last message of every topic is kept.
    pub(crate) fn noting(mut self, topics: Arc<Topics>) -> Self {
        self.topics = topics;
        self
    }

    /// A connection was made: retained messages come again. `session_present`: the broker had our
    /// subscription all the time.
    pub(crate) fn connected(&mut self, session_present: bool, now_us: i64) {
        self.connection += 1;
        self.restarts.connected(session_present, now_us);
        if !session_present {
            self.redeliveries.clear();
        }
        self.listening = session_present;
        let (marker, outlet) = (Arc::clone(&self.marker), Arc::clone(&self.outlet));
        let root = self.registry.root().to_owned();
        // Apart, because it comes back on the way that the caller has to keep free.
        tokio::spawn(async move { marker.pass(&root, &*outlet, super::MARKER).await });
    }

    /// The connection was lost.
    pub(crate) async fn disconnected(&mut self, now_us: i64) {
        self.restarts.lost(self.outlet.broker_listens().await, now_us);
    }

    /// Takes a message that arrived at `now_us` (µs since the Unix epoch).
    pub(crate) async fn take(&mut self, message: &Incoming, now_us: i64) -> Result<Vec<Write>, Stopped> {
        self.topics.note(message, now_us);
        let registry = Arc::clone(&self.registry);
        let topic = Topic::parse(registry.root(), &message.topic);
        let is_state = matches!(topic, Ok(Topic { part: Part::State, .. }));
        let is_word = is_state || self.registry.is_will_topic(&message.topic);
        if is_word && self.redeliveries.is_known(message) {
            return Ok(Vec::new());
        }
        // An old will that the broker repeats because we subscribed: the device may be back since. But a
        // device that is back says so on its `$state`, so a will that still stands there has the last word.
        let old_will = message.retain && !is_state;
        let wills = match old_will {
            true => None,
            false => self.registry.take_wills(&message.topic, &message.payload, now_us),
        };
        let is_will = wills.is_some();
        let mut writes = wills.unwrap_or_default();
        let topic = match topic {
            Ok(topic) => topic,
            Err(_) if self.registry.is_will_topic(&message.topic) => return Ok(writes),
            Err(error) => {
                self.refusals.add(&message.topic, &error.to_string());
                return Ok(writes);
            }
        };
        let more = match topic.part {
            // The will of a device that declared it, on a topic that looks like a device's own. An object has values,
            // whoever has declared it as a will.
            Part::Reading if is_will && !message.payload.starts_with(b"{") => Vec::new(),
            Part::Reading => self.reading(&topic, message, now_us).await?,
            Part::Sample(channel) => self.sample(&topic, channel, message, now_us).await?,
            // The command of another client, or our own.
            Part::Set(_) => Vec::new(),
            Part::Result(_) => match CommandResult::decode(&message.payload) {
                Ok(result) if self.marker.came_back(result.id) => {
                    self.listening = true;
                    Vec::new()
                }
                Ok(result) => self.commands.answered(&result, now_us),
                Err(error) => self.refuse(&topic, message, &error.to_string(), now_us).await?,
            },
            Part::State => self.state(&topic, message, now_us, is_will).await?,
            Part::Info => self.info(&topic, message, now_us).await?,
            Part::Stats => match Stats::decode(&message.payload) {
                Ok(Stats { boot, sent }) => {
                    let known = self.registry.listed_id(topic.group, topic.device);
                    known.map(|device| Write::Sent { device, boot, sent }).into_iter().collect()
                }
                Err(error) => self.refuse(&topic, message, &error.to_string(), now_us).await?,
            },
            Part::Error => self.error(&topic, message, now_us).await?,
        };
        writes.extend(more);
        Ok(writes)
    }

    async fn state(
        &mut self,
        topic: &Topic<'_>,
        message: &Incoming,
        now_us: i64,
        is_will: bool,
    ) -> Result<Vec<Write>, Stopped> {
        if is_clearing(message) {
            return Ok(Vec::new());
        }
        match State::decode(&message.payload) {
            Ok(state) => {
                let Some(id) = self.open(topic, message, now_us).await? else { return Ok(Vec::new()) };
                let word = self.restarts.hear(id, state, message.retain);
                Ok(self.registry.take_state(id, word, now_us))
            }
            // A will of the device's own words.
            Err(_) if is_will => Ok(Vec::new()),
            Err(error) => self.refuse(topic, message, &error.to_string(), now_us).await,
        }
    }

    async fn info(
        &mut self,
        topic: &Topic<'_>,
        message: &Incoming,
        now_us: i64,
    ) -> Result<Vec<Write>, Stopped> {
        if message.payload.is_empty() {
            let known = self.registry.listed_id(topic.group, topic.device);
            return Ok(known.map_or_else(Vec::new, |id| self.registry.take_info(id, None, None)));
        }
        match Info::decode(&message.payload).map_err(|error| error.to_string()).and_then(bounded) {
            Ok(info) => {
                let Some(id) = self.open(topic, message, now_us).await? else { return Ok(Vec::new()) };
                if !self.registry.has_room_for(id, &info) {
                    let reason = "the descriptions of all devices together are too large";
                    return self.refuse(topic, message, reason, now_us).await;
                }
                self.listen_for_will(&info);
                let seen = (!message.retain).then_some(now_us);
                let life = self.life(id, &info, now_us);
                let mut writes = self.registry.take_info(id, Some(info), seen);
                writes.extend(life);
                Ok(writes)
            }
            Err(error) => self.refuse(topic, message, &error, now_us).await,
        }
    }

    /// The life that a device says it is in. Only one that numbers its samples makes losses countable.
    fn life(&self, device: DeviceId, info: &Info, now_us: i64) -> Option<Write> {
        let boot = info.boot.filter(|_| info.payload == Some(PayloadForm::Json))?;
        Some(Write::Life { device, boot, whole: self.listening, arrived_us: now_us })
    }

    /// A last will on a topic outside of the root needs a subscription of its own.
    fn listen_for_will(&mut self, info: &Info) {
        let Some(will) = &info.will else { return };
        let inside =
            matches!(Topic::parse(self.registry.root(), &will.topic), Ok(_) | Err(TopicError::Levels));
        if inside || self.wills.contains(will.topic.as_ref() as &str) {
            return;
        }
        if self.wills.len() < MAX_WILLS {
            self.wills.insert(will.topic.to_string());
            self.outlet.listen(&will.topic);
        } else {
            self.refusals.add(&will.topic, "there are too many last wills outside of the lab's root");
        }
    }

    async fn error(
        &mut self,
        topic: &Topic<'_>,
        message: &Incoming,
        now_us: i64,
    ) -> Result<Vec<Write>, Stopped> {
        let Ok(text) = std::str::from_utf8(&message.payload) else {
            return self.refuse(topic, message, "the payload is not UTF-8 text", now_us).await;
        };
        let id = if text.trim().is_empty() {
            self.registry.listed_id(topic.group, topic.device)
        } else {
            self.open(topic, message, now_us).await?
        };
        Ok(id.map_or_else(Vec::new, |id| self.registry.take_error(id, text.trim())))
    }

    /// The device's id; it is made if need be. `None`: there are too many devices.
    pub(super) async fn open(
        &mut self,
        topic: &Topic<'_>,
        message: &Incoming,
        now_us: i64,
    ) -> Result<Option<DeviceId>, Stopped> {
        let Topic { group, device, .. } = *topic;
        if let Some(id) = self.registry.device_id(group, device) {
            return Ok(Some(id));
        }
        if !self.registry.has_room() {
            self.refusals.add(&message.topic, "there are too many devices");
            return Ok(None);
        }
        match self.retry.run(|| self.store.open_device(group, device, now_us)).await? {
            Ok(id) => {
                self.registry.add_device(group, device, id);
                Ok(Some(id))
            }
            Err(error) => {
                self.refusals.add(&message.topic, &error.cause());
                Ok(None)
            }
        }
    }

    /// Refuses a message; the device is shown with the reason, for whoever wonders why nothing comes.
    pub(super) async fn refuse(
        &mut self,
        topic: &Topic<'_>,
        message: &Incoming,
        reason: &str,
        now_us: i64,
    ) -> Result<Vec<Write>, Stopped> {
        self.refuse_value(topic, message, ("", reason), None, now_us).await
    }

    /// As [`Intake::refuse`], what belongs to a channel.
    pub(super) async fn refuse_value(
        &mut self,
        topic: &Topic<'_>,
        message: &Incoming,
        (channel, reason): (&str, &str),
        number: Option<(BootId, u64)>,
        now_us: i64,
    ) -> Result<Vec<Write>, Stopped> {
        let Some(device) = self.open(topic, message, now_us).await? else { return Ok(Vec::new()) };
        // Some quote what came.
        let reason = &*shortened(reason, MAX_REASON_CHARS);
        let refusal = Refusal { channel, payload: &message.payload, reason, retained: message.retain };
        if !self.registry.take_refusal(device, &refusal, now_us) {
            return Ok(Vec::new());
        }
        self.refusals.add(&message.topic, reason);
        Ok(vec![Write::Refused { device, reason: reason.to_owned(), number, arrived_us: now_us }])
    }
}

/// An empty message takes the topic's retained one back; it says nothing.
fn is_clearing(message: &Incoming) -> bool {
    message.payload.is_empty()
}
