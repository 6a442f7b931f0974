//! One connection: announce, send, obey, take leave.

use crate::answer;
use crate::cursor::Cursor;
use crate::node::{Core, Topic};
use crate::shared::Next;
use core::fmt::{self, Write as _};
use core::future::Future;
use core::pin::Pin;
use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, with_timeout};
use minimq::{
    ConnectEvent, Connection, Error, InboundPublish, Io, Op, PubError, Publication, QoS, ResourceError,
    ToPayload, TopicFilter,
};
use mqtt_lab_wire::{PayloadForm, Qos, Sample, SampleTime, State, Stats};

/// How often the count of samples is told.
const STATS_EVERY: Duration = Duration::from_secs(60);

/// How long an orderly stop waits for acknowledgements.
const LEAVE: Duration = Duration::from_secs(5);

/// The connection is gone; in a word, why.
#[derive(Debug)]
pub(crate) struct Lost(pub(crate) &'static str);

impl Lost {
    pub(crate) const fn because<E>(error: &Error<E>) -> Self {
        Self(match error {
            Error::Transport(_) => "the network failed",
            Error::Disconnected => "the broker closed it, or was silent for too long",
            Error::Peer(_) => "the broker sent something else than it must",
            _ => "a packet did not fit",
        })
    }
}

/// What became of a message.
enum Sent {
    /// It is on its way; at QoS 0 without a number.
    Yes(Option<Op>),
    /// There is no room for it until the broker has acknowledged others.
    Later,
}

impl<const SAMPLES: usize> Core<'_, SAMPLES> {
    /// Serves a connection until it is lost or `stop` asks for the end; then takes leave.
    pub(crate) async fn serve<IO: Io>(
        &self,
        connection: &mut Connection<'_, '_, IO>,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Lost> {
        self.announce(connection).await?;
        let mut stats = Instant::now() + STATS_EVERY;
        loop {
            if Instant::now() >= stats {
                stats = Instant::now() + STATS_EVERY;
                self.shared.borrow_mut().stats_due = true;
            }
            self.send(connection).await?;
            match select3(connection.poll(), self.wake.wait(), stop.as_mut()).await {
                Either3::First(Ok(message)) => self.receive(message.as_ref()),
                Either3::First(Err(error)) => return Err(Lost::because(&error)),
                Either3::Second(()) => {}
                Either3::Third(()) => return self.leave(connection).await,
            }
        }
    }

    /// Tells who this is. States that the broker may have forgotten are sent again with the samples.
    async fn announce<IO: Io>(&self, connection: &mut Connection<'_, '_, IO>) -> Result<(), Lost> {
        let filter = self.topic(&self.address.all_commands());
        let filters = [TopicFilter::new(&filter)];
        connection.subscribe(&filters, &[]).await.map_err(|error| Lost::because(&error))?;
        if connection.connect_event() == ConnectEvent::Connected {
            let mut shared = self.shared.borrow_mut();
            shared.info_due = true;
            shared.error_due = true;
            if self.was_connected.replace(true) {
                shared.repeat_states(Instant::now().as_millis());
            }
        }
        self.shared.borrow_mut().state_due = Some(State::Ready);
        Ok(())
    }

    /// The last words of an orderly stop: after them the broker publishes no will.
    async fn leave<IO: Io>(&self, connection: &mut Connection<'_, '_, IO>) -> Result<(), Lost> {
        let farewell = async {
            self.until_acknowledged(connection).await?;
            self.shared.borrow_mut().stats_due = true;
            self.shared.borrow_mut().state_due = Some(State::Disconnected);
            self.until_acknowledged(connection).await
        };
        let said = with_timeout(LEAVE, farewell).await.unwrap_or(Err(Lost("the broker did not acknowledge")));
        let closed = connection.disconnect().await.map_err(|error| Lost::because(&error));
        said.and(closed)
    }

    async fn until_acknowledged<IO: Io>(&self, connection: &mut Connection<'_, '_, IO>) -> Result<(), Lost> {
        loop {
            self.send(connection).await?;
            if self.shared.borrow().ring.is_empty() && connection.session().is_publish_quiescent() {
                return Ok(());
            }
            let message = connection.poll().await.map_err(|error| Lost::because(&error))?;
            self.receive(message.as_ref());
        }
    }

    /// Sends what waits, as much as the broker takes now.
    async fn send<IO: Io>(&self, connection: &mut Connection<'_, '_, IO>) -> Result<(), Lost> {
        let session = connection.session();
        let (complete, gone) = (|op: &Op| session.is_complete(op), |op: &Op| session.is_invalidated(op));
        self.shared.borrow_mut().ring.settle(complete, gone);
        loop {
            let Some(next) = self.shared.borrow_mut().take_next() else { return Ok(()) };
            let sent = self.send_one(connection, &next).await;
            let mut shared = self.shared.borrow_mut();
            match sent {
                Ok(Sent::Yes(op)) => shared.sent(next, op),
                Ok(Sent::Later) => {
                    shared.not_sent(next);
                    return Ok(());
                }
                Err(lost) => {
                    shared.not_sent(next);
                    return Err(lost);
                }
            }
        }
    }

    async fn send_one<IO: Io>(
        &self,
        connection: &mut Connection<'_, '_, IO>,
        next: &Next,
    ) -> Result<Sent, Lost> {
        let (qos, retain) = match next {
            Next::Sample(entry) => self.shared.borrow().delivery(entry),
            Next::Info | Next::State(_) | Next::Error => (Qos::AtLeastOnce, true),
            Next::Stats | Next::Answer(_) => (Qos::AtLeastOnce, false),
        };
        let write = |out: &mut Cursor<'_>| self.write(next, out);
        let correlation = match next {
            Next::Answer(answer) if answer.result_channel().is_none() => answer.correlation(),
            _ => None,
        };
        let topic = self.topic_of(next);
        publish(connection, &Message { topic: &topic, qos, retain, correlation, payload: Payload(&write) })
            .await
    }

    fn topic_of(&self, next: &Next) -> Topic {
        match next {
            Next::Info => self.topic(&self.address.info()),
            Next::State(_) => self.topic(&self.address.state()),
            Next::Error => self.topic(&self.address.error()),
            Next::Stats => self.topic(&self.address.stats()),
            Next::Sample(entry) => {
                self.topic(&self.address.channel(self.info.channels[usize::from(entry.channel)].name))
            }
            Next::Answer(answer) => match answer.result_channel() {
                Some(channel) => self.topic(&self.address.result(self.info.channels[channel].name)),
                None => self.topic(&answer.reply_topic()),
            },
        }
    }

    fn write(&self, next: &Next, out: &mut Cursor<'_>) -> fmt::Result {
        match next {
            Next::Info => self.info.encode(out),
            Next::State(state) => out.write_str(state.as_str()),
            Next::Error => self.shared.borrow().write_error(out),
            Next::Stats => Stats { boot: self.boot, sent: self.shared.borrow().numbered.into() }.encode(out),
            Next::Answer(answer) => answer.encode(out),
            Next::Sample(entry) => Sample::new(entry.value)
                .at(SampleTime::SinceBoot(entry.since_boot_ms))
                .numbered(self.boot, entry.number.into())
                .encode(PayloadForm::Json, out),
        }
    }

    fn receive(&self, message: Option<&InboundPublish<'_>>) {
        let Some(message) = message else { return };
        let mut shared = self.shared.borrow_mut();
        let interval = shared.interval_ms;
        let now = Instant::now().as_millis();
        if answer::obey(&mut shared, self.settings.root, message, now).is_none() {
            (self.settings.log)(format_args!("not for this device: {}", message.topic()));
        }
        if shared.interval_ms != interval {
            self.retime.signal(());
        }
        self.wake.signal(());
    }

    /// A topic in its place; [`crate::Node::new`] has made sure that it fits.
    fn topic(&self, name: &impl fmt::Display) -> Topic {
        let mut topic = Topic::new();
        let _ = write!(topic, "{name}");
        topic
    }
}

const fn level(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
        Qos::ExactlyOnce => QoS::ExactlyOnce,
    }
}

