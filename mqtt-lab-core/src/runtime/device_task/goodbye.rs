//! The orderly end of a device.

use super::{DeviceTask, Leave, Life};
use crate::link::{LinkError, Publish, PublishError};
use mqtt_lab_wire::State;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Time to deliver what was accepted while the broker goes on acknowledging.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

/// Time without an acknowledgement, or without a connection, after which the broker is given up.
const STALLED: Duration = Duration::from_secs(2);

/// Time in which an instance ends. The process of a plugin gets two seconds before it is killed.
const END_LIMIT: Duration = Duration::from_millis(2_500);

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
        tokio::join!(self.say_and_close(last), end(life)).0
    }

    async fn say_and_close(&mut self, last: Vec<Publish>) -> Result<(), LinkError> {
        let link = self.link.clone();
        let mut unsent = last.len();
        let closed = tokio::select! {
            closed = timeout(CLOSE_LIMIT, self.deliver(last, &mut unsent)) => closed.ok(),
            () = link.stalled(STALLED) => None,
        };
        let closed = match closed {
            Some(closed) => closed,
            None => link.close(Duration::ZERO).await,
        };
        if unsent > 0 {
            self.sent(Err(PublishError::Full));
        }
        match closed {
            Ok(()) if unsent == 0 => Ok(()),
            Ok(()) => Err(LinkError::Unacknowledged { remaining: unsent, kept: 0 }),
            Err(LinkError::Unacknowledged { remaining, kept }) => {
                Err(LinkError::Unacknowledged { remaining: remaining + unsent, kept })
            }
            Err(error) => Err(error),
        }
    }

    /// Publishes the last messages and closes the link; `unsent` counts those that were not accepted.
    async fn deliver(&mut self, last: Vec<Publish>, unsent: &mut usize) -> Result<(), LinkError> {
        let link = self.link.clone();
        let deliver = async {
            for message in last {
                // The others find no room either.
                if link.publish(message).await.is_err() {
                    break;
                }
                *unsent -= 1;
            }
            link.close(CLOSE_LIMIT).await
        };
        let mut deliver = std::pin::pin!(deliver);
        loop {
            tokio::select! {
                biased;
                closed = &mut deliver => return closed,
                // Commands come too late; but a link that finds no room for them stops reading.
                event = self.events.next() => if event.is_none() { return deliver.await; },
            }
        }
    }
}

/// Ends the instance. The one that follows may need what it holds, a serial port perhaps.
async fn end(life: Life) {
    if let Life::Up(instance) = life {
        instance.end(END_LIMIT).await;
    }
}
