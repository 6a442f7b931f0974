//! Commands: checked, kept, sent, and ended by the device's own answer or by time.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mqtt_lab_core::link::{Properties, Publish, Qos};
use mqtt_lab_wire::{Address, CommandResult, Datatype, Part, Topic, Value, ValueError, ValueRef};

use crate::bus::Outlet;
use crate::clock::now_us;
use crate::problem::Problem;
use crate::registry::Registry;
use crate::store::{Command, CommandState, Store, Write};

/// Commands waiting for an answer at once.
const MAX_PENDING: usize = 1_000;
/// Commands to one device among them, so that a silent device does not shut out the others.
const MAX_PENDING_PER_DEVICE: usize = 64;
/// Commands remembered, so that a late answer is shown.
const MAX_KNOWN: usize = 2_000;
/// Time beyond a command's life in which its answer may come.
const GRACE: Duration = Duration::from_secs(1);
/// Longest answer text kept, in characters.
const MAX_ERROR_CHARS: usize = 512;

/// All commands on their way.
pub(crate) struct Commands {
    registry: Arc<Registry>,
    store: Arc<dyn Store>,
    outlet: Arc<dyn Outlet>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    commands: HashMap<String, Entry>,
    /// Oldest first.
    order: VecDeque<String>,
    pending: Pending,
    /// Pending ones to devices without a description: their channel's value is the answer.
    silent: usize,
}

struct Entry {
    command: Command,
    announced: bool,
}

/// A command as a page asks for it.
#[derive(Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) group: &'a str,
    pub(crate) device: &'a str,
    pub(crate) channel: &'a str,
    pub(crate) value: Value,
    /// How long it may live.
    pub(crate) ttl_ms: u32,
}

impl Commands {
    pub(crate) fn new(registry: Arc<Registry>, store: Arc<dyn Store>, outlet: Arc<dyn Outlet>) -> Arc<Self> {
        Arc::new(Self { registry, store, outlet, known: Mutex::default() })
    }

    /// Checks a command, keeps it as pending and sends it.
    pub(crate) async fn send(self: &Arc<Self>, wish: Wish<'_>) -> Result<Command, Problem> {
        let Wish { group, device, channel, .. } = wish;
        let target = self.registry.target(group, device, channel);
        let target = target.ok_or_else(|| Problem::NoDevice { device: format!("{group}/{device}") })?;
        let topic = self.topic(group, device, channel)?;
        let value = check(&wish, target.channel.as_ref())?;
        let status = self.outlet.status();
        if !status.connected {
            return Err(status.away());
        }
        let command = Command {
            id: format!("{:016x}", rand::random::<u64>()),
            group: group.to_owned(),
            device: device.to_owned(),
            channel: channel.to_owned(),
            value,
            state: CommandState::Pending,
            error: None,
            sent_us: now_us(),
            ended_us: None,
        };
        let place = Place::take(self, group, device)?;
        self.store.insert_command(target.device, &command).await?;
        self.lock().add(command.clone(), target.announced);
        place.keep();
        self.registry.hub.command(command.clone().into());
        self.publish(topic, &command, target.announced, wish.ttl_ms);
        Ok(command)
    }

    fn topic(&self, group: &str, device: &str, channel: &str) -> Result<String, Problem> {
        let wrong = || Problem::ChannelName { channel: channel.to_owned() };
        let root = self.registry.root();
        let topic = Address::of_foreign(root, group, device).set(channel).to_string();
        let read = Topic::parse(root, &topic).map_err(|_| wrong())?;
        let clean = !topic.contains(['+', '#', '\0']) && read.part == Part::Set(channel);
        if clean { Ok(topic) } else { Err(wrong()) }
    }

    /// Sends the command and waits, apart, for the broker and for the answer.
    fn publish(self: &Arc<Self>, topic: String, command: &Command, announced: bool, ttl_ms: u32) {
        let life = Duration::from_millis(u64::from(ttl_ms));
        let properties = Properties { message_expiry: Some(life), ..Properties::default() };
        let message = Publish::new(topic, payload(command, announced, ttl_ms));
        let message = message.qos(Qos::AtLeastOnce).properties(properties);
        let (outlet, id) = (Arc::clone(&self.outlet), command.id.clone());
        // Weak: a waiting command does not keep a stopped web alive.
        let commands = Arc::downgrade(self);
        tokio::spawn(async move {
            let deadline = tokio::time::sleep(life + GRACE);
            tokio::pin!(deadline);
            let sent = tokio::select! {
                sent = outlet.deliver(message) => sent,
                () = &mut deadline => Ok(()),
            };
            drop(outlet);
            if let (Err(error), Some(commands)) = (sent, commands.upgrade()) {
                commands.end_now(&id, CommandState::Refused, Some(error)).await;
            }
            deadline.await;
            if let Some(commands) = commands.upgrade() {
                commands.end_now(&id, CommandState::TimedOut, None).await;
            }
        });
    }

