//! Recreates a device that failed, with exponential backoff.

use super::{DeviceTask, ERRORS_IN_A_ROW, LAST_PAUSE, Life};
use crate::panicked::caught_in;
use crate::runtime::DeviceSpec;
use crate::runtime::device_log::{Level, Subject};
use crate::runtime::errors::Cause;
use crate::runtime::instance::{Instance, InstanceError, Start};
use crate::runtime::liveness::Liveness;
use mqtt_lab_wire::State;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Pause after a panic of the task.
const AFTER_PANIC: Duration = Duration::from_millis(500);

impl DeviceTask {
    /// Shows an error. One that ends the instance, or that comes too often in a row, has it recreated.
    pub(super) async fn failed(&mut self, cause: Cause, error: InstanceError) {
        let text = error.to_string();
        let in_a_row = self.errors.failed(cause.clone(), &text);
        let ends = error.ends_the_device() || in_a_row >= ERRORS_IN_A_ROW;
        let what = if ends { "device failed, it is recreated" } else { "device failed" };
        self.log_failure(Level::Warn, Subject::Error(cause), what, &text);
        self.show_errors().await;
        if ends {
            self.errors.restarted();
            self.blocks |= match (&self.life, &error) {
                (Life::Up(instance), InstanceError::Hung(_)) => instance.blocks_a_worker().await,
                (_, InstanceError::Blocks(_)) => true,
                _ => false,
            };
            self.reading = None;
            self.life = Life::Down(Instant::now() + self.pause);
            self.pause = (self.pause * 2).min(LAST_PAUSE);
            self.enter(State::Init).await;
        }
    }

    /// The device's task has panicked. Connection, spool and numbers are kept; the instance is recreated.
    pub(super) async fn panicked(&mut self, panic: &str) {
        let device = self.spec.name();
        tracing::error!(device, panic, "internal error, the device is restarted");
        self.spec.supervisor.device_survived(&format!("{device}: {panic}"));
        // Whatever it was, it must not fill the log.
        tokio::time::sleep(AFTER_PANIC).await;
        let failed = self.failed(Cause::Liveness, InstanceError::Internal(panic.to_owned()));
        if caught_in(pin!(failed)).await.is_err() {
            self.reading = None;
            self.life = Life::Down(Instant::now() + LAST_PAUSE);
        }
    }

    pub(super) fn restart(&mut self) {
        let (kind, settings) = (self.spec.kind.clone(), self.spec.settings.clone());
        let limit = self.spec.read_timeout();
        let start = if self.blocks { Start::OnOwnThread } else { Start::AsItsKind };
        self.life = Life::Starting(tokio::spawn(Instance::start(kind, settings, limit, start)));
    }

    pub(super) async fn started(&mut self, instance: Result<Instance, InstanceError>) {
        let mut instance = match instance {
            Ok(instance) => instance,
            Err(error) => return self.failed(Cause::Start, error).await,
        };
        match self.tell(&mut instance).await {
            Ok(()) => {
                self.errors.succeeded(&Cause::Start);
                self.adopt(Arc::clone(&self.spec), instance).await;
                self.show_errors().await;
                self.restore_inputs().await;
            }
            // It is dropped, whatever the error: there is nothing that could go on.
            Err(error) => self.failed(Cause::Start, error.ending()).await,
        }
    }

    /// A new life begins with the control variables that the user had set.
    pub(super) async fn tell(&self, instance: &mut Instance) -> Result<(), InstanceError> {
        let limit = self.spec.read_timeout();
        for (channel, value) in self.publisher.carried(instance.description()) {
            instance.set(&channel, value, limit).await?;
        }
        Ok(())
    }

    /// The instance becomes the device, and everybody hears how it describes itself.
    pub(super) async fn adopt(&mut self, spec: Arc<DeviceSpec>, instance: Instance) {
        self.spec = Arc::clone(&spec);
        let messages = self.publisher.adopt(spec, instance.description());
        self.life = Life::Up(instance);
        self.next_event = Instant::now();
        self.liveness = Liveness::alive(self.spec.read_timeout());
        self.ears.face.send_modify(|face| {
            face.spec = Arc::clone(&self.spec);
            face.description = Arc::clone(self.publisher.description());
        });
        self.send(self.publisher.info()).await;
        for message in messages {
            self.send(message).await;
        }
        self.resume().await;
        self.renew_birth();
    }

    /// Ready, or sleeping while paused.
    pub(super) async fn resume(&mut self) {
        let paused = self.publisher.controls.paused;
        self.enter(if paused { State::Sleeping } else { State::Ready }).await;
    }
}
