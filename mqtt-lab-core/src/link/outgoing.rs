//! The outgoing half of an MQTT session as a pure state machine: no I/O, no clock, no codec.
//!
//! Inputs: [`Outgoing::publish`], [`Outgoing::ack`], [`Outgoing::connected`],
//! [`Outgoing::disconnected`]. Outputs: [`Outgoing::poll`] (packets to write, pulled one by one, so
//! the writer sets the pace) and [`Outgoing::take_done`] (messages that came to an end).
//!
//! Packet ids are consecutive (1 to 65,535, wrapping): what is in flight is a deque, and the id is
//! the position in it. Order is kept, lookup is O(1), an id is not used again soon, and an idle link
//! holds no memory.

use std::collections::VecDeque;

use super::Qos;
use crate::reason;

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// QoS 0: handed to the writer.
    Sent,
    /// PUBACK or PUBCOMP.
    Acked { no_subscribers: bool },
    /// Refused with this reason code.
    Rejected(u8),
    /// Too old to be sent.
    Expired,
    /// Gave way to a newer message.
    Dropped,
}

/// An acknowledgement of the broker, with its reason code (0 in 3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ack {
    Puback(u8),
    Pubrec(u8),
    Pubcomp,
    Suback,
}

/// A packet to write.
#[derive(Debug)]
pub(super) enum Out<'a, M> {
    /// `id` is 0 at QoS 0. `dup`: it may have been sent before.
    Publish { id: u16, dup: bool, qos: Qos, message: &'a M },
    /// `known`: the id was in use; MQTT 5 tells the broker otherwise (0x92).
    Pubrel { id: u16, known: bool },
}

/// The broker acknowledged something that does not need it: it broke the protocol.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{ack:?} does not fit packet id {id}")]
pub(super) struct Violation {
    id: u16,
    ack: Ack,
}

/// What CONNACK said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    /// The broker goes on with the session of the previous connection.
    pub(super) same: bool,
    /// Receive Maximum (65,535 in 3.1.1).
    pub(super) receive_max: u16,
    /// Most messages of QoS 2 without PUBCOMP.
    pub(super) qos2_max: u16,
    /// Maximum QoS (2 in 3.1.1).
    pub(super) max_qos: Qos,
}

/// A message without packet id. Births have no token: nobody waits for them.
#[derive(Debug)]
struct Waiting<M, T> {
    token: Option<T>,
    qos: Qos,
    /// Accepted by an earlier process.
    elder: bool,
    message: M,
}

#[derive(Debug)]
enum Stage<M> {
    /// PUBLISH is to be acknowledged.
    Publish(M, Qos),
    /// PUBREC came, PUBCOMP is to come. The message is kept in case the broker loses the session.
    Release {
        message: M,
        no_subscribers: bool,
    },
    /// The id belongs to a SUBSCRIBE.
    Subscribe,
    Finished,
}

#[derive(Debug)]
struct Entry<M, T> {
    token: Option<T>,
    stage: Stage<M>,
    /// Written on the present connection, so it counts against the window.
    live: bool,
    /// Accepted by an earlier process.
    elder: bool,
}

/// Generic over the message `M` and the token `T` that reports its end.
#[derive(Debug)]
pub(super) struct Outgoing<M, T> {
    own_window: u16,
    window: usize,
    qos2_window: usize,
    max_qos: Qos,
    connected: bool,
    closed: bool,
    births: VecDeque<Waiting<M, T>>,
    /// Messages of an earlier process whose end is not known. Births wait for them, and all else for the
    /// births: what was true before must not overwrite what is true now.
    elders: usize,
    /// Accepted, no packet id yet.
    spool: VecDeque<Waiting<M, T>>,
    /// Have a packet id; `first_id` is the id of `flight[0]`.
    flight: VecDeque<Entry<M, T>>,
    first_id: u16,
    /// Entries before this one need no resend on this connection.
    resend: usize,
    /// Messages that count against the window.
    live: usize,
    /// Messages of QoS 2 in `flight`.
    qos2: usize,
    /// Entries of `flight` with a token.
    unfinished: usize,
    pubrel: VecDeque<(u16, bool)>,
    /// The message of QoS 0 lent by the last poll.
    lent: Option<Waiting<M, T>>,
    done: Vec<(T, Done)>,
    /// Acknowledgements nobody waited for.
    strays: u64,
}