    /// The command as it is known here, newer than in the store.
    pub(crate) fn get(&self, id: &str) -> Option<Command> {
        self.lock().commands.get(id).map(|entry| entry.command.clone())
    }

    /// Takes the answer on `…/result`.
    pub(crate) fn answered(&self, result: &CommandResult<'_>, now_us: i64) -> Vec<Write> {
        let error = result.error.map(|error| error.chars().take(MAX_ERROR_CHARS).collect::<String>());
        let state = if error.is_some() { CommandState::Refused } else { CommandState::Confirmed };
        // The store ends only what is pending or timed out, and ignores what it never heard of.
        let (id, ended_us) = (result.id.to_owned(), now_us);
        self.end(&id, state, error.clone(), now_us);
        vec![Write::EndCommand { id, state, error, ended_us }]
    }

    /// A channel of a device without description shows a value: the answer to who set just this.
    pub(crate) fn showed(
        &self,
        group: &str,
        device: &str,
        channel: &str,
        value: &Value,
        now_us: i64,
    ) -> Vec<Write> {
        let mut known = self.lock();
        if known.silent == 0 {
            return Vec::new();
        }
        let meant = |entry: &&mut Entry| {
            let command = &entry.command;
            !entry.announced
                && command.state == CommandState::Pending
                && (command.group.as_str(), command.device.as_str(), command.channel.as_str())
                    == (group, device, channel)
                && equal(&command.value, value)
        };
        let ids: Vec<_> = known.commands.values_mut().filter(meant).map(|e| e.command.id.clone()).collect();
        drop(known);
        let state = CommandState::Confirmed;
        let ended = ids.into_iter().map(|id| {
            self.end(&id, state, None, now_us);
            Write::EndCommand { id, state, error: None, ended_us: now_us }
        });
        ended.collect()
    }

    /// Ends a command that is still pending, here and in the store.
    async fn end_now(&self, id: &str, state: CommandState, error: Option<String>) {
        let pending = self.lock().commands.get(id).is_some_and(|e| e.command.state == CommandState::Pending);
        if !pending {
            return;
        }
        let now = now_us();
        self.end(id, state, error.clone(), now);
        if let Err(error) = self.store.end_command(id, state, error.as_deref(), now).await {
            tracing::warn!(error = crate::health::chain(&error), "the end of a command could not be kept");
        }
    }

    fn end(&self, id: &str, state: CommandState, error: Option<String>, now_us: i64) {
        if let Some(command) = self.lock().end(id, state, error, now_us) {
            self.registry.hub.command(command.into());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Adds a command that has its place among the pending ones.
    fn add(&mut self, command: Command, announced: bool) {
        self.silent += usize::from(!announced);
        self.order.push_back(command.id.clone());
        self.commands.insert(command.id.clone(), Entry { command, announced });
        if self.order.len() > MAX_KNOWN {
            self.forget_oldest();
        }
    }

    /// Forgets the oldest command that has ended: one that is pending is still to end.
    fn forget_oldest(&mut self) {
        let ended = |id: &String| {
            self.commands.get(id).is_none_or(|entry| entry.command.state != CommandState::Pending)
        };
        let oldest = self.order.iter().position(ended);
        if let Some(id) = oldest.and_then(|at| self.order.remove(at)) {
            self.commands.remove(&id);
        }
    }

    /// Ends one that is pending, or timed out: a late answer is an answer.
    fn end(&mut self, id: &str, state: CommandState, error: Option<String>, now_us: i64) -> Option<Command> {
        let entry = self.commands.get_mut(id)?;
        match entry.command.state {
            CommandState::Pending => {
                self.pending.release(&name(&entry.command.group, &entry.command.device));
                self.silent -= usize::from(!entry.announced);
            }
            CommandState::TimedOut if state != CommandState::TimedOut => {}
            CommandState::TimedOut | CommandState::Confirmed | CommandState::Refused => return None,
        }
        (entry.command.state, entry.command.error, entry.command.ended_us) = (state, error, Some(now_us));
        Some(entry.command.clone())
    }
}

/// How many commands are pending, in all and per device.
#[derive(Default)]
struct Pending {
    all: usize,
    /// By `group/device`; devices without any are left out.
    devices: HashMap<String, usize>,
}

impl Pending {
    fn reserve(&mut self, device: &str) -> Result<(), Problem> {
        let own = self.devices.get(device).copied().unwrap_or_default();
        if own >= MAX_PENDING_PER_DEVICE {
            return Err(Problem::DeviceBusy { device: device.to_owned(), most: MAX_PENDING_PER_DEVICE });
        }
        if self.all >= MAX_PENDING {
            return Err(Problem::CommandsWaiting { most: MAX_PENDING });
        }
        self.all += 1;
        self.devices.insert(device.to_owned(), own + 1);
        Ok(())
    }

    fn release(&mut self, device: &str) {
        self.all -= 1;
        match self.devices.get_mut(device) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(self.devices.remove(device)),
        }
    }
}

/// A place among the pending commands, given back if the command is not added after all.
struct Place<'a> {
    commands: &'a Commands,
    device: String,
    kept: bool,
}

