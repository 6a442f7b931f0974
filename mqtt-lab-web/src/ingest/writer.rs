//! Writes batches, and acknowledges what is committed.

use std::sync::Arc;
use std::time::Duration;

use mqtt_lab_core::link::Incoming;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::Entry;
use super::retry::{Retry, Stopped};
use crate::health::{Health, chain};
use crate::registry::Registry;
use crate::store::{Store, StoreError, Write, WriteReport};

/// Messages in a batch.
const MAX_BATCH: usize = 1_000;
/// Longest time from a batch's first message to its commit. A batch has its price, about that of two hundred
/// samples where many devices speak: short ones would cost more than what is in them.
const MAX_WAIT: Duration = Duration::from_millis(20);
/// A pause that ends a batch: a broker that waits for acknowledgements would send nothing more.
const PAUSE: Duration = Duration::from_millis(2);

/// The one task that writes.
pub(crate) struct Writer {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    health: Arc<Health>,
    retry: Retry,
}

impl Writer {
    /// `abandon`: gives a batch up that cannot be written, so that the web can stop; its messages
    /// stay unacknowledged, and the broker sends them again.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        health: Arc<Health>,
        abandon: watch::Receiver<bool>,
    ) -> Self {
        let retry = Retry { health: Arc::clone(&health), stop: abandon };
        Self { store, registry, health, retry }
    }

    /// Writes until the queue is closed and empty.
    pub(crate) async fn run(self, mut queue: mpsc::Receiver<Entry>) {
        let (mut writes, mut messages) = (Vec::new(), Vec::new());
        while gather(&mut queue, &mut writes, &mut messages).await {
            if self.commit(&writes).await.is_err() {
                tracing::warn!(
                    messages = messages.len(),
                    "stopped before the store took all: the broker keeps the rest"
                );
                return;
            }
            writes.clear();
            Incoming::ack_all(messages.drain(..));
        }
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), Stopped> {
        if writes.is_empty() {
            return Ok(());
        }
        let begin = Instant::now();
        match self.retry.run(|| self.store.write(writes)).await? {
            Ok(report) => {
                tracing::debug!(writes = writes.len(), elapsed = ?begin.elapsed(), "batch committed");
                self.note(&report);
            }
            Err(error) => self.commit_singly(writes, &error).await?,
        }
        Ok(())
    }

    /// The database refuses something in the batch: writes what it takes, and drops the rest.
    async fn commit_singly(&self, writes: &[Write], error: &StoreError) -> Result<(), Stopped> {
        tracing::error!(
            error = chain(error),
            "the database refuses a message; the others of its batch are kept"
        );
        for write in writes {
            match self.retry.run(|| self.store.write(std::slice::from_ref(write))).await? {
                Ok(report) => self.note(&report),
                Err(_) => self.health.refused.add(1),
            }
        }
        Ok(())
    }

    fn note(&self, report: &WriteReport) {
        let stored = report.stored();
        self.health.stored.add(stored);
        self.health.duplicate.add(report.outcomes.len() - stored);
        self.registry.set_counts(&report.counts);
    }
}

/// Fills the next batch; false: the queue is closed and empty.
///
/// It looks into the queue now and then instead of waiting for each message: being woken a thousand
/// times costs more than the batch.
async fn gather(
    queue: &mut mpsc::Receiver<Entry>,
    writes: &mut Vec<Write>,
    messages: &mut Vec<Incoming>,
) -> bool {
    let Some(first) = queue.recv().await else { return false };
    let mut add = |entry: Entry| {
        writes.extend(entry.writes);
        messages.push(entry.message);
        messages.len() < MAX_BATCH
    };
    let mut room = add(first);
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        if !queue.is_closed() {
            sleep(PAUSE).await;
        }
        let mut new = false;
        while room && let Ok(entry) = queue.try_recv() {
            room = add(entry);
            new = true;
        }
        if !room || !new || Instant::now() >= deadline {
            return true;
        }
    }
}
