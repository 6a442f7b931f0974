//! Keeps long-lived tasks running, and knows how every part of a program is doing.
//!
//! A program has one [`Supervisor`]; each of its long-lived tasks is one [`Work`], and each thing that can fail
//! by itself is one [`Part`]: a task, a database, a folder. Whoever notices a failure reports it to the part; the
//! page, `/readyz`, `/metrics` and the log read it from there.

mod part;
mod set_aside;
mod work;

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use part::{Part, PartStatus, Weight};
pub use set_aside::{MAX_SET_ASIDE, SetAside};
pub use work::{Again, Work};

use crate::panicked::{caught, caught_in};
use set_aside::SetAsideLog;
use work::Backoff;

/// Panics within [`PANIC_WINDOW`] after which the program is to end.
const MAX_PANICS: usize = 5;
/// The time in which panics are counted together.
const PANIC_WINDOW: Duration = Duration::from_secs(60);

/// A task that was restarted works if it is still running after this time.
const PROOF: Duration = Duration::from_millis(200);
/// The part that all devices and links are.
const DEVICES: &str = "devices";

/// Watches the long-lived tasks of a program. Clones share one state.
///
/// A task that panics or returns an error is called again on the same value, after a pause that grows from 50 ms to
/// 30 s. Five panics within 60 s, of any tasks, resolve [`exhausted`](Self::exhausted): something is wrong that a
/// restart does not cure, and the program should end.
///
/// ```
/// use mqtt_lab_core::supervisor::{Supervisor, Weight};
///
/// let supervisor = Supervisor::default();
/// let database = supervisor.part("database", Weight::Essential);
/// database.fails("disk full");
/// assert_eq!(supervisor.parts()[0].cause.as_deref(), Some("disk full"));
/// database.works();
/// assert!(supervisor.parts()[0].cause.is_none());
/// ```
#[derive(Clone, Default)]
pub struct Supervisor(Arc<Inner>);

#[derive(Default)]
struct Inner {
    parts: Mutex<Vec<Part>>,
    panics: Mutex<VecDeque<Instant>>,
    exhausted: watch::Sender<Option<String>>,
    set_aside: Mutex<SetAsideLog>,
}

impl Supervisor {
    /// The part of that name, which is made if need be.
    #[must_use]
    pub fn part(&self, name: &'static str, weight: Weight) -> Part {
        let mut parts = locked(&self.0.parts);
        if let Some(known) = parts.iter().find(|part| part.name() == name) {
            return known.clone();
        }
        let part = Part::new(name, weight);
        parts.push(part.clone());
        part
    }

    /// Every part, in the order in which they were made.
    #[must_use]
    pub fn parts(&self) -> Vec<PartStatus> {
        locked(&self.0.parts).iter().map(Part::status).collect()
    }

    /// Spawns a task that is restarted until it is done.
    pub fn spawn(&self, part: &Part, mut work: impl Work + 'static) -> JoinHandle<()> {
        let (supervisor, part) = (self.clone(), part.clone());
        tokio::spawn(async move { supervisor.keep(&part, &mut work).await })
    }

    /// Runs a task in the present one, and restarts it until it is done.
    pub async fn keep(&self, part: &Part, work: &mut dyn Work) {
        let mut backoff = Backoff::default();
        let mut failed = false;
        loop {
            let begin = Instant::now();
            let run = async { if failed { prove(part, work).await } else { work.run().await } };
            match caught_in(pin!(run)).await {
                Ok(Ok(())) if failed => return part.works(),
                Ok(Ok(())) => return,
                Ok(Err(cause)) => part.fails(cause),
                Err(text) => self.panicked(part, &text),
            }
            failed = true;
            tokio::time::sleep(backoff.after(begin.elapsed())).await;
            part.restarts();
        }
    }

    /// As [`keep`](Self::keep), for the thread of a part: blocks until the work is done.
    pub fn keep_thread(&self, part: &Part, mut work: impl FnMut() -> Result<(), String>) {
        let mut backoff = Backoff::default();
        loop {
            let begin = Instant::now();
            match caught(&mut work) {
                Ok(Ok(())) => return,
                Ok(Err(cause)) => part.fails(cause),
                Err(text) => self.panicked(part, &text),
            }
            std::thread::park_timeout(backoff.after(begin.elapsed()));
            part.restarts();
            part.works();
        }
    }

    /// Reports that a task of `part` panicked, where it is not run by [`keep`](Self::keep).
    pub fn panicked(&self, part: &Part, text: &str) {
        part.panicked(text);
        let now = Instant::now();
        let mut panics = locked(&self.0.panics);
        panics.push_back(now);
        while panics.front().is_some_and(|first| now.duration_since(*first) > PANIC_WINDOW) {
            panics.pop_front();
        }
        if panics.len() >= MAX_PANICS {
            let count = panics.len();
            let seconds = PANIC_WINDOW.as_secs();
            let text =
                format!("{count} panics within {seconds} s, the last one in `{}`: {text}", part.name());
            self.0.exhausted.send_replace(Some(text));
        }
    }

