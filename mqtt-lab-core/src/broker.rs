//! An MQTT broker inside the program.
//!
//! MQTT 3.1.1 and 5 on one port, and over WebSocket where asked for. It binds to loopback, keeps its state in
//! memory unless a folder is given, and bounds packets, clients and queues.
//!
//! **The promise:** what it acknowledged at QoS 1 or 2 reaches every session that subscribed, each as often as
//! its QoS says, as long as the queue of the session has room. With [`storage`](BrokerConfig::storage) that
//! holds across a kill of the process as well: nothing leaves the broker (no acknowledgement, no message, no
//! CONNACK) before what it tells is on disk. What is dropped for want of room is counted
//! ([`Client::dropped`]) and said in the log.
//!
//! # Parts
//!
//! | | |
//! |---|---|
//! | [`Broker`], [`BrokerConfig`] | what a program holds and a lab file says |
//! | `listener`, `websocket`, `connection` | sockets: reading and writing side by side, nothing else |
//! | `wire` | packets of clients in both versions, on rumqttc's packet types |
//! | `state` | sessions, subscriptions, retained messages: behind one lock, without I/O |
//! | `outbox`, `filters`, `retained` | what a session has yet to get; who wants which topics; what is kept |
//! | `pace` | slows down a client whose messages pile up for the lab's storage |
//! | `journal`, `store`, `hub` | what has to be on disk first; the disk; the thread between |
//!
//! # Not offered
//!
//! Topic aliases, enhanced authentication and access rules. A client is told so in the way that MQTT has for it.

mod clients;
mod config;
mod connection;
mod contests;
mod filters;
mod hub;
mod journal;
mod keeper;
mod listener;
mod message;
mod outbox;
mod pace;
mod retained;
mod seen;
mod session;
mod state;
mod store;
mod users;
mod websocket;
mod wire;

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::link::Credentials;
use crate::supervisor::{Again, Part, Supervisor, Weight};
use hub::Hub;
use keeper::Keeper;
use listener::Listener;
use outbox::Bounds;
use state::{Limits, State};
use store::Store;
use users::Users;

pub use clients::{Client, ClientConnection};
pub use config::{BrokerConfig, BrokerError};
pub use seen::SeenTopics;
pub use users::User;

/// Most bytes that wait for one client.
const QUEUE_BYTES: usize = 256 * 1024 * 1024;
/// Longest time to say goodbye to every client.
const FAREWELL: Duration = Duration::from_secs(5);

/// A running broker. Dropping it stops it without waiting.
pub struct Broker {
    address: SocketAddr,
    websocket: Option<SocketAddr>,
    own: Option<Credentials>,
    hub: Arc<Hub>,
    tasks: Vec<JoinHandle<()>>,
    keeper: Option<thread::JoinHandle<()>>,
}

impl Broker {
    /// Starts a broker and returns as soon as it accepts connections.
    ///
    /// # Errors
    ///
    /// [`BrokerError`] says what was tried on which address or folder.
    pub async fn start(config: &BrokerConfig) -> Result<Self, BrokerError> {
        Self::start_supervised(config, &Supervisor::default()).await
    }

