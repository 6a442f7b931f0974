#![doc = include_str!("README.md")]

use mqtt_lab_core::prelude::*;
use std::fmt;
use sysinfo::{Components, System};

/// Highest temperature that is believed, in °C; some boards report nonsense for missing probes.
const HOTTEST: f32 = 150.0;

/// This computer.
pub struct Host {
    system: System,
    components: Option<Components>,
    has_temperature: bool,
}

/// The `settings` of the computer: none.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {}

impl Host {
    /// Looks which of the values this computer has.
    ///
    /// # Errors
    ///
    /// If the system tells nothing of itself.
    pub fn new(_: Settings) -> Result<Self> {
        let components = Components::new_with_refreshed_list().ok();
        let mut host = Self { system: System::new()?, components, has_temperature: false };
        host.has_temperature = host.hottest().is_some();
        // The processor's load is a difference: the first reading needs an earlier one.
        host.system.refresh_cpu_usage();
        Ok(host)
    }

    /// The highest of the believable temperatures, in °C.
    fn hottest(&self) -> Option<f32> {
        let celsius = self.components.iter().flatten().filter_map(sysinfo::Component::temperature);
        celsius.filter(|c| (0.1..HOTTEST).contains(c)).reduce(f32::max)
    }
}

#[async_trait]
impl Sensor for Host {
    fn describe(&self) -> Description {
        let percent = |name: &'static str| Channel::float(name).unit("%").range(0.0, 100.0);
        let mut description = Description::sensor()
            .channel(percent("cpu").quantity("load"))
            .channel(percent("memory").quantity("memory"));
        if !cfg!(windows) {
            description = description.channel(Channel::float("load").quantity("load").range(0.0, 100_000.0));
        }
        if self.has_temperature {
            let celsius = Channel::float("temperature").unit("°C").quantity("temperature");
            description = description.channel(celsius.range(0.0, HOTTEST.into()));
        }
        description
    }

    async fn read(&mut self) -> Result<Reading> {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        let cpu = f64::from(self.system.global_cpu_usage()).clamp(0.0, 100.0);
        #[allow(clippy::cast_precision_loss, reason = "a percentage needs no 53 bits")]
        let memory = self.system.used_memory() as f64 * 100.0 / self.system.total_memory().max(1) as f64;
        let mut reading =
            Reading::new().with("cpu", tenths(cpu)).with("memory", tenths(memory.clamp(0.0, 100.0)));
        if !cfg!(windows) {
            reading = reading.with("load", System::load_average()?.one);
        }
        if let Some(components) = &mut self.components
            && self.has_temperature
        {
            components.refresh(false);
            if let Some(celsius) = self.hottest() {
                reading = reading.with("temperature", tenths(celsius.into()));
            }
        }
        Ok(reading)
    }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("has_temperature", &self.has_temperature).finish_non_exhaustive()
    }
}

/// `kind = "host"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::sensor("host", Host::new).settings::<Settings>().sample(include_str!("sample.toml"))
}