    /// Reports that a task of a device, or of its link, panicked and goes on. They are many, so that all are one part.
    pub(crate) fn device_survived(&self, text: &str) {
        let part = self.part(DEVICES, Weight::Essential);
        self.panicked(&part, text);
        part.restarts();
        part.works();
    }

    /// Resolves when there were too many panics, with what to print.
    pub async fn exhausted(&self) -> String {
        let mut exhausted = self.0.exhausted.subscribe();
        match exhausted.wait_for(Option::is_some).await.ok().and_then(|text| text.clone()) {
            Some(text) => text,
            // The sender lives in `self`.
            None => std::future::pending().await,
        }
    }

    /// Notes something that could not be stored or read, and was left out so that the rest goes on.
    pub fn set_aside(&self, part: &Part, what: impl Into<String>, reason: impl Into<String>) {
        let entry =
            SetAside { at: SystemTime::now(), part: part.name(), what: what.into(), reason: reason.into() };
        locked(&self.0.set_aside).add(entry);
    }

    /// How many were set aside since the start.
    #[must_use]
    pub fn set_aside_total(&self) -> u64 {
        locked(&self.0.set_aside).total()
    }

    /// How many were set aside since the start, and the last [`MAX_SET_ASIDE`] of them, newest first.
    #[must_use]
    pub fn all_set_aside(&self) -> (u64, Vec<SetAside>) {
        locked(&self.0.set_aside).all()
    }
}

/// Runs a task that had failed. One that goes on for a while works.
async fn prove(part: &Part, work: &mut dyn Work) -> Result<(), String> {
    let mut run = work.run();
    match tokio::time::timeout(PROOF, &mut run).await {
        Ok(ended) => ended,
        Err(_) => {
            part.works();
            run.await
        }
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parts()).finish()
    }
}

/// Locks; what these mutexes hold is valid between two statements.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;

    /// Panics, then fails, then is done; counts its runs.
    struct Stumbles(u32);

    #[async_trait]
    impl Work for Stumbles {
        async fn run(&mut self) -> Result<(), String> {
            self.0 += 1;
            match self.0 {
                1 => panic!("first"),
                2 => Err("second".to_owned()),
                _ => Ok(()),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_goes_on_with_its_state_after_a_panic_and_after_an_error() {
        let supervisor = Supervisor::default();
        let part = supervisor.part("test", Weight::Essential);
        let mut work = Stumbles(0);
        supervisor.keep(&part, &mut work).await;
        assert_eq!(work.0, 3);
        let status = part.status();
        assert_eq!((status.restarts, status.panics), (2, 1));
        assert_eq!(status.last_panic.as_deref(), Some("first"));
        assert_eq!(status.cause, None, "it was restarted and went well");
    }

    /// Always panics.
    struct Panics;

    #[async_trait]
    impl Work for Panics {
        async fn run(&mut self) -> Result<(), String> {
            panic!("again");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn five_panics_in_a_minute_are_too_many() {
        let supervisor = Supervisor::default();
        let part = supervisor.part("test", Weight::Essential);
        let task = supervisor.spawn(&part, Panics);
        let text = supervisor.exhausted().await;
        task.abort();
        assert_eq!(text, "5 panics within 60 s, the last one in `test`: again");
    }

    #[tokio::test(start_paused = true)]
    async fn panics_that_are_rare_are_not_too_many() {
        let supervisor = Supervisor::default();
        let part = supervisor.part("test", Weight::Essential);
        for _ in 0..20 {
            supervisor.panicked(&part, "rare");
            tokio::time::advance(Duration::from_secs(16)).await;
        }
        let waited = tokio::time::timeout(Duration::from_secs(1), supervisor.exhausted()).await;
        assert!(waited.is_err(), "at most four in any 60 s");
    }

    #[test]
    fn a_thread_is_restarted_too() {
        let supervisor = Supervisor::default();
        let part = supervisor.part("test", Weight::Essential);
        let mut runs = 0;
        supervisor.keep_thread(&part, || {
            runs += 1;
            if runs == 1 { panic!("first") } else { Ok(()) }
        });
        assert_eq!((runs, part.status().restarts), (2, 1));
    }

    #[test]
    fn a_part_is_known_by_its_name() {
        let supervisor = Supervisor::default();
        supervisor.part("a", Weight::Essential).fails("x");
        assert_eq!(supervisor.part("a", Weight::Essential).status().cause.as_deref(), Some("x"));
        assert_eq!(supervisor.parts().len(), 1);
    }
}
