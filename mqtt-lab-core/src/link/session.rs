//! One accepted connection: reads, writes, pings, until it is lost or the link is closed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::{Instant, sleep_until, timeout};

use super::delivery::Reply;
use super::failure::Failure;
use super::handshake::Greeting;
use super::inbox::Arrival;
use super::outgoing::{self, Done, Out};
use super::shared::{Acknowledger, Shared, Stop, locked};
use super::socket::Socket;
use super::status::count;
use super::subscriber::Subscriber;
use super::watchdog::{Situation, Watchdog};
use super::wire::{self, Connack, Header, Packet};
use super::{Event, Incoming, LinkConfig, Publish, Qos, Version};
use crate::frame::{self, Sender};

/// Packets are gathered up to this size before they are written, in bytes.
const BATCH: usize = 32 * 1024;

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The link is closed.
    Stopped,
    /// `progress`: the broker answered to something on it.
    Lost { failure: Failure, progress: bool },
}

pub(super) struct Session<'a> {
    shared: &'a Arc<Shared>,
    socket: Socket,
    version: Version,
    /// The link's own limit for received packets, and the broker's for sent ones, in bytes.
    limits: (u32, u32),
    retain_available: bool,
    keep_session: bool,
    read: BytesMut,
    write: BytesMut,
    /// Bytes of `write` up to the end of the last message in it.
    messages: usize,
    subscriber: Subscriber,
    watchdog: Watchdog,
    /// The queue of events is full: do not read.
    deaf: bool,
    /// A message of QoS 1 or 2 found no room: it, and what follows it, comes again on the next connection.
    overrun: bool,
    progress: bool,
    done: Vec<(Reply, Done)>,
}

impl<'a> Session<'a> {
    /// Takes over an accepted connection. `same`: the broker goes on with the session of the
    /// previous connection.
    pub(super) fn new(shared: &'a Arc<Shared>, config: &LinkConfig, greeting: Greeting, same: bool) -> Self {
        let Greeting { socket, read, version, connack, .. } = greeting;
        let (births, subscriptions) = shared.open();
        let qos2_max = if version == Version::V5 { u16::MAX } else { config.qos2_window_311 };
        let Connack { receive_max, max_qos, .. } = connack;
        let session = outgoing::Session { same, receive_max, qos2_max, max_qos };
        let births = births.into_iter().map(|message| (message.qos, message));
        locked(&shared.outgoing).connected(session, births);
        locked(&shared.inbox).connected(same);
        let keep_alive_s = connack.keep_alive_s.unwrap_or(super::seconds::keep_alive(config));
        Self {
            shared,
            socket,
            version,
            limits: (config.max_packet_size, connack.max_packet_size),
            retain_available: connack.retain_available,
            keep_session: config.keep_session,
            read,
            write: BytesMut::new(),
            messages: 0,
            subscriber: Subscriber::new(&subscriptions),
            watchdog: Watchdog::new(Duration::from_secs(keep_alive_s.into()), Instant::now()),
            deaf: false,
            overrun: false,
            progress: false,
            done: Vec::new(),
        }
    }

    /// No subscription waits for an answer.
    pub(super) fn is_subscribed(&self) -> bool {
        self.subscriber.is_idle()
    }

    /// Runs until the end. The session dropped, the connection is cut.
    pub(super) async fn run(&mut self) -> End {
        let result = self.speak().await;
        // What ended with the last packet read must be told.
        locked(&self.shared.outgoing).take_done(&mut self.done);
        self.shared.settle(&mut self.done);
        match result {
            Ok(()) => End::Stopped,
            Err(failure) => End::Lost { failure, progress: self.progress },
        }
    }

    /// Ok: the link is closed.
    async fn speak(&mut self) -> Result<(), Failure> {
        self.shared.reconnect.store(false, Ordering::SeqCst);
        loop {
            if self.shared.reconnect.load(Ordering::SeqCst) {
                return Err(Failure::Reconnecting);
            }
            crate::failpoint::hit("link");
            self.read_packets()?;
            if self.overrun && self.shared.queue.has_room() && self.shared.stopping() == Stop::No {
                return self.reconnect().await;
            }
            // Before what there is to send: what was accepted before the stop is then seen.
            let stop = self.shared.stopping();
            let idle = self.gather()?;
            let full = self.write.len() >= BATCH;
            self.send()?;
            // Nothing but ourselves calls for the rest: at QoS 0 there are no acknowledgements.
            let go_on = full && self.write.is_empty();
            match stop {
                Stop::No => {}
                Stop::WhenIdle if !(idle && self.write.is_empty()) => {}
                Stop::WhenIdle | Stop::Now => {
                    self.say_goodbye().await;
                    return Ok(());
                }
                Stop::Abort => return Ok(()),
            }
            self.release_buffers(idle);
            tokio::select! {
                biased;
                () = sleep_until(self.watchdog.next()), if self.watchdog.is_on() => self.tick()?,
                ready = self.socket.readable(), if !self.deaf => {
                    ready.map_err(Failure::Lost)?;
                    self.receive()?;
                }
                () = self.shared.wake.notified() => {}
                ready = self.socket.writable(), if !self.write.is_empty() => ready.map_err(Failure::Lost)?,
                () = std::future::ready(()), if go_on => {}
            }
        }
    }

