//! One device: reads, publishes, obeys, and is recreated when it fails.

mod goodbye;
mod messages;
mod reading;
mod recreating;
mod sending;
mod swap;
mod twins;

use super::commands::{Commands, REMEMBERED};
use super::device_log::{DeviceLog, Level, Subject};
use super::errors::{Cause, Errors};
use super::flood::Flood;
use super::inputs::Inputs;
use super::instance::{Answer, Instance, InstanceError};
use super::liveness::{Liveness, Sign};
use super::publisher::Publisher;
use super::twin::Twin;
use super::{DeviceSpec, Ears, Heard, Leave, Swap};
use crate::link::{Event, Events, Link, LinkConfig, LinkError, Subscription};
use crate::panicked::caught_in;
use crate::{Description, Reading};
use mqtt_lab_wire::{Qos, State};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

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
    inputs: Inputs,
    errors: Errors,
    log: DeviceLog,
    flood: Flood,
    twin: Twin,
    liveness: Liveness,
    /// A cooperative instance has blocked a worker: the next one gets its own thread.
    blocks: bool,
    pause: Duration,
    ears: Ears,
}

/// What follows on a turn.
enum Turn {
    Next,
    Leave,
    Ended,
}

/// What happens by the clock.
struct Timers {
    /// Nothing has happened yet.
    begin: bool,
    ticks: Interval,
    /// The interval of `ticks`.
    polled: Option<Duration>,
    stats: Interval,
}

impl Timers {
    fn new(task: &DeviceTask) -> Self {
        let mut stats = interval(STATS_EVERY);
        stats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        stats.reset();
        Self { begin: true, ticks: task.ticks(), polled: task.publisher.controls.interval(), stats }
    }

    /// Takes a changed interval.
    fn follow(&mut self, task: &DeviceTask) {
        let polled = task.publisher.controls.interval();
        if self.polled != polled {
            (self.polled, self.ticks) = (polled, task.ticks());
        }
    }
}

enum Wake {
    Heard(Heard),
    Tick,
    Stats,
    Link(Option<Event>),
    Read(Result<crate::Result<Reading>, tokio::sync::oneshot::error::RecvError>),
    Hung,
    Sign(Sign),
    NextEvent,
    Sources,
    Twin,
    /// The device begins, perhaps with what another one had received.
    Inherited,
    Started(Result<Instance, InstanceError>),
    Restart,
}

impl DeviceTask {
    /// Connects the device. A device that could not be constructed is shown with its error. `inherited`: the
    /// values that the device before it had received.
    pub(crate) fn new(
        spec: Arc<DeviceSpec>,
        instance: Result<Instance, InstanceError>,
        ears: Ears,
        inherited: &Inputs,
    ) -> Result<Self, LinkError> {
        let mut inputs = Inputs::new(&spec);
        inputs.inherit(inherited);
        let mut publisher =
            Publisher::new(Arc::clone(&spec), instance.as_ref().ok().map(Instance::description));
        let (mut errors, mut log) = (Errors::default(), DeviceLog::default());
        let life = match instance {
            Ok(instance) => {
                publisher.enter(State::Ready);
                Life::Up(instance)
            }
            Err(error) => {
                let error = error.to_string();
                errors.failed(Cause::Start, &error);
                log.failed(
                    || spec.name(),
                    Level::Warn,
                    Subject::Error(Cause::Start),
                    "device failed",
                    &error,
                );
                publisher.say(&errors.text());
                Life::Down(Instant::now() + FIRST_PAUSE)
            }
        };
        let (link, events) = Link::spawn(link_config(&spec, &publisher))?;
        ears.face.send_modify(|face| {
            face.link = Some(link.clone());
            face.description = Arc::clone(publisher.description());
        });
        let liveness = Liveness::alive(spec.read_timeout());
        let twin = Twin::new(spec.address().info().to_string(), publisher.boot());
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
            inputs,
            errors,
            log,
            flood: Flood::default(),
            twin,
            liveness,
            blocks: false,
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
        let mut timers = Timers::new(&self);
        let leaving = self.ears.leaving_apart();
        // What a device does takes as long as it takes; but nobody waits for that when the lab stops.
        let late = async {
            leaving.await;
            tokio::time::sleep(LAST_CHANCE).await;
        };
        let mut late = pin!(late);
        loop {
            let turn = {
                let turn = pin!(self.turn(&mut timers));
                tokio::select! {
                    biased;
                    turn = caught_in(turn) => turn,
                    () = &mut late => Ok(Turn::Leave),
                }
            };
            let turn = match turn {
                Ok(turn) => turn,
                Err(panic) => tokio::select! {
                    biased;
                    () = &mut late => Turn::Leave,
                    () = Box::pin(self.panicked(&panic)) => Turn::Next,
                },
            };
            match turn {
                Turn::Next => {}
                Turn::Leave => break,
                // The link has ended; nothing can be said any more.
                Turn::Ended => return Err(LinkError::Closed),
            }
        }
        Box::pin(self.goodbye()).await
    }

