//! From an address to an accepted connection, in the version and with the will the broker takes.

use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::failure::Failure;
use super::shared::{Shared, Stop, locked};
use super::socket::Socket;
use super::wire::{Connack, Hello, Packet};
use super::{LinkConfig, Qos, Subscription, Version, Will};
use crate::frame::{self, Sender};
use crate::reason;

/// Connections being made at a time in this process: ten thousand at once would only time out.
static CONNECTING: Semaphore = Semaphore::const_new(200);

/// Largest packet that is read while a broker is asked which QoS it grants.
const PROBE_BYTES: u32 = 1024;

/// What is known about one broker of the list.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: String,
    version_5: Version5,
    /// Highest QoS of a will that it did not refuse.
    will_qos: Qos,
    will_retain: bool,
    /// Highest QoS in 3.1.1, as far as it was asked.
    max_qos_311: Option<Qos>,
    /// How often it ended when asked.
    unanswered: u8,
    /// The session of the client's former id was ended.
    former_ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version5 {
    /// Nothing is known.
    Untried,
    /// It closed the connection without an answer: 3.1.1 is worth one attempt.
    Doubtful,
    Accepted,
    Refused,
}

/// An accepted connection.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) socket: Socket,
    /// What was read after CONNACK.
    pub(super) read: BytesMut,
    pub(super) version: Version,
    pub(super) connack: Connack,
    /// What this broker gets less than configured, in words.
    pub(super) downgrades: Vec<String>,
}

impl Peer {
    pub(super) fn new(address: String) -> Self {
        Self {
            address,
            version_5: Version5::Untried,
            will_qos: Qos::ExactlyOnce,
            will_retain: true,
            max_qos_311: None,
            unanswered: 0,
            former_ended: false,
        }
    }

    fn version(&self, config: &LinkConfig) -> Version {
        match self.version_5 {
            Version5::Untried | Version5::Accepted => config.version,
            Version5::Doubtful | Version5::Refused => Version::V311,
        }
    }

    fn will(&self, config: &LinkConfig) -> Option<Will> {
        let mut will = config.will.clone()?;
        will.qos = will.qos.min(self.will_qos);
        will.retain &= self.will_retain;
        Some(will)
    }

    /// Draws a conclusion from a failure. True: another attempt at once has a chance.
    fn learn(&mut self, failure: &Failure) -> bool {
        match *failure {
            Failure::Refused { version: Version::V5, code: reason::UNSUPPORTED_VERSION } => {
                self.version_5 = Version5::Refused;
                true
            }
            Failure::NoAnswer if self.version_5 == Version5::Untried => {
                self.version_5 = Version5::Doubtful;
                true
            }
            Failure::Refused { code: reason::RETAIN_NOT_SUPPORTED, .. } => {
                std::mem::take(&mut self.will_retain)
            }
            Failure::Refused { code: reason::QOS_NOT_SUPPORTED, .. } => {
                let lower = self.will_qos.level().checked_sub(1).and_then(Qos::from_level);
                self.will_qos = lower.unwrap_or(Qos::AtMostOnce);
                lower.is_some()
            }
            _ => false,
        }
    }

    /// A broker that ends instead of saying what it grants may be in trouble; the third time, it is its way to
    /// refuse, and QoS 1 is what every broker has.
    fn take_granted(&mut self, granted: Option<Qos>) -> Result<(), Failure> {
        self.unanswered += u8::from(granted.is_none());
        match granted {
            None if self.unanswered < 3 => return Err(Failure::NoAnswer),
            known => self.max_qos_311 = Some(known.unwrap_or(Qos::AtLeastOnce)),
        }
        Ok(())
    }

    fn downgrades(&self, config: &LinkConfig, version: Version, connack: &Connack) -> Vec<String> {
        let mut words = Vec::new();
        if version != config.version {
            words.push(format!("MQTT {version} instead of {}: the broker refuses it", config.version));
        }
        if let (Some(asked), Some(given)) = (&config.will, self.will(config)) {
            if given.qos != asked.qos {
                words.push(format!(
                    "will at QoS {} instead of {}: the broker's maximum",
                    given.qos, asked.qos
                ));
            }
            if given.retain != asked.retain {
                words.push("will without retain: the broker retains no messages".into());
            }
        }
        if connack.max_qos < Qos::ExactlyOnce {
            words.push(format!("at most QoS {}: the broker's maximum", connack.max_qos));
        }
        if !connack.retain_available {
            words.push("no retained messages: the broker retains none".into());
        }
        words
    }

