//! How the web is doing: counts since its start, and what is wrong.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Samples since the start.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Arrived, usable or not.
    pub(crate) received: Counter,
    /// Committed.
    pub(crate) stored: Counter,
    /// There already.
    pub(crate) duplicate: Counter,
    /// Not usable, other messages included.
    pub(crate) refused: Counter,
    store_error: Mutex<Option<String>>,
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
    /// Why nothing can be stored at present.
    pub(crate) fn store_error(&self) -> Option<String> {
        self.store_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that the store fails, or works again.
    pub(crate) fn set_store_error(&self, error: Option<String>) {
        *self.store_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
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
