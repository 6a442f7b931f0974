//! An MQTT broker inside the program.
//!
//! The crate `mqtt5` behind a narrow face, so that it can be exchanged. MQTT 3.1.1 and 5 on one port,
//! and over WebSocket where asked for. Everything is set explicitly: it binds to loopback, keeps its
//! state in memory unless a folder is given, and bounds packets, clients and queues.

mod turns;

use crate::link::Credentials;
use mqtt_lab_wire::Qos;
use mqtt5::broker::auth::{AuthProvider, AuthResult};
use mqtt5::broker::config::{BrokerConfig as Inner, StorageBackend, StorageConfig, WebSocketConfig};
use mqtt5::broker::{
    BrokerEventHandler, ClientConnectEvent, ClientDisconnectEvent, ClientPublishEvent, MqttBroker,
    PublishAction,
};
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};
use tokio::task::JoinHandle;
use turns::Turns;

/// Topics whose last publish is remembered at most.
const MAX_SEEN: usize = 50_000;

/// The `[broker]` table: the broker inside this program.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerConfig {
    /// Whether to start it. Not started when `[mqtt] brokers` names others.
    pub enabled: bool,
    /// Address and port to listen on; port 0 takes a free one.
    #[schemars(with = "String")]
    pub bind: SocketAddr,
    /// Address and port for MQTT over WebSocket; none: not offered.
    #[schemars(with = "Option<String>")]
    pub websocket: Option<SocketAddr>,
    /// Whether other computers may connect; needs `users`.
    pub allow_remote: bool,
    /// Who may connect. Empty: everybody on this computer.
    pub users: Vec<User>,
    /// Folder for sessions and retained messages, so that they survive a restart. None: in memory.
    pub storage: Option<PathBuf>,
    /// Largest packet, in bytes (1024 to 268435455).
    #[schemars(range(min = 1024, max = 268_435_455))]
    pub max_packet_bytes: u32,
    /// Most clients at a time.
    #[schemars(range(min = 1))]
    pub max_clients: usize,
    /// Most messages that wait for one client; above it the oldest are dropped.
    #[schemars(range(min = 1))]
    pub queue_messages: usize,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            bind: SocketAddr::from(([127, 0, 0, 1], 1883)),
            websocket: None,
            allow_remote: false,
            users: Vec::new(),
            storage: None,
            max_packet_bytes: 1024 * 1024,
            max_clients: 20_000,
            queue_messages: 100_000,
        }
    }
}

/// Who may connect.
#[derive(Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// User name.
    pub name: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why the broker could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The address cannot be bound.
    #[error("cannot listen for MQTT on `{address}`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// Another address than loopback without the consent and users that it needs.
    #[error("`{address}` can be reached from other computers, which needs {missing}")]
    Remote {
        /// The address.
        address: SocketAddr,
        /// What is missing.
        missing: &'static str,
    },
    /// An option is out of its range.
    #[error("broker option `{option}` {problem}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// The folder for sessions and retained messages cannot be used.
    #[error("cannot keep the broker's state in `{path}`")]
    Storage {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The broker itself refused.
    #[error("the embedded broker cannot start: {0}")]
    Start(String),
}

impl BrokerConfig {
    /// Checks what can be checked before anything starts.
    ///
    /// # Errors
    ///
    /// [`BrokerError::Remote`] and [`BrokerError::Option`].
    pub fn check(&self) -> Result<(), BrokerError> {
        for address in [Some(self.bind), self.websocket].into_iter().flatten() {
            if !address.ip().is_loopback() {
                let missing = if !self.allow_remote {
                    "`allow_remote = true`"
                } else if self.users.is_empty() {
                    "at least one of `users` with a password"
                } else {
                    continue;
                };
                return Err(BrokerError::Remote { address, missing });
            }
        }
        let problem = |option, problem| Err(BrokerError::Option { option, problem });
        if !(1024..=268_435_455).contains(&self.max_packet_bytes) {
            return problem("max_packet_bytes", "must be from 1024 to 268435455");
        }
        if self.queue_messages == 0 || self.max_clients == 0 {
            return problem("queue_messages", "and `max_clients` must be at least 1");
        }
        if self.users.iter().any(|user| user.name.is_empty() || user.password.is_empty()) {
            return problem("users", "need a name and a password each");
        }
        Ok(())
    }

