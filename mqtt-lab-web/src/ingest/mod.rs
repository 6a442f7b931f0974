//! From the broker into the store: one task reads messages, one writes them.
//!
//! Between the two is a bounded queue. When the store fails, the writer keeps its batch and tries
//! again, the queue fills, the reader waits, the link stops reading: the broker keeps the messages.
//! A message is acknowledged only when the store has committed it.
//!
//! On every connection a marker is sent after the subscription: what comes before it may be of earlier
//! times, repeated because we subscribed.

mod bounds;
mod intake;
mod marker;
mod reader;
mod redeliveries;
mod refusals;
mod restarts;
mod retry;
mod values;
mod writer;

#[cfg(test)]
mod tests;

use std::time::Duration;

use mqtt_lab_core::link::Incoming;
use tokio::sync::mpsc;

use crate::store::{Generation, Write};
pub(crate) use intake::Intake;
pub(crate) use marker::Marker;
pub(crate) use reader::Reader;
pub(crate) use writer::{Unstored, Writer};

/// Messages between reader and writer.
const QUEUE: usize = 8_192;

/// How long the marker of a connection is waited for: beyond a stop of the database for a minute or two.
const MARKER: Duration = Duration::from_secs(600);

/// A message on its way into the store.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What it makes the store write: mostly one thing, sometimes nothing.
    pub(crate) writes: Vec<Write>,
    /// The message, to be acknowledged once that is committed.
    pub(crate) message: Incoming,
    /// The database whose ids are in `writes`.
    pub(crate) generation: Generation,
}

/// The queue between reader and writer.
pub(crate) fn queue() -> (mpsc::Sender<Entry>, mpsc::Receiver<Entry>) {
    mpsc::channel(QUEUE)
}