/// Number of packet ids.
const IDS: usize = u16::MAX as usize;

impl<M, T> Outgoing<M, T> {
    /// `window`: messages of QoS 1 and 2 in flight at most.
    pub(super) fn new(window: u16) -> Self {
        Self {
            own_window: window.max(1),
            window: 0,
            qos2_window: 0,
            max_qos: Qos::ExactlyOnce,
            connected: false,
            closed: false,
            births: VecDeque::new(),
            elders: 0,
            spool: VecDeque::new(),
            flight: VecDeque::new(),
            first_id: 1,
            resend: 0,
            live: 0,
            qos2: 0,
            unfinished: 0,
            pubrel: VecDeque::new(),
            lent: None,
            done: Vec::new(),
            strays: 0,
        }
    }

    /// Begins with another packet id than 1. Only before the first message.
    pub(super) fn start_ids_at(&mut self, id: u16) {
        if self.flight.is_empty() {
            self.first_id = id.max(1);
        }
    }

    /// Accepted messages whose end is not known.
    pub(super) fn unfinished(&self) -> usize {
        self.spool.len() + self.unfinished
    }

    /// Accepted messages sent on this connection and not acknowledged.
    pub(super) fn in_flight(&self) -> usize {
        let sent = |entry: &&Entry<M, T>| self.connected && entry.live && entry.token.is_some();
        self.flight.iter().filter(sent).count()
    }

    /// Accepted messages not sent on this connection.
    pub(super) fn spooled(&self) -> usize {
        self.unfinished() - self.in_flight()
    }

    /// Accepted messages whose end is not known, each with what reports its end.
    #[cfg(feature = "disk-spool")]
    pub(super) fn held(&self) -> impl Iterator<Item = (&T, &M)> {
        let flight = self.flight.iter().filter_map(|entry| match &entry.stage {
            Stage::Publish(message, _) | Stage::Release { message, .. } => {
                Some((entry.token.as_ref()?, message))
            }
            Stage::Subscribe | Stage::Finished => None,
        });
        flight
            .chain(self.spool.iter().filter_map(|waiting| Some((waiting.token.as_ref()?, &waiting.message))))
    }

    /// Messages wait, so that the writer is on its way to them, or waits for acknowledgements.
    pub(super) fn has_waiting(&self) -> bool {
        !self.spool.is_empty()
    }

    /// Nothing is to be written and nothing waits for an answer.
    pub(super) fn is_idle(&self) -> bool {
        self.spool.is_empty()
            && self.births.is_empty()
            && self.flight.is_empty()
            && self.pubrel.is_empty()
            && self.lent.is_none()
    }

    /// The broker owes an acknowledgement.
    pub(super) fn expects_ack(&self) -> bool {
        self.flight.iter().any(|entry| entry.live && !matches!(entry.stage, Stage::Finished))
    }

    /// Accepts a message; false after [`Outgoing::close`].
    pub(super) fn publish(&mut self, token: T, qos: Qos, message: M) -> bool {
        if !self.closed {
            self.spool.push_back(Waiting { token: Some(token), qos, elder: false, message });
        }
        !self.closed
    }

    /// Takes over a message that an earlier process accepted. Only before the first of this one.
    pub(super) fn inherit(&mut self, token: T, qos: Qos, message: M) {
        self.elders += 1;
        self.spool.push_back(Waiting { token: Some(token), qos, elder: true, message });
    }

