//! One device in real time, without lab and broker: what `mqtt-lab plugin run` shows.
//!
//! [`testing::Bench`](crate::testing::Bench) is for tests, where no time goes by; this is for a look at the
//! real thing, which may block, hang or panic.

use crate::runtime::{Instance, InstanceError, Start};
use crate::{CheckError, CreateError, Description, Error, Kind, Reading, Settings, Value};
use mqtt_lab_wire::Trigger;
use std::fmt;
use std::time::Duration;
use tokio::sync::oneshot;

/// A device apart from its caller, as in a lab: whatever it does cannot stall or end the program.
///
/// ```
/// # use mqtt_lab_core::{prelude::*, trial::Trial};
/// # #[derive(Deserialize)] struct Fixed { celsius: f64 }
/// # #[async_trait] impl Sensor for Fixed {
/// #     fn describe(&self) -> Description { Description::sensor().channel(Channel::float("temperature")) }
/// #     async fn read(&mut self) -> Result<Reading> { Ok(self.celsius.into()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let kind = Kind::sensor("fixed", |settings: Fixed| settings);
/// let settings = [("celsius".to_owned(), 21.5.into())].into_iter().collect();
/// let mut trial = Trial::start(&kind, settings, std::time::Duration::from_secs(10)).await.unwrap();
/// assert_eq!(trial.read().await.unwrap().get("temperature"), Some(&Value::Float(21.5)));
/// # }
/// ```
#[derive(Debug)]
pub struct Trial {
    instance: Instance,
    limit: Duration,
    /// A reading that was asked for; it outlives a `read` that was dropped.
    reading: Option<oneshot::Receiver<crate::Result<Reading>>>,
}

impl Trial {
    /// Constructs a device; `limit` is the longest wait for any of its answers.
    ///
    /// # Errors
    ///
    /// Why there is no such device.
    pub async fn start(kind: &Kind, mut settings: Settings, limit: Duration) -> Result<Self, TrialError> {
        if kind.is_seeded() {
            settings.entry("seed").or_insert_with(|| 1.into());
        }
        let instance = Instance::start(kind.clone(), settings, limit, Start::AsItsKind).await?;
        Ok(Self { instance, limit, reading: None })
    }

    /// What the device says of itself.
    #[must_use]
    pub const fn description(&self) -> &Description {
        self.instance.description()
    }

    /// Takes a reading, with every channel named and checked against the description. An event sensor is
    /// waited for without a limit. When this is dropped, the next call goes on with the same reading.
    ///
    /// # Errors
    ///
    /// What the device returned, or why no answer comes any more.
    pub async fn read(&mut self) -> Result<Reading, TrialError> {
        let answer = self.reading.get_or_insert_with(|| self.instance.read());
        let polled = self.instance.description().trigger() == Trigger::Interval;
        let answer = match polled {
            true => tokio::time::timeout(self.limit, answer).await,
            false => Ok(answer.await),
        };
        self.reading = None;
        match answer {
            Ok(Ok(Ok(reading))) => Ok(self.checked(&reading)?),
            Ok(Ok(Err(error))) => Err(InstanceError::Returned(error).into()),
            Ok(Err(_)) => Err(self.instance.fate(self.limit).await.into()),
            Err(_) => Err(InstanceError::Hung(self.limit).into()),
        }
    }

    /// Sends a command as a user would: checked against the description. Returns the new state.
    ///
    /// # Errors
    ///
    /// What does not fit, the device's refusal, or why no answer comes.
    pub async fn set(&mut self, channel: &str, value: &Value) -> Result<Reading, TrialError> {
        let value = self.description().check_command(channel, value).map_err(TrialError::Misfit)?;
        let state = self.instance.set(channel, value, self.limit).await?;
        self.checked(&state)
    }

    /// The reading with names and in the channels' datatypes.
    fn checked(&self, reading: &Reading) -> Result<Reading, TrialError> {
        let values = self.description().check_reading(reading).map_err(TrialError::Misfit)?;
        let named = values.into_iter().map(|(channel, value)| (channel.name.clone(), value));
        Ok(named.fold(Reading::new(), |reading, (channel, value)| reading.with(channel, value)))
    }
}