    /// Connects. `clean`: the broker must not have an older session of this client.
    ///
    /// Dropped after CONNECT was written, the broker may publish the will; a link that is being
    /// closed does not drop it but ends it with [`Failure::Stopped`].
    pub(super) async fn connect(
        &mut self,
        config: &LinkConfig,
        clean: bool,
        shared: &Shared,
    ) -> Result<Greeting, Failure> {
        let _permit = stoppable(shared, CONNECTING.acquire()).await?;
        loop {
            let version = self.version(config);
            shared.update(|status| {
                status.broker.clone_from(&self.address);
                status.version = version;
            });
            let attempt = self.attempt(version, config, clean, shared);
            let failure = match timeout(config.connect_timeout, attempt).await {
                Ok(Ok(greeting)) => return Ok(self.accepted(greeting, config)),
                Ok(Err(failure)) => failure,
                Err(_) => Failure::Timeout(config.connect_timeout),
            };
            if !(config.version == Version::V5 && self.learn(&failure)) {
                if self.version_5 == Version5::Doubtful {
                    self.version_5 = Version5::Untried;
                }
                return Err(failure);
            }
        }
    }

    fn accepted(&mut self, mut greeting: Greeting, config: &LinkConfig) -> Greeting {
        greeting.downgrades = self.downgrades(config, greeting.version, &greeting.connack);
        self.version_5 = match (self.version_5, greeting.version) {
            (_, Version::V5) => Version5::Accepted,
            // It may only have been starting: ask again next time.
            (Version5::Doubtful, Version::V311) => Version5::Untried,
            (known, Version::V311) => known,
        };
        greeting
    }

    async fn attempt(
        &mut self,
        version: Version,
        config: &LinkConfig,
        mut clean: bool,
        shared: &Shared,
    ) -> Result<Greeting, Failure> {
        if let Some(former) = config.former_client_id.as_ref().filter(|_| !self.former_ended) {
            self.end_session(version, config, former, shared).await?;
            self.former_ended = true;
        }
        // Clean Session of 3.1.1 lasts as long as the connection, so clearing takes one of its own.
        if clean && version == Version::V311 {
            let hello = Hello { config, clean: true, will: None };
            let mut purge = self.greet(version, hello, shared).await?;
            if self.max_qos_311.is_none() {
                let granted = stoppable(shared, granted(&mut purge)).await?;
                self.take_granted(granted)?;
            }
            farewell(&mut purge.socket, version, &mut BytesMut::new(), shared).await;
            clean = false;
        }
        if let (Version::V311, Some(most)) = (version, self.max_qos_311) {
            self.will_qos = self.will_qos.min(most);
        }
        let hello = Hello { config, clean, will: self.will(config) };
        let mut greeting = self.greet(version, hello, shared).await?;
        if let (Version::V311, Some(most)) = (version, self.max_qos_311) {
            greeting.connack.max_qos = most;
        }
        Ok(greeting)
    }

