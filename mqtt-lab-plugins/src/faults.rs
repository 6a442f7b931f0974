//! What a broken sensor does to its values: every simulated sensor can do it, by the control variables `fault` and
//! `fault-size`.

use crate::chance;
use crate::setting;
use mqtt_lab_core::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

/// The control variable that chooses.
const FAULT: &str = "fault";
/// The control variable that says how bad it is.
const SIZE: &str = "fault-size";
/// Readings in which a drift grows by the size of the fault.
const DRIFT_READINGS: f64 = 60.0;
/// Part of the readings that are a spike.
const SPIKES: f64 = 0.1;
/// Part of the readings that drop out.
const DROPOUTS: f64 = 0.5;
/// Tells the faults' randomness from that of the true value.
const SEED: u64 = 0x6661_756c_7473;

/// What is wrong with a sensor. The size is that of `fault-size`, in the unit of the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Nothing: the true value.
    #[default]
    None,
    /// The value at which it began, again and again.
    Stuck,
    /// The value runs away: by the size within 60 readings, and on.
    Drift,
    /// One reading in ten, at random, is off by the size, up or down.
    Spike,
    /// One reading in two, at random, has no value.
    Dropout,
    /// Every reading is off at random, with the size as standard deviation.
    Noise,
}

impl Fault {
    /// All of them, with their words.
    const ALL: [(&str, Self); 6] = [
        ("none", Self::None),
        ("stuck", Self::Stuck),
        ("drift", Self::Drift),
        ("spike", Self::Spike),
        ("dropout", Self::Dropout),
        ("noise", Self::Noise),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, fault)| *fault == self).map_or("none", |(word, _)| word)
    }
}

/// The channel whose values are falsified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Unit of the difference of two values; empty: none.
    pub(crate) unit: &'static str,
    /// Lowest and highest value: what a broken sensor cannot leave either.
    pub(crate) range: (f64, f64),
    /// False values are rounded to `1 / per_unit`.
    pub(crate) per_unit: f64,
}

/// The faults of one sensor. The same seed gives the same false values.
#[derive(Debug)]
pub(crate) struct Faults {
    fault: Fault,
    size: f64,
    scale: Scale,
    seed: u64,
    random: StdRng,
    /// Readings since the fault began.
    readings: f64,
    stuck_at: Option<f64>,
}

impl Faults {
    /// The faults of a sensor with the settings `fault` and `fault_size`, and its seed.
    pub(crate) fn new(fault: Fault, size: f64, seed: u64, scale: Scale) -> Result<Self> {
        let seed = seed ^ SEED;
        let random = StdRng::seed_from_u64(seed);
        let faults = Self { fault, size, scale, seed, random, readings: 0.0, stuck_at: None };
        setting::within("fault_size", size, 0.0, faults.largest())?;
        Ok(faults)
    }

    /// Largest size: as wide as the sensor's range.
    fn largest(&self) -> f64 {
        self.scale.range.1 - self.scale.range.0
    }

    /// Adds the control variables.
    pub(crate) fn describe(&self, description: Description) -> Description {
        let words = Fault::ALL.map(|(word, _)| word.into());
        let size = Channel::float(SIZE).range(0.0, self.largest()).initial(self.size);
        let size = if self.scale.unit.is_empty() { size } else { size.unit(self.scale.unit) };
        description.control(Channel::choice(FAULT, words).initial(self.fault.word())).control(size)
    }

    /// Takes a new value for one of the control variables.
    pub(crate) fn set(&mut self, channel: &str, value: &Value) -> Result<()> {
        match (channel, value) {
            (SIZE, Value::Float(size)) => self.size = *size,
            (FAULT, Value::Text(word)) => {
                let chosen = Fault::ALL.iter().find(|(known, _)| known == word);
                let (_, fault) =
                    chosen.ok_or_else(|| Error::new(format_args!("there is no fault `{word}`")))?;
                self.begin(*fault);
            }
            _ => return Err(Error::not_settable(channel)),
        }
        Ok(())
    }

    /// Every fault begins anew, the same way each time.
    fn begin(&mut self, fault: Fault) {
        if self.fault != fault {
            (self.fault, self.readings, self.stuck_at) = (fault, 0.0, None);
            self.random = StdRng::seed_from_u64(self.seed);
        }
    }

