//! What tells one state of a file from the next.

use std::path::Path;
use std::time::SystemTime;

/// Time of the last change and length of a file. Who follows a file takes the stamp *before* reading it, so
/// that a change meanwhile is noticed by the next look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    modified: SystemTime,
    bytes: u64,
}

impl FileStamp {
    /// The stamp of a file; none when there is no such file.
    #[must_use]
    pub fn of(file: &Path) -> Option<Self> {
        let of = file.metadata().ok()?;
        Some(Self { modified: of.modified().ok()?, bytes: of.len() })
    }
}
