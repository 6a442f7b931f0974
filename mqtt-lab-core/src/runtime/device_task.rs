//! One device: reads, publishes, obeys, and is constructed anew when it fails.

mod goodbye;
mod swap;

use super::commands::{Commands, Order, REMEMBERED, Received};
use super::flood::Flood;
use super::instance::{Answer, Instance, InstanceError};
use super::publisher::Publisher;
use super::{DeviceSpec, Ears, Heard, Leave, Swap};
use crate::link::{
    Event, Events, Incoming, Link, LinkConfig, LinkError, Publish, PublishError, Subscription,
};
use crate::{CheckError, Description, Reading};
use mqtt_lab_wire::{Qos, Sample, State, Trigger, Value};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// Errors in a row after which a device is constructed anew.
const ERRORS_IN_A_ROW: u32 = 5;

/// Pause before a device is constructed anew; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// Time from one question for an event to the next, so that a runaway event sensor cannot fill every queue.
const EVENT_GAP: Duration = Duration::from_millis(1);

/// What is said of an event sensor that never waits.
const FLOODED: &str = "measures faster than 1000 times a second; the rest is not taken";

/// Time between two `$stats`.
const STATS_EVERY: Duration = Duration::from_secs(60);

/// Time that a message without room in the spool still gets when the lab stops.
const LAST_CHANCE: Duration = Duration::from_millis(200);

/// Messages kept while a publish waits for room in the spool; those above stay with the broker. No more
/// than are remembered: what the broker has under way comes again after a cut.
const BACKLOG: usize = REMEMBERED;

/// The running device.
enum Life {
    /// Constructed.
    Up(Instance),
    /// Being constructed.
    Starting(JoinHandle<Result<Instance, InstanceError>>),
    /// Failed; constructed anew at that time.
    Down(Instant),
}

/// A reading in progress.
struct Pending {
    answer: Answer,
    asked: Instant,
    /// When a polled one counts as hung.
    deadline: Option<Instant>,
    /// Intervals that went by meanwhile.
    missed: u32,
}

pub(crate) struct DeviceTask {
    spec: Arc<DeviceSpec>,
    publisher: Publisher,
    life: Life,
    reading: Option<Pending>,
    next_event: Instant,
    link: Link,
    events: Events,
    backlog: VecDeque<Event>,
    commands: Commands,
    errors: u32,
    flood: Flood,
    pause: Duration,
    ears: Ears,
}

enum Wake {
    Heard(Heard),
    Tick,
    Stats,
    Link(Option<Event>),
    Read(Result<crate::Result<Reading>, tokio::sync::oneshot::error::RecvError>),
    Hung,
    NextEvent,
    Started(Result<Instance, InstanceError>),
    Restart,
}

impl DeviceTask {
    /// Connects the device. A device that could not be constructed is shown with its error.
    pub(crate) fn new(
        spec: Arc<DeviceSpec>,
        instance: Result<Instance, InstanceError>,
        ears: Ears,
    ) -> Result<Self, LinkError> {
        let mut publisher =
            Publisher::new(Arc::clone(&spec), instance.as_ref().ok().map(Instance::description));
        let life = match instance {
            Ok(instance) => {
                publisher.enter(State::Ready);
                Life::Up(instance)
            }
            Err(error) => {
                publisher.say(&error.to_string());
                Life::Down(Instant::now() + FIRST_PAUSE)
            }
        };
        let (link, events) = Link::spawn(link_config(&spec, &publisher))?;
        ears.face.send_modify(|face| {
            face.link = Some(link.clone());
            face.description = Arc::clone(publisher.description());
        });
        Ok(Self {
            spec,
            publisher,
            life,
            reading: None,
            next_event: Instant::now(),
            link,
            events,
            backlog: VecDeque::new(),
            commands: Commands::default(),
            errors: 0,
            flood: Flood::default(),
            pause: FIRST_PAUSE,
            ears,
        })
    }

