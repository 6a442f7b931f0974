#![doc = include_str!("README.md")]

use crate::chance;
use mqtt_lab_core::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A motion detector in a corridor.
#[derive(Debug)]
pub struct Motion {
    mean_pause_s: f64,
    hold_s: f64,
    random: StdRng,
    /// What was reported last; nothing yet: `None`.
    moving: Option<bool>,
    /// When the next event comes. Kept here, not in `read`, which may be dropped while it waits.
    next: Instant,
}

/// The `settings` of a motion detector.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Time between two people on average, in seconds (0.01 to 86400).
    #[schemars(range(min = 0.01, max = 86_400.0))]
    pub mean_pause_s: f64,
    /// How long motion is reported, in seconds (0.01 to 86400).
    #[schemars(range(min = 0.01, max = 86_400.0))]
    pub hold_s: f64,
    /// Where the randomness begins.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { mean_pause_s: 8.0, hold_s: 3.0, seed: 1 }
    }
}

impl Motion {
    /// A motion detector with these settings.
    ///
    /// # Errors
    ///
    /// If a time is not from 0.01 to 86400 seconds.
    pub fn new(settings: Settings) -> Result<Self> {
        let Settings { mean_pause_s, hold_s, seed } = settings;
        for (name, seconds) in [("mean_pause_s", mean_pause_s), ("hold_s", hold_s)] {
            if !(0.01..=86_400.0).contains(&seconds) {
                let message = format_args!("`{name} = {seconds}` must be from 0.01 to 86400 seconds");
                return Err(Error::new(message));
            }
        }
        let random = StdRng::seed_from_u64(seed);
        Ok(Self { mean_pause_s, hold_s, random, moving: None, next: Instant::now() })
    }
}

#[async_trait]
impl Sensor for Motion {
    fn describe(&self) -> Description {
        Description::sensor().channel(Channel::bool("motion").quantity("motion").retain(true)).on_event()
    }

    async fn read(&mut self) -> Result<Reading> {
        sleep_until(self.next).await;
        // The first event tells that nobody is there, so that a value is known from the start.
        let moving = self.moving.is_some_and(|moving| !moving);
        self.moving = Some(moving);
        let hold_s = if moving { self.hold_s } else { chance::pause_s(&mut self.random, self.mean_pause_s) };
        self.next = Instant::now() + Duration::from_secs_f64(hold_s);
        Ok(moving.into())
    }
}

/// `kind = "motion"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::sensor("motion", Motion::new)
        .settings::<Settings>()
        .sample(include_str!("sample.toml"))
        .cooperative()
        .seeded()
}
