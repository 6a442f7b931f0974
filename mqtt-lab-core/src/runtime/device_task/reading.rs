//! Asks the device for readings and publishes them.

use super::{DeviceTask, EVENT_GAP, FIRST_PAUSE, FLOODED, Life, Pending};
use crate::runtime::device_log::{Level, Subject};
use crate::runtime::errors::Cause;
use crate::runtime::instance::InstanceError;
use crate::runtime::liveness::{self, Liveness, Sign};
use crate::{CheckError, Reading};
use mqtt_lab_wire::Trigger;
use std::time::Duration;
use tokio::time::Instant;

impl DeviceTask {
    pub(super) fn tick(&mut self) {
        match &mut self.reading {
            Some(reading) => reading.missed += 1,
            None if self.publisher.controls.paused => {}
            None => self.start_reading(),
        }
    }

    pub(super) fn start_reading(&mut self) {
        let Life::Up(instance) = &self.life else { return };
        let polled = instance.description().trigger() == Trigger::Interval;
        let deadline = polled.then(|| Instant::now() + self.spec.read_timeout());
        self.reading = Some(Pending { answer: instance.read(), asked: Instant::now(), deadline, missed: 0 });
    }

    pub(super) async fn read(
        &mut self,
        answer: Result<crate::Result<Reading>, tokio::sync::oneshot::error::RecvError>,
    ) {
        let (missed, asked) = self.reading.take().map_or((0, Instant::now()), |r| (r.missed, r.asked));
        self.next_event = asked + EVENT_GAP;
        if self.publisher.controls.interval().is_none() && self.flood.count(asked.elapsed(), EVENT_GAP) {
            self.log_failure(Level::Warn, Subject::Error(Cause::Pace), "too many events", FLOODED);
        }
        let reading = match answer {
            Ok(Ok(reading)) => reading,
            Ok(Err(error)) => {
                return Box::pin(self.failed(Cause::Reading, InstanceError::Returned(error))).await;
            }
            Err(_) => return Box::pin(self.gone(Cause::Reading)).await,
        };
        if self.publisher.controls.paused {
            return;
        }
        match self.publisher.reading(&reading) {
            Ok(messages) => {
                self.liveness = Liveness::alive(self.spec.read_timeout());
                self.errors.succeeded(&Cause::Reading);
                self.errors.succeeded(&Cause::Liveness);
                self.pause = FIRST_PAUSE;
                for message in messages {
                    self.send(message).await;
                }
                self.judge_pace(missed);
                self.show_errors().await;
            }
            Err(wrong) => Box::pin(self.wrong_reading(Cause::Reading, &wrong)).await,
        }
    }

    /// Whether readings come too late or too often.
    fn judge_pace(&mut self, missed: u32) {
        let problem = match self.publisher.controls.interval() {
            Some(interval) if missed > 0 => {
                format!("a reading took longer than the interval of {interval:?}; {missed} were skipped")
            }
            None if self.flood.is_on() => FLOODED.to_owned(),
            _ => return self.errors.succeeded(&Cause::Pace),
        };
        self.errors.failed(Cause::Pace, &problem);
    }

    /// A reading that does not fit the description is not sent.
    pub(super) async fn wrong_reading(&mut self, cause: Cause, wrong: &CheckError) {
        self.failed(cause, InstanceError::Returned(crate::Error::new(wrong))).await;
    }

    pub(super) async fn hung(&mut self) {
        self.reading = None;
        self.failed(Cause::Reading, InstanceError::Hung(self.spec.read_timeout())).await;
    }

    /// The device dropped its answer: it panicked, or its queue was full.
    async fn gone(&mut self, cause: Cause) {
        let limit = self.spec.read_timeout();
        if let Life::Up(instance) = &mut self.life {
            let fate = instance.fate(limit).await;
            self.failed(cause, fate).await;
        }
    }

    /// Asks for a sign of life, or takes it.
    pub(super) async fn sign(&mut self, sign: Sign) {
        let limit = self.spec.read_timeout();
        self.liveness = Liveness::alive(limit);
        match (sign, &self.life) {
            // A polled reading has a time limit.
            (Sign::Due, _) if self.reading.as_ref().is_some_and(|reading| reading.deadline.is_some()) => {}
            (Sign::Due, Life::Up(instance)) => self.liveness = Liveness::ask(instance, limit),
            (Sign::Answer(Ok(_)), _) => self.alive().await,
            (Sign::Answer(Err(_)), _) => self.gone(Cause::Liveness).await,
            (Sign::Missing, _) => {
                self.failed(Cause::Liveness, InstanceError::Hung(liveness::time(limit))).await;
            }
            (Sign::Due, Life::Starting(_) | Life::Down(_)) => {}
        }
    }

    /// The device is alive, which is all that an event sensor can prove without an event.
    async fn alive(&mut self) {
        self.errors.succeeded(&Cause::Liveness);
        if self.publisher.controls.interval().is_none() {
            self.pause = FIRST_PAUSE;
            let waits = self.reading.as_ref().map_or(Duration::ZERO, |reading| reading.asked.elapsed());
            if waits >= liveness::time(self.spec.read_timeout()) {
                self.errors.succeeded(&Cause::Reading);
                self.errors.succeeded(&Cause::Pace);
            }
        }
        self.show_errors().await;
    }
}
