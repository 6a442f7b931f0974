//! The web as a whole: start and stop in the right order.

mod handover;
mod server;
mod shutdown;
mod unstalled;

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mqtt_lab_core::link::{Link, Qos, Subscription};
use mqtt_lab_core::supervisor::{Again, Supervisor};
use mqtt_lab_core::{Identity, VariableMemory, failpoint};
use mqtt_lab_wire::{Topic, check_word};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::app::{App, Shared};
use crate::assets::Assets;
use crate::bus::{Outlet, Source};
use crate::clients::{ClientList, Clients};
use crate::clock::now_us;
use crate::commands::Commands;
use crate::config::{IngestConfig, PublishLog, StoreConfig, WebConfig};
use crate::error::StartError;
use crate::guard::{Access, Hosts, Limits, Places};
use crate::health::Health;
use crate::ingest::{self, Intake, Marker, Reader, Unstored, Writer};
use crate::keeper::Keeper;
use crate::live::{self, Hub};
use crate::notice::Notice;
use crate::plugs::Plugs;
use crate::registry::Registry;
use crate::store::Store;
use crate::store::sqlite::SqliteStore;
use crate::topics::Topics;
use crate::variables::{StoredVariables, VariableRequests};
use handover::Handover;
use server::Server;
pub use shutdown::NotStored;

/// Name of the ingest's connection, which belongs to no group.
const INGEST: &str = "ingest";
/// How often the pages hear of the lab.
const TICK: Duration = Duration::from_secs(1);
/// How long the broker keeps messages for an ingest that is away.
const SESSION_EXPIRY: Duration = Duration::from_secs(24 * 3600);
/// Connections at once, and pages with live messages among them; and those that only the lab's own computer gets.
const MAX_CONNECTIONS: usize = 1_024;
const RESERVED_CONNECTIONS: usize = 64;
const MAX_PAGES: usize = 512;
const RESERVED_PAGES: usize = 32;
/// Messages under way between broker and commit.
const WINDOW: u16 = 8_192;

/// A running web: ingest, store, API and dashboard. Stop it with [`Web::shutdown`].
///
/// ```no_run
/// # use mqtt_lab_core::{link::LinkConfig, supervisor::Supervisor};
/// # use mqtt_lab_web::{IngestConfig, StoreConfig, Web, WebConfig};
/// # async fn run() -> Result<(), mqtt_lab_web::StartError> {
/// let link = LinkConfig::new("127.0.0.1:1883", "");
/// let ingest = IngestConfig { link, root: "lab".to_owned() };
/// let supervisor = Supervisor::default();
/// let web = Web::start(WebConfig::default(), StoreConfig::default(), ingest, None, supervisor).await?;
/// println!("dashboard http://{}", web.local_addr());
/// web.shutdown(std::time::Duration::from_secs(10)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Web {
    address: SocketAddr,
    app: App,
    marker: Arc<Marker>,
    /// Ends everything but the writer, then the writer.
    stop: watch::Sender<bool>,
    abandon: watch::Sender<bool>,
    server: JoinHandle<()>,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
    unstored: Arc<Unstored>,
    identity: Identity,
    is_upgrade: bool,
    client_id: String,
    background: Background,
}

