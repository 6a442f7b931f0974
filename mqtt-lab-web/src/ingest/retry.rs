//! Tries again until the store works, and reports meanwhile why it does not.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mqtt_lab_core::supervisor::Part;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::stop::stopped;
use crate::store::{Fault, Store, StoreError};

const FIRST_DELAY: Duration = Duration::from_millis(50);
const LAST_DELAY: Duration = Duration::from_secs(1);
/// A file system that takes longer for an answer is reported.
const SILENCE: Duration = Duration::from_secs(10);

/// The web stops; what was under way is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

/// How to try again.
#[derive(Clone)]
pub(crate) struct Retry {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) database: Part,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Retry {
    /// Runs `operation` until it works. An error that is the data's own fault is final and handed back.
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
            match self.patiently(operation(), &mut failed).await? {
                Err(error) if self.is_outside(&error).await => {
                    failed = true;
                    self.database.fails(error.cause());
                }
                done => {
                    if failed || done.is_ok() && !self.database.is_working() {
                        self.database.works();
                    }
                    return Ok(done);
                }
            }
            self.pause(delay).await?;
            delay = (delay * 2).min(LAST_DELAY);
        }
    }

    /// Whether the same would work at another time.
    async fn is_outside(&self, error: &StoreError) -> bool {
        match error.fault() {
            Fault::Data => false,
            Fault::Outside => true,
            // What the row needs is damaged, if all else can be written.
            Fault::Suspect => self.store.probe().await.is_err(),
        }
    }

    /// Waits for an answer, but not beyond the stop.
    async fn patiently<T>(
        &self,
        operation: impl Future<Output = T>,
        failed: &mut bool,
    ) -> Result<T, Stopped> {
        let mut stop = self.stop.clone();
        let mut operation = pin!(async {
            tokio::select! {
                biased;
                done = operation => Ok(done),
                () = stopped(&mut stop) => Err(Stopped),
            }
        });
        if let Ok(done) = timeout(SILENCE, &mut operation).await {
            return done;
        }
        *failed = true;
        self.database.fails(format!("no answer within {} s", SILENCE.as_secs()));
        operation.await
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
