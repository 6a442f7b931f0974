//! Why the program ends, in words for the terminal.

use crate::terminal::complain;
use std::error::Error;
use std::process::ExitCode;

/// The exit code of a wrong configuration (`EX_CONFIG` of `sysexits.h`).
const EX_CONFIG: u8 = 78;
/// The exit code of a program that is wrong itself (`EX_SOFTWARE` of `sysexits.h`).
const EX_SOFTWARE: u8 = 70;

/// What went wrong: one or several messages, each with a hint where there is one.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    messages: Vec<(String, Option<String>)>,
}

impl Failure {
    /// A wrong configuration.
    pub(crate) fn config(message: impl Into<String>, hint: Option<String>) -> Self {
        Self { code: EX_CONFIG, messages: vec![(message.into(), hint)] }
    }

    /// Several mistakes of one configuration.
    pub(crate) const fn mistakes(messages: Vec<(String, Option<String>)>) -> Self {
        Self { code: EX_CONFIG, messages }
    }

    /// Something that did not come out well.
    pub(crate) fn failed(message: String, hint: Option<String>) -> Self {
        Self { code: 1, messages: vec![(message, hint)] }
    }

    /// Something inside went wrong again and again (`EX_SOFTWARE` of `sysexits.h`).
    pub(crate) fn internal(message: String) -> Self {
        let hint =
            "this is a mistake in mqtt-lab or in one of its plugins; the log above says where".to_owned();
        Self { code: EX_SOFTWARE, messages: vec![(message, Some(hint))] }
    }

    /// Something that could not be done, with all its causes.
    pub(crate) fn of(error: &dyn Error, hint: Option<String>) -> Self {
        Self { code: 1, messages: vec![(Self::words_of(error), hint)] }
    }

    /// An error with all its causes, in one line.
    pub(crate) fn words_of(error: &dyn Error) -> String {
        mqtt_lab_core::Error::with_causes(error).to_string()
    }

    /// As [`Failure::of`], for what only another configuration can mend.
    pub(crate) fn in_config(error: &dyn Error, hint: Option<String>) -> Self {
        Self { code: EX_CONFIG, ..Self::of(error, hint) }
    }

    /// The messages with their hints.
    pub(crate) fn into_messages(self) -> Vec<(String, Option<String>)> {
        self.messages
    }

    /// Writes the messages to the terminal.
    pub(crate) fn report(self) -> ExitCode {
        for (message, hint) in &self.messages {
            let hint = hint.as_ref().map(|hint| format!("  hint: {hint}\n")).unwrap_or_default();
            complain(&format!("error: {message}\n{hint}"));
        }
        ExitCode::from(self.code)
    }
}
