//! Two programs on the topics of one device, and two clients with its client id.

use super::DeviceTask;
use crate::link::Incoming;
use crate::runtime::device_log::{Level, Subject};
use crate::runtime::errors::Cause;
use crate::runtime::twin::Act;
use tokio::time::Instant;

impl DeviceTask {
    /// Takes a description of the device that somebody published.
    pub(super) async fn described(&mut self, message: &Incoming) {
        let version = self.link.status().version;
        if self.twin.received(message, version, Instant::now()) {
            self.show_twin().await;
        }
    }

    async fn show_twin(&mut self) {
        match self.twin.error() {
            Some(text) => {
                self.log_failure(Level::Warn, Subject::Error(Cause::Twin), "two senders", &text);
                self.errors.failed(Cause::Twin, &text);
            }
            None => self.errors.succeeded(&Cause::Twin),
        }
        self.show_errors().await;
    }

    /// Repeats the description for the other program, or forgets that program.
    pub(super) async fn attend_twin(&mut self) {
        match self.twin.act(Instant::now()) {
            Act::Repeat => self.send(self.publisher.info()).await,
            Act::Forget => self.show_twin().await,
            Act::Nothing => {}
        }
    }

    /// Shows that another client uses the same client id, or (`None`) that it does no longer.
    pub(super) async fn contested(&mut self, reason: Option<&str>) {
        match reason {
            // The link has logged it.
            Some(reason) => {
                self.errors.failed(Cause::ClientId, reason);
            }
            None => self.errors.succeeded(&Cause::ClientId),
        }
        self.show_errors().await;
    }
}
