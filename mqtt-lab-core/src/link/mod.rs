//! One MQTT connection that survives faults.
//!
//! **The promise:** what [`Link::publish`] accepted at QoS 1 or 2 reaches the broker's
//! acknowledgement, whatever happens to network and broker, as long as this process lives; with a
//! `DiskSpool` (feature `disk-spool`) also if it does not. After the acknowledgement the broker's own
//! durability holds.
//!
//! # Parts
//!
//! | | |
//! |---|---|
//! | [`Link`], [`Events`] | the two halves a program holds |
//! | `outgoing`, `inbox` | the two halves of an MQTT session as pure state machines: no I/O, no clock, tested by random walks |
//! | `frame`, `wire` | packets of MQTT 3.1.1 and 5, on rumqttc's packet types |
//! | `task`, `handshake`, `session` | the task: connect, speak, connect again |
//!
//! rumqttc's own event loop is not used: it loses accepted messages on reconnect.
//!
//! # Faults
//!
//! A lost connection is made again after a random wait that grows with each failure. A broker that
//! kept the session gets what it did not acknowledge once more, with DUP; QoS 2 stays exactly once.
//! A broker that lost the session gets everything again in order; QoS 2 messages that were between
//! PUBREC and PUBCOMP may then arrive twice. A broker that is silent for about as long as the
//! keep-alive, or acknowledges nothing for twice as long, is given up.
//!
//! A broker that can do less (MQTT 3.1.1 only, a maximum QoS, no retained messages) gets less, decided before
//! sending and shown in [`LinkStatus::downgrades`].

mod backoff;
mod config;
mod contest;
mod delivery;
#[cfg(feature = "disk-spool")]
mod disk;
mod error;
mod events;
mod failure;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod handshake;
mod inbox;
mod message;
mod outgoing;
mod plug;
mod queue;
mod seconds;
mod session;
mod shared;
mod socket;
mod status;
mod subscriber;
mod task;
mod validate;
mod watchdog;
mod wire;
mod witness;

pub use config::{Credentials, LinkConfig, SpoolPolicy, Subscription, Version, Will};
pub use delivery::{Delivered, Delivery};
#[cfg(feature = "disk-spool")]
pub use disk::DiskSpool;
pub use error::{DeliveryError, LinkError, PublishError};
pub use events::{Event, Events};
pub use handle::Link;
pub use message::{Incoming, Properties, Publish};
pub use mqtt_lab_wire::Qos;
pub use plug::Plug;
pub use status::LinkStatus;
