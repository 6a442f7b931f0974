//! What a device could not deliver before it ended.

use crate::link::LinkError;
use std::fmt;

/// A device that ended before the broker had acknowledged everything.
///
/// Shown in words: `demo/temperature: 12 messages stay in the spool, 3 messages are lost`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Undelivered {
    /// `group/id`.
    pub device: String,
    /// Messages that nobody has any more.
    pub lost: usize,
    /// Messages that stay in the spool on disk and are delivered after the next start.
    pub kept: usize,
    /// Why the device ended, if it was not the lab that stopped it.
    pub error: Option<LinkError>,
}

impl Undelivered {
    pub(crate) fn new(device: String, error: LinkError) -> Self {
        match error {
            LinkError::Unacknowledged { remaining, kept } => {
                Self { device, lost: remaining.saturating_sub(kept), kept, error: None }
            }
            error => Self { device, lost: 0, kept: 0, error: Some(error) },
        }
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.device)?;
        let messages = |n: usize| if n == 1 { "1 message".to_owned() } else { format!("{n} messages") };
        let kept = format!("{} in the spool", if self.kept == 1 { "stays" } else { "stay" });
        let lost = if self.lost == 1 { "is lost" } else { "are lost" };
        match (&self.error, self.kept, self.lost) {
            (Some(error), ..) => write!(f, "{error}"),
            (None, 0, n) => write!(f, "{} {lost}", messages(n)),
            (None, n, 0) => write!(f, "{} {kept}", messages(n)),
            (None, n, m) => write!(f, "{} {kept}, {} {lost}", messages(n), messages(m)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(remaining: usize, kept: usize, words: &str) {
        let undelivered = Undelivered::new("demo/x".into(), LinkError::Unacknowledged { remaining, kept });
        assert_eq!(undelivered.to_string(), words);
    }

    #[test]
    fn it_tells_what_is_lost_and_what_is_not() {
        check(12, 12, "demo/x: 12 messages stay in the spool");
        check(3, 0, "demo/x: 3 messages are lost");
        check(2, 1, "demo/x: 1 message stays in the spool, 1 message is lost");
    }
}
