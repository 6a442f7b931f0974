//! Notices a device that is stuck in its code while nobody waits for an answer.
//!
//! Readings and commands have a time limit of their own. An event sensor may wait for its event as long as
//! it likes, and an actuator has nothing to do, so they are asked for a sign of life.

use super::instance::{Answer, Instance};
use crate::Reading;
use std::time::Duration;
use tokio::sync::oneshot::error::RecvError;
use tokio::time::{Instant, sleep_until};

/// Shortest time for an answer, so that a busy computer is not taken for a stuck device.
const SHORTEST: Duration = Duration::from_secs(2);

/// When a device is asked next, or what it was asked.
pub(super) enum Liveness {
    Known { until: Instant },
    Asked { answer: Answer, deadline: Instant },
}

/// What became of it.
pub(super) enum Sign {
    /// It is time to ask.
    Due,
    /// The answer; an error if the device is gone.
    Answer(Result<crate::Result<Reading>, RecvError>),
    /// There is no answer.
    Missing,
}

impl Liveness {
    /// The device was alive just now.
    pub(super) fn alive(limit: Duration) -> Self {
        Self::Known { until: Instant::now() + time(limit) }
    }

    pub(super) fn ask(instance: &Instance, limit: Duration) -> Self {
        Self::Asked { answer: instance.ping(), deadline: Instant::now() + time(limit) }
    }

    /// Safe to drop at the `.await`.
    pub(super) async fn sign(&mut self) -> Sign {
        match self {
            Self::Known { until } => {
                sleep_until(*until).await;
                Sign::Due
            }
            Self::Asked { answer, deadline } => {
                tokio::time::timeout_at(*deadline, answer).await.map_or(Sign::Missing, Sign::Answer)
            }
        }
    }
}

/// The time for an answer.
pub(super) fn time(limit: Duration) -> Duration {
    limit.max(SHORTEST)
}
