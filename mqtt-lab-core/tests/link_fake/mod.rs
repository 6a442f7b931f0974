//! A broker that does what a test says, packet by packet, on a port of its own.
//!
//! It reads and writes the bytes itself, so that it shares no mistake with the link.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "every test program uses a part of it")]

mod mirror;
mod packet;

use std::time::Duration;

use mqtt_lab_core::link::{Event, Events, Link, LinkConfig, LinkStatus, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub use mirror::Mirror;
pub use packet::{Connect, Packet, Publish, publish_bytes, read};

/// Only to end a test that hangs; no test depends on it.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long for {what}"),
    }
}

pub struct Broker {
    listener: TcpListener,
}

impl Broker {
    pub async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// A configuration for this broker that reconnects at once.
    pub fn config(&self, version: Version) -> LinkConfig {
        let mut config = LinkConfig::new(self.address(), "device");
        config.version = version;
        config.backoff = (Duration::from_millis(1), Duration::from_millis(20));
        config
    }

    /// The next TCP connection.
    pub async fn accept(&self) -> Client {
        let (stream, _) = soon("a connection", self.listener.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, version: Version::V5 }
    }

    /// The next connection of the link itself up to CONNECT. After many cuts a link opens a second one, which is cut,
    /// too.
    pub async fn connect(&self) -> (Client, Connect) {
        loop {
            let (client, connect) = self.connect_any().await;
            if !connect.is_witness() {
                return (client, connect);
            }
        }
    }

    /// The next connection up to CONNECT.
    pub async fn connect_any(&self) -> (Client, Connect) {
        let mut client = self.accept().await;
        match client.read().await {
            Packet::Connect(connect) => {
                client.version = connect.version;
                (client, connect)
            }
            other => panic!("{other:?} instead of CONNECT"),
        }
    }

    /// The next connection, accepted. In 3.1.1 the connection before the first one, which clears
    /// the session, is served on the way.
    pub async fn welcome(&self, session_present: bool) -> Client {
        self.welcome_with(session_present, &[]).await
    }

    /// As [`Broker::welcome`], with CONNACK properties.
    pub async fn welcome_with(&self, session_present: bool, properties: &[u8]) -> Client {
        loop {
            let (mut client, connect) = self.connect().await;
            let purge = connect.version == Version::V311 && connect.clean;
            client.connack_with(session_present && !purge, properties).await;
            if !purge {
                return client;
            }
            client.grants(2).await;
        }
    }
}

/// The broker's side of a connection; dropped, it is cut.
pub struct Client {
    stream: TcpStream,
    pub version: Version,
}

impl Client {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    pub async fn connack_with(&mut self, session_present: bool, properties: &[u8]) {
        let mut packet = vec![0x20, 2, u8::from(session_present), 0];
        if self.version == Version::V5 {
            packet.push(u8::try_from(properties.len()).unwrap());
            packet.extend(properties);
            packet[1] = u8::try_from(packet.len() - 2).unwrap();
        }
        self.send(packet).await;
    }

    /// PUBACK, PUBREC, PUBREL, PUBCOMP.
    pub async fn acknowledge(&mut self, head: u8, id: u16) {
        let [high, low] = id.to_be_bytes();
        self.send([head, 2, high, low]).await;
    }

    /// On the connection that clears a session of 3.1.1, answers which QoS it grants; to its end.
    pub async fn grants(&mut self, qos: u8) {
        if let Packet::Subscribe { id, .. } = self.read().await {
            let [high, low] = id.to_be_bytes();
            self.send([0x90, 3, high, low, qos]).await;
            assert_eq!(self.read().await, Packet::Disconnect);
        }
    }

    /// The next packet that is not a PINGREQ.
    pub async fn read(&mut self) -> Packet {
        loop {
            match self.read_any().await {
                Packet::Pingreq => self.send([0xD0, 0]).await,
                other => return other,
            }
        }
    }

    /// The next packet, [`Packet::End`] when there is none.
    pub async fn read_any(&mut self) -> Packet {
        soon("a packet", packet::read(&mut self.stream, self.version)).await
    }

    pub async fn publish(&mut self) -> Publish {
        match self.read().await {
            Packet::Publish(publish) => publish,
            other => panic!("{other:?} instead of PUBLISH"),
        }
    }

    /// Reads to the end of the connection; whether it ended with DISCONNECT.
    pub async fn ended_in_order(mut self) -> bool {
        let mut disconnected = false;
        loop {
            match self.read().await {
                Packet::End => return disconnected,
                packet => disconnected = packet == Packet::Disconnect,
            }
        }
    }

    pub fn split(self) -> (tokio::net::tcp::OwnedReadHalf, tokio::net::tcp::OwnedWriteHalf) {
        self.stream.into_split()
    }

    /// Waits until the link has closed the connection.
    pub async fn is_cut(&mut self) {
        let mut bytes = [0; 1024];
        let gone = async { while self.stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {} };
        soon("the end of the connection", gone).await;
    }
}

pub fn spawn(config: LinkConfig) -> (Link, Events) {
    Link::spawn(config).unwrap()
}

/// The next event.
pub async fn event(events: &mut Events) -> Event {
    soon("an event", events.next()).await.expect("link has ended")
}

/// The next message, whatever happens to the connection meanwhile.
pub async fn message(events: &mut Events) -> mqtt_lab_core::link::Incoming {
    loop {
        if let Event::Message(message) = event(events).await {
            return message;
        }
    }
}

/// Waits for a status.
pub async fn status(link: &Link, what: &str, condition: impl FnMut(&LinkStatus) -> bool) -> LinkStatus {
    let mut watch = link.watch();
    soon(what, watch.wait_for(condition)).await.expect("link is gone").clone()
}

pub const BOTH: [Version; 2] = [Version::V311, Version::V5];
pub const LIMIT: Duration = Duration::from_secs(60);