    fn receive(&mut self) -> Result<(), Failure> {
        let open = self.socket.read(&mut self.read).map_err(Failure::Lost)?;
        self.watchdog.heard();
        if open {
            return Ok(());
        }
        // The last words may tell why.
        self.read_packets()?;
        Err(Failure::Closed)
    }

    /// Takes the packets that were read, and then lets the reader of the events know.
    fn read_packets(&mut self) -> Result<(), Failure> {
        let taken = self.take_packets();
        self.shared.report_discarded();
        self.shared.queue.announce();
        taken
    }

    /// Up to a message for which there is no room, unless acknowledgements must be read.
    fn take_packets(&mut self) -> Result<(), Failure> {
        if std::mem::take(&mut self.deaf) {
            // Answers may have been waiting unread.
            self.watchdog.heard();
            self.watchdog.progressed(Instant::now());
        }
        while let Some(head) = self.read.first() {
            let room = self.has_room(*head);
            if !room && self.shared.stopping() == Stop::No && !self.shared.needs_acknowledgements() {
                self.deaf = true;
                return Ok(());
            }
            let Some(frame) = frame::take(&mut self.read, Sender::Broker, self.limits.0)? else {
                return Ok(());
            };
            let packet = self.version.read(&frame)?;
            self.take(packet, room)?;
        }
        Ok(())
    }

    /// Whether the packet that begins with `head` can be delivered.
    fn has_room(&self, head: u8) -> bool {
        if head >> 4 != wire::PUBLISH {
            return true;
        }
        let reliable = head & 0b110 != 0;
        let room = self.shared.queue.has_room()
            || reliable && self.shared.needs_acknowledgements() && self.shared.queue.has_room_for_reliable();
        room && !(reliable && self.overrun)
    }

    /// Takes a packet; `room`: a message fits into the queue.
    fn take(&mut self, packet: Packet, room: bool) -> Result<(), Failure> {
        self.progress |= !matches!(packet, Packet::Disconnect { .. });
        match packet {
            Packet::Ack { id, ack } => {
                self.answered();
                locked(&self.shared.outgoing).ack(id, ack)?;
            }
            Packet::Publish { id, duplicate, publish } => self.deliver(id, duplicate, publish, room)?,
            Packet::Pubrel { id } => locked(&self.shared.inbox).release(id),
            Packet::Suback { id, codes } => self.subscribed(id, &codes)?,
            Packet::PingResp => {}
            Packet::Disconnect { code } => return Err(Failure::Disconnected(code)),
            Packet::Connack(_) => return Err(Failure::Unexpected("a second CONNACK")),
        }
        Ok(())
    }

    fn deliver(&mut self, id: u16, duplicate: bool, publish: Publish, room: bool) -> Result<(), Failure> {
        let arrival = locked(&self.shared.inbox).publish(publish.qos, id);
        let arrival = arrival.map_err(|_| Failure::Unexpected("more messages than packet ids"))?;
        if let Arrival::Deliver(ticket) = arrival {
            let acknowledger = ticket.map(|ticket| Acknowledger::new(self.shared, ticket));
            let packet_id = (publish.qos != Qos::AtMostOnce).then_some(id);
            let message = Incoming::new(publish, packet_id, duplicate, acknowledger);
            if room {
                self.shared.queue.add(Event::Message(message));
            } else if message.qos == Qos::AtMostOnce {
                self.shared.discarded();
            } else {
                // Dropped without acknowledgement.
                self.overrun = true;
            }
        }
        Ok(())
    }

    /// The broker has acknowledged something.
    fn answered(&mut self) {
        self.watchdog.progressed(Instant::now());
        count(&self.shared.counters.answers);
    }

