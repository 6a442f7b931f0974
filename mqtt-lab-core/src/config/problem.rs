//! What is wrong with a configuration, and where.

use std::fmt;

/// One thing that is wrong with the configuration of a device or a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which device or variable, counted from 0 in the order in which they were given, the variables after
    /// all devices.
    pub device: usize,
    /// The way to the key inside its table; empty: the table itself.
    pub key: Vec<String>,
    /// What was tried, on what.
    pub message: String,
    /// What to do, where that is known: the right word, or the line to write.
    pub hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(device: usize, key: &[&str], message: impl fmt::Display) -> Self {
        let key = key.iter().map(|part| (*part).to_owned()).collect();
        Self { device, key, message: message.to_string(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key.join("."))?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}