/// A message before it is a packet.
struct Message<'a> {
    topic: &'a str,
    qos: Qos,
    retain: bool,
    /// What an MQTT 5 client recognises the answer by.
    correlation: Option<&'a [u8]>,
    payload: Payload<'a>,
}

/// A payload that is written right into the packet. One type for all: each would be compiled anew.
#[derive(Clone, Copy)]
struct Payload<'a>(&'a dyn Fn(&mut Cursor<'_>) -> fmt::Result);

impl ToPayload for Payload<'_> {
    type Error = fmt::Error;

    fn serialize(self, buffer: &mut [u8]) -> Result<usize, fmt::Error> {
        let mut cursor = Cursor::new(buffer);
        (self.0)(&mut cursor).map(|()| cursor.len())
    }
}

async fn publish<IO: Io>(
    connection: &mut Connection<'_, '_, IO>,
    message: &Message<'_>,
) -> Result<Sent, Lost> {
    let mut packet = Publication::new(message.topic, message.payload).qos(level(message.qos));
    if message.retain {
        packet = packet.retain();
    }
    if let Some(correlation) = message.correlation {
        packet = packet.correlate(correlation);
    }
    match connection.publish(packet).await {
        Ok(op) => Ok(Sent::Yes(op)),
        Err(
            PubError::Session(
                Error::NotReady
                | Error::Resource(ResourceError::InflightExhausted | ResourceError::BufferTooSmall),
            )
            | PubError::Payload(_),
        ) if !connection.session().is_publish_quiescent() => Ok(Sent::Later),
        Err(PubError::Session(error)) => Err(Lost::because(&error)),
        Err(PubError::Payload(_)) => Err(Lost("a packet did not fit")),
    }
}
