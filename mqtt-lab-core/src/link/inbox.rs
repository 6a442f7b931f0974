//! The incoming half of an MQTT session as a pure state machine: no I/O, no clock, no codec.
//!
//! Inputs: [`Inbox::connected`], [`Inbox::publish`], [`Inbox::ack`], [`Inbox::forget`],
//! [`Inbox::release`]. Output: [`Inbox::poll`], the acknowledgements to write.
//!
//! Acknowledgements leave in order of arrival (MQTT-4.6.0-2, MQTT-4.6.0-3), so an early one waits
//! for its predecessors. A QoS 2 message is handed out once per packet id until the broker releases
//! the id; that memory is the session and survives a reconnect. So a message that the application
//! holds while the connection is cut does not come to it again, and its acknowledgement still
//! counts. At QoS 1 it does come again, and the old acknowledgement means nothing.

use std::collections::{BTreeMap, VecDeque};

use super::Qos;

/// What the application gives back to acknowledge a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    connection: u64,
    number: u64,
    id: u16,
    qos: Qos,
}

/// What to do with a received PUBLISH.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Hand it to the application; QoS 1 and 2 with a ticket.
    Deliver(Option<Ticket>),
    /// QoS 2: the application has it already.
    Duplicate,
}

/// An acknowledgement to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledgement {
    Puback(u16),
    Pubrec(u16),
    /// `known`: the id was in use; MQTT 5 tells the broker otherwise (0x92).
    Pubcomp {
        id: u16,
        known: bool,
    },
}

/// More messages without acknowledgement than there are packet ids.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// How far a QoS 2 message got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// In the application's hands. `number`: its place on the present connection, if it came on
    /// this one.
    Taken { ticket: Ticket, number: Option<u64> },
    /// Acknowledged by the application: PUBREC is or will be written, PUBREL is to come.
    Received,
}

#[derive(Debug)]
struct Slot {
    id: u16,
    qos: Qos,
    acked: bool,
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    connection: u64,
    /// Messages of QoS 1 and 2 of this connection, in order of arrival, from the first that the
    /// application has not acknowledged; `first` is its number.
    open: VecDeque<Slot>,
    first: u64,
    exactly_once: BTreeMap<u16, Stage>,
    ready: VecDeque<Acknowledgement>,
}

impl Inbox {
    /// A new connection. `same_session`: the broker goes on where the last one ended.
    pub(super) fn connected(&mut self, same_session: bool) {
        self.connection += 1;
        self.first = 0;
        self.open = VecDeque::new();
        self.ready = VecDeque::new();
        if !same_session {
            self.exactly_once.clear();
        }
        for stage in self.exactly_once.values_mut() {
            if let Stage::Taken { number, .. } = stage {
                *number = None;
            }
        }
    }

    /// A PUBLISH with its packet id (any for QoS 0).
    pub(super) fn publish(&mut self, qos: Qos, id: u16) -> Result<Arrival, Overflow> {
        if qos == Qos::AtMostOnce {
            return Ok(Arrival::Deliver(None));
        }
        if self.open.len() >= usize::from(u16::MAX) {
            return Err(Overflow);
        }
        let place = self.first + self.open.len() as u64;
        let slot = Slot { id, qos, acked: false };
        let ticket = Ticket { connection: self.connection, number: place, id, qos };
        if qos == Qos::ExactlyOnce {
            match self.exactly_once.get_mut(&id) {
                None => drop(self.exactly_once.insert(id, Stage::Taken { ticket, number: Some(place) })),
                Some(Stage::Taken { number: Some(_), .. }) => return Ok(Arrival::Duplicate),
                Some(Stage::Taken { number, .. }) => {
                    *number = Some(place);
                    self.open.push_back(slot);
                    return Ok(Arrival::Duplicate);
                }
                Some(Stage::Received) => {
                    self.open.push_back(Slot { acked: true, ..slot });
                    self.advance();
                    return Ok(Arrival::Duplicate);
                }
            }
        }
        self.open.push_back(slot);
        Ok(Arrival::Deliver(Some(ticket)))
    }

    /// The application has a message safe. True: [`Inbox::poll`] has something new.
    pub(super) fn ack(&mut self, ticket: Ticket) -> bool {
        let number = match self.taken(ticket) {
            Some(number) => {
                self.exactly_once.insert(ticket.id, Stage::Received);
                number
            }
            None if ticket.qos == Qos::AtLeastOnce && ticket.connection == self.connection => {
                Some(ticket.number)
            }
            None => None,
        };
        let at = number.and_then(|number| usize::try_from(number.checked_sub(self.first)?).ok());
        if let Some(slot) = at.and_then(|at| self.open.get_mut(at)) {
            slot.acked = true;
        }
        self.advance()
    }

    /// The application gave a message away without acknowledging it: it is to come again, on the
    /// next connection.
    pub(super) fn forget(&mut self, ticket: Ticket) {
        if self.taken(ticket).is_some() {
            self.exactly_once.remove(&ticket.id);
        }
    }

    /// The place of a QoS 2 message in the application's hands.
    fn taken(&self, wanted: Ticket) -> Option<Option<u64>> {
        match self.exactly_once.get(&wanted.id) {
            Some(Stage::Taken { ticket, number }) if *ticket == wanted => Some(*number),
            _ => None,
        }
    }

    /// A PUBREL: the broker will not send this message again.
    pub(super) fn release(&mut self, id: u16) {
        let known = self.exactly_once.remove(&id).is_some();
        self.ready.push_back(Acknowledgement::Pubcomp { id, known });
    }

    /// Whether everything that came before a message on the present connection was acknowledged.
    pub(super) fn is_oldest(&self, ticket: Ticket) -> bool {
        ticket.connection == self.connection && ticket.number == self.first
    }

    /// The next acknowledgement to write.
    pub(super) fn poll(&mut self) -> Option<Acknowledgement> {
        let next = self.ready.pop_front();
        if self.ready.is_empty() {
            self.ready = VecDeque::new();
        }
        next
    }

    /// Moves what is acknowledged from the front of `open` to `ready`.
    fn advance(&mut self) -> bool {
        let before = self.ready.len();
        while let Some(slot) = self.open.pop_front_if(|slot| slot.acked) {
            self.first += 1;
            self.ready.push_back(match slot.qos {
                Qos::ExactlyOnce => Acknowledgement::Pubrec(slot.id),
                Qos::AtLeastOnce | Qos::AtMostOnce => Acknowledgement::Puback(slot.id),
            });
        }
        if self.open.is_empty() {
            self.open = VecDeque::new();
        }
        self.ready.len() > before
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
#[path = "inbox_test.rs"]
mod tests;