impl Web {
    /// Opens the store, binds the address, connects to the broker and serves.
    ///
    /// The link gets the client id `<root>__ingest_<word of the store>` ([`Identity::client_id`] without a group), a
    /// persistent session, and the subscription `<root>/#` at QoS 1. `publish_log` is asked for the publisher's QoS. `supervisor` restarts the
    /// parts of the web, and knows those of the rest of the program.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what could not be done; nothing is left running.
    pub async fn start(
        web: WebConfig,
        store: StoreConfig,
        ingest: IngestConfig,
        publish_log: Option<PublishLog>,
        supervisor: Supervisor,
    ) -> Result<Self, StartError> {
        let IngestConfig { mut link, root } = ingest;
        check_root(&root)?;
        let listener = bind(&web).await?;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&store.url).await?);
        link.client_id = identity(&*store).client_id(&root, "", INGEST);
        link.keep_session = true;
        link.session_expiry = link.session_expiry.max(SESSION_EXPIRY);
        link.incoming_capacity = link.incoming_capacity.max(usize::from(WINDOW));
        // Without Retain As Published: what comes with the flag is then old, and nothing else is.
        link.subscriptions = vec![Subscription::new(Topic::all(&root).to_string(), Qos::AtLeastOnce)];
        let config = link.clone();
        let (link, events) = Link::spawn(link)?;
        let is_upgrade = store.has_former_session().await?;
        let source: Box<dyn Source> = if is_upgrade {
            let former = former_client_id(&root, &*store);
            let new = (link.clone(), events);
            Box::new(Handover::begin(former, config, new, &root, Arc::clone(&store))?)
        } else {
            Box::new(events)
        };
        let bus = (Arc::new(link) as Arc<dyn Outlet>, source);
        let web = Self::run(web, listener, store, root, bus, publish_log, supervisor).await?;
        Ok(Self { is_upgrade, ..web })
    }

    /// As [`Web::start`], with a store and a connection of one's own.
    ///
    /// # Errors
    ///
    /// [`StartError`], except those of store and link.
    pub async fn start_with(
        web: WebConfig,
        store: Arc<dyn Store>,
        root: String,
        bus: (Arc<dyn Outlet>, Box<dyn Source>),
        publish_log: Option<PublishLog>,
        supervisor: Supervisor,
    ) -> Result<Self, StartError> {
        check_root(&root)?;
        let listener = bind(&web).await?;
        Self::run(web, listener, store, root, bus, publish_log, supervisor).await
    }

    async fn run(
        config: WebConfig,
        listener: TcpListener,
        store: Arc<dyn Store>,
        root: String,
        (outlet, source): (Arc<dyn Outlet>, Box<dyn Source>),
        log: Option<PublishLog>,
        supervisor: Supervisor,
    ) -> Result<Self, StartError> {
        let bind = config.bind.clone();
        let failed = |source| StartError::Listen { address: bind.clone(), source };
        let address = listener.local_addr().map_err(failed)?;
        let (token, proxies) = config.access()?;
        let limits = |total, per_address, reserved| Limits { total, per_address, reserved };
        let pages = limits(MAX_PAGES, config.max_pages_per_address, RESERVED_PAGES);
        let connections = limits(MAX_CONNECTIONS, config.max_connections_per_address, RESERVED_CONNECTIONS);
        let (started_us, own_broker) = (now_us(), config.embedded_broker);
        let identity = identity(&*store);
        let client_id = identity.client_id(&root, "", INGEST);
        let snapshot = match store.load(started_us).await {
            Ok(snapshot) => snapshot,
            Err(error) => {
                outlet.close(Duration::ZERO).await;
                return Err(error.into());
            }
        };
        let hub = Hub::new();
        let topics = Arc::new(Topics::new(log.clone()));
        let registry = Arc::new(Registry::new(root, log, Arc::clone(&hub), snapshot));
        let commands = Commands::new(Arc::clone(&registry), Arc::clone(&store), Arc::clone(&outlet));
        let health = Arc::new(Health::new(supervisor));
        let ((stop, stopped), (abandon, abandoned)) = (watch::channel(false), watch::channel(false));
        let app = App(Arc::new(Shared {
            topics: Arc::clone(&topics),
            hosts: Hosts::new(&config.bind, address, &config.allowed_hosts),
            access: Access::new(token, proxies, address.port()),
            commands: Arc::clone(&commands),
            store: Arc::clone(&store),
            outlet,
            health: Arc::clone(&health),
            pages: Places::new(pages),
            board: Arc::default(),
            assets: Assets::embedded(),
            clients: Clients::default(),
            plugs: Plugs::default(),
            variables: VariableRequests::default(),
            stop: stopped.clone(),
            started_us,
            lost_before: AtomicU64::new(registry.lost()),
            unconnected: Mutex::default(),
            restarts_told: AtomicU64::new(0),
            registry: Arc::clone(&registry),
            config,
        }));
        let (sender, receiver) = ingest::queue();
        let marker = Arc::new(Marker::default());
        let intake = Intake::new(
            Arc::clone(&registry),
            commands,
            Arc::clone(&store),
            Arc::clone(&health),
            Arc::clone(&app.outlet),
            Arc::clone(&marker),
            stopped.clone(),
        )
        .of_own_broker(own_broker)
        .noting(topics);
        let reader =
            Reader::new(source, intake, sender, Arc::clone(&registry), Arc::clone(&health), stopped.clone());
        let writer = Writer::new(store, Arc::clone(&registry), Arc::clone(&health), abandoned, receiver);
        let unstored = writer.unstored();
        let supervisor = &health.supervisor;
        let live = Again(move || live::run(Arc::clone(&hub), Arc::clone(&registry)));
        let (ticking, keeper) = (app.clone(), Keeper::new(app.clone()));
        let tick = Again(move || tick(ticking.clone()));
        let server = Server {
            listener: listener.into_std().map_err(failed)?,
            app: app.clone(),
            places: Places::new(connections),
            stop: stopped,
        };
        Ok(Self {
            address,
            server: supervisor.spawn(&health.server, server),
            reader: supervisor.spawn(&health.ingest, reader),
            writer: supervisor.spawn(&health.writer, writer),
            unstored,
            identity,
            is_upgrade: false,
            client_id,
            background: Background([
                supervisor.spawn(&health.live, live),
                supervisor.spawn(&health.live, tick),
                supervisor.spawn(&health.database, keeper),
            ]),
            app,
            marker,
            stop,
            abandon,
        })
    }

    /// The address of the dashboard; with port 0 configured, the port the system chose.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What the handlers share, for a [`router`](crate::router) without socket.
    #[must_use]
    pub fn app(&self) -> App {
        self.app.clone()
    }

    /// Shows a notice on every page, those that are opened later too, in the place of the one before;
    /// `None` takes it back. [`Notice`] says what happens to one that is too long.
    ///
    /// ```no_run
    /// # use mqtt_lab_web::{Notice, NoticeLevel, NoticeMessage, NoticeTitle, Web};
    /// # fn refuse(web: &Web) {
    /// let text = "lab.toml:3:1: unknown key `intervall_s`".to_owned();
    /// let hint = Some("did you mean `interval_s`?".to_owned());
    /// web.notify(Some(Notice {
    ///     level: NoticeLevel::Error,
    ///     title: NoticeTitle::ConfigurationRefused,
    ///     messages: vec![NoticeMessage { text, hint }],
    /// }));
    /// # }
    /// ```
    pub fn notify(&self, notice: Option<Notice>) {
        self.app.board.post(notice, now_us(), &self.app.registry.hub);
    }

    /// What pages ask of the devices that run in this program. It must be answered soon; to a second call nothing
    /// comes. Until the first call no page can pull a plug.
    #[must_use]
    pub fn plug_requests(&self) -> tokio::sync::mpsc::Receiver<crate::PlugRequest> {
        self.app.plugs.serve()
    }

    /// Lets pages list the broker's clients. Until then, and for a broker elsewhere, they say that they are not
    /// known. A second call changes nothing.
    pub fn show_clients(&self, list: ClientList) {
        self.app.clients.show(list);
    }

    /// What pages ask of the variables. It must be answered; to a second call nothing comes. Until the first call
    /// no page can see or make variables.
    #[must_use]
    pub fn variable_requests(&self) -> tokio::sync::mpsc::Receiver<crate::VariableRequest> {
        self.app.variables.serve()
    }

    /// Where variables are kept over a restart: the store.
    #[must_use]
    pub fn variable_memory(&self) -> Arc<dyn VariableMemory> {
        Arc::new(StoredVariables(Arc::clone(&self.app.store)))
    }

    /// Waits until the subscription stands and what the broker repeats because of it has been received,
    /// at most for `limit`; false: it does not yet. What is published later than that is received, and
    /// what is lost of a life of a device that begins later is counted from its first sample.
    pub async fn listening(&self, limit: Duration) -> bool {
        timeout(limit, self.marker.first()).await.is_ok()
    }

    /// Waits until everything that the broker had taken before this call has been received, at most for
    /// `limit`; false: it did not all come. Called between the goodbye of the devices and
    /// [`shutdown`](Web::shutdown), it lets nothing of theirs be lost.
    pub async fn catch_up(&self, limit: Duration) -> bool {
        self.marker.pass(self.app.registry.root(), &*self.app.outlet, limit).await
    }

    /// The word of the store at the end of every client id: that of the lab's devices, too.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The client id of the connection on which everything is received.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Whether version 0.1.0 wrote to this database last: brokers may keep sessions of its client ids.
    #[must_use]
    pub const fn is_upgrade(&self) -> bool {
        self.is_upgrade
    }

    /// Where the database is, in words for people.
    #[must_use]
    pub fn store_place(&self) -> String {
        self.app.store.place()
    }

    /// Shows devices of this program as not connected: `/readyz` lists them.
    pub fn show_unconnected(&self, devices: Vec<String>) {
        *self.app.unconnected.lock().unwrap_or_else(PoisonError::into_inner) = devices;
    }
}

