//! `mqtt-lab run`: what starts after what, and stops before what.

use crate::arguments::RunOptions;
use crate::clients;
use crate::config::{Config, Source};
use crate::failure::Failure;
use crate::follow::Follower;
use crate::plugs;
use crate::variables;
use mqtt_lab_core::broker::{Broker, BrokerError};
use mqtt_lab_core::config::SpoolConfig;
use mqtt_lab_core::link::{Credentials, DiskSpool, LinkConfig};
use mqtt_lab_core::plugin::PluginLoader;
use mqtt_lab_core::{BuildError, Changes, FileStamp, Lab, LabBuilder, RunningLab, Variables};
use mqtt_lab_web::{
    IngestConfig, Notice, NoticeTitle, PlugRequest, PublishLog, Seen, StartError, VariableRequest, Web,
};
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tracing_subscriber::EnvFilter;

/// What is worth a line in the terminal without `RUST_LOG`.
const LOG: &str = "warn,mqtt_lab=info,mqtt_lab_core=info,mqtt_lab_core::link=warn,mqtt_lab_web=info";

/// Time that devices get to connect before the start is reported.
const CONNECT: Duration = Duration::from_secs(5);

/// Time that the last samples get to reach the storage.
const CATCH_UP: Duration = Duration::from_secs(5);

/// Runs a lab until Ctrl-C (or SIGTERM).
pub(crate) fn run(options: &RunOptions) -> Result<(), Failure> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(std::io::stderr().is_terminal()).with_target(false).init();
    // Before it is read: what is changed while the lab starts is noticed, too.
    let stamp = options.file.as_deref().and_then(FileStamp::of);
    let mut source = Source::read(options.file.as_deref())?;
    override_with(&mut source.config, options);
    source.check_tables()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::of(&error, None))?;
    runtime.block_on(async {
        // Listened to from the start: a Ctrl-C while devices still connect is an orderly stop too.
        let mut interrupt = Interrupt::listen().map_err(|error| Failure::of(&error, None))?;
        let mut loader = source.loader();
        let mut running = Running::start(&source, &mut loader).await?;
        running.announce(&source);
        let mut follower = Follower::new(options.clone(), source, loader, stamp);
        tokio::select! {
            () = interrupt.received() => {}
            () = async { running.warn_of_missing().await; follower.follow(&mut running).await } => {}
        }
        println!("stopping (Ctrl-C again gives up what is not delivered)");
        tokio::select! {
            () = running.stop() => println!("stopped"),
            () = interrupt.received() => println!("stopped at once"),
        }
        Ok(())
    })
}

/// Puts the options of the command line into the configuration.
pub(crate) fn override_with(config: &mut Config, options: &RunOptions) {
    if let Some(web) = options.web {
        config.web.bind = web.to_string();
    }
    if let Some(broker) = options.broker {
        config.broker.bind = broker;
    }
    if let Some(store) = &options.store {
        config.store.url = format!("sqlite:{}", store.display());
    }
}

/// The parts of a running lab, in the order in which they stop.
pub(crate) struct Running {
    devices: RunningLab,
    variables: Variables,
    /// As the lab was started.
    started: Source,
    spool: Option<DiskSpool>,
    web: Option<Web>,
    /// What pages ask of the devices' plugs.
    plugs: Option<Receiver<PlugRequest>>,
    /// What pages ask of the variables.
    wishes: Option<Receiver<VariableRequest>>,
    broker: Option<Broker>,
}

impl Running {
    /// Broker, then storage and dashboard, then devices: who listens is there before who speaks.
    async fn start(source: &Source, loader: &mut PluginLoader) -> Result<Self, Failure> {
        let config = &source.config;
        let broker = match source.has_own_broker() {
            true => Some(Broker::start(&config.broker).await.map_err(|error| broker_failure(&error))?),
            false => None,
        };
        let own = broker.as_ref().and_then(Broker::own_credentials);
        let spool = open_spool(&config.spool)?;
        // Checked before a database is made; which variables users made is known only then.
        lab(source, &source.variables(&Variables::new()), broker.as_ref(), spool.as_ref(), loader).await?;
        let web = match config.web.enabled {
            true => Some(start_web(config, broker.as_ref(), own).await?),
            false => None,
        };
        match start_devices(source, web.as_ref(), broker.as_ref(), spool.as_ref(), loader).await {
            Ok((devices, variables)) => {
                let plugs = web.as_ref().map(Web::plug_requests);
                let wishes = web.as_ref().map(Web::variable_requests);
                Ok(Self { devices, variables, started: source.clone(), spool, web, plugs, wishes, broker })
            }
            Err(failure) => {
                if let Some(web) = web {
                    web.shutdown().await;
                }
                Err(failure)
            }
        }
    }

