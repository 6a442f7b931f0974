//! How the web is doing: counts since its start, and its parts.

use std::sync::atomic::{AtomicU64, Ordering};

use mqtt_lab_core::supervisor::{Part, Supervisor, Weight};

/// Counts since the start, and the parts of the web.
#[derive(Debug)]
pub(crate) struct Health {
    /// Samples that arrived, usable or not.
    pub(crate) received: Counter,
    /// Samples committed.
    pub(crate) stored: Counter,
    /// Samples that were there already.
    pub(crate) duplicate: Counter,
    /// Messages that are not usable.
    pub(crate) refused: Counter,
    pub(crate) supervisor: Supervisor,
    /// Reads messages from the broker.
    pub(crate) ingest: Part,
    /// Writes them.
    pub(crate) writer: Part,
    /// Takes what is written.
    pub(crate) database: Part,
    /// Sends what changed to the pages.
    pub(crate) live: Part,
    /// Answers requests.
    pub(crate) server: Part,
    /// Tells the time; failing: several senders agree on another one.
    pub(crate) clock: Part,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Health {
    pub(crate) fn new(supervisor: Supervisor) -> Self {
        Self {
            received: Counter::default(),
            stored: Counter::default(),
            duplicate: Counter::default(),
            refused: Counter::default(),
            ingest: supervisor.part("ingest", Weight::Essential),
            writer: supervisor.part("writer", Weight::Essential),
            database: supervisor.part("database", Weight::Essential),
            live: supervisor.part("live", Weight::Helpful),
            server: supervisor.part("server", Weight::Helpful),
            clock: supervisor.part("clock", Weight::Helpful),
            supervisor,
        }
    }

    /// Notes something that the database does not take and that was left out.
    pub(crate) fn set_aside(&self, part: &Part, what: String, reason: String) {
        self.supervisor.set_aside(part, what, reason);
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new(Supervisor::default())
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
