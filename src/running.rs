//! The parts of a running lab: what starts after what, and stops before what.

mod stopping;

use crate::clients;
use crate::config::{Config, Source, Told};
use crate::failure::Failure;
use crate::identity::WordFolder;
use crate::losses::Losses;
use crate::plugs;
use crate::terminal::Printer;
use crate::variables;
use mqtt_lab_core::broker::{Broker, BrokerError};
use mqtt_lab_core::config::SpoolConfig;
use mqtt_lab_core::link::{DiskSpool, LinkConfig};
use mqtt_lab_core::plugin::PluginLoader;
use mqtt_lab_core::supervisor::Supervisor;
use mqtt_lab_core::{BuildError, Changes, Identity, Lab, LabBuilder, RunningLab, Variables};
use mqtt_lab_web::{
    IngestConfig, Notice, NoticeLevel, NoticeMessage, NoticeTitle, PlugRequest, PublishLog, Seen, StartError,
    VariableRequest, Web,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// Time that devices get to connect before the start is reported.
const CONNECT: Duration = Duration::from_secs(5);

/// The parts of a running lab, in the order in which they stop. It begins empty and grows while it starts, so that a
/// start that is interrupted is stopped in order, too.
pub(crate) struct Running {
    supervisor: Supervisor,
    printer: Printer,
    devices: RunningLab,
    variables: Variables,
    /// The word at the end of every client id; `None` until it is known.
    identity: Option<Identity>,
    /// Version 0.1.0 wrote to this lab's data last.
    upgrade: bool,
    /// As the lab was started.
    started: Option<Source>,
    spool: Option<DiskSpool>,
    web: Option<Web>,
    losses: Option<Losses>,
    /// What pages ask of the devices' plugs.
    plugs: Option<Receiver<PlugRequest>>,
    /// What pages ask of the variables.
    wishes: Option<Receiver<VariableRequest>>,
    broker: Option<Broker>,
}

impl Running {
    pub(crate) fn new(supervisor: Supervisor, printer: Printer) -> Self {
        Self {
            supervisor,
            printer,
            devices: RunningLab::default(),
            variables: Variables::new(),
            identity: None,
            upgrade: false,
            started: None,
            spool: None,
            web: None,
            losses: None,
            plugs: None,
            wishes: None,
            broker: None,
        }
    }

    /// Broker, then storage and dashboard, then devices: who listens is there before who speaks.
    pub(crate) async fn start(&mut self, source: &Source, loader: &mut PluginLoader) -> Result<(), Failure> {
        let config = &source.config;
        self.started = Some(source.clone());
        let word_folder = WordFolder::of(source);
        // Before a port is opened and a folder made. Which variables users made is known only later.
        source.build(loader).await?;
        if source.has_own_broker() {
            let broker = Broker::start_supervised(&config.broker, &self.supervisor).await;
            self.broker = Some(broker.map_err(|error| broker_failure(&error))?);
        }
        self.spool = open_spool(&config.spool, &self.supervisor)?;
        match config.web.enabled {
            true => self.start_web(config).await?,
            false => self.identify(word_folder.as_ref())?,
        }
        self.start_devices(source, loader).await
    }

    async fn start_web(&mut self, config: &Config) -> Result<(), Failure> {
        let broker = self.broker.as_ref();
        let mut link = LinkConfig::new("", "");
        link.brokers = match broker {
            Some(broker) => vec![broker.address().to_string()],
            None => config.mqtt.brokers.clone(),
        };
        link.version = config.mqtt.version.into();
        link.keep_alive = Duration::from_secs(config.mqtt.keep_alive_s.into());
        link.credentials = broker.and_then(Broker::own_credentials).or_else(|| config.mqtt.credentials());
        let mut web = config.web.clone();
        web.embedded_broker = broker.is_some();
        let log = broker.map(|broker| {
            let seen = broker.seen();
            Arc::new(move |topic: &str| seen.last(topic).map(|(qos, retain)| Seen { qos, retain }))
                as PublishLog
        });
        link.supervisor = Some(self.supervisor.clone());
        let ingest = IngestConfig { link, root: config.lab.root.clone() };
        let web = Web::start(web, config.store.clone(), ingest, log, self.supervisor.clone()).await;
        let web = web.map_err(|error| web_failure(&error))?;
        if let Some(broker) = broker {
            web.show_clients(clients::list(broker));
            broker.pace(web.client_id());
        }
        (self.identity, self.upgrade) = (Some(web.identity().clone()), web.is_upgrade());
        self.open_losses(&web);
        let web = self.web.insert(web);
        // Devices speak as soon as they are started; a broker elsewhere may be away for longer than that.
        if !web.listening(CONNECT).await {
            tracing::warn!("the storage is not connected to the broker yet, still retrying");
        }
        self.plugs = Some(web.plug_requests());
        self.wishes = Some(web.variable_requests());
        Ok(())
    }

    /// Without a database, another folder keeps the lab's word; without any, each run has another one.
    fn identify(&mut self, folder: Option<&WordFolder>) -> Result<(), Failure> {
        let Some(folder) = folder else { return Ok(()) };
        (self.identity, self.upgrade) = (Some(folder.word()?), folder.is_upgrade());
        Ok(())
    }

    /// Shows what the last stop lost.
    fn open_losses(&mut self, web: &Web) {
        let (losses, lost) = match Losses::open(&web.store_place()) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::warn!(%error, "what a stop loses cannot be kept for the next start");
                return;
            }
        };
        self.losses = Some(losses);
        if !lost.is_empty() {
            let messages = lost.into_iter().map(|text| NoticeMessage { text, hint: None }).collect();
            web.notify(Some(Notice { level: NoticeLevel::Error, title: NoticeTitle::LostAtStop, messages }));
        }
    }

    /// The devices, and the variables of the file and of users with the values they had.
    async fn start_devices(&mut self, source: &Source, loader: &mut PluginLoader) -> Result<(), Failure> {
        let known = match &self.web {
            Some(web) => Variables::remembered(web.variable_memory()).await.map_err(|error| {
                let message = format!("cannot read the variables from the storage: {error}");
                Failure::failed(message, Some("restore a backup of the database, or name another one".into()))
            })?,
            None => Variables::new(),
        };
        let variables = source.variables(&known);
        let lab = self.lab(source, &variables, loader).await?;
        let changes = self.devices.apply(lab).await.map_err(|error| match &error {
            BuildError::Link { .. } => Failure::of(&error, None),
            _ => source.explain(&error),
        })?;
        self.warn(&changes.warnings.iter().map(|problem| source.told(problem)).collect::<Vec<_>>());
        // Once: later, another lab may use such a client id.
        self.upgrade = false;
        self.variables = variables;
        Ok(())
    }

    /// Logs what is suspicious about the configuration.
    pub(crate) fn warn(&self, warnings: &[Told]) {
        for (_, warning, hint) in warnings {
            let hint = hint.as_ref().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
            tracing::warn!("{warning}{hint}");
        }
    }

    /// Applies changed devices or plugins. An error leaves everything as it was.
    pub(crate) async fn apply(
        &mut self,
        source: &Source,
        loader: &mut PluginLoader,
    ) -> Result<Changes, Failure> {
        let variables = source.variables(&self.variables);
        let lab = self.lab(source, &variables, loader).await?;
        let changes = self.devices.apply(lab).await.map_err(|error| source.explain(&error))?;
        self.variables = variables;
        Ok(changes)
    }

    /// The devices of a configuration with their plugins, variables and their way to the broker.
    async fn lab(
        &self,
        source: &Source,
        variables: &Variables,
        loader: &mut PluginLoader,
    ) -> Result<Lab, Failure> {
        let explain = |error| source.explain(&error);
        let lab = self.connected(source.lab().variables(variables));
        lab.load_plugins(loader).await.map_err(explain)?.build().map_err(explain)
    }

    /// A lab that knows its way to the broker, and who restarts its tasks.
    fn connected(&self, lab: LabBuilder) -> LabBuilder {
        let lab = lab.supervisor(&self.supervisor);
        let lab = self.identity.iter().fold(lab, LabBuilder::identity);
        let lab = if self.upgrade { lab.end_former_sessions() } else { lab };
        let lab = lab.credentials(self.broker.as_ref().and_then(Broker::own_credentials));
        let lab = self.broker.iter().fold(lab, |lab, broker| lab.broker(broker.address()));
        self.spool.iter().fold(lab, |lab, spool| lab.disk_spool(spool.clone()))
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
                let Some(started) = &self.started else { return };
                let lab = self.connected(started.empty_lab());
                variables::serve(&mut self.variables, request, lab, &mut self.devices).await;
            }
        }
    }

    /// Shows on every page and in the log what has happened.
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

    /// Tells the web which devices have no connection at present.
    pub(crate) fn show_unconnected(&self) {
        if let Some(web) = &self.web {
            web.show_unconnected(self.devices.unconnected());
        }
    }

    /// Prints where everything is.
    pub(crate) fn announce(&self, source: &Source) {
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
        self.printer.say(&lines.join("\n"));
    }

    pub(crate) async fn warn_of_missing(&self) {
        for device in self.devices.connected(CONNECT).await {
            let error = self.devices.status(device).and_then(|status| status.error).unwrap_or_default();
            tracing::warn!(device, error, "not connected yet, still retrying");
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

fn broker_failure(error: &BrokerError) -> Failure {
    let hint = error.hint();
    match error {
        BrokerError::Remote { .. } | BrokerError::Option { .. } => Failure::in_config(error, hint),
        _ => Failure::of(error, hint),
    }
}

fn open_spool(config: &SpoolConfig, supervisor: &Supervisor) -> Result<Option<DiskSpool>, Failure> {
    let Some(folder) = &config.folder else { return Ok(None) };
    let hint = "name another folder in `spool.folder`, or none: messages then wait in memory";
    let open = DiskSpool::open_supervised(folder, config.sync, supervisor);
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