    fn inner(&self, seen: Arc<SeenTopics>) -> Inner {
        let storage = StorageConfig {
            backend: if self.storage.is_some() { StorageBackend::File } else { StorageBackend::Memory },
            base_dir: self.storage.clone().unwrap_or_default(),
            cleanup_interval: Duration::from_secs(3600),
            enable_persistence: true,
            max_queued_messages_per_client: self.queue_messages,
            max_queued_bytes_per_client: 256 * 1024 * 1024,
        };
        Inner {
            bind_addresses: vec![self.bind],
            max_clients: self.max_clients,
            max_packet_size: self.max_packet_bytes as usize,
            storage_config: storage,
            websocket_config: self.websocket.map(|address| WebSocketConfig {
                bind_addresses: vec![address],
                ..WebSocketConfig::default()
            }),
            client_channel_capacity: self.queue_messages.min(100_000),
            sys_topics_enabled: false,
            max_retained_messages: 200_000,
            event_handler: Some(Arc::new(Hooks { seen, turns: Turns::default() })),
            ..Inner::default()
        }
    }
}

/// A running broker. Dropping it stops it without waiting.
pub struct Broker {
    address: SocketAddr,
    websocket: Option<SocketAddr>,
    own: Option<Credentials>,
    seen: Arc<SeenTopics>,
    shutdown: mqtt5::broker::BrokerShutdownHandle,
    task: JoinHandle<()>,
}

impl Broker {
    /// Starts a broker and returns as soon as it accepts connections.
    ///
    /// # Errors
    ///
    /// [`BrokerError`] says what was tried on which address or folder.
    pub async fn start(config: &BrokerConfig) -> Result<Self, BrokerError> {
        config.check()?;
        // The broker's own error hides the address; a short trial names it.
        for address in [Some(config.bind), config.websocket].into_iter().flatten() {
            TcpListener::bind(address).map_err(|source| BrokerError::Bind { address, source })?;
        }
        if let Some(path) = &config.storage {
            let made = std::fs::create_dir_all(path);
            made.map_err(|source| BrokerError::Storage { path: path.clone(), source })?;
        }
        let seen = Arc::new(SeenTopics::default());
        let inner = MqttBroker::with_config(config.inner(Arc::clone(&seen))).await;
        let mut inner = inner.map_err(|error| BrokerError::Start(error.to_string()))?;
        let own = (!config.users.is_empty()).then(own_credentials);
        if let Some(own) = &own {
            inner = inner.with_auth_provider(Arc::new(Users::new(&config.users, own)));
        }
        let address = inner.local_addr().ok_or_else(|| BrokerError::Start("it has no address".into()))?;
        let (websocket, shutdown) = (inner.ws_local_addr(), inner.shutdown_handle());
        let mut ready = inner.ready_receiver();
        let task = tokio::spawn(async move {
            if let Err(error) = inner.run().await {
                tracing::error!(%error, "the embedded broker stopped");
            }
        });
        // An error here means that `run` ended, which its own log line explains.
        let _ = ready.wait_for(|ready| *ready).await;
        Ok(Self { address, websocket, own, seen, shutdown, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for MQTT over WebSocket.
    #[must_use]
    pub const fn websocket_address(&self) -> Option<SocketAddr> {
        self.websocket
    }

    /// What the program's own clients log in with, where users are required.
    #[must_use]
    pub fn own_credentials(&self) -> Option<Credentials> {
        self.own.clone()
    }

    /// A look-up of how a topic was last published, as the broker saw it enter.
    #[must_use]
    pub fn seen(&self) -> Arc<SeenTopics> {
        Arc::clone(&self.seen)
    }

    /// Stops it: clients are disconnected, state is written.
    pub async fn stop(mut self) {
        self.shutdown.shutdown();
        if tokio::time::timeout(Duration::from_secs(5), &mut self.task).await.is_err() {
            tracing::warn!("the embedded broker did not stop within 5 s and is given up");
            self.task.abort();
        }
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.shutdown.shutdown();
    }
}

fn own_credentials() -> Credentials {
    let password = format!("{:032x}", rand::random::<u128>());
    Credentials::new("mqtt-lab", password)
}

/// How topics were last published. Remembers up to 50,000 topics; those above stay unknown.
#[derive(Debug, Default)]
pub struct SeenTopics {
    topics: Mutex<HashMap<Arc<str>, (Qos, bool)>>,
}

impl SeenTopics {
    /// The publisher's QoS and retain flag of the last message on `topic`.
    #[must_use]
    pub fn last(&self, topic: &str) -> Option<(Qos, bool)> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner).get(topic).copied()
    }

    fn note(&self, topic: &Arc<str>, qos: Qos, retain: bool) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = topics.get_mut(topic) {
            *seen = (qos, retain);
        } else if topics.len() < MAX_SEEN {
            topics.insert(Arc::clone(topic), (qos, retain));
        }
    }
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the broker tells while it works.
struct Hooks {
    seen: Arc<SeenTopics>,
    turns: Turns,
}

impl BrokerEventHandler for Hooks {
    fn on_client_publish<'a>(&'a self, event: ClientPublishEvent) -> Answer<'a, PublishAction> {
        let qos = match event.qos {
            mqtt5::QoS::AtMostOnce => Qos::AtMostOnce,
            mqtt5::QoS::AtLeastOnce => Qos::AtLeastOnce,
            mqtt5::QoS::ExactlyOnce => Qos::ExactlyOnce,
        };
        self.seen.note(&event.topic, qos, event.retain);
        Box::pin(async { PublishAction::Continue })
    }

    /// The broker awaits it after CONNACK and before it reads what the client sends next.
    fn on_client_connect<'a>(&'a self, event: ClientConnectEvent) -> Answer<'a, ()> {
        Box::pin(self.turns.begin(event.client_id))
    }

    /// The broker calls it when the will is published.
    fn on_client_disconnect<'a>(&'a self, event: ClientDisconnectEvent) -> Answer<'a, ()> {
        self.turns.end(&event.client_id);
        Box::pin(async {})
    }
}

