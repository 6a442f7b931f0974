//! What a signal generator can be told in the TOML file.

use super::generator::Waveform;
use super::recording::{AtEnd, Column};
use crate::faults::Fault;
use mqtt_lab_core::prelude::*;

/// The `settings` of a signal generator.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Waveform at the start.
    pub waveform: Waveform,
    /// What the waveform is multiplied by (-1e6 to 1e6).
    #[schemars(range(min = -1e6, max = 1e6))]
    pub amplitude: f64,
    /// What is added then (-1e6 to 1e6).
    #[schemars(range(min = -1e6, max = 1e6))]
    pub offset: f64,
    /// Length of a period of `sine`, `square` and `sawtooth`; when `step` goes up; in seconds (0.001 to 604800).
    #[schemars(range(min = 0.001, max = 604_800.0))]
    pub period_s: f64,
    /// Part of a period in which `square` is up, in % (0 to 100).
    #[schemars(range(min = 0.0, max = 100.0))]
    pub duty_percent: f64,
    /// Formula of `expression` in `t`, seconds since the start (at most 256 bytes).
    pub expression: String,
    /// CSV file of `csv`, in UTF-8; a relative path starts at the folder of the file that contains it. Empty: none.
    #[schemars(extend("x-path" = true))]
    pub file: String,
    /// Column of the file: its number, counted from 1, or its heading.
    pub column: Column,
    /// What separates the columns: "," or ";" (then numbers may have a decimal comma) or "\t".
    pub separator: String,
    /// What comes after the last line: "loop" (the first one again) or "stop" (nothing more).
    pub at_end: AtEnd,
    /// Unit of the values; empty: none.
    pub unit: String,
    /// Time is rounded to this many seconds (0 to 60), so that the same seed gives the same values; 0: exact.
    #[schemars(range(min = 0.0, max = 60.0))]
    pub time_step_s: f64,
    /// What is wrong with the sensor.
    pub fault: Fault,
    /// How far a fault falsifies the value (0 to 2e9).
    #[schemars(range(min = 0.0, max = 2e9))]
    pub fault_size: f64,
    /// Where the randomness begins.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            waveform: Waveform::Walk,
            amplitude: 1.0,
            offset: 0.0,
            period_s: 60.0,
            duty_percent: 50.0,
            expression: "sin(2*pi*t/60)".into(),
            file: String::new(),
            column: Column::Number(1),
            separator: ",".into(),
            at_end: AtEnd::Loop,
            unit: String::new(),
            time_step_s: 0.1,
            fault: Fault::None,
            fault_size: 1.0,
            seed: 1,
        }
    }
}
