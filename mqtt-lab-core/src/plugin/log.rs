//! Log of plugins, in the words of the program's own log.

use super::line_protocol::Answer;
use crate::panicked::caught;
use std::fs::File;
use std::io::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Set in a plugin's process: log goes to the lab as lines of the protocol.
static LINES: OnceLock<Mutex<File>> = OnceLock::new();

/// Sends log to the lab from now on.
#[cfg(unix)]
pub(crate) fn to_lines(output: File) {
    LINES.get_or_init(|| Mutex::new(output));
}

/// Whether this is a plugin's process.
pub(crate) fn goes_to_lines() -> bool {
    LINES.get().is_some()
}

/// Writes a line of the protocol, whole: log may come from any thread.
pub(crate) fn write_line(line: &Answer) -> std::io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    let Some(lines) = LINES.get() else { return Ok(()) };
    lines.lock().unwrap_or_else(PoisonError::into_inner).write_all(&bytes)
}

/// The word of each level of the ABI in the line protocol; what is above counts as `trace`.
const LEVELS: [&str; 6] = ["error", "error", "warn", "info", "debug", "trace"];

/// The level that a word means; an unknown one is `info`.
pub(crate) fn level_of(word: &str) -> u32 {
    let levels = (1..).zip(&LEVELS[1..]);
    levels.into_iter().find(|(_, known)| **known == word).map_or(3, |(level, _)| level)
}

fn log_line(level: u32, message: &str) -> Answer {
    let word = LEVELS.get(level as usize).unwrap_or(&"trace");
    let message: String = message.chars().take(MAX_MESSAGE).collect();
    Answer { log: Some((*word).into()), message: Some(message), ..Answer::default() }
}

/// Longest line of log, in characters.
const MAX_MESSAGE: usize = 2000;

/// Logs a line of a plugin. `level` is 1 (error) to 5 (trace).
pub(crate) fn forward(level: u32, from: &str, message: &str, file: &str, line: u32) {
    let at = if file.is_empty() { String::new() } else { format!(" ({file}:{line})") };
    if goes_to_lines() {
        // Without a lab at the other end the process ends anyway.
        return drop(write_line(&log_line(level, &format!("{from}: {message}{at}"))));
    }
    // A log that fails, for one because the error output is closed, must end neither a plugin nor the task
    // that reads what a plugin writes.
    let _ = caught(|| match level {
        0 | 1 => tracing::error!("{from}: {message}{at}"),
        2 => tracing::warn!("{from}: {message}{at}"),
        3 => tracing::info!("{from}: {message}{at}"),
        4 => tracing::debug!("{from}: {message}{at}"),
        _ => tracing::trace!("{from}: {message}{at}"),
    });
}

/// Lines of one output in one second; what is above is counted and told.
const PER_SECOND: u32 = 50;

/// Log of a process, which may write without end.
pub(crate) struct Limited {
    from: String,
    second: Instant,
    lines: u32,
}

impl Limited {
    pub(crate) fn new(from: &str) -> Self {
        Self { from: from.to_owned(), second: Instant::now(), lines: 0 }
    }

    pub(crate) fn line(&mut self, level: u32, message: &str) {
        if self.second.elapsed() >= Duration::from_secs(1) {
            self.tell_left_out();
            (self.second, self.lines) = (Instant::now(), 0);
        }
        self.lines = self.lines.saturating_add(1);
        if self.lines <= PER_SECOND {
            let message: String = message.chars().take(MAX_MESSAGE).collect();
            forward(level, &self.from, &message, "", 0);
        }
    }

    fn tell_left_out(&self) {
        if self.lines > PER_SECOND {
            let left_out = self.lines - PER_SECOND;
            forward(2, &self.from, &format!("{left_out} more lines within a second are left out"), "", 0);
        }
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        self.tell_left_out();
    }
}