    fn subscribed(&mut self, id: u16, codes: &[u8]) -> Result<(), Failure> {
        self.answered();
        locked(&self.shared.outgoing).ack(id, outgoing::Ack::Suback)?;
        let Some(downgrades) = self.subscriber.answer(id, codes) else { return Ok(()) };
        let subscribed = self.subscriber.is_idle();
        let broker = self.shared.status.borrow().broker.clone();
        downgrades.iter().for_each(|downgrade| self.shared.log_downgrade(&broker, downgrade));
        self.shared.update(|status| {
            status.subscribed = subscribed;
            status.downgrades.extend(downgrades);
        });
        Ok(())
    }

    /// Fills the write buffer. True: nothing is to be sent and nothing waits for an answer.
    fn gather(&mut self) -> Result<bool, Failure> {
        self.gather_acknowledgements();
        self.gather_subscriptions()?;
        let idle = self.gather_messages();
        self.shared.settle(&mut self.done);
        Ok(idle)
    }

    fn gather_acknowledgements(&mut self) {
        let mut inbox = locked(&self.shared.inbox);
        while self.write.len() < BATCH {
            let Some(acknowledgement) = inbox.poll() else { break };
            self.version.acknowledge(acknowledgement, &mut self.write);
        }
    }

    fn gather_subscriptions(&mut self) -> Result<(), Failure> {
        for request in self.shared.subscribe_requests() {
            self.subscriber.request(request);
        }
        while self.subscriber.has_waiting() {
            let Some(id) = locked(&self.shared.outgoing).subscribe() else { break };
            let Some(subscriptions) = self.subscriber.next(id) else { break };
            self.version.subscribe(id, subscriptions, &mut self.write).map_err(Failure::Encode)?;
        }
        Ok(())
    }

    fn gather_messages(&mut self) -> bool {
        let mut outgoing = locked(&self.shared.outgoing);
        while self.write.len() < BATCH {
            let (id, dup, qos, message) = match outgoing.poll() {
                None => break,
                Some(Out::Pubrel { id, known }) => {
                    self.version.pubrel(id, known, &mut self.write);
                    continue;
                }
                Some(Out::Publish { id, dup, qos, message }) => (id, dup, qos, message),
            };
            let header = Header { id, dup, qos, retain: message.retain && self.retain_available };
            if message.is_expired() && !dup {
                outgoing.refuse(id, Done::Expired);
            } else if self.version.publish(message, header, self.limits.1, &mut self.write) {
                self.messages = self.write.len();
            } else {
                outgoing.refuse(id, Done::Rejected(crate::reason::PACKET_TOO_LARGE));
            }
        }
        outgoing.take_done(&mut self.done);
        outgoing.is_idle()
    }

    fn send(&mut self) -> Result<(), Failure> {
        let written = self.socket.write(&mut self.write).map_err(Failure::Lost)?;
        if written > 0 {
            self.watchdog.wrote(written, self.messages > 0, Instant::now());
            self.messages = self.messages.saturating_sub(written);
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), Failure> {
        let expects_ack = locked(&self.shared.outgoing).expects_ack();
        self.write.extend_from_slice(&wire::PINGREQ);
        let situation = Situation { expects_ack, deaf: self.deaf };
        self.watchdog.tick(situation, self.write.len(), Instant::now())
    }

    /// An idle connection holds no buffers.
    fn release_buffers(&mut self, idle: bool) {
        if idle && self.write.is_empty() {
            self.write = BytesMut::new();
            self.done = Vec::new();
            locked(&self.shared.outgoing).release_buffers();
        }
        if self.read.is_empty() {
            self.read = BytesMut::new();
        }
    }

    /// Ends the connection in order, so that no will fires, and goes on with its session on the next one.
    async fn reconnect(&mut self) -> Result<(), Failure> {
        self.version.disconnect(false, &mut self.write);
        self.finish().await;
        Err(Failure::Overrun)
    }

    /// DISCONNECT, then read to the end, so that no reset overtakes it: the will would fire.
    async fn say_goodbye(&mut self) {
        self.version.disconnect(!self.keep_session, &mut self.write);
        self.finish().await;
    }

    /// Writes what is left and waits until the broker closes the connection.
    async fn finish(&mut self) {
        let goodbye = async {
            self.socket.write_all(&mut self.write).await?;
            self.socket.finish().await
        };
        match timeout(self.shared.goodbye_limit(), goodbye).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "connection lost while closing it"),
            Err(_) => tracing::debug!("the broker does not close the connection after DISCONNECT"),
        }
    }
}
