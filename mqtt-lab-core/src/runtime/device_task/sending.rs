//! Hands messages to the link.

use super::{BACKLOG, DeviceTask, LAST_CHANCE};
use crate::link::{Publish, PublishError};
use mqtt_lab_wire::State;

impl DeviceTask {
    /// Publishes the present errors if they have changed.
    pub(super) async fn show_errors(&mut self) {
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

    pub(super) fn renew_birth(&self) {
        if let Err(error) = self.link.set_birth(self.publisher.birth()) {
            tracing::error!(device = self.spec.name(), %error, "cannot renew what is said on connecting");
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

    pub(super) fn sent(&self, result: Result<(), PublishError>) {
        if let Err(error) = result {
            tracing::error!(device = self.spec.name(), %error, "message not accepted");
        }
    }
}
