//! Clients come, take over, go and do not come back (MQTT 5.0 sections 3.1, 3.14, 4.1).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::super::filters::Filter;
use super::super::outbox::Receiver;
use super::super::pace::Pace;
use super::super::session::{Online, Session};
use super::super::wire::{Connect, Will, Wrong};
use super::{Handle, MOST_OFFLINE, State};
use crate::reason;

/// A connection that was accepted.
#[derive(Debug)]
pub(in super::super) struct Accepted {
    pub(in super::super) handle: Handle,
    pub(in super::super) session_present: bool,
    /// There is something to send.
    pub(in super::super) wake: Arc<Notify>,
    /// Ends the connection, with a reason code.
    pub(in super::super) end: oneshot::Receiver<u8>,
    pub(in super::super) pace: Arc<Pace>,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Ending {
    /// By DISCONNECT: no will. The client may have changed its session's expiry.
    Orderly { expiry_s: Option<u32> },
    /// By DISCONNECT with will.
    WithWill { expiry_s: Option<u32> },
    /// Any other way.
    Broken,
    /// The broker stops: that is no failure of its clients.
    Stopped,
}

impl State {
    /// Accepts a client whose login was checked. A connection with the same id is taken over: its will, if it
    /// is due, is published before the new one can say anything.
    pub(in super::super) fn connect(
        &mut self,
        connect: Connect,
        address: SocketAddr,
    ) -> Result<Accepted, Wrong> {
        let known = self.names.get(connect.client_id.as_str()).copied();
        self.check_room(known)?;
        if let Some(session) = known {
            self.take_over(session, connect.clean, address);
        }
        let known = self.names.get(connect.client_id.as_str()).copied();
        let session = known.unwrap_or_else(|| self.begin(&connect));
        Ok(self.attach(session, known.is_some(), connect, address))
    }

    fn check_room(&self, known: Option<u64>) -> Result<(), Wrong> {
        let online = known.and_then(|known| self.sessions.get(&known)).is_some_and(|it| it.online.is_some());
        if !online && self.online >= self.limits.clients {
            let problem = format!("{} clients are connected, as many as `max_clients` allows", self.online);
            return Err(Wrong::new(reason::SERVER_BUSY, problem));
        }
        if known.is_none() && self.sessions.len() >= self.limits.clients.saturating_add(MOST_OFFLINE) {
            let problem = format!("{} sessions are kept, as many as the broker can", self.sessions.len());
            return Err(Wrong::new(reason::QUOTA_EXCEEDED, problem));
        }
        Ok(())
    }

    /// Ends what was before of a client that is back.
    fn take_over(&mut self, number: u64, clean: bool, address: SocketAddr) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        let over = clean || (session.online.is_some() && !session.lasts());
        let will = if let Some(online) = session.online.take() {
            self.online -= 1;
            if self.take_overs.add(&session.client_id, Instant::now()) {
                tracing::warn!(
                    client_id = &*session.client_id,
                    first = %online.address,
                    second = %address,
                    "two clients use one client id and disconnect each other; give one of them another client id"
                );
            }
            // Its task may have ended already.
            let _ = online.end.send(reason::TAKEN_OVER);
            session.outbox.disconnected();
            // A client that is back before the delay is over was never away (MQTT-3.1.3-9).
            online.will.filter(|will| over || will.delay_s == 0)
        } else {
            session.will.take().map(|(_, will)| will).filter(|_| over)
        };
        if let Some(will) = will {
            self.publish_will(will);
        }
        if over {
            self.end(number);
        }
    }

    fn begin(&mut self, connect: &Connect) -> u64 {
        let number = self.next;
        self.next += 1;
        let client_id: Arc<str> = connect.client_id.as_str().into();
        self.names.insert(Arc::clone(&client_id), number);
        self.sessions.insert(number, Session::new(client_id, 0));
        number
    }

    fn attach(&mut self, number: u64, present: bool, connect: Connect, address: SocketAddr) -> Accepted {
        let (wake, (end, ended)) = (Arc::new(Notify::new()), oneshot::channel());
        let (connection, pace) = (self.next, Arc::<Pace>::default());
        self.next += 1;
        self.online += 1;
        if let Some(session) = self.sessions.get_mut(&number) {
            (session.will, session.ends) = (None, None);
            session.online = Some(Online {
                number: connection,
                receiver: Receiver {
                    version: connect.version,
                    receive_max: connect.receive_max,
                    max_packet: connect.max_packet,
                },
                will: connect.will,
                wake: Arc::clone(&wake),
                end,
                address,
                keep_alive_s: connect.keep_alive_s,
                since: SystemTime::now(),
                messages: 0,
                pace: Arc::clone(&pace),
            });
            self.change_expiry(number, connect.expiry_s);
            self.record(number);
        }
        let handle = Handle { session: number, connection };
        Accepted { handle, session_present: present, wake, end: ended, pace }
    }