    /// Whether the device could connect at all: what [`DeviceTask::new`] may refuse.
    pub(crate) fn check(spec: &Arc<DeviceSpec>, description: Option<&Description>) -> Result<(), LinkError> {
        link_config(spec, &Publisher::new(Arc::clone(spec), description)).check()
    }

    /// Runs until the device is to leave, then says goodbye. Dropped before that, it leaves its will.
    pub(crate) async fn run(mut self: Box<Self>) -> Result<(), LinkError> {
        let mut ticks = self.ticks();
        let mut stats = interval(STATS_EVERY);
        stats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        stats.reset();
        let mut polled = self.publisher.controls.interval();
        loop {
            if polled != self.publisher.controls.interval() {
                polled = self.publisher.controls.interval();
                ticks = self.ticks();
            }
            let wake = self.wait(&mut ticks, &mut stats).await;
            match wake {
                Wake::Heard(Heard::Leave) => break,
                Wake::Heard(Heard::Swap(swap)) => {
                    if Box::pin(self.swap(*swap)).await {
                        // What the new one measures is to be seen now, not after an interval.
                        ticks = self.ticks();
                    }
                }
                Wake::Tick => self.tick(),
                Wake::Stats => self.send(self.publisher.stats()).await,
                // Boxed, what is rare: a future keeps room for its largest branch, and there are thousands.
                Wake::Link(Some(event)) => Box::pin(self.handle(event)).await,
                // The link has ended; nothing can be said any more.
                Wake::Link(None) => return Err(LinkError::Closed),
                Wake::Read(answer) => self.read(answer).await,
                Wake::Hung => Box::pin(self.hung()).await,
                Wake::NextEvent => self.start_reading(),
                Wake::Started(instance) => Box::pin(self.started(instance)).await,
                Wake::Restart => self.restart(),
            }
        }
        Box::pin(self.goodbye()).await
    }

