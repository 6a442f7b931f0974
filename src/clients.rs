//! The broker's clients, as the page shows them.

use mqtt_lab_core::broker::{Broker, Client, ClientConnection};
use mqtt_lab_core::link::Version;
use mqtt_lab_web::{BrokerClient, BrokerConnection, ClientList};
use std::sync::Arc;

/// Lists the clients of a broker whenever a page asks.
pub(crate) fn list(broker: &Broker) -> ClientList {
    let clients = broker.clients();
    Arc::new(move || clients.all().into_iter().map(client).collect())
}

fn client(client: Client) -> BrokerClient {
    BrokerClient {
        id: client.id,
        connection: client.connection.map(connection),
        subscriptions: client.subscriptions,
        queued: client.queued,
        dropped: client.dropped,
        session_expiry_s: Some(client.session_expiry_s).filter(|expiry| *expiry < u32::MAX),
    }
}

fn connection(connection: ClientConnection) -> BrokerConnection {
    BrokerConnection {
        address: connection.address.to_string(),
        version: match connection.version {
            Version::V311 => 4,
            Version::V5 => 5,
        },
        keep_alive_s: connection.keep_alive_s,
        since: connection.since,
        messages: connection.messages,
        will: connection.will,
    }
}