/// Tasks without an end of their own; they end with this.
#[derive(Debug)]
struct Background([JoinHandle<()>; 3]);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Tells the pages of the lab and of changed counts.
async fn tick(app: App) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        failpoint::hit("tick");
        app.tell_restarts();
        app.registry.show_counts();
        app.compare_clocks();
        app.registry.hub.send(&serde_json::json!({"type": "lab", "lab": app.lab()}));
    }
}

fn identity(store: &dyn Store) -> Identity {
    store.identity().parse().unwrap_or_else(|error| {
        tracing::warn!(word = store.identity(), %error, "the database has no usable word; this run has a random one");
        Identity::random()
    })
}

/// The client id of version 0.1.0.
fn former_client_id(root: &str, store: &dyn Store) -> String {
    format!("{}-ingest-{}", root.replace('/', "-"), store.identity())
}

fn check_root(root: &str) -> Result<(), StartError> {
    let word = |word: &str| check_word(word).is_ok() && !word.starts_with('$');
    if root.split('/').all(word) { Ok(()) } else { Err(StartError::BadRoot { root: root.to_owned() }) }
}

async fn bind(config: &WebConfig) -> Result<TcpListener, StartError> {
    if let Some((_, error)) = config.errors().next() {
        return Err(error);
    }
    let address = config.bind.clone();
    let listener = TcpListener::bind(&address).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => StartError::AddressTaken { address: address.clone(), source },
        _ => StartError::Listen { address: address.clone(), source },
    })?;
    let local =
        listener.local_addr().map_err(|source| StartError::Listen { address: address.clone(), source })?;
    if !local.ip().is_loopback() && (config.token.is_none() || !config.allow_remote) {
        return Err(StartError::Unprotected { address });
    }
    Ok(listener)
}