    /// Writes what a session is, and its will for as long as it is not published.
    fn record(&mut self, number: u64) {
        let Some(session) = self.sessions.get(&number) else { return };
        let online = session.online.as_ref().and_then(|online| online.will.as_ref());
        let will = online.or(session.will.as_ref().map(|(_, will)| will));
        let mut record = self.journal.record(number, session.lasts());
        record.session(&session.client_id, session.expiry_s, will);
    }

    /// A session that begins to outlive its connection is written as a whole, one that ceases to is removed.
    fn change_expiry(&mut self, number: u64, expiry_s: u32) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        let before = std::mem::replace(&mut session.expiry_s, expiry_s);
        if before == expiry_s {
            return;
        }
        let mut record = self.journal.record(number, true);
        if expiry_s == 0 {
            forget(session, &mut record);
            return;
        }
        if before == 0 {
            session.record_parts(&mut record);
        }
    }

    /// A connection has ended. Nothing happens if another one took it over.
    pub(in super::super) fn disconnect(&mut self, handle: Handle, ending: Ending) {
        let Some((session, _)) = self.session(handle) else { return };
        let Some(online) = session.online.take() else { return };
        session.outbox.disconnected();
        self.online -= 1;
        let expiry = match ending {
            Ending::Orderly { expiry_s } | Ending::WithWill { expiry_s } => expiry_s,
            Ending::Broken | Ending::Stopped => None,
        };
        if let Some(expiry_s) = expiry {
            self.change_expiry(handle.session, expiry_s);
        }
        match ending {
            Ending::Orderly { .. } => self.leave_alone(handle.session, None),
            Ending::WithWill { .. } | Ending::Broken => self.leave_alone(handle.session, online.will),
            // The next start decides what becomes of its will, which is on disk.
            Ending::Stopped => {}
        }
    }

    /// A session has no connection any more: its will is published, now or later; it ends, now or later.
    fn leave_alone(&mut self, number: u64, will: Option<Will>) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        let now = Instant::now();
        // The end of the session fires the will (MQTT-3.1.2-8).
        let mut due_now = None;
        if let Some(will) = will {
            match after(now, will.delay_s.min(session.expiry_s)) {
                Some(due) if due > now => session.will = Some((due, will)),
                _ => due_now = Some(will),
            }
        }
        self.record(number);
        self.plan(number);
        if let Some(will) = due_now {
            self.publish_will(will);
        }
        self.tick(now);
    }

    /// Plans the end of a session without connection, and its will.
    pub(super) fn plan(&mut self, number: u64) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        // For ever, or beyond the end of the clock.
        let ever = session.expiry_s == u32::MAX;
        session.ends = if ever { None } else { after(Instant::now(), session.expiry_s) };
        let due = [session.will.as_ref().map(|(due, _)| *due), session.ends];
        self.due.extend(due.into_iter().flatten().map(|due| (due, number)));
    }

    /// Publishes wills whose delay is over, and ends sessions. When something is due next.
    pub(in super::super) fn tick(&mut self, now: Instant) -> Option<Instant> {
        while let Some(&(due, number)) = self.due.first() {
            if due > now {
                return Some(due);
            }
            self.due.pop_first();
            let Some(session) = self.sessions.get_mut(&number) else { continue };
            if session.online.is_some() {
                continue;
            }
            let over = session.ends.is_some_and(|ends| ends <= now);
            if let Some((due, will)) = session.will.take() {
                if due <= now || over {
                    self.record(number);
                    self.publish_will(will);
                } else {
                    session.will = Some((due, will));
                }
            }
            if over {
                self.end(number);
            }
        }
        None
    }

    /// Forgets a session.
    fn end(&mut self, number: u64) {
        let Some(mut session) = self.sessions.remove(&number) else { return };
        self.names.remove(&session.client_id);
        for filter in session.subscriptions.keys() {
            if let Some(filter) = Filter::parse(filter) {
                self.filters.remove(filter, number);
            }
        }
        let mut record = self.journal.record(number, session.lasts());
        forget(&mut session, &mut record);
    }
}

/// Removes a session from the journal.
fn forget(session: &mut Session, record: &mut super::super::journal::Record<'_>) {
    for filter in session.subscriptions.keys() {
        record.unsubscribe(filter);
    }
    for id in &session.received {
        record.released(*id);
    }
    session.outbox.unrecord_all(record);
    record.end_session();
}

fn after(now: Instant, seconds: u32) -> Option<Instant> {
    now.checked_add(Duration::from_secs(seconds.into()))
}