    /// Goes over to changed devices or plugins. An error leaves everything as it was.
    pub(crate) async fn apply(
        &mut self,
        source: &Source,
        loader: &mut PluginLoader,
    ) -> Result<Changes, Failure> {
        let variables = source.variables(&self.variables);
        let lab = lab(source, &variables, self.broker.as_ref(), self.spool.as_ref(), loader).await?;
        let changes = self.devices.apply(lab).await.map_err(|error| source.explain(&error))?;
        self.variables = variables;
        Ok(changes)
    }

    /// Waits for what a page asks of this program. Safe to drop at any await.
    pub(crate) async fn asked(&mut self) -> Request {
        tokio::select! {
            Some(request) = next(&mut self.plugs) => Request::Plug(request),
            Some(request) = next(&mut self.wishes) => Request::Variable(request),
            // Nobody asks any more.
            else => std::future::pending().await,
        }
    }

    /// Does what a page asks.
    pub(crate) async fn serve(&mut self, request: Request) {
        match request {
            Request::Plug(request) => plugs::serve(&mut self.devices, request),
            Request::Variable(request) => {
                let lab = self.started.empty_lab();
                let lab = with_a_way(lab, self.broker.as_ref(), self.spool.as_ref());
                variables::serve(&mut self.variables, request, lab, &mut self.devices).await;
            }
        }
    }

    /// Says something on every page and in the terminal.
    pub(crate) fn tell(&self, notice: &Notice) {
        let text = notice.messages.iter().map(|message| match &message.hint {
            Some(hint) => format!("{}\n  hint: {hint}", message.text),
            None => message.text.clone(),
        });
        let text = text.collect::<Vec<_>>().join("\n");
        match notice.title {
            NoticeTitle::ConfigurationRefused => {
                tracing::error!("the changed configuration is not used:\n{text}")
            }
            NoticeTitle::PluginRefused => tracing::error!("the changed plugin is not used:\n{text}"),
            NoticeTitle::PluginReloaded => tracing::info!("plugin reloaded: {text}"),
            _ => tracing::info!("configuration changed: {text}"),
        }
        if let Some(web) = &self.web {
            web.notify(Some(notice.clone()));
        }
    }

    /// Prints where everything is.
    fn announce(&self, source: &Source) {
        let config = &source.config;
        let mut lines = vec![format!("mqtt-lab {}", env!("CARGO_PKG_VERSION"))];
        if let Some(web) = &self.web {
            lines.push(format!("  dashboard  http://{}/", web.local_addr()));
        }
        match &self.broker {
            Some(broker) => lines.push(format!("  broker     {} (MQTT 3.1.1 and 5)", broker.address())),
            None => lines.push(format!("  broker     {} (external)", config.mqtt.brokers.join(", "))),
        }
        if self.web.is_some() {
            lines.push(format!("  storage    {}", config.store.url));
        }
        if let Some(folder) = &config.spool.folder {
            lines.push(format!("  spool      {}", folder.display()));
        }
        let sensors: u32 = config.sensor.iter().map(|device| device.count).sum();
        let actuators: u32 = config.actuator.iter().map(|device| device.count).sum();
        let many = |n: u32, what| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let (sensors, actuators) = (many(sensors, "sensor"), many(actuators, "actuator"));
        let variables = match self.variables.all().count() {
            0 => String::new(),
            count => format!(", {}", many(u32::try_from(count).unwrap_or(u32::MAX), "variable")),
        };
        lines.push(format!("  devices    {sensors}, {actuators}{variables}"));
        lines.push("  Ctrl-C stops".to_owned());
        // The terminal may be gone; the lab runs all the same.
        let _ = writeln!(std::io::stdout(), "{}", lines.join("\n"));
    }

    async fn warn_of_missing(&self) {
        for device in self.devices.connected(CONNECT).await {
            let error = self.devices.status(device).and_then(|status| status.error).unwrap_or_default();
            tracing::warn!(device, error, "not connected yet, trying on");
        }
    }

    /// Devices say goodbye, then the last samples are stored, then the broker ends.
    async fn stop(self) {
        for undelivered in self.devices.stop().await {
            match undelivered.lost == 0 && undelivered.error.is_none() {
                true => tracing::warn!("{undelivered}"),
                false => tracing::error!("{undelivered}"),
            }
        }
        if let Some(web) = self.web {
            if !web.catch_up(CATCH_UP).await {
                tracing::warn!(
                    "the broker did not deliver everything in time; the last samples may be missing"
                );
            }
            web.shutdown().await;
        }
        if let Some(broker) = self.broker {
            broker.stop().await;
        }
    }
}

/// What a page asks of this program.
pub(crate) enum Request {
    Plug(PlugRequest),
    Variable(VariableRequest),
}

/// The next request; `None` at once where nobody asks.
async fn next<T>(requests: &mut Option<Receiver<T>>) -> Option<T> {
    requests.as_mut()?.recv().await
}

