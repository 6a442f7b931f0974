//! Who a node is and where it belongs.

use core::fmt;
use mqtt_lab_wire::{Qos, TopicError};

/// Who a node is and where it belongs.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// First level of all topics.
    pub root: &'a str,
    /// The class, team or room.
    pub group: &'a str,
    /// The device's own name.
    pub device: &'a str,
    /// What kind of device it is, such as the board's name.
    pub kind: &'static str,
    /// User name and password at the broker.
    pub login: Option<(&'a str, &'a str)>,
    /// Keep-alive, in seconds: half as long again, and the broker publishes the last will.
    pub keep_alive_s: u16,
    /// Time between two readings at the start, in milliseconds; later, what the user sets.
    pub interval_ms: u32,
    /// QoS of the samples at the start.
    pub qos: Qos,
    /// A number that lasts and that no other board has, such as the MAC address: makes the last part of the client
    /// id. `None`: `random` makes it, and the broker does not recognize the board after a reboot.
    pub unique: Option<u64>,
    /// Different at each boot: makes the boot id, and spreads reconnects.
    pub random: u64,
    /// Takes a line of the log.
    pub log: fn(fmt::Arguments<'_>),
}

impl<'a> Settings<'a> {
    /// A device `device` of kind `kind` in the group `demo` of the root `lab`: QoS 1, one reading per
    /// second, keep-alive 15 s, no login, no log.
    #[must_use]
    pub const fn new(device: &'a str, kind: &'static str, random: u64) -> Self {
        Self {
            root: "lab",
            group: "demo",
            device,
            kind,
            login: None,
            keep_alive_s: 15,
            interval_ms: 1000,
            qos: Qos::AtLeastOnce,
            unique: None,
            random,
            log: |_| {},
        }
    }
}

impl fmt::Debug for Settings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Settings({}/{}/{})", self.root, self.group, self.device)
    }
}

/// Why a node cannot be set up.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum SetupError {
    /// A name with other characters than `a-z 0-9 -`.
    Name(TopicError),
    /// The longest topic has more than 128 bytes, or the client id more than 64.
    TooLong,
    /// More channels than [`crate::MAX_CHANNELS`], or more words about them than fit into one packet.
    TooManyChannels,
    /// Two parts have a channel of the same name.
    SameName(&'static str),
    /// An interval that is not from 0.1 to 3600 seconds.
    Interval,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => write!(f, "root, group or device: {error}"),
            Self::TooLong => f.write_str("root, group and device are too long together"),
            Self::TooManyChannels => f.write_str("the parts have too many channels"),
            Self::SameName(name) => write!(f, "two parts have a channel `{name}`"),
            Self::Interval => f.write_str("the interval must be from 0.1 to 3600 seconds"),
        }
    }
}

impl core::error::Error for SetupError {}
