//! Everything the broker knows: sessions, subscriptions, retained messages.
//!
//! Behind one lock, without any I/O. What a packet changes is changed at once and noted in the journal;
//! the connection sends nothing before that is on disk.

mod connecting;
mod routing;
mod subscribing;
mod take_overs;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;

use super::clients::Client;
use super::filters::{Filter, Filters};
use super::journal::{Change, Found, Journal, Record};
use super::outbox::{Bounds, Outbox};
use super::retained::Retained;
use super::session::Session;

pub(super) use connecting::{Accepted, Ending};
use routing::Wanted;
use take_overs::TakeOvers;

/// What is bounded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Clients at a time.
    pub(super) clients: usize,
    /// What waits for one session.
    pub(super) queue: Bounds,
}

/// Sessions without a connection that are kept at most, beside those with one.
const MOST_OFFLINE: usize = 100_000;

/// Time for clients to come back to a broker that was started again.
const RETURN: Duration = Duration::from_secs(60);

/// One connection of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handle {
    pub(super) session: u64,
    pub(super) connection: u64,
}

/// The state.
#[derive(Debug)]
pub(super) struct State {
    limits: Limits,
    /// The client for which senders are slowed down.
    pub(super) paced: Option<String>,
    names: HashMap<Arc<str>, u64>,
    sessions: HashMap<u64, Session>,
    next: u64,
    online: usize,
    filters: Filters,
    retained: Retained,
    pub(super) journal: Journal,
    /// When something is due for a session without connection.
    due: BTreeSet<(Instant, u64)>,
    /// Reused by every message.
    wanted: Vec<Wanted>,
    pub(super) take_overs: TakeOvers,
}

impl State {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            paced: None,
            names: HashMap::new(),
            sessions: HashMap::new(),
            next: 1,
            online: 0,
            filters: Filters::default(),
            retained: Retained::default(),
            journal: Journal::default(),
            due: BTreeSet::new(),
            wanted: Vec::new(),
            take_overs: TakeOvers::default(),
        }
    }

    /// Goes on where another process stopped. Sessions live on as if their connections were lost just now. A
    /// will that was not published waits at least [`RETURN`]: most clients are still there and come back.
    pub(super) fn restore(&mut self, found: Found) {
        self.journal.switch_on();
        for message in found.retained {
            self.retained.keep(&Arc::new(message));
        }
        for kept in found.sessions {
            let client_id: Arc<str> = kept.client_id.into();
            let mut session = Session::new(Arc::clone(&client_id), kept.expiry_s);
            session.outbox = Outbox::restored(kept.sent, kept.queue);
            session.received = kept.received.into_iter().collect();
            for (filter, subscription) in kept.subscriptions {
                if let Some(parsed) = Filter::parse(&filter) {
                    self.filters.insert(parsed, kept.number, subscription);
                    session.subscriptions.insert(filter.into(), subscription);
                }
            }
            session.will = kept.will.map(|will| {
                let wait = RETURN.max(Duration::from_secs(will.delay_s.into()));
                (Instant::now() + wait, will)
            });
            self.next = self.next.max(kept.number + 1);
            self.names.insert(client_id, kept.number);
            self.sessions.insert(kept.number, session);
            self.plan(kept.number);
        }
    }

    /// Everything that belongs on disk, as changes to an empty store, and the number of the last change in it. The
    /// journal is empty then.
    pub(super) fn everything(&mut self) -> (Vec<Change>, u64) {
        let (_, last) = self.journal.take();
        let mut all = Journal::default();
        all.switch_on();
        for message in self.retained.all() {
            all.retain(&message.topic, Some(message));
        }
        for (number, session) in &self.sessions {
            let will = session.online.as_ref().and_then(|online| online.will.as_ref());
            let will = will.or_else(|| session.will.as_ref().map(|(_, will)| will));
            let mut record = all.record(*number, session.lasts());
            record.session(&session.client_id, session.expiry_s, will);
            session.record_parts(&mut record);
        }
        (all.take().0, last)
    }

    /// The session of a connection, unless another one took it over.
    fn session(&mut self, handle: Handle) -> Option<(&mut Session, &mut Journal)> {
        let session = self.sessions.get_mut(&handle.session)?;
        let same = session.online.as_ref().is_some_and(|online| online.number == handle.connection);
        same.then_some((session, &mut self.journal))
    }

    /// Writes what the client may get now, about `room` bytes of it. True: there is more for when that is gone.
    pub(super) fn fill(&mut self, handle: Handle, room: usize, out: &mut BytesMut) -> bool {
        let Some((session, journal)) = self.session(handle) else { return false };
        let lasting = session.lasts();
        let Some(online) = &session.online else { return false };
        let mut record = journal.record(handle.session, lasting);
        session.outbox.fill(online.receiver, room, out, &mut record)
    }

    /// The client acknowledged something.
    pub(super) fn acknowledged(&mut self, handle: Handle, what: impl FnOnce(&mut Outbox, &mut Record<'_>)) {
        let Some((session, journal)) = self.session(handle) else { return };
        let mut record = journal.record(handle.session, session.lasts());
        what(&mut session.outbox, &mut record);
    }

    /// Whether a connection still has its session.
    pub(super) fn is_current(&mut self, handle: Handle) -> bool {
        self.session(handle).is_some()
    }

    /// Whether a session outlives its connection.
    pub(super) fn lasts(&self, handle: Handle) -> bool {
        self.sessions.get(&handle.session).is_some_and(Session::lasts)
    }

    /// Who is connected, and who may come back.
    pub(super) fn clients(&self) -> Vec<Client> {
        self.sessions.values().map(Client::of).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
#[path = "state_test.rs"]
mod tests;
