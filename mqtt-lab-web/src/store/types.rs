//! What goes into a store and comes out of it.

use std::collections::BTreeMap;

use mqtt_lab_wire::{BootId, Datatype, Info, State, Value};
use serde::Serialize;

use super::ReceiveWindow;

/// Identity of a device within a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(pub i64);

/// Identity of a series within a store, the one of the HTTP API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SeriesId(pub i64);

/// A series to find or make: one channel's values of one datatype.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSeries {
    /// Its device.
    pub device: DeviceId,
    /// The channel's name.
    pub channel: String,
    /// What its values are. A channel that changes its datatype begins another series.
    pub datatype: Datatype,
    /// The unit, where it is known.
    pub unit: Option<String>,
    /// Now, in microseconds since the Unix epoch.
    pub now_us: i64,
}

/// A series as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedSeries {
    /// Its id.
    pub id: SeriesId,
    /// Its device.
    pub device: DeviceId,
    /// The channel's name.
    pub channel: String,
    /// What its values are.
    pub datatype: Datatype,
    /// The unit, where it is known.
    pub unit: Option<String>,
    /// The newest sample.
    pub last: Option<Last>,
}

/// The newest sample of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Last {
    /// When it was measured, in microseconds since the Unix epoch.
    pub t_us: i64,
    /// Its value.
    pub value: Value,
}

/// A device as it is kept.
#[derive(Clone, Debug)]
pub struct SavedDevice {
    /// Its id.
    pub id: DeviceId,
    /// The group.
    pub group: String,
    /// The device's name within the group.
    pub device: String,
    /// What a person called it.
    pub name: Option<String>,
    /// Whether the dashboard leaves it out.
    pub hidden: bool,
    /// Whether its description was taken back.
    pub removed: bool,
    /// Its description.
    pub info: Option<Info>,
    /// Its last state, why, and since when (µs since the Unix epoch).
    pub state: Option<StateChange>,
    /// The last word on `$state`.
    pub announced_state: Option<State>,
    /// What is wrong with it, in its own words.
    pub error: Option<String>,
    /// Its counts.
    pub counts: Counts,
    /// Why its last refused sample was refused.
    pub refusal: Option<String>,
    /// When its last message came, in microseconds since the Unix epoch.
    pub last_seen_us: Option<i64>,
    /// What arrived of its latest life.
    pub life: Option<(BootId, ReceiveWindow)>,
    /// What a person said of its channels.
    pub settings: BTreeMap<String, ChannelSettings>,
}

/// What a person said of a channel that its device does not describe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChannelSettings {
    /// What its values are; `None`: they tell.
    pub datatype: Option<Datatype>,
    /// Unit as SI writes it.
    pub unit: Option<String>,
    /// What is measured.
    pub quantity: Option<String>,
    /// What a person calls it.
    pub label: Option<String>,
    /// The texts that a choice takes.
    pub choices: Vec<String>,
}

impl ChannelSettings {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A variable as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedVariable {
    /// The group.
    pub group: String,
    /// Its name within the group.
    pub name: String,
    /// What a user made it, as JSON; none: the lab's file says what it is.
    pub definition: Option<String>,
    /// The last value that was set.
    pub value: Option<Value>,
}

/// Everything a dashboard shows before the first message comes.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// All devices, removed ones too.
    pub devices: Vec<SavedDevice>,
    /// All series, oldest first.
    pub series: Vec<SavedSeries>,
}

/// What is known of a device's samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Valid samples that arrived, duplicates too.
    pub received: u64,
    /// Samples in the database.
    pub stored: u64,
    /// Samples that were not usable.
    pub refused: u64,
    /// Messages that said that there is no value.
    pub no_reading: u64,
    /// Samples in the database whose sender's time was implausible.
    pub wrong_clock: u64,
    /// Only of a sender that numbers its samples.
    pub numbered: Option<LostAndFound>,
}

/// What numbers tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostAndFound {
    /// Samples that arrived more than once, counted each further time.
    pub duplicate: u64,
    /// Samples that did not arrive, as far as it is known now.
    pub lost: u64,
}

/// What is known of the numbered samples of one life of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifeCounts {
    /// The life.
    pub boot: BootId,
    /// When it was first heard of, in microseconds since the Unix epoch.
    pub began_us: i64,
    /// When it was last heard of, in microseconds since the Unix epoch.
    pub updated_us: i64,
    /// Samples in the database.
    pub stored: u64,
    /// Samples that were not usable.
    pub refused: u64,
    /// Messages that said that there is no value.
    pub no_reading: u64,
    /// Those that arrived more than once, and those that did not arrive.
    pub found: LostAndFound,
}

/// Why a device is in its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StateCause {
    /// The device said so.
    Announced,
    /// It said goodbye.
    Orderly,
    /// The broker published its last will.
    Will,
    /// It is back after the broker itself was away.
    BrokerRestart,
}

impl StateCause {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Orderly => "orderly",
            Self::Will => "will",
            Self::BrokerRestart => "broker_restart",
        }
    }

    /// The cause of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Announced, Self::Orderly, Self::Will, Self::BrokerRestart];
        all.into_iter().find(|cause| cause.as_str() == word)
    }
}

/// A device's way into a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// When it was seen, in microseconds since the Unix epoch.
    pub t_us: i64,
    /// The state.
    pub state: State,
    /// Why.
    pub cause: StateCause,
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Sent, no answer yet.
    Pending,
    /// The device applied it.
    Confirmed,
    /// The device, or the link to it, refused it.
    Refused,
    /// No answer in time.
    TimedOut,
}