    /// Waits for the next thing to do, and does it.
    async fn turn(&mut self, timers: &mut Timers) -> Turn {
        timers.follow(self);
        let wake = self.wait(timers).await;
        crate::failpoint::hit("device");
        match wake {
            Wake::Heard(Heard::Leave) => return Turn::Leave,
            Wake::Heard(Heard::Swap(swap)) => {
                if Box::pin(self.swap(*swap)).await {
                    // What the new one measures is to be seen now, not after an interval.
                    timers.ticks = self.ticks();
                }
            }
            Wake::Tick => self.tick(),
            Wake::Stats => self.send(self.publisher.stats()).await,
            // Boxed, what is rare: a future keeps room for its largest branch, and there are thousands.
            Wake::Link(Some(event)) => Box::pin(self.handle(event)).await,
            Wake::Link(None) => return Turn::Ended,
            Wake::Read(answer) => self.read(answer).await,
            Wake::Hung => Box::pin(self.hung()).await,
            Wake::Sign(sign) => Box::pin(self.sign(sign)).await,
            Wake::NextEvent => self.start_reading(),
            Wake::Sources => Box::pin(self.report_sources()).await,
            Wake::Twin => Box::pin(self.attend_twin()).await,
            Wake::Inherited => Box::pin(self.restore_inputs()).await,
            Wake::Started(instance) => Box::pin(self.started(instance)).await,
            Wake::Restart => self.restart(),
        }
        Turn::Next
    }

    fn ticks(&self) -> Interval {
        let mut ticks = interval(self.publisher.controls.interval().unwrap_or(Duration::from_secs(3600)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks
    }

    async fn wait(&mut self, timers: &mut Timers) -> Wake {
        if std::mem::take(&mut timers.begin) {
            return Wake::Inherited;
        }
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
            sign = self.liveness.sign(), if up => Wake::Sign(sign),
            () = sleep_until(self.next_event), if up && !polled && idle => Wake::NextEvent,
            () = at(self.inputs.due()) => Wake::Sources,
            () = at(self.twin.due()) => Wake::Twin,
            _ = timers.ticks.tick(), if up && polled => Wake::Tick,
            _ = timers.stats.tick() => Wake::Stats,
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
    config.supervisor = Some(spec.supervisor.clone());
    config.incoming_capacity = BACKLOG;
    config.former_client_id = spec.end_former_session.then(|| spec.former_client_id());
    (config.spool_capacity, config.spool_policy) = (spec.config.spool_messages, spec.config.when_full);
    #[cfg(feature = "disk-spool")]
    {
        config.disk = spec.disk.clone();
        config.spool_name = Some(spec.spool_name());
        config.former_spool_name = Some(spec.former_client_id());
    }
    let subscribe = |topic: String| Subscription::new(topic, Qos::AtLeastOnce);
    let inputs = Inputs::new(spec);
    let inputs = inputs.topics().into_iter().map(|topic| subscribe(topic.to_owned()));
    let commands = subscribe(spec.address().all_commands().to_string());
    // Its own description, to notice another program that runs the same device.
    let mut info = subscribe(spec.address().info().to_string());
    info.no_local = true;
    config.subscriptions = inputs.filter(|input| input.filter != info.filter).collect();
    config.subscriptions.extend([commands, info]);
    config
}
