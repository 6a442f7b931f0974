//! The two ends of a running device: who commands it, and what its task hears.

use super::construct::{construct, unknown_names};
use super::inputs::Inputs;
use super::{DeviceSpec, DeviceTask, Instance, InstanceError};
use crate::Description;
use crate::link::{Link, LinkError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// Time beyond its own limits that a device gets to take a new instance. One that waits longer, for room
/// in its spool perhaps, keeps its old one.
const SWAP_LIMIT: Duration = Duration::from_secs(10);

/// Whether a device is to leave, and what it leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// It is not.
    No,
    /// The lab stops: its state is `disconnected`, all else stays.
    Stopped,
    /// Another one follows under its name, perhaps with other channels, so that those of this one are
    /// cleared.
    Replaced { clear: bool },
    /// It is no part of the lab any more: nothing of it stays with the broker.
    Removed,
}

/// What a device's task lets others see.
#[derive(Debug)]
pub(crate) struct Face {
    pub(crate) spec: Arc<DeviceSpec>,
    /// Empty as long as it could not be constructed.
    pub(crate) description: Arc<Description>,
    /// None as long as it waits for the one before it, or is being constructed.
    pub(crate) link: Option<Link>,
    /// What it had received from other devices when it left.
    pub(crate) inputs: Inputs,
}

/// A new instance for a running device.
pub(crate) struct Swap {
    pub(crate) spec: Arc<DeviceSpec>,
    pub(crate) instance: Instance,
    /// Hears that it was done, or why not. Once nobody listens, it is not done.
    pub(crate) done: oneshot::Sender<Result<(), String>>,
}

/// What a device is told.
pub(crate) enum Heard {
    Leave,
    Swap(Box<Swap>),
}

/// What a device's task hears and shows.
pub(crate) struct Ears {
    leave: watch::Receiver<Leave>,
    /// One at most waits, and who sent it.
    swaps: mpsc::Receiver<Box<Swap>>,
    pub(crate) face: watch::Sender<Face>,
}

impl Ears {
    /// Returns when the device is to leave.
    pub(crate) async fn leaving(&mut self) {
        // An error means that nobody can stop it any more: the lab is gone.
        let _ = self.leave.wait_for(|leave| *leave != Leave::No).await;
    }

    /// As [`leaving`](Self::leaving), apart from everything else that is heard.
    pub(crate) fn leaving_apart(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut leave = self.leave.clone();
        async move {
            let _ = leave.wait_for(|leave| *leave != Leave::No).await;
        }
    }

    pub(crate) fn leave(&self) -> Leave {
        *self.leave.borrow()
    }

    /// The next thing the device is told.
    pub(crate) async fn hear(&mut self) -> Heard {
        tokio::select! {
            biased;
            _ = self.leave.wait_for(|leave| *leave != Leave::No) => Heard::Leave,
            Some(swap) = self.swaps.recv() => Heard::Swap(swap),
        }
    }
}

/// Commands a running device.
#[derive(Debug)]
pub(crate) struct DeviceHandle {
    leave: watch::Sender<Leave>,
    swaps: mpsc::Sender<Box<Swap>>,
    pub(crate) face: watch::Receiver<Face>,
}

/// A device that is about to run.
pub(crate) struct Birth {
    pub(crate) spec: Arc<DeviceSpec>,
    /// None: to be constructed when the one before it has ended.
    pub(crate) instance: Option<Result<Instance, InstanceError>>,
    /// The one before it.
    pub(crate) after: Option<watch::Receiver<Face>>,
}

impl DeviceHandle {
    /// The handle of a device, and its life, which ends with the connection. `constructing` bounds how
    /// many are constructed at the same time.
    pub(crate) fn new(
        birth: Birth,
        constructing: Arc<Semaphore>,
    ) -> (Self, impl Future<Output = (String, Result<(), LinkError>)> + Send + 'static) {
        let face = Face {
            spec: Arc::clone(&birth.spec),
            description: Arc::default(),
            link: None,
            inputs: Inputs::default(),
        };
        let (face, seen) = watch::channel(face);
        let (leave, leaving) = watch::channel(Leave::No);
        let (swaps, heard) = mpsc::channel(1);
        let ears = Ears { leave: leaving, swaps: heard, face };
        (Self { leave, swaps, face: seen }, live(birth, ears, constructing))
    }

    /// Sends the device away. It goes on its own; [`ended`] waits for it.
    pub(crate) fn leave(&self, leave: Leave) {
        self.leave.send_replace(leave);
    }

    /// Whether its task is over.
    pub(crate) fn is_over(&self) -> bool {
        self.face.has_changed().is_err()
    }

    /// Constructs the device anew, by the kind of `spec`, and puts it in the place of the running one.
    ///
    /// # Errors
    ///
    /// Why the old one runs on.
    pub(crate) fn reload(
        &self,
        spec: Arc<DeviceSpec>,
    ) -> impl Future<Output = Result<(), String>> + Send + use<> {
        let swaps = self.swaps.clone();
        async move {
            let instance = construct(Arc::clone(&spec)).await.map_err(|error| error.to_string())?;
            if let Some(problem) = unknown_names(&spec, instance.description()).first() {
                return Err(problem.to_string());
            }
            let limit = SWAP_LIMIT + 2 * spec.read_timeout();
            let (done, answer) = oneshot::channel();
            let swap = async {
                // Gone, it drops the sender of the answer.
                let _ = swaps.send(Box::new(Swap { spec, instance, done })).await;
                answer.await.unwrap_or_else(|_| Err("the device has ended".into()))
            };
            let late = |_| Err(format!("the device did not take the new instance within {limit:?}"));
            tokio::time::timeout(limit, swap).await.unwrap_or_else(late)
        }
    }
}

/// Waits for the one before, constructs what is not constructed yet, and runs; `group/id`, and how it ended.
async fn live(birth: Birth, ears: Ears, constructing: Arc<Semaphore>) -> (String, Result<(), LinkError>) {
    let Birth { spec, instance, after } = birth;
    let name = spec.name();
    let mut inherited = Inputs::default();
    if let Some(before) = after {
        ended(before.clone()).await;
        inherited = before.borrow().inputs.clone();
    }
    let instance = match instance {
        Some(instance) => instance,
        None => {
            let _permit = constructing.acquire().await;
            Box::pin(construct(Arc::clone(&spec))).await
        }
    };
    // It has said nothing yet, and what the one before left is to stay.
    if let Leave::Stopped | Leave::Replaced { clear: false } = ears.leave() {
        return (name, Ok(()));
    }
    let task = match DeviceTask::new(spec, instance, ears, &inherited) {
        Ok(task) => Box::new(task),
        Err(error) => {
            tracing::error!(device = name, %error, "the device does not run");
            return (name, Err(error));
        }
    };
    // Boxed, as thousands of them are: a future keeps room for every place a value was moved from.
    let end = Box::pin(task.run()).await;
    (name, end)
}

/// Waits until the task of a device is over.
pub(crate) async fn ended(mut face: watch::Receiver<Face>) {
    while face.changed().await.is_ok() {}
}
