//! Asks the device for readings and publishes them.

use super::{DeviceTask, EVENT_GAP, FIRST_PAUSE, FLOODED, Life, Pending};
use crate::runtime::device_log::{Level, Subject};
use crate::runtime::errors::Cause;
use crate::runtime::instance::InstanceError;
use crate::{CheckError, Reading};
use mqtt_lab_wire::Trigger;
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
            Err(_) => return Box::pin(self.gone()).await,
        };
        if self.publisher.controls.paused {
            return;
        }
        match self.publisher.reading(&reading) {
            Ok(messages) => {
                self.errors.succeeded(&Cause::Reading);
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
    pub(super) async fn gone(&mut self) {
        let limit = self.spec.read_timeout();
        if let Life::Up(instance) = &mut self.life {
            let fate = instance.fate(limit).await;
            self.failed(Cause::Reading, fate).await;
        }
    }
}
