//! What the broker tells of its clients.

use std::net::SocketAddr;
use std::time::SystemTime;

use super::session::{Online, Session};
use crate::link::Version;

/// A client of the broker, as it stands now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Client {
    /// Its client id; `auto-` and 16 digits, given by the broker, where it brought none.
    pub id: String,
    /// Its connection; none while it is away and its session is kept.
    pub connection: Option<ClientConnection>,
    /// Its topic filters, sorted.
    pub subscriptions: Vec<String>,
    /// Messages that wait for it, or are not acknowledged yet.
    pub queued: usize,
    /// Messages that were dropped because it was too slow or too long away.
    pub dropped: u64,
    /// How long its session outlives the connection, in seconds; `u32::MAX`: for ever.
    pub session_expiry_s: u32,
}

/// The connection of a client.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientConnection {
    /// Where it comes from.
    pub address: SocketAddr,
    /// The version that it speaks.
    pub version: Version,
    /// Its keep-alive in seconds; 0: none.
    pub keep_alive_s: u16,
    /// When this connection was accepted, by the clock of this computer.
    pub since: SystemTime,
    /// Messages that it published since.
    pub messages: u64,
    /// The topic of its last will.
    pub will: Option<String>,
}

impl Client {
    pub(super) fn of(session: &Session) -> Self {
        let mut subscriptions: Vec<String> = session.subscriptions.keys().map(ToString::to_string).collect();
        subscriptions.sort();
        Self {
            id: session.client_id.to_string(),
            connection: session.online.as_ref().map(ClientConnection::of),
            subscriptions,
            queued: session.outbox.len(),
            dropped: session.outbox.dropped(),
            session_expiry_s: session.expiry_s,
        }
    }
}

impl ClientConnection {
    fn of(online: &Online) -> Self {
        Self {
            address: online.address,
            version: online.receiver.version,
            keep_alive_s: online.keep_alive_s,
            since: online.since,
            messages: online.messages,
            will: online.will.as_ref().map(|will| will.message.topic.to_string()),
        }
    }
}
