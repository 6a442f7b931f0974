//! The waveforms.

use super::expression::Expression;
use super::recording::Recording;
use crate::chance;
use mqtt_lab_core::prelude::*;
use rand::RngExt;
use rand::rngs::StdRng;
use serde::Serialize;
use std::f64::consts::TAU;

/// What is multiplied by the amplitude, and the offset added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Waveform {
    /// 0: the offset alone.
    Constant,
    /// At random from -1 to 1, each number as likely as any other.
    Uniform,
    /// At random with mean 0 and standard deviation 1.
    Gaussian,
    /// A random walk from -1 to 1, at most 0.1 per reading.
    #[default]
    Walk,
    /// A sine from -1 to 1.
    Sine,
    /// 1 for the duty cycle's part of a period, -1 for the rest.
    Square,
    /// From -1 up to 1 in each period.
    Sawtooth,
    /// 0 for the first period, then 1.
    Step,
    /// A formula in the time `t`.
    Expression,
    /// The values of a CSV file, one per reading.
    Csv,
}

impl Waveform {
    /// All of them, with their words.
    pub(super) const ALL: [(&str, Self); 10] = [
        ("constant", Self::Constant),
        ("uniform", Self::Uniform),
        ("gaussian", Self::Gaussian),
        ("walk", Self::Walk),
        ("sine", Self::Sine),
        ("square", Self::Square),
        ("sawtooth", Self::Sawtooth),
        ("step", Self::Step),
        ("expression", Self::Expression),
        ("csv", Self::Csv),
    ];

    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, waveform)| *waveform == self).map_or("walk", |(word, _)| word)
    }
}

/// What makes the numbers, all of it changeable while it runs.
#[derive(Debug)]
pub(super) struct Generator {
    pub(super) waveform: Waveform,
    pub(super) amplitude: f64,
    pub(super) offset: f64,
    pub(super) period_s: f64,
    pub(super) duty_percent: f64,
    pub(super) expression: Expression,
    pub(super) recording: Option<Recording>,
    pub(super) random: StdRng,
    /// Where the random walk is.
    pub(super) walk: f64,
}

impl Generator {
    /// The value at `t` seconds; `None` behind the end of a recording.
    pub(super) fn value(&mut self, t: f64) -> Result<Option<f64>> {
        let shape = self.shape(t)?;
        Ok(shape.map(|shape| self.offset + self.amplitude * shape))
    }

    /// The waveform begins anew.
    pub(super) fn restart(&mut self) {
        self.walk = 0.0;
        if let Some(recording) = &mut self.recording {
            recording.rewind();
        }
    }

    fn shape(&mut self, t: f64) -> Result<Option<f64>> {
        // Part of the present period that is over.
        let phase = (t / self.period_s).rem_euclid(1.0);
        Ok(Some(match self.waveform {
            Waveform::Constant => 0.0,
            Waveform::Uniform => self.random.random_range(-1.0..=1.0),
            Waveform::Gaussian => chance::normal(&mut self.random),
            Waveform::Walk => self.step(),
            Waveform::Sine => (TAU * phase).sin(),
            Waveform::Square if phase < self.duty_percent / 100.0 => 1.0,
            Waveform::Square => -1.0,
            Waveform::Sawtooth => 2.0 * phase - 1.0,
            Waveform::Step => f64::from(t >= self.period_s),
            Waveform::Expression => self.expression.at(t)?,
            Waveform::Csv => return Ok(self.recording.as_mut().and_then(Recording::next)),
        }))
    }

    fn step(&mut self) -> f64 {
        self.walk = (self.walk + self.random.random_range(-0.1..=0.1)).clamp(-1.0, 1.0);
        self.walk
    }
}
