//! One life of a device: constructed, asked, and given up when it panics or hangs.
//!
//! A device runs apart from its task, so that nothing it does can stall the connection: a cooperative
//! one on the runtime's workers, any other on a thread of its own.

use super::interrupt::{Hook, interruptible};
use crate::actor::{QUEUE, Request, serve};
use crate::device::Remains;
use crate::{CheckError, CreateError, Description, Error, Kind, Reading, Result, Settings, Value, panicked};
use mqtt_lab_wire::Trigger;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

/// Threads of devices at most, those of hung devices included.
const MAX_THREADS: usize = 1000;

/// Device threads that exist, those of hung devices included.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Time that a panic gets to unwind.
const UNWINDING: Duration = Duration::from_secs(5);

/// Time in which an aborted device ends if it yields at all.
const ABORTING: Duration = Duration::from_millis(500);

/// Why a device is of no use any more, or why it refused.
#[derive(Clone, Debug)]
pub(crate) enum InstanceError {
    /// A setting is wrong or the constructor refuses: a mistake in the configuration.
    Create(CreateError),
    /// The constructor failed for now, or its process died.
    Died(Error),
    /// The description is not valid: a mistake in the plugin.
    Description(CheckError),
    /// The device returned an error.
    Returned(Error),
    /// The device panicked.
    Panicked(String),
    /// No answer in time.
    Hung(Duration),
    /// The constructor of a cooperative kind gave no answer in time, and blocks the thread that it shares.
    Blocks(Duration),
    /// No thread left.
    NoThread,
    /// The runtime has panicked, not the device.
    Internal(String),
}

impl InstanceError {
    /// Whether the device has to be constructed anew.
    pub(crate) const fn ends_the_device(&self) -> bool {
        match self {
            Self::Returned(error) => error.is_fatal(),
            _ => true,
        }
    }

    /// The same error, of a device that has to be constructed anew.
    pub(crate) fn ending(self) -> Self {
        match self {
            Self::Returned(error) => Self::Returned(error.fatal()),
            other => other,
        }
    }
}

impl fmt::Display for InstanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(error) => write!(f, "cannot be constructed: {error}"),
            Self::Died(error) => write!(f, "cannot be constructed: {error}"),
            Self::Description(error) => write!(f, "describes itself wrongly: {error}"),
            Self::Returned(error) => write!(f, "{error}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Hung(limit) | Self::Blocks(limit) => write!(f, "did not answer within {limit:?}"),
            Self::Internal(panic) => write!(f, "internal error: {panic}; the device was restarted"),
            Self::NoThread => write!(f, "all {MAX_THREADS} device threads are in use, some by hung devices"),
        }
    }
}

/// Where a device runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// On the shared workers if its kind is cooperative.
    AsItsKind,
    /// On its own thread, because it has blocked a worker.
    OnOwnThread,
}

/// A constructed device. Dropping it ends the device at its next `.await`.
#[derive(Debug)]
pub(crate) struct Instance {
    description: Description,
    requests: mpsc::Sender<Request>,
    /// The panic's text, sent when the device is gone.
    end: oneshot::Receiver<String>,
    abort: Option<AbortHandle>,
    /// What outlives the device, until it is gone, too.
    remains: Option<Remains>,
    /// Its end is seen by the device's thread.
    _owner: oneshot::Sender<()>,
}

impl From<CreateError> for InstanceError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Refused(error) if error.is_fatal() => Self::Died(error),
            error => Self::Create(error),
        }
    }
}

/// The answer to a request, to be awaited.
pub(crate) type Answer = oneshot::Receiver<Result<Reading>>;

impl Instance {
    /// Constructs a device and asks for its description; gives up after `limit`.
    pub(crate) async fn start(
        kind: Kind,
        settings: Settings,
        limit: Duration,
        start: Start,
    ) -> Result<Self, InstanceError> {
        let (requests, queue) = mpsc::channel(QUEUE);
        let (born, birth) = oneshot::channel();
        let (ended, mut end) = oneshot::channel();
        let (owner, abandoned) = oneshot::channel();
        let cooperative = kind.is_cooperative() && start == Start::AsItsKind;
        let life = async move {
            let hook = Hook::default();
            // In its place once: thousands of these live at the same time.
            let life = pin!(async {
                let device = pin!(live(kind, settings, born, queue, &hook));
                tokio::select! {
                    biased;
                    _ = abandoned => Ok(()),
                    ended = panicked::caught_in(device) => ended,
                }
            });
            // A cooperative device never blocks, so there is nothing to interrupt.
            let outcome = if cooperative { life.await } else { interruptible(life, &hook).await };
            if let Err(panic) = outcome {
                let _ = ended.send(panic);
            }
        };
        let abort = if cooperative {
            Some(tokio::spawn(life).abort_handle())
        } else {
            on_own_thread(life)?;
            None
        };
        match tokio::time::timeout(limit, birth).await {
            Ok(Ok(device)) => {
                let (description, remains) = device?;
                Ok(Self { description, requests, end, abort, remains, _owner: owner })
            }
            // Its sender is gone: the constructor or `describe` panicked.
            Ok(Err(_)) => {
                Err(InstanceError::Panicked((&mut end).await.unwrap_or_else(|_| "without a message".into())))
            }
            Err(_) if still_runs(abort.as_ref()).await => Err(InstanceError::Blocks(limit)),
            Err(_) => Err(InstanceError::Hung(limit)),
        }
    }

