//! What a device logs of its errors: a line when one begins or changes, and one when it ends.
//!
//! A device may fail a thousand times a second. The second failure of the same kind is only counted; the
//! next line about it says how many there were. Lines that are left out appear at level DEBUG.

use super::errors::Cause;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;
use tokio::time::Instant;

/// Kinds of one error that are told apart until it ends; others are only counted.
const MAX_KINDS: usize = 8;

/// Shortest time between two lines about an error that comes and goes.
const QUIET: Duration = Duration::from_secs(60);

/// What an error is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// Something that `$error` shows, too.
    Error(Cause),
    /// Commands to a channel; `None`: to channels that the device does not have.
    Command(Option<String>),
    /// Messages that the link did not accept.
    Unsent,
}

/// The level of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
}

#[derive(Debug, Default)]
struct State {
    failing: bool,
    /// Hashes of the texts since it began, without their values.
    kinds: Vec<u64>,
    /// Failures without a line.
    repeated: u64,
    begun: Option<Instant>,
    ended: Option<Instant>,
}

/// The errors of one device, as far as the log knows them.
#[derive(Debug, Default)]
pub(crate) struct DeviceLog(BTreeMap<Subject, State>);

impl DeviceLog {
    /// Logs a failure: `what` failed, and why.
    pub(crate) fn failed(
        &mut self,
        device: impl Fn() -> String,
        level: Level,
        subject: Subject,
        what: &str,
        error: &str,
    ) {
        let Some(repeated) = self.begins(subject, error) else {
            return tracing::debug!(device = device(), error, "{what} again");
        };
        let device = device();
        let before = if repeated == 0 { String::new() } else { format!(" (and {repeated} times before)") };
        match level {
            Level::Error => tracing::error!(device, error, "{what}{before}"),
            Level::Warn => tracing::warn!(device, error, "{what}{before}"),
            Level::Info => tracing::info!(device, error, "{what}{before}"),
        }
    }

    /// Logs the end of what failed.
    pub(crate) fn succeeded(&mut self, device: impl Fn() -> String, subject: &Subject) {
        if let Some(repeated) = self.ends(subject) {
            let device = device();
            tracing::info!(device, "{} works again; the error was repeated {repeated} times", subject.name());
        }
    }

    /// Logs the end of every error that `ended` is true for.
    pub(crate) fn retain(&mut self, device: impl Fn() -> String, ended: impl Fn(&Subject) -> bool) {
        let subjects: Vec<_> =
            self.0.iter().filter(|(subject, state)| state.failing && ended(subject)).collect();
        let subjects: Vec<_> = subjects.into_iter().map(|(subject, _)| subject.clone()).collect();
        subjects.iter().for_each(|subject| self.succeeded(&device, subject));
    }

    /// Notes a failure. Returns how often it was repeated if it is worth a line.
    fn begins(&mut self, subject: Subject, error: &str) -> Option<u64> {
        let now = Instant::now();
        let state = self.0.entry(subject).or_default();
        let kind = kind_of(error);
        let new = !state.kinds.contains(&kind) && state.kinds.len() < MAX_KINDS;
        let again = !state.failing && state.begun.is_none_or(|begun| now - begun >= QUIET);
        state.failing = true;
        if !new && !again {
            state.repeated += 1;
            return None;
        }
        if again {
            state.kinds.clear();
        }
        state.kinds.push(kind);
        state.begun = Some(now);
        Some(std::mem::take(&mut state.repeated))
    }

    /// Notes a success. Returns how often the error was repeated if that is worth a line.
    fn ends(&mut self, subject: &Subject) -> Option<u64> {
        let now = Instant::now();
        let state = self.0.get_mut(subject).filter(|state| state.failing)?;
        state.failing = false;
        if state.repeated == 0 || state.ended.is_some_and(|ended| now - ended < QUIET) {
            return None;
        }
        state.ended = Some(now);
        Some(std::mem::take(&mut state.repeated))
    }
}

impl Subject {
    fn name(&self) -> String {
        match self {
            Self::Error(Cause::Input(input) | Cause::Source(input)) => input.to_string(),
            Self::Error(Cause::Reading | Cause::Pace) => "reading".into(),
            Self::Error(Cause::Start | Cause::Liveness) => "the device".into(),
            Self::Error(Cause::Setting | Cause::Discarded) => "setting".into(),
            Self::Error(Cause::Twin) => "being the only sender".into(),
            Self::Error(Cause::ClientId) => "the client id".into(),
            Self::Command(Some(channel)) => format!("`{channel}`"),
            Self::Command(None) => "commands".into(),
            Self::Unsent => "sending".into(),
        }
    }
}

/// What is the same in two texts that differ in their values alone: numbers, and what stands in backticks.
fn kind_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in text.split('`').step_by(2) {
        part.chars().filter(|c| !c.is_ascii_digit()).for_each(|c| c.hash(&mut hasher));
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Subject = Subject::Error(Cause::Reading);

    /// The failures that are worth a line, and the repetitions that each of them tells.
    fn lines(log: &mut DeviceLog, errors: impl IntoIterator<Item = String>) -> Vec<u64> {
        errors.into_iter().filter_map(|error| log.begins(SUBJECT, &error)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_a_line_when_it_begins_and_one_when_it_ends() {
        let mut log = DeviceLog::default();
        let values = (0..1000).map(|n| format!("`value` does not take `{n}`: {n} is more than 10"));
        assert_eq!(lines(&mut log, values), [0]);
        assert_eq!(log.ends(&SUBJECT), Some(999));
        assert_eq!(log.ends(&SUBJECT), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_a_line() {
        let mut log = DeviceLog::default();
        assert_eq!(lines(&mut log, ["a", "a", "b", "a", "b"].map(str::to_owned)), [0, 1]);
        let many = (b'c'..=b'z').map(|letter| char::from(letter).to_string());
        assert_eq!(lines(&mut log, many).len(), MAX_KINDS - 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_comes_and_goes_is_two_lines_a_minute() {
        let mut log = DeviceLog::default();
        let mut count = 0;
        for _ in 0..600 {
            count += lines(&mut log, ["a".to_owned(), "a".to_owned()]).len();
            count += usize::from(log.ends(&SUBJECT).is_some());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(count, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_without_repetitions_is_no_line() {
        let mut log = DeviceLog::default();
        lines(&mut log, ["a".to_owned()]);
        assert_eq!(log.ends(&SUBJECT), None);
    }
}
