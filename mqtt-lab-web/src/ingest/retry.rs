//! Tries again until the store works, and tells the page meanwhile.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::health::{Health, chain};
use crate::stop::stopped;
use crate::store::StoreError;

const FIRST_DELAY: Duration = Duration::from_millis(50);
const LAST_DELAY: Duration = Duration::from_secs(5);

/// The web stops; what was under way is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

/// How to try again.
#[derive(Clone, Debug)]
pub(crate) struct Retry {
    pub(crate) health: Arc<Health>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Retry {
    /// Runs `operation` until it works. A refusal of the data is final and handed back.
    pub(crate) async fn run<T, F>(
        &self,
        mut operation: impl FnMut() -> F,
    ) -> Result<Result<T, StoreError>, Stopped>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut delay = FIRST_DELAY;
        let mut failed = false;
        loop {
            match operation().await {
                Err(error) if !error.is_refusal() => {
                    let text = chain(&error);
                    if !failed {
                        tracing::warn!(
                            error = text,
                            "the store fails; the messages are kept, it is tried again"
                        );
                    }
                    failed = true;
                    self.health.set_store_error(Some(text));
                }
                done => {
                    if failed || done.is_ok() && self.health.store_error().is_some() {
                        self.health.set_store_error(None);
                        tracing::info!("the store works again");
                    }
                    return Ok(done);
                }
            }
            self.pause(delay).await?;
            delay = (delay * 2).min(LAST_DELAY);
        }
    }

    /// Waits, but not beyond the stop.
    async fn pause(&self, delay: Duration) -> Result<(), Stopped> {
        let mut stop = self.stop.clone();
        match timeout(delay, stopped(&mut stop)).await {
            Ok(()) => Err(Stopped),
            Err(_) => Ok(()),
        }
    }
}