    /// Ends the session that the broker keeps for a client id, by a connection that begins a clean one.
    async fn end_session(
        &self,
        version: Version,
        config: &LinkConfig,
        client_id: &str,
        shared: &Shared,
    ) -> Result<(), Failure> {
        let config = LinkConfig { client_id: client_id.to_owned(), ..config.clone() };
        match self.greet(version, Hello { config: &config, clean: true, will: None }, shared).await {
            Ok(mut greeting) => {
                farewell(&mut greeting.socket, version, &mut BytesMut::new(), shared).await;
                tracing::info!(
                    broker = self.address,
                    client_id,
                    "ended the session of a client id used before"
                );
                Ok(())
            }
            // A broker that does not admit this client id has no session of it.
            Err(Failure::Refused { code, .. }) if code != reason::UNSUPPORTED_VERSION => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// A connection with a client id of its own, and nothing to do. `None`: the broker does not accept it.
    pub(super) async fn witness(&self, version: Version, config: &LinkConfig) -> Option<Greeting> {
        let client_id = format!("{}_{:04x}", config.client_id, rand::random::<u16>());
        let mut config = LinkConfig { client_id, session_expiry: Duration::ZERO, ..config.clone() };
        config.will = None;
        // The link's own is woken for what there is to send.
        let unused = Shared::new(&LinkConfig::new("", &config.client_id));
        let greeting = self.greet(version, Hello { config: &config, clean: true, will: None }, &unused);
        timeout(config.connect_timeout, greeting).await.ok()?.ok()
    }

    /// TCP connection, CONNECT, CONNACK.
    async fn greet(&self, version: Version, hello: Hello<'_>, shared: &Shared) -> Result<Greeting, Failure> {
        let limit = hello.config.max_packet_size;
        let mut buffer = BytesMut::new();
        version.connect(hello, &mut buffer).map_err(Failure::Encode)?;
        let connected = stoppable(shared, Socket::connect(&self.address)).await?;
        let mut socket = connected.map_err(Failure::Unreachable)?;
        socket.write_all(&mut buffer).await.map_err(Failure::Lost)?;
        let mut read = BytesMut::new();
        let answer = stoppable(shared, answer(&socket, version, limit, &mut read)).await;
        match answer {
            Ok(answer) => {
                let connack = answer?;
                Ok(Greeting { socket, read, version, connack, downgrades: Vec::new() })
            }
            Err(stopped) => {
                if shared.stopping() != Stop::Abort {
                    farewell(&mut socket, version, &mut buffer, shared).await;
                }
                Err(stopped)
            }
        }
    }
}

/// Ends the session that the first broker keeps for the client id of `config`.
pub(super) async fn end_session(config: &LinkConfig) -> Result<(), Failure> {
    // One that publishes nothing, and needs no spool.
    let shared = Shared::new(&LinkConfig::new("", &config.client_id));
    let mut peer = Peer::new(config.brokers.first().cloned().unwrap_or_default());
    loop {
        let version = peer.version(config);
        let attempt = peer.end_session(version, config, &config.client_id, &shared);
        let failure = match timeout(config.connect_timeout, attempt).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Timeout(config.connect_timeout),
        };
        if !(config.version == Version::V5 && peer.learn(&failure)) {
            return Err(failure);
        }
    }
}

/// Waits for CONNACK.
async fn answer(
    socket: &Socket,
    version: Version,
    limit: u32,
    read: &mut BytesMut,
) -> Result<Connack, Failure> {
    loop {
        socket.readable().await.map_err(Failure::Lost)?;
        // A reset is the same as an end: some brokers close on what they do not understand.
        let open = socket.read(read).unwrap_or(false);
        if let Some(frame) = frame::take(read, Sender::Broker, limit)? {
            return match version.read(&frame)? {
                // A broker of 3.1.1 that does not look at the version.
                Packet::Connack(Connack { code: 0, old_form: true, .. }) => {
                    Err(Failure::Refused { version, code: reason::UNSUPPORTED_VERSION })
                }
                Packet::Connack(connack) if connack.code == 0 => Ok(connack),
                Packet::Connack(connack) => Err(Failure::Refused { version, code: connack.code }),
                _ => Err(Failure::Unexpected("no CONNACK at the beginning")),
            };
        }
        if !open {
            return Err(Failure::NoAnswer);
        }
    }
}

/// The QoS that a broker of 3.1.1 grants to who asks for 2, on a connection that is good for nothing else.
///
/// CONNACK of 3.1.1 says nothing of it, and a broker without QoS 2 closes the connection when it meets one:
/// without knowing, a link would send the same message for ever. `None`: it does not say, but ends.
async fn granted(Greeting { socket, read, version, .. }: &mut Greeting) -> Option<Qos> {
    let mut ask = BytesMut::new();
    // Nobody publishes there.
    let probe = Subscription::new("$mqtt-lab/probe", Qos::ExactlyOnce);
    version.subscribe(1, &[probe], &mut ask).ok()?;
    socket.write_all(&mut ask).await.ok()?;
    loop {
        if let Some(frame) = frame::take(read, Sender::Broker, PROBE_BYTES).ok()? {
            match version.read(&frame).ok()? {
                Packet::Suback { codes, .. } => return Qos::from_level(*codes.first()?),
                _ => continue,
            }
        }
        socket.readable().await.ok()?;
        if !socket.read(read).unwrap_or(false) {
            return None;
        }
    }
}

/// DISCONNECT on a connection that is not used, in good time.
async fn farewell(socket: &mut Socket, version: Version, buffer: &mut BytesMut, shared: &Shared) {
    buffer.clear();
    version.disconnect(true, buffer);
    let goodbye = async {
        socket.write_all(buffer).await?;
        socket.finish().await
    };
    // Whether it works or not, the socket is given up.
    let _ = timeout(shared.goodbye_limit(), goodbye).await;
}

/// Runs a future that can be dropped, until the link is to end.
pub(super) async fn stoppable<T>(shared: &Shared, future: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::pin!(future);
    loop {
        if is_over(shared) {
            return Err(Failure::Stopped);
        }
        tokio::select! {
            result = &mut future => return Ok(result),
            () = shared.wake.notified() => {}
        }
    }
}

/// Whether a link without connection is to end.
pub(super) fn is_over(shared: &Shared) -> bool {
    match shared.stopping() {
        Stop::No => false,
        Stop::WhenIdle => locked(&shared.outgoing).is_idle(),
        Stop::Now | Stop::Abort => true,
    }
}
