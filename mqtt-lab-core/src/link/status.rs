//! How a link is doing.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Version;

/// A snapshot of a link.
///
/// [`Link::status`](super::Link::status) fills the counters in. [`Link::watch`](super::Link::watch)
/// reports changes of the connection only; its counters are those of the last such change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStatus {
    /// The broker has accepted the connection, and it has not been lost since.
    pub connected: bool,
    /// All subscriptions were answered by the broker on this connection.
    pub subscribed: bool,
    /// Address of the broker connected to or tried last; empty before the first attempt.
    pub broker: String,
    /// Protocol version of the present or last attempt.
    pub version: Version,
    /// What this broker gets less than configured, in words: version, QoS, retain, subscriptions.
    pub downgrades: Vec<String>,
    /// Why there is no connection; `None` while connected.
    pub error: Option<String>,
    /// That another client uses the same client id, and what to do; `None` if nothing points to it. Kept while the
    /// link is connected in between.
    pub contested: Option<String>,
    /// Messages taken into the spool, births not counted.
    pub accepted: u64,
    /// Messages that came to a good end (QoS 0: written; else acknowledged).
    pub acked: u64,
    /// Messages refused by the broker, too large for it, or expired in the spool.
    pub rejected: u64,
    /// Messages lost to a full spool, by the policies `DropOldest` and `Error`.
    pub dropped: u64,
    /// Received messages of QoS 0 that were discarded; see [`Event::Discarded`](super::Event::Discarded).
    pub discarded: u64,
    /// Messages sent on this connection and not yet acknowledged.
    pub in_flight: usize,
    /// Messages accepted and not yet sent on this connection.
    pub spooled: usize,
    /// Connections made after the first one.
    pub reconnects: u64,
}

/// The counters of a link that change with every message.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) acked: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) discarded: AtomicU64,
    /// Acknowledgements of the broker, those of births and subscriptions included.
    pub(super) answers: AtomicU64,
    pub(super) connects: AtomicU64,
}

impl Counters {
    pub(super) fn fill(&self, status: &mut LinkStatus) {
        status.accepted = self.accepted.load(Ordering::Relaxed);
        status.acked = self.acked.load(Ordering::Relaxed);
        status.rejected = self.rejected.load(Ordering::Relaxed);
        status.dropped = self.dropped.load(Ordering::Relaxed);
        status.discarded = self.discarded.load(Ordering::Relaxed);
        status.reconnects = self.connects.load(Ordering::Relaxed).saturating_sub(1);
    }
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
