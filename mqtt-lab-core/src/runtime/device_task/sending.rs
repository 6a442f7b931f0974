//! Hands messages to the link.

use super::{BACKLOG, DeviceTask, LAST_CHANCE};
use crate::link::{Publish, PublishError};
use crate::runtime::device_log::{Level, Subject};
use mqtt_lab_wire::State;

impl DeviceTask {
    /// Logs an error once, however often it is repeated.
    pub(super) fn log_failure(&mut self, level: Level, subject: Subject, what: &str, error: &str) {
        self.log.failed(|| self.spec.name(), level, subject, what, error);
    }

    /// Something works: its error has ended.
    pub(super) fn log_success(&mut self, subject: &Subject) {
        self.log.succeeded(|| self.spec.name(), subject);
    }

    /// Publishes the present errors if they have changed.
    pub(super) async fn show_errors(&mut self) {
        let errors = &self.errors;
        let ended = |subject: &Subject| matches!(subject, Subject::Error(cause) if !errors.has(cause));
        self.log.retain(|| self.spec.name(), ended);
        if let Some(message) = self.publisher.say(&self.errors.text()) {
            self.send(message).await;
            self.renew_birth();
        }
    }

    pub(super) async fn enter(&mut self, state: State) {
        if let Some(message) = self.publisher.enter(state) {
            self.send(message).await;
            self.renew_birth();
        }
    }

    pub(super) fn renew_birth(&mut self) {
        if let Err(error) = self.link.set_birth(self.publisher.birth()) {
            let error = error.to_string();
            self.log_failure(
                Level::Error,
                Subject::Unsent,
                "cannot renew what is sent on connecting",
                &error,
            );
        }
    }

    /// Hands a message to the link, which may wait for room. Meanwhile the link's events are taken,
    /// or it would stop reading acknowledgements and the room would never come.
    pub(super) async fn send(&mut self, message: Publish) {
        let link = self.link.clone();
        let mut publish = std::pin::pin!(link.publish(message));
        let result = loop {
            let room = self.backlog.len() < BACKLOG;
            tokio::select! {
                biased;
                result = &mut publish => break result.map(drop),
                event = self.events.next(), if room => self.backlog.extend(event),
                () = self.ears.leaving() => {
                    // One more chance: what fits soon is delivered before the goodbye.
                    let last = tokio::time::timeout(LAST_CHANCE, &mut publish).await;
                    break last.map_or(Err(PublishError::Full), |result| result.map(drop));
                }
            }
        };
        self.sent(result);
    }

    pub(super) fn sent(&mut self, result: Result<(), PublishError>) {
        match result {
            Ok(()) => self.log_success(&Subject::Unsent),
            Err(error) => {
                self.log_failure(Level::Error, Subject::Unsent, "message not accepted", &error.to_string());
            }
        }
    }
}