    fn ticks(&self) -> tokio::time::Interval {
        let mut ticks = interval(self.publisher.controls.interval().unwrap_or(Duration::from_secs(3600)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks
    }

    async fn wait(&mut self, ticks: &mut tokio::time::Interval, stats: &mut tokio::time::Interval) -> Wake {
        if let Some(event) = self.backlog.pop_front() {
            return Wake::Link(Some(event));
        }
        let polled = self.publisher.controls.interval().is_some();
        let idle = self.reading.is_none() && !self.publisher.controls.paused;
        let up = matches!(self.life, Life::Up(_));
        let deadline = self.reading.as_ref().and_then(|reading| reading.deadline);
        tokio::select! {
            biased;
            heard = self.ears.hear() => Wake::Heard(heard),
            event = self.events.next() => Wake::Link(event),
            answer = answered(&mut self.reading) => Wake::Read(answer),
            () = at(deadline) => Wake::Hung,
            wake = changed(&mut self.life) => wake,
            () = sleep_until(self.next_event), if up && !polled && idle => Wake::NextEvent,
            _ = ticks.tick(), if up && polled => Wake::Tick,
            _ = stats.tick() => Wake::Stats,
        }
    }

    // Reading -----------------------------------------------------------------------------------

    fn tick(&mut self) {
        match &mut self.reading {
            Some(reading) => reading.missed += 1,
            None if self.publisher.controls.paused => {}
            None => self.start_reading(),
        }
    }

    fn start_reading(&mut self) {
        let Life::Up(instance) = &self.life else { return };
        let polled = instance.description().trigger() == Trigger::Interval;
        let deadline = polled.then(|| Instant::now() + self.spec.read_timeout());
        self.reading = Some(Pending { answer: instance.read(), asked: Instant::now(), deadline, missed: 0 });
    }

    async fn read(&mut self, answer: Result<crate::Result<Reading>, tokio::sync::oneshot::error::RecvError>) {
        let (missed, asked) = self.reading.take().map_or((0, Instant::now()), |r| (r.missed, r.asked));
        self.next_event = asked + EVENT_GAP;
        if self.publisher.controls.interval().is_none() && self.flood.count(asked.elapsed(), EVENT_GAP) {
            tracing::warn!(device = self.spec.name(), "{FLOODED}");
        }
        let reading = match answer {
            Ok(Ok(reading)) => reading,
            Ok(Err(error)) => return Box::pin(self.failed(InstanceError::Returned(error))).await,
            Err(_) => return Box::pin(self.gone()).await,
        };
        if self.publisher.controls.paused {
            return;
        }
        match self.publisher.reading(&reading) {
            Ok(messages) => {
                self.errors = 0;
                self.pause = FIRST_PAUSE;
                for message in messages {
                    self.send(message).await;
                }
                let late = match self.publisher.controls.interval() {
                    Some(interval) if missed > 0 => {
                        format!(
                            "a reading took longer than the interval of {interval:?}; {missed} were skipped"
                        )
                    }
                    None if self.flood.is_on() => FLOODED.into(),
                    _ => String::new(),
                };
                self.say(&late).await;
            }
            Err(wrong) => Box::pin(self.wrong_reading(&wrong)).await,
        }
    }

    /// A reading that does not fit the description is not sent.
    async fn wrong_reading(&mut self, wrong: &CheckError) {
        self.failed(InstanceError::Returned(crate::Error::new(wrong))).await;
    }

    async fn hung(&mut self) {
        self.reading = None;
        self.failed(InstanceError::Hung(self.spec.read_timeout())).await;
    }

    /// The device dropped its answer: it panicked, or its queue was full.
    async fn gone(&mut self) {
        let limit = self.spec.read_timeout();
        if let Life::Up(instance) = &mut self.life {
            let fate = instance.fate(limit).await;
            self.failed(fate).await;
        }
    }

    // Failing and starting again ----------------------------------------------------------------

    async fn failed(&mut self, error: InstanceError) {
        self.errors += 1;
        let ends = error.ends_the_device() || self.errors >= ERRORS_IN_A_ROW;
        let device = self.spec.name();
        tracing::warn!(device, %error, restart = ends, "device failed");
        self.say(&error.to_string()).await;
        if ends {
            self.errors = 0;
            self.reading = None;
            self.life = Life::Down(Instant::now() + self.pause);
            self.pause = (self.pause * 2).min(LAST_PAUSE);
            self.enter(State::Init).await;
        }
    }

    fn restart(&mut self) {
        let (kind, settings) = (self.spec.kind.clone(), self.spec.settings.clone());
        let limit = self.spec.read_timeout();
        self.life = Life::Starting(tokio::spawn(Instance::start(kind, settings, limit)));
    }

    async fn started(&mut self, instance: Result<Instance, InstanceError>) {
        let mut instance = match instance {
            Ok(instance) => instance,
            Err(error) => return self.failed(error).await,
        };
        match self.tell(&mut instance).await {
            Ok(()) => self.adopt(Arc::clone(&self.spec), instance).await,
            // It is dropped, whatever the error: there is nothing that could go on.
            Err(error) => self.failed(error.ending()).await,
        }
    }

    /// A new life begins with the control variables that the user had set.
    async fn tell(&self, instance: &mut Instance) -> Result<(), InstanceError> {
        let limit = self.spec.read_timeout();
        for (channel, value) in self.publisher.carried(instance.description()) {
            instance.set(&channel, value, limit).await?;
        }
        Ok(())
    }

    /// The instance becomes the device, and everybody hears how it describes itself.
    async fn adopt(&mut self, spec: Arc<DeviceSpec>, instance: Instance) {
        self.spec = Arc::clone(&spec);
        let messages = self.publisher.adopt(spec, instance.description());
        self.life = Life::Up(instance);
        self.next_event = Instant::now();
        self.ears.face.send_modify(|face| {
            face.spec = Arc::clone(&self.spec);
            face.description = Arc::clone(self.publisher.description());
        });
        self.send(self.publisher.info()).await;
        for message in messages {
            self.send(message).await;
        }
        self.resume().await;
        self.renew_birth();
    }

    /// Ready, or sleeping while paused.
    async fn resume(&mut self) {
        let paused = self.publisher.controls.paused;
        self.enter(if paused { State::Sleeping } else { State::Ready }).await;
    }

    // Messages ----------------------------------------------------------------------------------

    async fn handle(&mut self, event: Event) {
        match event {
            Event::Message(message) => self.message(message).await,
            Event::Connected { broker, session_present } => {
                tracing::debug!(device = self.spec.name(), broker, session_present, "connected");
                if self.publisher.lowered(&self.link.status().downgrades) {
                    self.send(self.publisher.info()).await;
                    self.renew_birth();
                }
            }
            Event::Disconnected { reason } => {
                tracing::debug!(device = self.spec.name(), reason, "disconnected");
            }
        }
    }

    async fn message(&mut self, message: Incoming) {
        if self.spec.config.inputs.values().any(|input| self.spec.input_topic(input) == message.topic) {
            self.input(&message).await;
        } else {
            self.command(&message).await;
        }
        message.ack();
    }

    /// A value of another device, handed to the control variables that follow it.
    async fn input(&mut self, message: &Incoming) {
        // The other one is gone and took its value back; that is no other value.
        if message.payload.is_empty() {
            return;
        }
        let inputs = self.spec.config.inputs.iter();
        let followers: Vec<String> = inputs
            .filter(|(_, t)| self.spec.input_topic(t) == message.topic)
            .map(|(c, _)| c.clone())
            .collect();
        for channel in followers {
            let outcome = match (Sample::decode(&message.payload), self.publisher.find(&channel)) {
                (Ok(sample), Some(described)) => {
                    let value = Value::from(sample.value_for(described.datatype));
                    self.apply(&channel, &value).await.map(drop)
                }
                (Err(error), _) => Err(error.to_string()),
                (_, None) => Err("no such channel".to_owned()),
            };
            if let Err(error) = outcome {
                let topic = &message.topic;
                tracing::warn!(device = self.spec.name(), topic, channel, error, "input refused");
                self.say(&format!("input `{channel}` from `{topic}`: {error}")).await;
            }
        }
    }

    async fn command(&mut self, message: &Incoming) {
        let datatype = |channel: &str| self.publisher.find(channel).map(|channel| channel.datatype);
        let (order, outcome) = match self.commands.receive(&self.spec.root, message, datatype) {
            // The subscription lets through nothing else.
            Received::Stray => return,
            Received::Again(order, answer) => return self.answer(&order, &answer).await,
            Received::Refused(order, reason) => (order, Err(reason)),
            Received::Order(order, value) => {
                let outcome = self.apply(&order.channel, &value).await;
                (order, outcome)
            }
        };
        if let Err(reason) = &outcome {
            let channel = &order.channel;
            tracing::info!(device = self.spec.name(), channel, reason, "command refused");
        }
        let answer = self.commands.answer(&order, &outcome);
        self.answer(&order, &answer).await;
    }

    async fn answer(&mut self, order: &Order, answer: &str) {
        let topic = self.publisher.result_topic(&order.channel);
        for message in order.answers(topic, answer) {
            self.send(message).await;
        }
    }

    /// Applies a command; the channel's new value, or why not.
    async fn apply(&mut self, channel: &str, value: &Value) -> Result<Option<Value>, String> {
        if channel.starts_with('$') {
            return self.control(channel, value).await;
        }
        let checked = self.publisher.description().check_command(channel, value);
        let value = checked.map_err(|error| error.to_string())?;
        let Life::Up(instance) = &mut self.life else {
            return Err("the device is being constructed anew after an error".into());
        };
        let state = match instance.set(channel, value, self.spec.read_timeout()).await {
            Ok(state) => state,
            Err(error) => {
                let text = error.to_string();
                if error.ends_the_device() {
                    self.failed(error).await;
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
                Ok(now)
            }
            Err(wrong) => {
                self.wrong_reading(&wrong).await;
                Err(format!("the device answered wrongly: {wrong}"))
            }
        }
    }

    /// Sets one of the framework's own control variables.
    async fn control(&mut self, channel: &str, value: &Value) -> Result<Option<Value>, String> {
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

    // Saying ------------------------------------------------------------------------------------

    async fn say(&mut self, error: &str) {
        if let Some(message) = self.publisher.say(error) {
            self.send(message).await;
            self.renew_birth();
        }
    }

    async fn enter(&mut self, state: State) {
        if let Some(message) = self.publisher.enter(state) {
            self.send(message).await;
            self.renew_birth();
        }
    }

    fn renew_birth(&self) {
        if let Err(error) = self.link.set_birth(self.publisher.birth()) {
            tracing::error!(device = self.spec.name(), %error, "cannot renew what is said on connecting");
        }
    }

    /// Hands a message to the link, which may wait for room. Meanwhile the link's events are taken,
    /// or it would stop reading acknowledgements and the room would never come.
    async fn send(&mut self, message: Publish) {
        let link = self.link.clone();
        let mut publish = std::pin::pin!(link.publish(message));
        let result = loop {
            let room = self.backlog.len() < BACKLOG;
            tokio::select! {
                biased;
                result = &mut publish => break result.map(drop),
                event = self.events.next(), if room => self.backlog.extend(event),
                () = self.ears.leaving() => {
                    // One more chance: what fits soon is delivered before the goodbye.
                    let last = tokio::time::timeout(LAST_CHANCE, &mut publish).await;
                    break last.map_or(Err(PublishError::Full), |result| result.map(drop));
                }
            }
        };
        self.sent(result);
    }

    fn sent(&self, result: Result<(), PublishError>) {
        if let Err(error) = result {
            tracing::error!(device = self.spec.name(), %error, "message not accepted");
        }
    }
}

impl Drop for DeviceTask {
    fn drop(&mut self) {
        // After the goodbye the link has ended, and this changes nothing.
        drop(self.link.abort());
    }
}

async fn answered(
    reading: &mut Option<Pending>,
) -> Result<crate::Result<Reading>, tokio::sync::oneshot::error::RecvError> {
    match reading {
        Some(reading) => (&mut reading.answer).await,
        None => std::future::pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn changed(life: &mut Life) -> Wake {
    match life {
        Life::Up(_) => std::future::pending().await,
        Life::Starting(task) => {
            Wake::Started(task.await.unwrap_or_else(|error| Err(InstanceError::Panicked(error.to_string()))))
        }
        Life::Down(until) => {
            sleep_until(*until).await;
            Wake::Restart
        }
    }
}

fn link_config(spec: &DeviceSpec, publisher: &Publisher) -> LinkConfig {
    let mut config = LinkConfig::new("", spec.client_id());
    config.brokers.clone_from(&spec.mqtt.brokers);
    config.credentials.clone_from(&spec.credentials);
    config.version = spec.version().into();
    config.keep_alive = Duration::from_secs(spec.keep_alive_s().into());
    config.will = Some(spec.will());
    config.session_expiry = Duration::from_secs(u64::from(spec.config.will.delay_s) + 3600);
    config.birth = publisher.birth();
    config.incoming_capacity = BACKLOG;
    (config.spool_capacity, config.spool_policy) = (spec.config.spool_messages, spec.config.when_full);
    #[cfg(feature = "disk-spool")]
    {
        config.disk = spec.disk.clone();
    }
    config.subscriptions =
        vec![Subscription::new(spec.address().all_commands().to_string(), Qos::AtLeastOnce)];
    let inputs = spec.config.inputs.values();
    let inputs = inputs.map(|input| Subscription::new(spec.input_topic(input), Qos::AtLeastOnce));
    config.subscriptions.extend(inputs);
    config
}
