//! Writes batches, and acknowledges what is committed.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mqtt_lab_core::failpoint;
use mqtt_lab_core::link::{Incoming, Qos};
use mqtt_lab_core::supervisor::Work;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::Entry;
use super::retry::{Retry, Stopped};
use crate::health::Health;
use crate::registry::Registry;
use crate::store::{Generation, Store, StoreError, Write, WriteReport};

/// Messages in a batch.
const MAX_BATCH: usize = 8_000;
/// Longest time from a batch's first message to its commit. A batch has its price, about that of two hundred
/// samples where many devices speak: short ones would cost more than what is in them.
const MAX_WAIT: Duration = Duration::from_millis(20);
/// Panics that one write may cause by itself before it is left out: another one may be no fault of its.
const MAX_PANICS: u32 = 2;
/// A pause that ends a batch: a broker that waits for acknowledgements would send nothing more.
const PAUSE: Duration = Duration::from_millis(2);

/// How often the number of waiting messages is brought up to date while a batch cannot be written.
const WAITING_INTERVAL: Duration = Duration::from_secs(1);

/// The one task that writes.
pub(crate) struct Writer {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    health: Arc<Health>,
    retry: Retry,
    queue: mpsc::Receiver<Entry>,
    /// What is being written: a panic does not lose it.
    batch: Batch,
    unstored: Arc<Unstored>,
}

/// What a web could not store when it was stopped.
#[derive(Debug, Default)]
pub(crate) struct Unstored {
    /// Messages that the broker keeps, if it keeps anything.
    pub(crate) kept: AtomicUsize,
    /// Messages at QoS 0, which nobody keeps.
    pub(crate) lost: AtomicUsize,
}

#[derive(Default)]
struct Batch {
    generation: Generation,
    writes: Vec<Write>,
    messages: Vec<Incoming>,
    /// How often it was begun: more than once after a panic.
    tries: u32,
    /// Of a batch that is written one by one: the next write, and the one that is under way with how often it was begun.
    next: usize,
    suspect: Option<(usize, u32)>,
}

