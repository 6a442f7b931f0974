//! `mqtt-lab plugin run FILE`.

use super::{LIMIT, article, explained, given, heading, load, say, table, wanted};
use crate::arguments::TrialOptions;
use crate::failure::Failure;
use mqtt_lab_core::trial::{Trial, TrialError};
use mqtt_lab_core::{Description, Kind, Reading, Role, Trigger};
use std::time::Instant;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Gives the commands, then shows readings until enough came, Ctrl-C was typed, or the device ended.
pub(super) async fn run(options: &TrialOptions) -> Result<(), Failure> {
    let settings = given::settings(&options.device.set)?;
    let plugin = load(&options.device).await?;
    let kind = match wanted(&plugin, options.device.kind.as_deref())?.as_slice() {
        [kind] => (*kind).clone(),
        several => {
            let names: Vec<_> = several.iter().map(|kind| kind.name()).collect();
            let hint = format!("choose one with `--kind`: {}", names.join(", "));
            return Err(Failure::config("the plugin offers several kinds", Some(hint)));
        }
    };
    let trial = Trial::start(&kind, settings, LIMIT).await;
    let trial = trial.map_err(|error| Failure::mistakes(vec![explained(&kind, &error)]))?;
    let mut show = Show { trial, start: Instant::now(), readings: 0, errors: 0 };
    say(&format!("{}: `{}`, {}", heading(&plugin), kind.name(), article(kind.role())));
    tokio::select! {
        done = show.run(options, &kind) => done,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// A device whose doings are shown.
struct Show {
    trial: Trial,
    start: Instant,
    readings: u64,
    errors: u64,
}

impl Show {
    async fn run(&mut self, options: &TrialOptions, kind: &Kind) -> Result<(), Failure> {
        for (channel, text) in &options.send {
            let value = given::value(text, self.trial.description().find(channel));
            let state = self.trial.set(channel, &value).await;
            self.outcome(&format!("sent {channel} = {text}"), state)?;
        }
        if kind.role() == Role::Actuator {
            if options.send.is_empty() {
                for line in table::of(self.trial.description(), true) {
                    say(&format!("  {line}"));
                }
                say("give it a command with `--send CHANNEL=VALUE`");
            }
            return self.verdict();
        }
        let mut ticks = ticks(options, self.trial.description());
        while options.count.is_none_or(|count| self.readings < count) {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            let reading = self.trial.read().await;
            self.readings += 1;
            self.outcome("", reading)?;
        }
        self.verdict()
    }

    /// Shows an answer to `what` was asked; an error that ends the device ends this.
    fn outcome(&mut self, what: &str, answer: Result<Reading, TrialError>) -> Result<(), Failure> {
        let now = if what.is_empty() { "" } else { "now " };
        let told = match &answer {
            Ok(reading) => format!("{now}{}", values(reading, self.trial.description())),
            Err(end @ (TrialError::Ended(_) | TrialError::Hung(_))) => format!("the end: {end}"),
            Err(error) => format!("error: {error}"),
        };
        let asked = if what.is_empty() { String::new() } else { format!("{what}; ") };
        say(&format!("{:8.2} s  {asked}{told}", self.start.elapsed().as_secs_f64()));
        match answer {
            Err(end @ (TrialError::Ended(_) | TrialError::Hung(_))) => Err(gone(&end)),
            answer => {
                self.errors += u64::from(answer.is_err());
                Ok(())
            }
        }
    }

    fn verdict(&self) -> Result<(), Failure> {
        match self.errors {
            0 => Ok(()),
            1 => Err(Failure::failed("one answer above is an error".into(), None)),
            errors => Err(Failure::failed(format!("{errors} answers above are errors"), None)),
        }
    }
}

/// Why this ends before enough readings came.
fn gone(end: &TrialError) -> Failure {
    let hint = match end {
        TrialError::Hung(_) => "in a lab, `read_timeout_s` of a device allows it more time",
        _ => "a lab shows this on the dashboard and recreates the device",
    };
    Failure::failed(format!("the device is gone: {end}"), Some(hint.into()))
}

/// When it is read: none for one that waits for events.
fn ticks(options: &TrialOptions, description: &Description) -> Option<Interval> {
    let polled = description.trigger() == Trigger::Interval;
    polled.then(|| {
        let mut ticks = interval(options.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks
    })
}

/// `temperature 21.5 °C, humidity 40 %`.
fn values(reading: &Reading, description: &Description) -> String {
    let value = |(name, value): (&str, &mqtt_lab_core::Value)| {
        let unit = description.find(name).and_then(|channel| channel.unit.as_deref());
        format!("{name} {value} {}", unit.unwrap_or_default()).trim_end().to_owned()
    };
    let values: Vec<_> = reading.values().map(value).collect();
    if values.is_empty() { "a reading without values".into() } else { values.join(", ") }
}