    /// What the sensor says where `truth` is the value; `None`: nothing.
    pub(crate) fn apply(&mut self, truth: f64) -> Option<f64> {
        self.readings += 1.0;
        let false_value = match self.fault {
            Fault::None => return Some(truth),
            Fault::Stuck => return Some(*self.stuck_at.get_or_insert(truth)),
            Fault::Drift => truth + self.size * self.readings / DRIFT_READINGS,
            Fault::Spike if self.random.random_bool(SPIKES) => {
                let up = self.random.random_bool(0.5);
                truth + if up { self.size } else { -self.size }
            }
            Fault::Spike => truth,
            Fault::Dropout if self.random.random_bool(DROPOUTS) => return None,
            Fault::Dropout => truth,
            Fault::Noise => truth + self.size * chance::normal(&mut self.random),
        };
        let Scale { range: (min, max), per_unit, .. } = self.scale;
        Some(((false_value * per_unit).round() / per_unit).clamp(min, max))
    }

    /// The reading of a sensor with one channel.
    pub(crate) fn reading(&mut self, truth: f64) -> Reading {
        self.apply(truth).map_or_else(Reading::new, Reading::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(fault: Fault) -> Faults {
        let scale = Scale { unit: "K", range: (-40.0, 85.0), per_unit: 100.0 };
        Faults::new(fault, 6.0, 1, scale).expect("valid")
    }

    /// The values of a sensor whose true ones are 20, 20.5, 21 and so on.
    fn values(fault: Fault, n: u32) -> Vec<Option<f64>> {
        let mut faults = faults(fault);
        (0..n).map(|i| faults.apply(20.0 + f64::from(i) / 2.0)).collect()
    }

    #[test]
    fn a_stuck_sensor_repeats_and_a_drifting_one_runs_away_to_its_end() {
        assert_eq!(values(Fault::None, 3), [Some(20.0), Some(20.5), Some(21.0)]);
        assert_eq!(values(Fault::Stuck, 3), [Some(20.0); 3]);
        assert_eq!(values(Fault::Drift, 3), [Some(20.1), Some(20.7), Some(21.3)]);
        let mut faults = faults(Fault::Drift);
        assert_eq!((0..10_000).map(|_| faults.apply(20.0)).last(), Some(Some(85.0)));
    }

    #[test]
    fn one_in_ten_is_a_spike_and_one_in_two_drops_out() {
        let mut broken = faults(Fault::Spike);
        let spikes: Vec<_> = (0..1000).filter_map(|_| broken.apply(20.0)).filter(|v| *v != 20.0).collect();
        assert!((60..140).contains(&spikes.len()), "{}", spikes.len());
        assert!(spikes.iter().all(|v| [14.0, 26.0].contains(v)), "{spikes:?}");
        let there = values(Fault::Dropout, 1000).into_iter().flatten().count();
        assert!((440..560).contains(&there), "{there}");
    }

    #[test]
    fn noise_is_as_wide_as_asked_for_and_the_same_every_time() {
        let run = || {
            let mut noisy = faults(Fault::Noise);
            (0..1000).filter_map(|_| noisy.apply(20.0)).collect::<Vec<_>>()
        };
        let values = run();
        let variance = values.iter().map(|v| (v - 20.0).powi(2)).sum::<f64>() / 1000.0;
        assert!((variance.sqrt() - 6.0).abs() < 0.5, "{}", variance.sqrt());
        assert_eq!(values, run());
    }

    #[test]
    fn a_fault_ends_and_begins_anew() {
        let mut faults = faults(Fault::None);
        faults.apply(20.0);
        faults.set(FAULT, &"stuck".into()).expect("a fault");
        assert_eq!(faults.apply(21.0), Some(21.0));
        assert_eq!(faults.apply(22.0), Some(21.0));
        faults.set(FAULT, &"none".into()).expect("a fault");
        assert_eq!(faults.apply(23.0), Some(23.0));
        faults.set(FAULT, &"stuck".into()).expect("a fault");
        assert_eq!(faults.apply(24.0), Some(24.0));
    }
}
