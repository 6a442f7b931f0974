//! What the two folders of this crate have in common, the broker's storage and the spool: causes of failures in words,
//! and how a folder that was deleted while it is open is noticed.

use std::io;
use std::path::{Path, PathBuf};

/// The cause of an error in words, for people.
pub(crate) fn words(error: &fjall::Error) -> String {
    match error {
        fjall::Error::Locked => "another process has it open".to_owned(),
        fjall::Error::Io(error) => io_words(error),
        error => {
            // Most carry the system's error inside.
            let mut cause: Option<&dyn std::error::Error> = Some(error);
            while let Some(inner) = cause {
                if let Some(inner) = inner.downcast_ref::<io::Error>() {
                    return io_words(inner);
                }
                cause = inner.source();
            }
            error.to_string()
        }
    }
}

/// The system's words, with the usual ones for what is usual.
pub(crate) fn io_words(error: &io::Error) -> String {
    let known = match error.kind() {
        io::ErrorKind::StorageFull => "disk full",
        io::ErrorKind::QuotaExceeded => "disk quota used up",
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        io::ErrorKind::FileTooLarge => "the limit of a file's size is reached",
        io::ErrorKind::PermissionDenied => "permission denied",
        _ => return error.to_string(),
    };
    format!("{known} ({error})")
}

/// A folder that is open, and the file in it without which it is another one.
#[derive(Debug)]
pub(crate) struct OpenFolder {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl OpenFolder {
    pub(crate) fn of(path: &Path) -> Self {
        let path = path.to_owned();
        Self { identity: identity(&path), path }
    }

    /// Whether the folder is still the one that was opened. A folder that cannot be looked at counts as that.
    pub(crate) fn is_there(&self) -> bool {
        identity(&self.path) == self.identity
    }
}

/// Of the lock that a database holds in its folder: it goes with the folder, and with what is in it.
#[cfg(unix)]
fn identity(folder: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(folder.join("lock")).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Elsewhere an open file cannot be deleted.
#[cfg(not(unix))]
fn identity(_: &Path) -> Option<(u64, u64)> {
    None
}
