#![doc = include_str!("README.md")]

mod expression;
mod generator;
mod recording;
mod settings;

pub use generator::Waveform;
pub use recording::{AtEnd, Column};
pub use settings::Settings;

use crate::clock::Clock;
use crate::faults::{Faults, Scale};
use crate::setting;
use expression::Expression;
use generator::Generator;
use mqtt_lab_core::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use recording::Recording;

/// The range of the values.
const RANGE: (f64, f64) = (-1e9, 1e9);
/// Largest amplitude and offset.
const LARGEST: f64 = 1e6;
/// Shortest and longest period, in seconds.
const PERIOD_S: (f64, f64) = (0.001, 604_800.0);
/// Values are rounded to this part of one.
const PER_UNIT: f64 = 1e6;

/// A signal generator.
#[derive(Debug)]
pub struct Signal {
    generator: Generator,
    clock: Clock,
    unit: String,
    faults: Faults,
}

impl Signal {
    /// A signal generator with these settings.
    ///
    /// # Errors
    ///
    /// If a number is outside of the range that its setting names, the formula or the recording has a mistake, or the
    /// waveform is `csv` and there is no recording.
    pub fn new(settings: Settings) -> Result<Self> {
        setting::length("unit", &settings.unit, 0..=16)?;
        let generator = generator(&settings)?;
        let scale = Scale { unit: "", range: RANGE, per_unit: PER_UNIT };
        let faults = Faults::new(settings.fault, settings.fault_size, settings.seed, scale)?;
        Ok(Self { generator, clock: Clock::new(settings.time_step_s)?, unit: settings.unit, faults })
    }

    /// A channel in the unit of the values.
    fn in_unit(&self, channel: Channel) -> Channel {
        if self.unit.is_empty() { channel } else { channel.unit(self.unit.clone()) }
    }

    fn begin(&mut self) {
        self.generator.restart();
        self.clock.restart();
    }
}

fn generator(settings: &Settings) -> Result<Generator> {
    let &Settings { waveform, amplitude, offset, period_s, duty_percent, seed, .. } = settings;
    setting::within("amplitude", amplitude, -LARGEST, LARGEST)?;
    setting::within("offset", offset, -LARGEST, LARGEST)?;
    setting::within("period_s", period_s, PERIOD_S.0, PERIOD_S.1)?;
    setting::within("duty_percent", duty_percent, 0.0, 100.0)?;
    let expression = Expression::parse(&settings.expression);
    let mut generator = Generator {
        waveform: Waveform::Constant,
        amplitude,
        offset,
        period_s,
        duty_percent,
        expression: expression.map_err(|error| Error::new(format_args!("`expression`: {error}")))?,
        recording: recording(settings)?,
        random: StdRng::seed_from_u64(seed),
        walk: 0.0,
    };
    change(&mut generator, waveform)?;
    Ok(generator)
}

/// The recording of these settings, if they name one.
fn recording(settings: &Settings) -> Result<Option<Recording>> {
    let Settings { file, column, separator, at_end, .. } = settings;
    let known = [",", ";", "\t"].contains(&separator.as_str());
    let Some(separator) = separator.chars().next().filter(|_| known) else {
        let what = format_args!(r#"`separator = {separator:?}` must be ",", ";" or "\t""#);
        return Err(Error::new(what));
    };
    if file.is_empty() {
        return Ok(None);
    }
    Recording::open(file, column, separator, *at_end).map(Some)
}

fn change(generator: &mut Generator, waveform: Waveform) -> Result<()> {
    if waveform == Waveform::Csv && generator.recording.is_none() {
        return Err(Error::new(
            "the waveform `csv` needs a recording: name one in the settings, `file = \"…\"`",
        ));
    }
    generator.waveform = waveform;
    Ok(())
}

#[async_trait]
impl Sensor for Signal {
    fn describe(&self) -> Description {
        let words = Waveform::ALL.map(|(word, _)| word.into());
        let now = &self.generator;
        let number = |name: &'static str, value: f64| {
            self.in_unit(Channel::float(name).range(-LARGEST, LARGEST).initial(value))
        };
        let period = Channel::float("period").unit("s").quantity("time").range(PERIOD_S.0, PERIOD_S.1);
        let formula = Channel::text("expression").max_len(expression::MAX_BYTES);
        let description = Description::sensor()
            .channel(self.in_unit(Channel::float("value").range(RANGE.0, RANGE.1)))
            .control(Channel::choice("waveform", words).initial(now.waveform.word()))
            .control(number("amplitude", now.amplitude))
            .control(number("offset", now.offset))
            .control(period.initial(now.period_s))
            .control(Channel::float("duty").unit("%").range(0.0, 100.0).initial(now.duty_percent))
            .control(formula.initial(now.expression.text()));
        self.faults.describe(description)
    }

    async fn read(&mut self) -> Result<Reading> {
        let value = self.generator.value(self.clock.seconds())?;
        let Some(value) = value else { return Ok(Reading::new()) };
        Ok(self.faults.reading((value * PER_UNIT).round() / PER_UNIT))
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<()> {
        let generator = &mut self.generator;
        match (channel, &value) {
            ("amplitude", Value::Float(amplitude)) => generator.amplitude = *amplitude,
            ("offset", Value::Float(offset)) => generator.offset = *offset,
            ("period", Value::Float(seconds)) => generator.period_s = *seconds,
            ("duty", Value::Float(percent)) => generator.duty_percent = *percent,
            ("expression", Value::Text(text)) => {
                generator.expression = Expression::parse(text)?;
                self.begin();
            }
            ("waveform", Value::Text(word)) => {
                let chosen = Waveform::ALL.iter().find(|(known, _)| known == word);
                let (_, waveform) =
                    chosen.ok_or_else(|| Error::new(format_args!("there is no waveform `{word}`")))?;
                change(generator, *waveform)?;
                self.begin();
            }
            _ => self.faults.set(channel, &value)?,
        }
        Ok(())
    }
}

/// `kind = "signal"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::sensor("signal", Signal::new)
        .settings::<Settings>()
        .sample(include_str!("sample.toml"))
        .cooperative()
        .seeded()
}
