//! Sensors and actuators behind one face.

use crate::{Actuator, Description, Error, Reading, Result, Sensor, Value};
use async_trait::async_trait;
use mqtt_lab_wire::Trigger;
use std::sync::Arc;
use std::task::Context;

/// A sensor, an actuator, or both, as the runtime sees it.
///
/// Plugins implement [`Sensor`] or [`Actuator`]; this is what is made of them.
#[async_trait]
pub trait Device: Send {
    /// All channels and when to read.
    fn describe(&self) -> Description;

    /// Takes one measurement; an actuator has none and waits for ever.
    async fn read(&mut self) -> Result<Reading>;

    /// Takes a value for a settable channel and returns the new state.
    async fn set(&mut self, channel: &str, value: Value) -> Result<Reading>;

    /// Lets the device's background work go on while nothing is asked of it.
    fn poll_idle(&mut self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// Ends a wait that blocks the device's thread; to be called from another thread when there is
    /// something else to do. None: the device never blocks for long.
    fn interrupt(&self) -> Option<Interrupt> {
        None
    }

    /// What of the device outlives this object for a while, such as a process that gets time to end. `None`:
    /// nothing does. To be asked once.
    fn remains(&mut self) -> Option<Remains> {
        None
    }
}

/// Closed when nothing is left of a device.
pub type Remains = tokio::sync::oneshot::Receiver<()>;

/// Ends a wait of a device that blocks its thread.
pub type Interrupt = Arc<dyn Fn() + Send + Sync>;

pub(crate) struct OfSensor<T>(pub(crate) T);
pub(crate) struct OfActuator<T>(pub(crate) T);
pub(crate) struct OfBoth<T>(pub(crate) T);

#[async_trait]
impl<T: Sensor> Device for OfSensor<T> {
    fn describe(&self) -> Description {
        self.0.describe()
    }

    async fn read(&mut self) -> Result<Reading> {
        self.0.read().await
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<Reading> {
        self.0.set(channel, value.clone()).await?;
        Ok(Reading::new().with(channel.to_owned(), value))
    }
}

#[async_trait]
impl<T: Actuator> Device for OfActuator<T> {
    fn describe(&self) -> Description {
        let description = self.0.describe();
        // An actuator has nothing to poll.
        if description.trigger() == Trigger::Interval { description.on_event() } else { description }
    }

    async fn read(&mut self) -> Result<Reading> {
        std::future::pending().await
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<Reading> {
        apply(&mut self.0, channel, value).await
    }
}

#[async_trait]
impl<T: Sensor + Actuator> Device for OfBoth<T> {
    fn describe(&self) -> Description {
        Sensor::describe(&self.0).merge(Actuator::describe(&self.0))
    }

    async fn read(&mut self) -> Result<Reading> {
        self.0.read().await
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<Reading> {
        if Actuator::describe(&self.0).find(channel).is_some() {
            return apply(&mut self.0, channel, value).await;
        }
        self.0.set(channel, value.clone()).await?;
        Ok(Reading::new().with(channel.to_owned(), value))
    }
}

/// An actuator of another language: it is never read, whatever its description says of that.
#[cfg(feature = "plugins")]
pub(crate) struct OnlyActs(pub(crate) Box<dyn Device>);

#[cfg(feature = "plugins")]
#[async_trait]
impl Device for OnlyActs {
    fn describe(&self) -> Description {
        self.0.describe().on_event()
    }

    async fn read(&mut self) -> Result<Reading> {
        if self.0.describe().trigger() == Trigger::Event {
            return self.0.read().await;
        }
        std::future::poll_fn(|cx| {
            self.0.poll_idle(cx);
            std::task::Poll::Pending
        })
        .await
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<Reading> {
        self.0.set(channel, value).await
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) {
        self.0.poll_idle(cx);
    }

    fn interrupt(&self) -> Option<Interrupt> {
        self.0.interrupt()
    }

    fn remains(&mut self) -> Option<Remains> {
        self.0.remains()
    }
}

/// A bare value in the answer means the channel that was set.
async fn apply<T: Actuator>(actuator: &mut T, channel: &str, value: Value) -> Result<Reading> {
    let state = actuator.apply(channel, value).await?;
    let mut named = Reading::new();
    for (name, value) in state.values() {
        let name = if name.is_empty() { channel } else { name };
        named = named.with(name.to_owned(), value.clone());
    }
    if named.is_empty() {
        return Err(Error::new(format_args!("`apply` returned no new state of `{channel}`")));
    }
    Ok(match (state.qos_override(), state.retain_override()) {
        (Some(qos), Some(retain)) => named.qos(qos).retain(retain),
        (Some(qos), None) => named.qos(qos),
        (None, Some(retain)) => named.retain(retain),
        (None, None) => named,
    })
}

#[cfg(all(test, feature = "plugins"))]
mod tests {
    use super::*;
    use crate::Channel;
    use std::time::Duration;

    struct Polled;

    #[async_trait]
    impl Device for Polled {
        fn describe(&self) -> Description {
            Description::actuator().output(Channel::bool("on"))
        }

        async fn read(&mut self) -> Result<Reading> {
            Err(Error::new("an actuator has nothing to measure"))
        }

        async fn set(&mut self, channel: &str, value: Value) -> Result<Reading> {
            Ok(Reading::new().with(channel.to_owned(), value))
        }
    }

    #[tokio::test]
    async fn an_actuator_of_another_language_is_not_read() {
        let mut actuator = OnlyActs(Box::new(Polled));
        assert_eq!(actuator.describe().trigger(), Trigger::Event);
        assert!(tokio::time::timeout(Duration::from_millis(20), actuator.read()).await.is_err());
        assert!(actuator.set("on", true.into()).await.is_ok());
    }
}