/// What went wrong with a device on trial.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TrialError {
    /// A setting is wrong or the constructor refuses.
    Create(CreateError),
    /// A reading or a command does not fit the description.
    Misfit(CheckError),
    /// The device returned an error and can be asked again.
    Returned(Error),
    /// The device did not answer for so long, and is of no use any more.
    Hung(Duration),
    /// The device is of no use any more: it panicked or described itself wrongly. In words.
    Ended(String),
}

impl From<InstanceError> for TrialError {
    fn from(error: InstanceError) -> Self {
        match error {
            InstanceError::Create(error) => Self::Create(error),
            InstanceError::Returned(error) if !error.is_fatal() => Self::Returned(error),
            InstanceError::Hung(limit) => Self::Hung(limit),
            other => Self::Ended(other.to_string()),
        }
    }
}

impl fmt::Display for TrialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(error) => write!(f, "cannot be constructed: {error}"),
            Self::Misfit(error) => write!(f, "{error}"),
            Self::Returned(error) => write!(f, "{error}"),
            Self::Hung(limit) => write!(f, "did not answer within {limit:?}"),
            Self::Ended(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for TrialError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::{Actuator, Channel, Sensor, async_trait};

    /// Long enough for a busy machine.
    const LIMIT: Duration = Duration::from_secs(3);

    #[derive(serde::Deserialize)]
    struct Odd {
        does: String,
    }

    #[async_trait]
    impl Sensor for Odd {
        fn describe(&self) -> Description {
            Description::sensor().channel(Channel::float("height").range(0.0, 10.0))
        }

        async fn read(&mut self) -> crate::Result<Reading> {
            match self.does.as_str() {
                "panics" => panic!("no more height"),
                "blocks" => std::thread::park_timeout(Duration::from_secs(60)),
                "errs" => return Err(Error::new("no signal")),
                "leaves its range" => return Ok(11.into()),
                _ => {}
            }
            Ok(5.into())
        }
    }

    async fn read(does: &str) -> Result<Reading, String> {
        let kind = Kind::sensor("odd", |settings: Odd| settings);
        let settings = [("does".to_owned(), does.into())].into_iter().collect();
        let mut trial = Trial::start(&kind, settings, LIMIT).await.map_err(|error| error.to_string())?;
        trial.read().await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn readings_are_named_and_faults_are_told() {
        assert_eq!(read("nothing odd").await, Ok(Reading::new().with("height", 5.0)));
        assert_eq!(read("panics").await, Err("panicked: no more height".into()));
        assert_eq!(read("blocks").await, Err("did not answer within 3s".into()));
        assert_eq!(read("errs").await, Err("no signal".into()));
        let wrong = "channel `height` does not take `11`: expected a number from 0 to 10";
        assert_eq!(read("leaves its range").await, Err(wrong.into()));
    }

    struct Lamp;

    #[async_trait]
    impl Actuator for Lamp {
        fn describe(&self) -> Description {
            Description::actuator().output(Channel::bool("on"))
        }

        async fn apply(&mut self, _: &str, value: Value) -> crate::Result<Reading> {
            Ok(value.into())
        }
    }

    #[tokio::test]
    async fn a_command_is_obeyed_also_while_a_reading_is_waited_for() {
        let kind = Kind::actuator("lamp", |(): ()| Lamp);
        // Its settings are nothing at all, not an empty table.
        let lamp = Trial::start(&kind, Settings::new(), LIMIT).await;
        assert!(matches!(lamp, Err(TrialError::Create(_))));
        #[derive(serde::Deserialize)]
        struct Nothing {}
        let kind = Kind::actuator("lamp", |_: Nothing| Lamp);
        let mut lamp = Trial::start(&kind, Settings::new(), LIMIT).await.expect("a lamp");
        assert!(
            tokio::time::timeout(Duration::from_millis(100), lamp.read()).await.is_err(),
            "a lamp has no readings"
        );
        let state = lamp.set("on", &Value::Bool(true)).await.expect("obeyed");
        assert_eq!(state, Reading::new().with("on", true));
        let refused = lamp.set("on", &Value::Float(0.5)).await.unwrap_err();
        assert!(refused.to_string().starts_with("channel `on` does not take `0.5`"), "{refused}");
    }
}
