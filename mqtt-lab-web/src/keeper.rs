//! The task that looks after the database file: deleted, replaced, restored.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use mqtt_lab_core::failpoint;
use mqtt_lab_core::supervisor::Work;

use crate::app::App;
use crate::clock::now_us;
use crate::notice::{Notice, NoticeLevel, NoticeMessage, NoticeTitle};
use crate::store::Healed;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Looks after the database file until it is dropped.
pub(crate) struct Keeper {
    app: App,
    /// The last look found something that could not be put right.
    failed: bool,
    /// The database was replaced, and what is known is still that of the one before: nothing is stored until it is read.
    stale: bool,
}

impl Keeper {
    pub(crate) const fn new(app: App) -> Self {
        Self { app, failed: false, stale: false }
    }

    async fn look(&mut self) {
        let database = &self.app.health.database;
        let healed = match self.app.store.heal().await {
            Ok(healed) => healed,
            Err(error) => {
                database.fails(error.cause());
                self.failed = true;
                return;
            }
        };
        // What fills one folder fills the others: a database that has nothing to write would not notice.
        if self.failed || self.others_fail() {
            if let Err(error) = self.app.store.probe().await {
                database.fails(error.cause());
                self.failed = true;
            } else if std::mem::take(&mut self.failed) {
                database.works();
            }
        }
        match healed {
            Healed::Nothing if !self.stale => {}
            Healed::Restored if !self.stale => self.tell(NoticeTitle::DatabaseRestored),
            Healed::Nothing | Healed::Restored | Healed::Replaced => {
                self.stale = !self.replaced().await;
                if !self.stale {
                    self.tell(NoticeTitle::DatabaseReplaced);
                }
            }
        }
    }

    fn others_fail(&self) -> bool {
        let parts = self.app.health.supervisor.parts();
        parts.iter().any(|part| part.cause.is_some() && part.name != self.app.health.database.name())
    }

    /// Ids mean other things now: what was read with the old ones comes again. False: the new ones cannot be read yet.
    async fn replaced(&mut self) -> bool {
        let shared = &self.app;
        let generation = shared.store.generation();
        let snapshot = match shared.store.load(now_us()).await {
            Ok(snapshot) => snapshot,
            Err(error) => {
                shared.health.database.fails(error.cause());
                self.failed = true;
                return false;
            }
        };
        let lost = shared.registry.lost().saturating_sub(shared.lost_before.load(Ordering::Relaxed));
        shared.registry.replace(snapshot, generation);
        shared.lost_before.store(shared.registry.lost().saturating_sub(lost), Ordering::Relaxed);
        shared.outlet.reconnect();
        true
    }

    fn tell(&self, title: NoticeTitle) {
        let (text, level) = (self.app.store.place(), NoticeLevel::Error);
        tracing::warn!(
            database = text,
            "{}",
            if title == NoticeTitle::DatabaseReplaced {
                "the database was replaced and is used"
            } else {
                "the deleted database was restored"
            }
        );
        let notice = Notice { level, title, messages: vec![NoticeMessage { text, hint: None }] };
        self.app.board.post(Some(notice), now_us(), &self.app.registry.hub);
    }
}

#[async_trait]
impl Work for Keeper {
    async fn run(&mut self) -> Result<(), String> {
        loop {
            tokio::time::sleep(LOOK).await;
            failpoint::hit("keeper");
            self.look().await;
        }
    }
}
