#![doc = include_str!("README.md")]
#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux has such a bus"))]

#[cfg(target_os = "linux")]
mod bus;
mod chip;
mod fault;
#[cfg(test)]
mod tests;

pub use chip::Chip;

use mqtt_lab_core::prelude::*;

/// A chip on a bus.
#[derive(Debug)]
pub struct I2c {
    settings: Settings,
    address: u8,
    #[cfg(target_os = "linux")]
    bus: Option<bus::Bus>,
}

/// The `settings` of a chip on a bus.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which chip: `lm75`, `tmp105`, `pct2075` or `sht4x`.
    pub chip: Chip,
    /// The bus.
    #[serde(default = "bus")]
    pub bus: String,
    /// Its address. Left out: the chip's usual one.
    pub address: Option<u8>,
}

fn bus() -> String {
    "/dev/i2c-1".into()
}

impl I2c {
    /// A chip with these settings. Its bus is opened by the first reading.
    ///
    /// # Errors
    ///
    /// If the chip cannot have that address, or this is not Linux.
    pub fn new(settings: Settings) -> Result<Self> {
        let addresses = settings.chip.addresses();
        let address = settings.address.unwrap_or(*addresses.start());
        if !addresses.contains(&address) {
            return Err(Error::new(format_args!(
                "`address = {address:#04x}` must be from {:#04x} to {:#04x}: those a `{}` can have",
                addresses.start(),
                addresses.end(),
                settings.chip.name()
            )));
        }
        if !cfg!(target_os = "linux") {
            let system = std::env::consts::OS;
            return Err(Error::new(format_args!("the kind `i2c` needs Linux, this computer runs {system}")));
        }
        Ok(Self {
            settings,
            address,
            #[cfg(target_os = "linux")]
            bus: None,
        })
    }

    #[cfg(target_os = "linux")]
    fn measure(&mut self) -> Result<Reading> {
        let Settings { chip, bus, .. } = &self.settings;
        let told = |fault: fault::Fault| fault.at(bus, self.address, chip.name());
        let mut open = match self.bus.take() {
            Some(open) => open,
            None => {
                let mut open = bus::Bus::open(bus)?;
                chip.prepare(&mut open, self.address).map_err(told)?;
                open
            }
        };
        // After a fault everything begins anew.
        let reading = chip.measure(&mut open, self.address, &mut linux_embedded_hal::Delay).map_err(told)?;
        self.bus = Some(open);
        Ok(reading)
    }

    #[cfg(not(target_os = "linux"))]
    fn measure(&mut self) -> Result<Reading> {
        Err(Error::new("the kind `i2c` needs Linux"))
    }
}

#[async_trait]
impl Sensor for I2c {
    fn describe(&self) -> Description {
        self.settings.chip.describe()
    }

    async fn read(&mut self) -> Result<Reading> {
        self.measure()
    }
}

/// `kind = "i2c"`.
#[must_use]
pub fn kind() -> Kind {
    // Not cooperative: the bus blocks.
    Kind::sensor("i2c", I2c::new).settings::<Settings>().sample(include_str!("sample.toml"))
}