    pub(crate) const fn description(&self) -> &Description {
        &self.description
    }

    /// Asks for a reading.
    pub(crate) fn read(&self) -> Answer {
        let (answer, reading) = oneshot::channel();
        // A full queue or a device that is gone drops `answer`, which the awaiting side sees.
        let _ = self.requests.try_send(Request::Read(answer));
        reading
    }

    /// Asks for a sign of life.
    pub(crate) fn ping(&self) -> Answer {
        let (answer, alive) = oneshot::channel();
        let _ = self.requests.try_send(Request::Ping(answer));
        alive
    }

    /// Hands over a checked value; gives up after `limit`.
    pub(crate) async fn set(
        &mut self,
        channel: &str,
        value: Value,
        limit: Duration,
    ) -> Result<Reading, InstanceError> {
        let (answer, state) = oneshot::channel();
        let _ = self.requests.try_send(Request::set(channel, value, answer));
        match tokio::time::timeout(limit, state).await {
            Ok(Ok(state)) => state.map_err(InstanceError::Returned),
            Ok(Err(_)) => Err(self.fate(limit).await),
            Err(_) => Err(InstanceError::Hung(limit)),
        }
    }

    /// Why an answer did not come: the device panicked, or so many requests wait that it must hang.
    pub(crate) async fn fate(&mut self, limit: Duration) -> InstanceError {
        // While a panic unwinds, the answer is dropped a moment before the panic's text is sent.
        match tokio::time::timeout(UNWINDING, &mut self.end).await {
            Ok(Ok(panic)) => InstanceError::Panicked(panic),
            Ok(Err(_)) => InstanceError::Panicked("without a message".into()),
            Err(_) => InstanceError::Hung(limit),
        }
    }

    /// Ends a cooperative device that hangs. True: it does not even end, but blocks a thread that it shares.
    pub(crate) async fn blocks_a_worker(&self) -> bool {
        still_runs(self.abort.as_ref()).await
    }

    /// Ends the device and waits until it is gone with all it held, at most for `limit`.
    pub(crate) async fn end(mut self, limit: Duration) {
        // Closes the queue of requests.
        (self.requests, _) = mpsc::channel(1);
        self.abort.iter().for_each(AbortHandle::abort);
        let gone = async {
            let _ = (&mut self.end).await;
            if let Some(remains) = self.remains.take() {
                let _ = remains.await;
            }
        };
        let _ = tokio::time::timeout(limit, gone).await;
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // A thread ends by itself when its owner is gone; one that is blocked is left alone and stays counted.
        self.abort.iter().for_each(AbortHandle::abort);
    }
}

/// Aborts a cooperative device. Whether it runs all the same, because it never yields.
async fn still_runs(abort: Option<&AbortHandle>) -> bool {
    let Some(abort) = abort else { return false };
    abort.abort();
    let ended = async {
        while !abort.is_finished() {
            tokio::time::sleep(ABORTING / 10).await;
        }
    };
    tokio::time::timeout(ABORTING, ended).await.is_err()
}

/// The device's side: construct, describe, answer until the queue is closed.
async fn live(
    kind: Kind,
    settings: Settings,
    born: oneshot::Sender<Result<(Description, Option<Remains>), InstanceError>>,
    mut queue: mpsc::Receiver<Request>,
    hook: &Hook,
) {
    let mut device = match kind.create(settings).await {
        Ok(device) => device,
        Err(error) => return drop(born.send(Err(error.into()))),
    };
    let description = device.describe();
    if let Err(error) = description.check() {
        return drop(born.send(Err(InstanceError::Description(error))));
    }
    hook.set(device.interrupt());
    let event = description.trigger() == Trigger::Event;
    let remains = device.remains();
    if born.send(Ok((description, remains))).is_ok() {
        serve(&mut *device, event, &mut queue).await;
    }
}

/// A device's thread, counted.
struct Thread;

impl Drop for Thread {
    fn drop(&mut self) {
        THREADS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs a device on a thread with a runtime of its own.
fn on_own_thread(life: impl Future<Output = ()> + Send + 'static) -> Result<(), InstanceError> {
    if THREADS.fetch_add(1, Ordering::Relaxed) >= MAX_THREADS {
        THREADS.fetch_sub(1, Ordering::Relaxed);
        return Err(InstanceError::NoThread);
    }
    let thread = Thread;
    let run = move || {
        let _thread = thread;
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(life),
            Err(error) => tracing::error!(%error, "no runtime for a device thread"),
        }
    };
    let spawned = std::thread::Builder::new().name("device".into()).stack_size(1024 * 1024).spawn(run);
    spawned.map(drop).map_err(|_| InstanceError::NoThread)
}
