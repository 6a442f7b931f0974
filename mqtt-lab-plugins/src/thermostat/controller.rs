//! The two ways from a difference of temperatures to an output.

use mqtt_lab_core::prelude::*;
use serde::Serialize;

/// How the output is calculated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Fully on or off, with a hysteresis.
    TwoPoint,
    /// Proportional to the difference and to its integral over time.
    #[default]
    Pi,
}

impl Mode {
    /// All of them, with their words.
    pub(super) const ALL: [(&str, Self); 2] = [("two-point", Self::TwoPoint), ("pi", Self::Pi)];

    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, mode)| *mode == self).map_or("pi", |(word, _)| word)
    }
}

/// What calculates the output, in %, of a difference, in K.
#[derive(Debug)]
pub(super) struct Controller {
    pub(super) mode: Mode,
    /// In K.
    pub(super) hysteresis: f64,
    /// In %/K.
    pub(super) kp: f64,
    /// In %/(K·s).
    pub(super) ki: f64,
    /// The integral's part of the output, in %.
    pub(super) integral: f64,
    /// The last output, in %.
    pub(super) output: f64,
}

impl Controller {
    /// The output, `seconds` after the one before, while the temperature is `difference` below the set-point.
    pub(super) fn next(&mut self, difference: f64, seconds: f64) -> f64 {
        self.output = match self.mode {
            Mode::TwoPoint if difference > self.hysteresis / 2.0 => 100.0,
            Mode::TwoPoint if difference < -self.hysteresis / 2.0 => 0.0,
            Mode::TwoPoint if self.output >= 50.0 => 100.0,
            Mode::TwoPoint => 0.0,
            Mode::Pi => self.pi(difference, seconds),
        };
        self.output
    }

    /// Off, as at the start.
    pub(super) const fn reset(&mut self) {
        (self.integral, self.output) = (0.0, 0.0);
    }

    fn pi(&mut self, difference: f64, seconds: f64) -> f64 {
        let proportional = self.kp * difference;
        let integral = (self.integral + self.ki * difference * seconds).clamp(0.0, 100.0);
        let output = proportional + integral;
        // Anti-windup: at an end of the output the integral does not go on to press against it.
        let pressing = (output > 100.0 && difference > 0.0) || (output < 0.0 && difference < 0.0);
        if !pressing {
            self.integral = integral;
        }
        (proportional + self.integral).clamp(0.0, 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controller(mode: Mode) -> Controller {
        Controller { mode, hysteresis: 1.0, kp: 10.0, ki: 0.5, integral: 0.0, output: 0.0 }
    }

    #[test]
    fn two_points_switch_at_the_ends_of_the_hysteresis() {
        let mut controller = controller(Mode::TwoPoint);
        let differences = [0.4, 0.6, 0.0, -0.4, -0.6, 0.0, 0.4, 0.6];
        let outputs = differences.map(|difference| controller.next(difference, 1.0));
        assert_eq!(outputs, [0.0, 100.0, 100.0, 100.0, 0.0, 0.0, 0.0, 100.0]);
    }

    #[test]
    fn the_integral_grows_while_there_is_a_difference() {
        let mut controller = controller(Mode::Pi);
        assert_eq!([1.0, 1.0, 0.0].map(|e| controller.next(e, 2.0)), [11.0, 12.0, 2.0]);
    }

    #[test]
    fn a_long_way_up_winds_nothing_up() {
        let mut controller = controller(Mode::Pi);
        (0..10_000).for_each(|_| assert_eq!(controller.next(15.0, 1.0), 100.0));
        assert_eq!(controller.next(0.0, 1.0), 0.0, "nothing to unwind at the set-point");
    }
}