    /// As [`start`](Self::start), in a program with a supervisor: it restarts the tasks of the broker, and knows
    /// whether the storage works.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_supervised(
        config: &BrokerConfig,
        supervisor: &Supervisor,
    ) -> Result<Self, BrokerError> {
        config.check()?;
        let listener = bind(config.bind).await?;
        let websocket = match config.websocket {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let mut state = State::new(Limits {
            clients: config.max_clients,
            queue: Bounds { messages: config.queue_messages, bytes: QUEUE_BYTES },
        });
        let store = open(config, &mut state)?;
        let own = (!config.users.is_empty()).then(own_credentials);
        let users = Users::new(&config.users, own.as_ref());
        let hub = Arc::new(Hub::new(state, users, config.max_packet_bytes));
        let mut broker = Self {
            address: listener.0,
            websocket: websocket.as_ref().map(|(address, _)| *address),
            own,
            keeper: store.map(|(path, store)| keep(&hub, path, store, supervisor)).transpose()?,
            tasks: Vec::new(),
            hub,
        };
        broker.spawn(listener.1, websocket.map(|(_, listener)| listener), config.max_clients, supervisor);
        Ok(broker)
    }

    fn spawn(
        &mut self,
        listener: TcpListener,
        websocket: Option<TcpListener>,
        max_clients: usize,
        supervisor: &Supervisor,
    ) {
        let hub = Arc::clone(&self.hub);
        let due = Again(move || {
            let hub = Arc::clone(&hub);
            async move { hub.run_due().await }
        });
        self.tasks.push(supervisor.spawn(&part(supervisor), due));
        let (hub, ids) = (Arc::clone(&self.hub), supervisor.part("client-ids", Weight::Helpful));
        let watched = ids.clone();
        let contests = Again(move || {
            let (hub, ids) = (Arc::clone(&hub), watched.clone());
            async move { contests::watch(&hub, &ids).await }
        });
        self.tasks.push(supervisor.spawn(&ids, contests));
        self.listen(listener, max_clients, connection::serve::<TcpStream>, supervisor);
        if let Some(listener) = websocket {
            self.listen(listener, max_clients, websocket::serve, supervisor);
        }
    }

    fn listen<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        listener: TcpListener,
        max_clients: usize,
        serve: impl Fn(Arc<Hub>, TcpStream, SocketAddr) -> F + Send + Sync + 'static,
        supervisor: &Supervisor,
    ) {
        let (hub, part) = (Arc::clone(&self.hub), part(supervisor));
        let (connections, supervisor) = (JoinSet::new(), supervisor.clone());
        let work =
            Listener { hub, listener, max_clients, serve, connections, part, supervisor: supervisor.clone() };
        self.tasks.push(supervisor.spawn(&work.part.clone(), work));
    }

    /// Address and port at which it listens; where port 0 was asked for, the one it got.
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
        Arc::clone(&self.hub.seen)
    }

    /// A look at the clients that are connected, and those whose session is kept.
    #[must_use]
    pub fn clients(&self) -> Clients {
        Clients(Arc::clone(&self.hub))
    }

    /// Slows down clients that publish faster than the client `client_id` takes messages, so that the messages of the
    /// others do not queue behind theirs. It has an effect only while that client takes messages at all.
    pub fn pace(&self, client_id: &str) {
        self.hub.with(|state| state.paced = Some(client_id.to_owned()));
    }

    /// How many connections were taken over by another client with the same client id since the start.
    #[must_use]
    pub fn take_overs(&self) -> u64 {
        self.hub.with(|state| state.take_overs.total()).0
    }

    /// Stops it: clients are told, no will is published, what has to be on disk is written.
    pub async fn stop(mut self) {
        self.hub.stop();
        for mut task in std::mem::take(&mut self.tasks) {
            if tokio::time::timeout(FAREWELL, &mut task).await.is_err() {
                tracing::warn!("the embedded broker did not stop within 5 s and is given up");
                task.abort();
            }
        }
        if let Some(keeper) = self.keeper.take() {
            // It ends when everything is written; one that panicked said so. A disk may hang.
            let joined = tokio::task::spawn_blocking(|| keeper.join());
            if tokio::time::timeout(FAREWELL, joined).await.is_err() {
                tracing::error!("the broker's storage does not answer: what it did not take is given up");
            }
        }
    }
}

/// A look at the clients of a broker, which may have stopped since.
#[derive(Clone)]
pub struct Clients(Arc<Hub>);

impl Clients {
    /// Every client that is connected, and every one whose session is kept, by id.
    #[must_use]
    pub fn all(&self) -> Vec<Client> {
        let (mut clients, _) = self.0.with(|state| state.clients());
        clients.sort_by(|a, b| a.id.cmp(&b.id));
        clients
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.hub.stop();
    }
}

async fn bind(address: SocketAddr) -> Result<(SocketAddr, TcpListener), BrokerError> {
    let failed = |source| BrokerError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    Ok((listener.local_addr().map_err(failed)?, listener))
}

/// Opens the storage, where there is one, and goes on where it stopped.
fn open(config: &BrokerConfig, state: &mut State) -> Result<Option<(PathBuf, Store)>, BrokerError> {
    let Some(path) = &config.storage else { return Ok(None) };
    let failed = |source| BrokerError::Storage { path: path.clone(), source };
    let store = Store::open(path).map_err(failed)?;
    state.restore(store.load().map_err(failed)?);
    Ok(Some((path.clone(), store)))
}

/// The thread that writes: a disk may take its time.
fn keep(
    hub: &Arc<Hub>,
    path: PathBuf,
    store: Store,
    supervisor: &Supervisor,
) -> Result<thread::JoinHandle<()>, BrokerError> {
    let part = supervisor.part("broker-storage", Weight::Essential);
    let mut keeper = Keeper::new(Arc::clone(hub), path, part.clone(), store);
    let supervisor = supervisor.clone();
    let thread = thread::Builder::new().name("mqtt-broker-disk".into());
    let work = move || supervisor.keep_thread(&part, || keeper.run());
    thread.spawn(work).map_err(|error| BrokerError::Start(error.to_string()))
}

fn part(supervisor: &Supervisor) -> Part {
    supervisor.part("broker", Weight::Essential)
}

fn own_credentials() -> Credentials {
    let password = format!("{:032x}", rand::random::<u128>());
    Credentials::new("mqtt-lab", password)
}
