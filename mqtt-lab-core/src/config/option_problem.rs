//! What is wrong with a table that stands alone, such as `[web]` or `[mqtt]`.

use std::fmt;

/// One thing that is wrong with an option of such a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionProblem {
    /// The way to the key inside the table. A place in a list is its number, counted from 0.
    pub key: Vec<String>,
    /// What is wrong with which value.
    pub message: String,
    /// What to do, where that is known.
    pub hint: Option<String>,
}

impl OptionProblem {
    /// Returns a problem without a hint.
    #[must_use]
    pub fn new(key: &[&str], message: impl fmt::Display) -> Self {
        let key = key.iter().map(|part| (*part).to_owned()).collect();
        Self { key, message: message.to_string(), hint: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