impl Writer {
    /// `abandon`: gives up a batch that cannot be written, so that the web can stop; its messages
    /// stay unacknowledged, and the broker sends them again.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        health: Arc<Health>,
        abandon: watch::Receiver<bool>,
        queue: mpsc::Receiver<Entry>,
    ) -> Self {
        let retry = Retry { store: Arc::clone(&store), database: health.database.clone(), stop: abandon };
        let (batch, unstored) = (Batch::default(), Arc::default());
        Self { store, registry, health, retry, queue, batch, unstored }
    }

    /// What could not be stored, once the writer has ended.
    pub(crate) fn unstored(&self) -> Arc<Unstored> {
        Arc::clone(&self.unstored)
    }

    /// Writes the batch and acknowledges its messages.
    async fn settle(&mut self) -> Result<(), Stopped> {
        self.batch.tries += 1;
        if self.batch.tries == 1 {
            failpoint::hit("writer");
            self.write(&self.batch.writes).await?;
        } else {
            self.write_one_by_one().await?;
        }
        self.health.database.waiting(0);
        // What went into a database that was replaced meanwhile must come again: it stays unacknowledged.
        if self.batch.generation == self.store.generation() {
            Incoming::ack_all(self.batch.messages.drain(..));
        }
        self.batch.clear();
        Ok(())
    }

    /// After a panic: finds out which write it was, and leaves that one out.
    async fn write_one_by_one(&mut self) -> Result<(), Stopped> {
        if let Some((at, panics)) = self.batch.suspect
            && panics >= MAX_PANICS
        {
            self.batch.suspect = None;
            let what = self.describe(&self.batch.writes[at]);
            self.health.set_aside(&self.health.writer, what, "the writer panicked on it".to_owned());
            self.batch.next = at + 1;
        }
        while self.batch.next < self.batch.writes.len() {
            let at = self.batch.next;
            let panics = self.batch.suspect.map_or(0, |(_, panics)| panics);
            self.batch.suspect = Some((at, panics + 1));
            self.write(&self.batch.writes[at..=at]).await?;
            (self.batch.suspect, self.batch.next) = (None, at + 1);
        }
        Ok(())
    }

    /// Writes as much as the database takes; what is left out is counted and listed.
    async fn write(&self, writes: &[Write]) -> Result<(), Stopped> {
        if writes.is_empty() {
            return Ok(());
        }
        let generation = self.batch.generation;
        let written = tokio::select! {
            written = self.retry.run(|| self.store.write_for(generation, writes)) => written?,
            never = self.count_waiting() => match never {},
        };
        match written {
            Ok(report) => self.note(&report),
            // Its messages come again, and get the ids of the database that is there now.
            Err(StoreError::OtherDatabase) => {}
            Err(error) => self.halve(writes, &error).await?,
        }
        Ok(())
    }

    /// Reports how many messages wait, again and again: while the database fails, more come in.
    async fn count_waiting(&self) -> Infallible {
        loop {
            self.health.database.waiting(self.batch.messages.len() + self.queue.len());
            sleep(WAITING_INTERVAL).await;
        }
    }

    /// The database does not take something in the batch: looks for it in both halves.
    async fn halve(&self, writes: &[Write], error: &StoreError) -> Result<(), Stopped> {
        let [write] = writes else {
            let (first, second) = writes.split_at(writes.len() / 2);
            Box::pin(self.write(first)).await?;
            return Box::pin(self.write(second)).await;
        };
        let (what, reason) = (self.describe(write), error.cause());
        tracing::debug!(what, reason, "set aside");
        self.health.set_aside(&self.health.database, what, reason.clone());
        // It arrived, and is not stored: that is no loss on the way.
        if let Write::Sample(sample) = write {
            let (device, number) = (sample.device, sample.number);
            let refused = [Write::Refused { device, reason, number, arrived_us: sample.arrived_us }];
            if let Ok(Ok(report)) =
                self.retry.run(|| self.store.write_for(self.batch.generation, &refused)).await
            {
                self.note(&report);
            }
        }
        Ok(())
    }

    fn describe(&self, write: &Write) -> String {
        let name = |device| self.registry.name(device).unwrap_or_else(|| "an unknown device".to_owned());
        match write {
            Write::Sample(sample) => {
                let number = sample.number.map(|(boot, n)| format!(" (number {n} of boot {boot})"));
                let channel = self.registry.channel_of(sample.device, sample.series).unwrap_or_default();
                let number = number.unwrap_or_default();
                format!("{} {channel} = {}{number}", name(sample.device), sample.value)
            }
            Write::Life { device, .. } => format!("{}: a new boot", name(*device)),
            Write::Sent { device, .. } => format!("{}: its count of samples", name(*device)),
            Write::Refused { device, .. } => format!("{}: a refused message", name(*device)),
            Write::NoReading { device, .. } => format!("{}: a message without a value", name(*device)),
            Write::State { device, .. } | Write::Said { device, .. } => {
                format!("{}: its state", name(*device))
            }
            Write::Info { device, .. } => format!("{}: its description", name(*device)),
            Write::EndCommand { id, .. } => format!("the end of command {id}"),
        }
    }

    fn note(&self, report: &WriteReport) {
        let stored = report.stored();
        self.health.stored.add(stored);
        self.health.duplicate.add(report.outcomes.len() - stored);
        self.registry.set_counts(&report.counts);
    }

    /// Fills the next batch; false: the queue is closed and empty.
    ///
    /// It looks into the queue now and then instead of waiting for each message: being woken a thousand
    /// times costs more than the batch.
    async fn gather(&mut self) -> bool {
        let Some(first) = self.queue.recv().await else { return false };
        self.batch.add(first);
        let deadline = Instant::now() + MAX_WAIT;
        loop {
            if !self.queue.is_closed() {
                sleep(PAUSE).await;
            }
            let mut new = false;
            while self.batch.messages.len() < MAX_BATCH
                && let Ok(entry) = self.queue.try_recv()
            {
                self.batch.add(entry);
                new = true;
            }
            if self.batch.messages.len() >= MAX_BATCH || !new || Instant::now() >= deadline {
                return true;
            }
        }
    }

    /// Counts what is given up.
    fn abandon(&mut self) {
        self.queue.close();
        let mut messages = std::mem::take(&mut self.batch.messages);
        while let Ok(entry) = self.queue.try_recv() {
            messages.push(entry.message);
        }
        let lost = messages.iter().filter(|message| message.qos == Qos::AtMostOnce).count();
        let kept = messages.len() - lost;
        self.unstored.kept.store(kept, Ordering::Relaxed);
        self.unstored.lost.store(lost, Ordering::Relaxed);
        tracing::warn!(kept, lost, "stopped before the database took everything");
    }
}

impl Batch {
    fn clear(&mut self) {
        self.writes.clear();
        self.messages.clear();
        (self.tries, self.next, self.suspect) = (0, 0, None);
    }

    /// What is for an earlier database is left out, be it the entry or all that was gathered; its messages come again.
    fn add(&mut self, entry: Entry) {
        if entry.generation > self.generation {
            self.clear();
            self.generation = entry.generation;
        }
        if entry.generation == self.generation {
            self.writes.extend(entry.writes);
            self.messages.push(entry.message);
        }
    }
}

#[async_trait]
impl Work for Writer {
    async fn run(&mut self) -> Result<(), String> {
        loop {
            // After a panic the batch is still there.
            if self.batch.messages.is_empty() && !self.gather().await {
                return Ok(());
            }
            if self.settle().await.is_err() {
                self.abandon();
                return Ok(());
            }
        }
    }
}
