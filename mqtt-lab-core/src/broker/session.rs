//! What the broker knows of one client (MQTT 5.0 section 4.1).

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::filters::Subscription;
use super::journal::Record;
use super::outbox::{Outbox, Receiver};
use super::pace::Pace;
use super::wire::Will;

/// A session, with or without a connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client_id: Arc<str>,
    /// How long it outlives its connection; 0: not at all, `u32::MAX`: for ever.
    pub(super) expiry_s: u32,
    pub(super) subscriptions: HashMap<Box<str>, Subscription>,
    pub(super) outbox: Outbox,
    /// QoS 2 messages that came and are not released yet.
    pub(super) received: HashSet<u16>,
    pub(super) online: Option<Online>,
    /// Without a connection: a will that waits for its delay, and when the session ends.
    pub(super) will: Option<(Instant, Will)>,
    pub(super) ends: Option<Instant>,
}

/// The connection of a session.
#[derive(Debug)]
pub(super) struct Online {
    /// Tells a connection from the one that takes it over.
    pub(super) number: u64,
    pub(super) receiver: Receiver,
    pub(super) will: Option<Will>,
    /// There is something to send.
    pub(super) wake: Arc<Notify>,
    /// Ends the connection, with a reason code.
    pub(super) end: oneshot::Sender<u8>,
    pub(super) address: SocketAddr,
    pub(super) keep_alive_s: u16,
    pub(super) since: SystemTime,
    pub(super) messages: u64,
    pub(super) pace: Arc<Pace>,
}

impl Session {
    pub(super) fn new(client_id: Arc<str>, expiry_s: u32) -> Self {
        Self {
            client_id,
            expiry_s,
            subscriptions: HashMap::new(),
            outbox: Outbox::default(),
            received: HashSet::new(),
            online: None,
            will: None,
            ends: None,
        }
    }

    /// Everything of it but its own entry.
    pub(super) fn record_parts(&self, record: &mut Record<'_>) {
        for (filter, subscription) in &self.subscriptions {
            record.subscribe(filter, *subscription);
        }
        for id in &self.received {
            record.received(*id);
        }
        self.outbox.record_all(record);
    }

    /// Whether it outlives its connection, and so the process where there is a store.
    pub(super) fn lasts(&self) -> bool {
        self.expiry_s > 0
    }
}