/// The devices, and the variables of the file and of users with the values they had.
async fn start_devices(
    source: &Source,
    web: Option<&Web>,
    broker: Option<&Broker>,
    spool: Option<&DiskSpool>,
    loader: &mut PluginLoader,
) -> Result<(RunningLab, Variables), Failure> {
    let known = match web {
        Some(web) => Variables::remembered(web.variable_memory()).await.map_err(|error| {
            let message = format!("cannot read the variables from the storage: {error}");
            Failure::failed(message, Some("restore a backup of the database, or name another one".into()))
        })?,
        None => Variables::new(),
    };
    if web.is_none() && !source.config.variable.is_empty() {
        tracing::warn!("without `[web]` nothing is stored: after a restart variables have their first value");
    }
    let variables = source.variables(&known);
    let lab = lab(source, &variables, broker, spool, loader).await?;
    let devices = lab.start().await.map_err(|error| match &error {
        BuildError::Link { .. } => Failure::of(&error, None),
        _ => source.explain(&error),
    })?;
    Ok((devices, variables))
}

/// The devices of a configuration with their plugins, variables and their way to the broker.
async fn lab(
    source: &Source,
    variables: &Variables,
    broker: Option<&Broker>,
    spool: Option<&DiskSpool>,
    loader: &mut PluginLoader,
) -> Result<Lab, Failure> {
    let explain = |error| source.explain(&error);
    let lab = with_a_way(source.lab().variables(variables), broker, spool);
    lab.load_plugins(loader).await.map_err(explain)?.build().map_err(explain)
}

/// A lab that knows its way to the broker.
fn with_a_way(lab: LabBuilder, broker: Option<&Broker>, spool: Option<&DiskSpool>) -> LabBuilder {
    let lab = lab.credentials(broker.and_then(Broker::own_credentials));
    let lab = broker.into_iter().fold(lab, |lab, broker| lab.broker(broker.address()));
    spool.into_iter().fold(lab, |lab, spool| lab.disk_spool(spool.clone()))
}

async fn start_web(
    config: &Config,
    broker: Option<&Broker>,
    own: Option<Credentials>,
) -> Result<Web, Failure> {
    let mut link = LinkConfig::new("", "");
    link.brokers = match broker {
        Some(broker) => vec![broker.address().to_string()],
        None => config.mqtt.brokers.clone(),
    };
    link.version = config.mqtt.version.into();
    link.keep_alive = Duration::from_secs(config.mqtt.keep_alive_s.into());
    link.credentials = own.or_else(|| config.mqtt.credentials());
    let mut web = config.web.clone();
    web.embedded_broker = broker.is_some();
    let log = broker.map(|broker| {
        let seen = broker.seen();
        Arc::new(move |topic: &str| seen.last(topic).map(|(qos, retain)| Seen { qos, retain })) as PublishLog
    });
    let ingest = IngestConfig { link, root: config.lab.root.clone() };
    let web =
        Web::start(web, config.store.clone(), ingest, log).await.map_err(|error| web_failure(&error))?;
    if let Some(broker) = broker {
        web.show_clients(clients::list(broker));
    }
    // Devices speak as soon as they are started; a broker elsewhere may be away for longer than that.
    if !web.listening(CONNECT).await {
        tracing::warn!("the storage is not connected to the broker yet, trying on");
    }
    Ok(web)
}

fn broker_failure(error: &BrokerError) -> Failure {
    let hint = match error {
        BrokerError::Bind { address, .. } => Some(format!(
            "another broker may run there: use it with `mqtt.brokers = [\"{address}\"]`, or take another port \
             with `--broker 127.0.0.1:1884` (0: a free one)"
        )),
        BrokerError::Remote { .. } => Some(
            "set `broker.allow_remote = true` and `broker.users = [{ name = \"…\", password = \"…\" }]`, or bind \
             to 127.0.0.1"
                .to_owned(),
        ),
        _ => None,
    };
    match error {
        BrokerError::Remote { .. } | BrokerError::Option { .. } => Failure::in_config(error, hint),
        _ => Failure::of(error, hint),
    }
}

fn open_spool(config: &SpoolConfig) -> Result<Option<DiskSpool>, Failure> {
    let Some(folder) = &config.folder else { return Ok(None) };
    let hint = "name another folder in `spool.folder`, or none: messages then wait in memory";
    let open = DiskSpool::open(folder, config.sync);
    open.map(Some).map_err(|error| Failure::of(&error, Some(hint.into())))
}

fn web_failure(error: &StartError) -> Failure {
    let hint = Some(error.hint().to_owned());
    match error {
        StartError::Unprotected { .. } | StartError::BadToken | StartError::BadRoot { .. } => {
            Failure::in_config(error, hint)
        }
        _ => Failure::of(error, hint),
    }
}

/// Ctrl-C, or the end that a service manager asks for.
struct Interrupt {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
}

impl Interrupt {
    #[cfg(unix)]
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { signals: [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?] })
    }

    #[cfg(not(unix))]
    fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(unix)]
    async fn received(&mut self) {
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn received(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