impl<'a> Place<'a> {
    fn take(commands: &'a Commands, group: &str, device: &str) -> Result<Self, Problem> {
        let device = name(group, device);
        commands.lock().pending.reserve(&device)?;
        Ok(Self { commands, device, kept: false })
    }

    /// The command was added, and gives the place back when it ends.
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.commands.lock().pending.release(&self.device);
        }
    }
}

fn name(group: &str, device: &str) -> String {
    format!("{group}/{device}")
}

/// The value as the channel means it.
fn check(wish: &Wish<'_>, channel: Option<&mqtt_lab_wire::Channel>) -> Result<Value, Problem> {
    let not_taken = |error: ValueError| Problem::Value {
        channel: wish.channel.to_owned(),
        value: wish.value.to_string().chars().take(100).collect(),
        misfit: error.into(),
    };
    let Some(channel) = channel else {
        let any = mqtt_lab_wire::Channel::new("any", datatype_of(&wish.value));
        return any.check(wish.value.as_ref()).map(Value::from).map_err(not_taken);
    };
    if !channel.settable {
        return Err(Problem::NotSettable { channel: wish.channel.to_owned() });
    }
    channel.check(wish.value.as_ref()).map(Value::from).map_err(not_taken)
}

/// The bare value for a device without description, which may know nothing else.
fn payload(command: &Command, announced: bool, ttl_ms: u32) -> String {
    let wire = mqtt_lab_wire::Command::new(command.value.as_ref());
    let wire = if announced { wire.with_id(&command.id).expiring(command.sent_us, ttl_ms) } else { wire };
    let mut text = String::new();
    // Writing into a `String` cannot fail.
    let _ = wire.encode(&mut text);
    text
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_ref(), b.as_ref()) {
        (ValueRef::Bool(a), ValueRef::Bool(b)) => a == b,
        (ValueRef::Text(a), ValueRef::Text(b)) => a == b,
        (a, b) => a.as_f64().is_some() && a.as_f64() == b.as_f64(),
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands").field("pending", &self.lock().pending.all).finish_non_exhaustive()
    }
}

/// What a channel takes that nobody described.
fn datatype_of(value: &Value) -> Datatype {
    match value {
        Value::Bool(_) => Datatype::Bool,
        Value::Int(_) | Value::Float(_) => Datatype::Float,
        Value::Text(_) => Datatype::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(id: usize) -> Command {
        Command {
            id: id.to_string(),
            group: "demo".into(),
            device: "led".into(),
            channel: "on".into(),
            value: Value::Bool(true),
            state: CommandState::Pending,
            error: None,
            sent_us: 0,
            ended_us: None,
        }
    }

    #[test]
    fn a_silent_device_does_not_shut_out_the_others() {
        let mut pending = Pending::default();
        for _ in 0..MAX_PENDING_PER_DEVICE {
            pending.reserve("demo/silent").unwrap();
        }
        assert!(matches!(pending.reserve("demo/silent"), Err(Problem::DeviceBusy { .. })));
        pending.reserve("demo/led").unwrap();
        pending.release("demo/silent");
        pending.reserve("demo/silent").unwrap();
        for device in 0..MAX_PENDING {
            let _ = pending.reserve(&format!("demo/{device}"));
        }
        assert_eq!(pending.all, MAX_PENDING);
        assert!(matches!(pending.reserve("demo/other"), Err(Problem::CommandsWaiting { .. })));
    }

    #[test]
    fn a_command_that_ends_frees_its_place_once() {
        let mut known = Known::default();
        known.pending.reserve("demo/led").unwrap();
        known.add(command(1), true);
        for state in [CommandState::TimedOut, CommandState::Confirmed, CommandState::TimedOut] {
            known.end("1", state, None, 1);
        }
        assert_eq!((known.pending.all, known.pending.devices.len()), (0, 0));
    }

    #[test]
    fn a_pending_command_is_not_forgotten_for_newer_ones() {
        let mut known = Known::default();
        for id in 0..2 * MAX_KNOWN {
            known.pending.reserve("demo/led").unwrap();
            known.add(command(id), true);
            if id > 0 {
                known.end(&id.to_string(), CommandState::Confirmed, None, 1);
            }
        }
        assert!(known.commands.contains_key("0"));
        assert_eq!((known.commands.len(), known.order.len(), known.pending.all), (MAX_KNOWN, MAX_KNOWN, 1));
    }
}
