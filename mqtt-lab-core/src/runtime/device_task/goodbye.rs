//! The orderly end of a device.

use super::{DeviceTask, Leave, Life};
use crate::link::{LinkError, Publish, PublishError};
use mqtt_lab_wire::State;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Time to deliver what was accepted before an orderly stop gives up.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

impl DeviceTask {
    /// Count, state, what is to be cleared, and then the end of the connection when the broker has all
    /// of it. The will does not fire.
    pub(super) async fn goodbye(&mut self) -> Result<(), LinkError> {
        self.reading = None;
        let life = std::mem::replace(&mut self.life, Life::Down(Instant::now()));
        let leave = self.ears.leave();
        // Another device under this name follows the same values.
        let inputs = std::mem::take(&mut self.inputs);
        self.ears.face.send_modify(|face| face.inputs = inputs);
        let mut last = vec![self.publisher.stats()];
        last.extend(self.publisher.enter(State::Disconnected));
        match leave {
            Leave::Removed => last.extend(self.publisher.clear_all()),
            Leave::Replaced { clear: true } => last.extend(self.publisher.clear_channels()),
            Leave::No | Leave::Stopped | Leave::Replaced { clear: false } => {}
        }
        if leave == Leave::Removed {
            // A connection that is made once more meanwhile must not bring the device back.
            let _ = self.link.set_birth(Vec::new());
        }
        let end = end(life, leave, self.spec.read_timeout().min(CLOSE_LIMIT));
        tokio::join!(self.say_and_close(last), end).0
    }

    async fn say_and_close(&mut self, last: Vec<Publish>) -> Result<(), LinkError> {
        let deadline = Instant::now() + CLOSE_LIMIT;
        for message in last {
            // The others find no room either.
            if !self.say_last(message, deadline).await {
                break;
            }
        }
        self.close().await
    }

    /// Waits for room until `deadline`; false: there was none.
    async fn say_last(&mut self, message: Publish, deadline: Instant) -> bool {
        let link = self.link.clone();
        let publish = timeout_at(deadline, link.publish(message));
        let mut publish = std::pin::pin!(publish);
        let accepted = loop {
            tokio::select! {
                biased;
                accepted = &mut publish => break accepted,
                // Commands come too late; but a link that finds no room for them stops reading.
                event = self.events.next() => if event.is_none() { break publish.await; },
            }
        };
        let accepted = accepted.map_or(Err(PublishError::Full), |accepted| accepted.map(drop));
        let said = accepted.is_ok();
        self.sent(accepted);
        said
    }

    async fn close(&mut self) -> Result<(), LinkError> {
        let link = self.link.clone();
        let close = link.close(CLOSE_LIMIT);
        let mut close = std::pin::pin!(close);
        loop {
            tokio::select! {
                biased;
                closed = &mut close => return closed,
                event = self.events.next() => if event.is_none() { return close.await; },
            }
        }
    }
}

/// Ends the instance. The one that follows may need what it holds, a serial port perhaps.
async fn end(life: Life, leave: Leave, limit: Duration) {
    if let (Life::Up(instance), Leave::Replaced { .. }) = (life, leave) {
        instance.end(limit).await;
    }
}
