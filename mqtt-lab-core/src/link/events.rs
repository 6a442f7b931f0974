//! The receiving half of a link.

use std::sync::Arc;

use super::Incoming;
use super::shared::Shared;

/// Something that happened on a link.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A broker accepted the connection.
    Connected {
        /// The broker still knew this client's session (MQTT-3.2.2-2).
        session_present: bool,
        /// Address of the broker.
        broker: String,
    },
    /// The connection was lost; the link connects again by itself.
    Disconnected {
        /// Why, in words.
        reason: String,
    },
    /// Another client uses the same client id: the broker disconnects the two in turn. Reported once; meanwhile the
    /// link waits longer, up to twice the longest [`backoff`](super::LinkConfig::backoff), before it reconnects.
    ClientIdContested {
        /// What happens, and what to do, in words.
        reason: String,
    },
    /// The other client with the same client id seems to be gone: a connection has lasted for minutes.
    ClientIdFree,
    /// Messages of QoS 0 were discarded: there was no room for them, and a publisher waited for room in the
    /// spool, so that acknowledgements behind them had to be read.
    Discarded {
        /// How many since the last such event.
        count: u64,
    },
    /// A message arrived; at QoS 1 and 2 it is to be acknowledged ([`Incoming::ack`]).
    Message(Incoming),
}

/// The receiving half of a link, in order of arrival.
///
/// It holds at most [`incoming_capacity`](super::LinkConfig::incoming_capacity) messages; then the
/// link stops reading, which slows the broker down. Acknowledgements of the broker wait meanwhile,
/// too, so the task that takes events must not wait for a [`Delivery`](super::Delivery). It may wait in
/// [`Link::publish`](super::Link::publish): as long as somebody does, the link reads on, discards messages
/// of QoS 0 that find no room ([`Event::Discarded`]) and leaves those of QoS 1 and 2 with the broker.
/// Dropping `Events` discards what arrives.
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
}

impl Events {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The next event; `None` once the link has ended and everything was taken.
    ///
    /// A reader that lets the queue run full may miss pairs of `Disconnected` and `Connected`.
    /// Safe to drop at the `.await`: no event is lost.
    pub async fn next(&mut self) -> Option<Event> {
        let (event, room) = self.shared.queue.next().await;
        if room {
            self.shared.wake.notify_one();
        }
        event
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.queue.discard();
        self.shared.wake.notify_one();
    }
}