/// Users and passwords, compared in constant time.
struct Users(Vec<(String, String)>);

impl Users {
    fn new(users: &[User], own: &Credentials) -> Self {
        let others = users.iter().map(|user| (user.name.clone(), user.password.clone()));
        Self(others.chain([(own.user.clone(), own.password.clone())]).collect())
    }

    fn find(&self, name: &str, password: &[u8]) -> bool {
        // No early end: the time tells nothing about names or passwords.
        let same = |a: &[u8], b: &[u8]| {
            a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
        };
        let fits = |(user, secret): &(String, String)| {
            same(user.as_bytes(), name.as_bytes()) & same(secret.as_bytes(), password)
        };
        self.0.iter().fold(false, |found, user| found | fits(user))
    }
}

impl AuthProvider for Users {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        client: SocketAddr,
    ) -> Answer<'a, mqtt5::error::Result<AuthResult>> {
        let name = connect.username.as_deref().unwrap_or_default();
        let password = connect.password.as_deref().unwrap_or_default();
        let known = self.find(name, password);
        if !known {
            tracing::warn!(user = name, client_id = connect.client_id, %client, "MQTT login refused");
        }
        let result = if known {
            AuthResult::success_with_user(name)
        } else {
            AuthResult::fail(ReasonCode::BadUsernameOrPassword)
        };
        Box::pin(async { Ok(result) })
    }

    fn authorize_publish<'a>(&'a self, _: &str, _: Option<&'a str>, _: &'a str) -> Answer<'a, bool> {
        Box::pin(async { true })
    }

    fn authorize_subscribe<'a>(&'a self, _: &str, _: Option<&'a str>, _: &'a str) -> Answer<'a, bool> {
        Box::pin(async { true })
    }
}