impl CommandState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
        }
    }

    /// The state of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Pending, Self::Confirmed, Self::Refused, Self::TimedOut]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// A command and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What it is known by.
    pub id: String,
    /// The group of the device.
    pub group: String,
    /// The device.
    pub device: String,
    /// The channel that takes it.
    pub channel: String,
    /// The value to take.
    pub value: Value,
    /// What became of it.
    pub state: CommandState,
    /// Why it was refused.
    pub error: Option<String>,
    /// When it was sent, in microseconds since the Unix epoch.
    pub sent_us: i64,
    /// When it ended.
    pub ended_us: Option<i64>,
}

/// A value at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Microseconds since the Unix epoch.
    pub t_us: i64,
    /// The value, of the series' datatype.
    pub value: Value,
}

/// When a sample was measured, as far as ingest knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenMeasured {
    /// The sender said so (µs since the Unix epoch). Unnumbered, the same value at the same instant
    /// is the same sample.
    Known(i64),
    /// Stamped on arrival (µs since the Unix epoch): never the same sample as another.
    Stamped(i64),
    /// Milliseconds since the sender's boot. The first of a life fixes when that boot was.
    SinceBoot {
        /// Milliseconds since boot.
        ms: u64,
        /// When it arrived, in microseconds since the Unix epoch.
        arrived_us: i64,
        /// Whether the boot may be computed from it: not from a retained one, which is old.
        fresh: bool,
    },
    /// An implausible time of a sender that numbers its samples. The first of a boot fixes by how much
    /// its clock is wrong ([`ReceiveWindow::by_wrong_clock`]).
    WrongClock {
        /// What the sender's clock showed (µs since the Unix epoch).
        t_us: i64,
        /// When it arrived, in microseconds since the Unix epoch.
        arrived_us: i64,
        /// Whether the clock's offset may be computed from it: not from a retained one, which is old.
        fresh: bool,
    },
}

/// A checked sample on its way into the store.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSample {
    /// Its device.
    pub device: DeviceId,
    /// Its series.
    pub series: SeriesId,
    /// Its value, of the series' datatype.
    pub value: Value,
    /// When it was measured.
    pub when: WhenMeasured,
    /// Whether its sender's time was implausible, whatever `when` is made of it. It is counted.
    pub wrong_clock: bool,
    /// The sender's life and the sample's number in it.
    pub number: Option<(BootId, u64)>,
    /// When it arrived, in microseconds since the Unix epoch.
    pub arrived_us: i64,
}

/// Counts the databases that a store had: one that somebody put in the place of another begins a new one, in which ids
/// of devices and series mean other things.
pub type Generation = u64;

/// What [`Store::heal`](super::Store::heal) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Healed {
    /// All is well.
    Nothing,
    /// Files were gone, and are there again with all they held.
    Restored,
    /// Somebody put another database in the place: ids of devices and series mean other ones now.
    Replaced,
}

/// One thing to write.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// A sample.
    Sample(NewSample),
    /// A device says that it is in this life. It does nothing in a life that is known.
    Life {
        /// The device.
        device: DeviceId,
        /// Its life.
        boot: BootId,
        /// Whether everything that was sent in it should have come here: see [`ReceiveWindow::whole`].
        whole: bool,
        /// When it said so, in microseconds since the Unix epoch.
        arrived_us: i64,
    },
    /// What a device says it has sent in a life.
    Sent {
        /// The device.
        device: DeviceId,
        /// Its life.
        boot: BootId,
        /// Number of its last sample.
        sent: u64,
    },
    /// A sample that was not usable.
    Refused {
        /// The device.
        device: DeviceId,
        /// Why.
        reason: String,
        /// The sender's life and the sample's number in it: it is not lost.
        number: Option<(BootId, u64)>,
        /// When it arrived, in microseconds since the Unix epoch.
        arrived_us: i64,
    },
    /// A message that says that there is no value. It is counted, once if it has a number.
    NoReading {
        /// The device.
        device: DeviceId,
        /// The sender's boot id and the message's number in that boot: it is not lost.
        number: Option<(BootId, u64)>,
        /// When it arrived, in microseconds since the Unix epoch.
        arrived_us: i64,
    },
    /// A change of a device's state; one row of its history.
    State {
        /// The device.
        device: DeviceId,
        /// The change.
        change: StateChange,
    },
    /// The last word on `$state`, and the present text on `$error`.
    Said {
        /// The device.
        device: DeviceId,
        /// The word.
        state: Option<State>,
        /// The error.
        error: Option<String>,
    },
    /// The device's description, or `None`: the device is foreign, or `removed`.
    Info {
        /// The device.
        device: DeviceId,
        /// The description.
        info: Option<Box<Info>>,
        /// Whether the device leaves the list.
        removed: bool,
    },
    /// The end of a command, as [`Store::end_command`](super::Store::end_command).
    EndCommand {
        /// Its id.
        id: String,
        /// How it ended.
        state: CommandState,
        /// Why it was refused.
        error: Option<String>,
        /// When, in microseconds since the Unix epoch.
        ended_us: i64,
    },
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Inserted, at this time (µs since the Unix epoch).
    Stored(i64),
    /// It was there already.
    Duplicate,
}

/// What a batch did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WriteReport {
    /// One per [`Write::Sample`], in order.
    pub outcomes: Vec<Outcome>,
    /// The new counts of each device that the batch touched.
    pub counts: Vec<(DeviceId, Counts)>,
}

impl WriteReport {
    /// How many samples were inserted.
    #[must_use]
    pub fn stored(&self) -> usize {
        self.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Stored(_))).count()
    }
}
