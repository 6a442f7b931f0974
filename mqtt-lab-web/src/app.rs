//! What the HTTP handlers share.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use mqtt_lab_core::supervisor::{PartStatus, Weight};

use serde::Serialize;
use tokio::sync::watch;

use crate::assets::Assets;
use crate::bus::Outlet;
use crate::clients::Clients;
use crate::clock::{Millis, now_us};
use crate::commands::Commands;
use crate::config::WebConfig;
use crate::guard::{Access, Hosts, Places};
use crate::health::Health;
use crate::notice::{Board, Notice, NoticeLevel, NoticeMessage, NoticeTitle, NoticeView};
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
    pub(crate) access: Access,
    pub(crate) registry: Arc<Registry>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) commands: Arc<Commands>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) outlet: Arc<dyn Outlet>,
    pub(crate) health: Arc<Health>,
    /// Places for open pages.
    pub(crate) pages: Arc<Places>,
    pub(crate) board: Arc<Board>,
    pub(crate) assets: Assets,
    pub(crate) clients: Clients,
    pub(crate) plugs: Plugs,
    pub(crate) variables: VariableRequests,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) started_us: i64,
    /// Losses before the start.
    pub(crate) lost_before: AtomicU64,
    /// Devices of this program whose connection is down.
    pub(crate) unconnected: Mutex<Vec<String>>,
    /// Restarts of parts that a notice has told of.
    pub(crate) restarts_told: AtomicU64,
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
    /// Whether visitors log in.
    login: bool,
    pub(crate) broker: BrokerView,
    pub(crate) store: StoreView,
    started_ms: Millis,
    now_ms: Millis,
    pub(crate) counts: LabCounts,
    /// Parts that do not work, or were restarted.
    pub(crate) parts: Vec<PartView>,
}

/// A part of the lab.
#[derive(Debug, Serialize)]
pub(crate) struct PartView {
    pub(crate) part: &'static str,
    /// Whether the lab can do without it for a while.
    pub(crate) essential: bool,
    /// Why it does not work; null while it works.
    pub(crate) error: Option<String>,
    since_ms: Option<Millis>,
    /// Messages that wait in memory until it works again.
    pub(crate) waiting: u64,
    pub(crate) restarts: u64,
    pub(crate) panics: u64,
    last_panic: Option<String>,
}

impl From<PartStatus> for PartView {
    fn from(status: PartStatus) -> Self {
        let since = status.since.and_then(|since| since.duration_since(UNIX_EPOCH).ok());
        Self {
            part: status.name,
            essential: status.weight == Weight::Essential,
            error: status.cause,
            since_ms: since.map(|since| Millis(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))),
            waiting: status.waiting,
            restarts: status.restarts,
            panics: status.panics,
            last_panic: status.last_panic,
        }
    }
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
    /// Usable messages that a part could not store or read and left out.
    pub(crate) set_aside: u64,
}

impl Shared {
    pub(crate) fn whole_lab(&self) -> WholeLabView {
        WholeLabView { lab: self.lab(), notice: self.board.shown() }
    }

    /// Suspects the lab's own clock if several senders agree against it.
    pub(crate) fn compare_clocks(&self) {
        let Some(suspicion) = self.registry.suspicion(now_us()) else {
            self.health.clock.works();
            return;
        };
        let (senders, behind_s) = (suspicion.senders, (suspicion.behind_us + 500_000) / 1_000_000);
        let (hours, minutes, seconds) = (behind_s / 3_600, behind_s / 60 % 60, behind_s % 60);
        self.health.clock.fails(format!(
            "this computer's clock is behind those of {senders} devices, which agree: {hours}:{minutes:02}:{seconds:02}"
        ));
    }

    /// Shows a notice if a part was restarted since the last call.
    pub(crate) fn tell_restarts(&self) {
        let parts = self.health.supervisor.parts();
        let restarts = parts.iter().map(|part| part.restarts).sum();
        if self.restarts_told.swap(restarts, Ordering::Relaxed) == restarts {
            return;
        }
        let restarted = parts.iter().filter(|part| part.restarts > 0);
        let messages = restarted.map(|part| {
            let times = if part.restarts == 1 { "once" } else { "several times" };
            let panic =
                part.last_panic.as_ref().map(|text| format!("; last panic: {text}")).unwrap_or_default();
            NoticeMessage { text: format!("{}: restarted {times}{panic}", part.name), hint: None }
        });
        let messages = messages.collect();
        let notice = Notice { level: NoticeLevel::Error, title: NoticeTitle::PartRestarted, messages };
        self.board.post(Some(notice), now_us(), &self.registry.hub);
    }

    /// Every part of the lab.
    pub(crate) fn parts(&self) -> Vec<PartView> {
        self.health.supervisor.parts().into_iter().map(PartView::from).collect()
    }

    /// Devices of this program whose connection is down.
    pub(crate) fn unconnected(&self) -> Vec<String> {
        self.unconnected.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn lab(&self) -> LabView {
        let status = self.outlet.status();
        LabView {
            name: self.config.name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            root: self.registry.root().to_owned(),
            login: self.access.needs_token(),
            broker: BrokerView {
                address: self.config.public_broker_address.clone().unwrap_or(status.broker),
                embedded: self.config.embedded_broker,
                connected: status.connected,
                error: status.error,
            },
            store: StoreView { engine: self.store.engine(), error: self.health.database.status().cause },
            started_ms: Millis(self.started_us),
            now_ms: Millis(now_us()),
            counts: LabCounts {
                received: self.health.received.get(),
                stored: self.health.stored.get(),
                duplicate: self.health.duplicate.get(),
                refused: self.health.refused.get(),
                lost: self.registry.lost().saturating_sub(self.lost_before.load(Ordering::Relaxed)),
                set_aside: self.health.supervisor.set_aside_total(),
            },
            parts: self
                .parts()
                .into_iter()
                .filter(|part| part.error.is_some() || part.restarts > 0)
                .collect(),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
