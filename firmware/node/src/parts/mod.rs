//! The parts that boards have most often: chips on an I²C bus, and pins.
//!
//! Each works on any bus or pin of `embedded-hal` 1.0, and every fault of its chip is a [`crate::Fault`].

#[cfg(feature = "bme280")]
mod bme280;
mod button;
#[cfg(feature = "lm75")]
mod lm75;
mod output;
#[cfg(feature = "sht4x")]
mod sht4x;

#[cfg(feature = "bme280")]
pub use self::bme280::Bme280;
pub use self::button::Button;
#[cfg(feature = "lm75")]
pub use self::lm75::Lm75;
pub use self::output::Output;
#[cfg(feature = "sht4x")]
pub use self::sht4x::Sht4x;

#[cfg(all(test, feature = "bme280", feature = "lm75", feature = "sht4x"))]
mod tests;
