//! One part of a program, and whether it works.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::locked;

/// What it means for the program when a part does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Data is not stored, or not safe: the program is not ready.
    Essential,
    /// Something is missing, but every message still arrives.
    Helpful,
}

/// One part of a program: a task, a database, a folder. Clones share one state.
///
/// A change is one line in the log; reporting the same cause again is none.
#[derive(Clone)]
pub struct Part(Arc<Inner>);

struct Inner {
    name: &'static str,
    weight: Weight,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    trouble: Option<(String, SystemTime)>,
    waiting: u64,
    restarts: u64,
    panics: u64,
    last_panic: Option<String>,
}

/// How a part is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartStatus {
    /// The part's name.
    pub name: &'static str,
    /// What it means when it does not work.
    pub weight: Weight,
    /// Why it does not work; `None` while it works.
    pub cause: Option<String>,
    /// Since when it does not work; `None` while it works.
    pub since: Option<SystemTime>,
    /// Messages that wait in memory until it works again.
    pub waiting: u64,
    /// How often its task was restarted since the program started.
    pub restarts: u64,
    /// How often its task panicked since the program started.
    pub panics: u64,
    /// What the last panic said.
    pub last_panic: Option<String>,
}

impl Part {
    pub(super) fn new(name: &'static str, weight: Weight) -> Self {
        Self(Arc::new(Inner { name, weight, state: Mutex::default() }))
    }

    /// The part's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Reports that the part does not work, and why.
    pub fn fails(&self, cause: impl Into<String>) {
        let cause = cause.into();
        let mut state = locked(&self.0.state);
        let since = match &state.trouble {
            Some((known, _)) if *known == cause => return,
            Some((_, since)) => *since,
            None => SystemTime::now(),
        };
        state.trouble = Some((cause.clone(), since));
        drop(state);
        tracing::error!("the part `{}` does not work: {cause}", self.0.name);
    }

    /// Reports that the part works.
    pub fn works(&self) {
        let mut state = locked(&self.0.state);
        state.waiting = 0;
        let Some((_, since)) = state.trouble.take() else { return };
        drop(state);
        let seconds = since.elapsed().unwrap_or_default().as_secs_f64();
        tracing::info!("the part `{}` works again after {seconds:.1} s", self.0.name);
    }

    /// Whether it works, as far as anybody has reported.
    #[must_use]
    pub fn is_working(&self) -> bool {
        locked(&self.0.state).trouble.is_none()
    }

    /// Reports how many messages wait in memory until the part works again.
    pub fn waiting(&self, messages: usize) {
        locked(&self.0.state).waiting = messages as u64;
    }

    pub(super) fn panicked(&self, text: &str) {
        self.fails(format!("panicked: {text}"));
        let mut state = locked(&self.0.state);
        state.panics += 1;
        state.last_panic = Some(text.to_owned());
    }

    pub(super) fn restarts(&self) {
        locked(&self.0.state).restarts += 1;
    }

    /// How the part is doing.
    #[must_use]
    pub fn status(&self) -> PartStatus {
        let state = locked(&self.0.state);
        let (cause, since) = state.trouble.clone().unzip();
        PartStatus {
            name: self.0.name,
            weight: self.0.weight,
            cause,
            since,
            waiting: state.waiting,
            restarts: state.restarts,
            panics: state.panics,
            last_panic: state.last_panic.clone(),
        }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status().fmt(f)
    }
}