    /// Forgets everything and accepts nothing more. Returns how much was unfinished, and for how much of it
    /// `is_kept` is true.
    pub(super) fn close(&mut self, is_kept: impl Fn(&T) -> bool) -> (usize, usize) {
        let spool = self.spool.iter().filter_map(|waiting| waiting.token.as_ref());
        let tokens = spool.chain(self.flight.iter().filter_map(|entry| entry.token.as_ref()));
        let unfinished = (self.unfinished(), tokens.filter(|token| is_kept(token)).count());
        *self = Self { closed: true, ..Self::new(1) };
        unfinished
    }

    /// Gives up the oldest message without packet id. False: there is none.
    pub(super) fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.spool.pop_front() else { return false };
        self.elders -= usize::from(oldest.elder);
        self.done.extend(oldest.token.map(|token| (token, Done::Dropped)));
        true
    }

    /// CONNACK with success. `births` are sent before all else.
    pub(super) fn connected(&mut self, session: Session, births: impl IntoIterator<Item = (Qos, M)>) {
        self.connected = true;
        self.window = usize::from(self.own_window.min(session.receive_max).max(1));
        self.qos2_window = usize::from(session.qos2_max.max(1));
        self.max_qos = session.max_qos;
        self.resend = 0;
        self.live = 0;
        let births =
            births.into_iter().map(|(qos, message)| Waiting { token: None, qos, elder: false, message });
        self.births = births.collect();
        if session.same {
            self.flight.iter_mut().for_each(|entry| entry.live = false);
        } else {
            self.forget_ids();
        }
    }

    /// The connection is gone, and with it what belongs to it alone.
    pub(super) fn disconnected(&mut self) {
        self.connected = false;
        self.pubrel = VecDeque::new();
        self.births = VecDeque::new();
        for entry in &mut self.flight {
            if entry.token.is_none() {
                entry.stage = Stage::Finished;
            }
        }
        self.trim();
    }

    /// The broker forgot the session, so its packet ids mean nothing: start over with the messages,
    /// in order. One between PUBREC and PUBCOMP is in doubt (brokers may deliver at either) and is
    /// published again: rather twice than never.
    fn forget_ids(&mut self) {
        self.first_id = self.id_at(self.flight.len());
        for entry in std::mem::take(&mut self.flight).into_iter().rev() {
            let (qos, message) = match entry.stage {
                Stage::Publish(message, qos) => (qos, message),
                Stage::Release { message, .. } => (Qos::ExactlyOnce, message),
                Stage::Subscribe | Stage::Finished => continue,
            };
            self.spool.push_front(Waiting { token: entry.token, qos, elder: entry.elder, message });
        }
        (self.unfinished, self.qos2) = (0, 0);
    }

    /// The next packet to write, if any may be written now.
    pub(super) fn poll(&mut self) -> Option<Out<'_, M>> {
        self.settle_lent(Done::Sent);
        if !self.connected {
            return None;
        }
        if let Some((id, known)) = self.pubrel.pop_front() {
            return Some(Out::Pubrel { id, known });
        }
        let born = self.births.is_empty();
        if let Some(birth) = self.births.front().filter(|_| self.elders == 0) {
            let next = if self.may_send(birth, IDS - 1) { self.births.pop_front() } else { None };
            return next.map(|birth| self.send(birth));
        }
        self.advance_resend();
        if self.resend < self.flight.len() {
            return self.send_again();
        }
        // One message that is never acknowledged must not let the deque grow without end, and some
        // ids are left for births and subscriptions.
        let span = (self.window * 16).min(IDS / 2);
        let first = self.spool.front()?;
        let next =
            if (born || first.elder) && self.may_send(first, span) { self.spool.pop_front() } else { None };
        next.map(|waiting| self.send(waiting))
    }

    /// Whether the window and the ids allow a message, with at most `span` ids in use.
    fn may_send(&self, waiting: &Waiting<M, T>, span: usize) -> bool {
        let free = self.live < self.window && self.flight.len() < span;
        match waiting.qos.min(self.max_qos) {
            Qos::AtMostOnce => true,
            Qos::AtLeastOnce => free,
            Qos::ExactlyOnce => free && self.qos2 < self.qos2_window,
        }
    }

    /// Sends a message for the first time.
    fn send(&mut self, waiting: Waiting<M, T>) -> Out<'_, M> {
        let qos = waiting.qos.min(self.max_qos);
        if qos == Qos::AtMostOnce {
            let message = &self.lent.insert(waiting).message;
            return Out::Publish { id: 0, dup: false, qos, message };
        }
        let id = self.id_at(self.flight.len());
        if self.resend == self.flight.len() {
            self.resend += 1;
        }
        self.live += 1;
        self.qos2 += usize::from(qos == Qos::ExactlyOnce);
        self.unfinished += usize::from(waiting.token.is_some());
        let Waiting { token, elder, message, .. } = waiting;
        self.flight.push_back(Entry { token, stage: Stage::Publish(message, qos), live: true, elder });
        let last = self.flight.len() - 1;
        Out::Publish { id, dup: false, qos, message: self.published(last) }
    }

    /// Skips what need not be sent again.
    fn advance_resend(&mut self) {
        let settled =
            |entry: &Entry<M, T>| entry.live || matches!(entry.stage, Stage::Finished | Stage::Subscribe);
        while self.flight.get(self.resend).is_some_and(settled) {
            self.resend += 1;
        }
    }

    /// Sends what was in flight before the reconnect, in the old order (MQTT-4.6.0-1).
    fn send_again(&mut self) -> Option<Out<'_, M>> {
        let (at, id) = (self.resend, self.id_at(self.resend));
        let release = matches!(self.flight[at].stage, Stage::Release { .. });
        if !release && self.live >= self.window {
            return None;
        }
        self.resend += 1;
        self.touch(at);
        if release {
            return Some(Out::Pubrel { id, known: true });
        }
        let Stage::Publish(_, qos) = self.flight[at].stage else { return None };
        Some(Out::Publish { id, dup: true, qos, message: self.published(at) })
    }

    fn published(&self, at: usize) -> &M {
        match &self.flight[at].stage {
            Stage::Publish(message, _) | Stage::Release { message, .. } => message,
            Stage::Subscribe | Stage::Finished => unreachable!("asked only for messages"),
        }
    }

    /// A packet id for a SUBSCRIBE, which ends with [`Ack::Suback`]. It does not count against the
    /// window. `None`: all ids are in use.
    pub(super) fn subscribe(&mut self) -> Option<u16> {
        if self.flight.len() >= IDS - 1 {
            return None;
        }
        let id = self.id_at(self.flight.len());
        self.flight.push_back(Entry { token: None, stage: Stage::Subscribe, live: true, elder: false });
        Some(id)
    }

    /// An acknowledgement of the broker.
    pub(super) fn ack(&mut self, id: u16, ack: Ack) -> Result<(), Violation> {
        let at = self.position(id);
        let stage = self.flight.get(at).map_or(&Stage::Finished, |entry| &entry.stage);
        match (stage, ack) {
            (Stage::Publish(_, Qos::AtLeastOnce), Ack::Puback(code))
            | (Stage::Publish(_, Qos::ExactlyOnce), Ack::Pubrec(code @ reason::FAILURE..)) => {
                self.finish(at, ended(code, code == reason::NO_SUBSCRIBERS));
            }
            (Stage::Publish(_, Qos::ExactlyOnce), Ack::Pubrec(code)) => {
                self.received(at, code == reason::NO_SUBSCRIBERS);
                self.pubrel.push_back((id, true));
            }
            // Whatever its reason: "packet identifier not found" ends the exchange as well.
            (Stage::Release { no_subscribers, .. }, Ack::Pubcomp) => {
                let no_subscribers = *no_subscribers;
                self.finish(at, Done::Acked { no_subscribers });
            }
            (Stage::Release { .. }, Ack::Pubrec(..reason::FAILURE)) => self.pubrel.push_back((id, true)),
            (Stage::Subscribe, Ack::Suback) => self.finish(at, Done::Sent),
            (Stage::Finished, Ack::Pubrec(..reason::FAILURE)) => {
                self.strays += 1;
                self.pubrel.push_back((id, false));
            }
            (Stage::Finished, _) => self.strays += 1,
            _ => return Err(Violation { id, ack }),
        }
        Ok(())
    }

    /// The packet lent by the last [`Outgoing::poll`] cannot be written.
    pub(super) fn refuse(&mut self, id: u16, how: Done) {
        if id == 0 {
            self.settle_lent(how);
        } else {
            self.finish(self.position(id), how);
        }
    }

    /// Messages that ended since the last call, into `to`.
    pub(super) fn take_done(&mut self, to: &mut Vec<(T, Done)>) {
        self.settle_lent(Done::Sent);
        to.append(&mut self.done);
    }

    /// Gives back memory that is not needed.
    pub(super) fn release_buffers(&mut self) {
        if self.is_idle() {
            self.spool = VecDeque::new();
            self.flight = VecDeque::new();
            self.pubrel = VecDeque::new();
            self.births = VecDeque::new();
            self.done = Vec::new();
        }
    }

    fn settle_lent(&mut self, how: Done) {
        let Some(Waiting { token, elder, .. }) = self.lent.take() else { return };
        self.elders -= usize::from(elder);
        self.done.extend(token.map(|token| (token, how)));
    }

    /// PUBREC: the broker has the message and will not take it again under this id.
    fn received(&mut self, at: usize, no_subscribers: bool) {
        self.touch(at);
        let stage = std::mem::replace(&mut self.flight[at].stage, Stage::Finished);
        if let Stage::Publish(message, _) = stage {
            self.flight[at].stage = Stage::Release { message, no_subscribers };
        }
    }

    /// Written on this connection, or spoken of by the broker before it was: both count as sent.
    fn touch(&mut self, at: usize) {
        if !self.flight[at].live {
            self.flight[at].live = true;
            self.live += 1;
        }
    }

    fn finish(&mut self, at: usize, how: Done) {
        self.touch(at);
        let entry = &mut self.flight[at];
        let stage = std::mem::replace(&mut entry.stage, Stage::Finished);
        if !matches!(stage, Stage::Subscribe) {
            self.live -= 1;
        }
        if matches!(stage, Stage::Publish(_, Qos::ExactlyOnce) | Stage::Release { .. }) {
            self.qos2 -= 1;
        }
        if let Some(token) = entry.token.take() {
            self.unfinished -= 1;
            self.elders -= usize::from(entry.elder);
            self.done.push((token, how));
        }
        self.trim();
    }

    /// Frees the ids at the front that are done with.
    fn trim(&mut self) {
        let finished = |entry: &mut Entry<M, T>| matches!(entry.stage, Stage::Finished);
        while self.flight.pop_front_if(finished).is_some() {
            self.first_id = self.first_id.checked_add(1).unwrap_or(1);
            self.resend = self.resend.saturating_sub(1);
        }
    }

    fn id_at(&self, at: usize) -> u16 {
        let id = (usize::from(self.first_id) - 1 + at) % IDS + 1;
        u16::try_from(id).expect("a remainder of 65,535 and one more is a u16")
    }

    /// Where the packet of an id is; beyond the end for an id not in use.
    fn position(&self, id: u16) -> usize {
        if id == 0 { IDS } else { (usize::from(id) + IDS - usize::from(self.first_id)) % IDS }
    }
}

/// PUBACK ends a message, and so does a PUBREC with a failure.
fn ended(code: u8, no_subscribers: bool) -> Done {
    if code < reason::FAILURE { Done::Acked { no_subscribers } } else { Done::Rejected(code) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
#[path = "outgoing_test.rs"]
mod tests;
