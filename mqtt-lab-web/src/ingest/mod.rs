//! From the broker into the store: one task reads messages, one writes them.
//!
//! Between the two is a bounded queue. When the store fails, the writer keeps its batch and tries
//! again, the queue fills, the reader waits, the link stops reading: the broker keeps the messages.
//! A message is acknowledged only when the store has committed it.
//!
//! On every connection a marker is sent after the subscription: what comes before it may be of earlier
//! times, repeated because we subscribed.

mod intake;
mod marker;
mod redeliveries;
mod refusals;
mod restarts;
mod retry;
mod writer;

#[cfg(test)]
mod tests;

use std::pin::pin;
use std::time::Duration;

use mqtt_lab_core::link::{Event, Incoming};
use tokio::sync::{mpsc, watch};

use crate::bus::Source;
use crate::clock::now_us;
use crate::stop::stopped;
use crate::store::Write;
pub(crate) use intake::Intake;
pub(crate) use marker::Marker;
pub(crate) use writer::Writer;

/// Messages between reader and writer.
const QUEUE: usize = 2_048;

/// How long the marker of a connection is waited for: beyond a stop of the database for a minute or two.
const MARKER: Duration = Duration::from_secs(600);

/// A message on its way into the store.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What it makes the store write: mostly one thing, sometimes nothing.
    pub(crate) writes: Vec<Write>,
    /// The message, to be acknowledged once that is committed.
    pub(crate) message: Incoming,
}

/// The queue between reader and writer.
pub(crate) fn queue() -> (mpsc::Sender<Entry>, mpsc::Receiver<Entry>) {
    mpsc::channel(QUEUE)
}

/// Reads messages until the link ends or `stop` says so.
pub(crate) async fn read(
    mut source: Box<dyn Source>,
    mut intake: Intake,
    queue: mpsc::Sender<Entry>,
    mut stop: watch::Receiver<bool>,
) {
    let mut stop = pin!(stopped(&mut stop));
    loop {
        let event = tokio::select! {
            biased;
            () = &mut stop => return,
            event = source.next() => event,
        };
        match event {
            Some(Event::Message(message)) => {
                let Ok(writes) = intake.take(&message, now_us()).await else { return };
                // Without a writer there is nobody to acknowledge.
                if queue.send(Entry { writes, message }).await.is_err() {
                    return;
                }
            }
            Some(Event::Connected { session_present, .. }) => intake.connected(session_present, now_us()),
            Some(Event::Disconnected { .. }) => intake.disconnected(now_us()).await,
            Some(_) => {}
            None => return,
        }
    }
}
