//! Why the program ends, in words for the terminal.

use std::error::Error;
use std::process::ExitCode;

/// The exit code of a wrong configuration (`EX_CONFIG` of `sysexits.h`).
const EX_CONFIG: u8 = 78;

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
            eprintln!("error: {message}");
            if let Some(hint) = hint {
                eprintln!("  hint: {hint}");
            }
        }
        ExitCode::from(self.code)
    }
}
