//! What the HTTP handlers share.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

use crate::assets::Assets;
use crate::bus::Outlet;
use crate::clients::Clients;
use crate::clock::Millis;
use crate::commands::Commands;
use crate::config::WebConfig;
use crate::guard::{Hosts, Token};
use crate::health::Health;
use crate::live::Sessions;
use crate::notice::{Board, NoticeView};
use crate::plugs::Plugs;
use crate::registry::Registry;
use crate::store::Store;
use crate::topics::Topics;
use crate::variables::VariableRequests;

/// What the HTTP handlers share. [`router`](crate::router) serves it; [`Web::app`](crate::Web::app) gives it.
#[derive(Clone)]
pub struct App(pub(crate) Arc<Shared>);

/// The inside of [`App`], for this crate alone.
pub struct Shared {
    pub(crate) config: WebConfig,
    pub(crate) hosts: Hosts,
    pub(crate) token: Option<Token>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) commands: Arc<Commands>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) outlet: Arc<dyn Outlet>,
    pub(crate) health: Arc<Health>,
    pub(crate) sessions: Sessions,
    pub(crate) board: Arc<Board>,
    pub(crate) assets: Assets,
    pub(crate) clients: Clients,
    pub(crate) plugs: Plugs,
    pub(crate) variables: VariableRequests,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) started_us: i64,
    /// Losses before the start.
    pub(crate) lost_before: u64,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The lab as the API shows it: what every page is told each second, and the notice, of which it hears
/// when that changes.
#[derive(Debug, Serialize)]
pub(crate) struct WholeLabView {
    #[serde(flatten)]
    lab: LabView,
    notice: Option<NoticeView>,
}

/// The lab as the pages are told each second.
#[derive(Debug, Serialize)]
pub(crate) struct LabView {
    name: String,
    version: &'static str,
    root: String,
    pub(crate) broker: BrokerView,
    pub(crate) store: StoreView,
    started_ms: Millis,
    pub(crate) counts: LabCounts,
}

#[derive(Debug, Serialize)]
pub(crate) struct BrokerView {
    address: String,
    embedded: bool,
    pub(crate) connected: bool,
    pub(crate) error: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoreView {
    engine: &'static str,
    pub(crate) error: Option<String>,
}

/// Samples since the start.
#[derive(Debug, Serialize)]
pub(crate) struct LabCounts {
    pub(crate) received: u64,
    pub(crate) stored: u64,
    pub(crate) duplicate: u64,
    pub(crate) refused: u64,
    pub(crate) lost: u64,
}

impl Shared {
    pub(crate) fn whole_lab(&self) -> WholeLabView {
        WholeLabView { lab: self.lab(), notice: self.board.shown() }
    }

    pub(crate) fn lab(&self) -> LabView {
        let status = self.outlet.status();
        LabView {
            name: self.config.name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            root: self.registry.root().to_owned(),
            broker: BrokerView {
                address: self.config.public_broker_address.clone().unwrap_or(status.broker),
                embedded: self.config.embedded_broker,
                connected: status.connected,
                error: status.error,
            },
            store: StoreView { engine: self.store.engine(), error: self.health.store_error() },
            started_ms: Millis(self.started_us),
            counts: LabCounts {
                received: self.health.received.get(),
                stored: self.health.stored.get(),
                duplicate: self.health.duplicate.get(),
                refused: self.health.refused.get(),
                lost: self.registry.lost().saturating_sub(self.lost_before),
            },
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
