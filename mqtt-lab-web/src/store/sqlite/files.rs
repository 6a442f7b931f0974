//! Which files the open connections belong to, and what has become of them.
//!
//! A database file can be deleted, replaced or overwritten while it is open, and SQLite does not notice: it goes on
//! writing to a file that nobody will ever find again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Times that are closer together count as one.
const ROUNDING: Duration = Duration::from_secs(2);

/// The database and the two files that SQLite keeps beside it, as they were when they were opened.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    main: Identity,
    beside: [(PathBuf, Option<Identity>); 2],
    /// Time and length of the database after our last write: in between nobody else may change it.
    stamp: Mutex<Stamp>,
}

type Identity = (u64, u64);
type Stamp = (Option<SystemTime>, u64);

/// What has become of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// They are as we left them.
    Same,
    /// The write-ahead log, or its index, is gone or another one.
    Beside,
    /// The database was deleted or moved.
    Gone,
    /// There is another file in its place.
    Replaced,
    /// Somebody wrote into it.
    Overwritten,
}

impl Files {
    /// Of a database whose connections are open, so that all three files exist.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        let beside = ["-wal", "-shm"].map(|suffix| {
            let path = with_suffix(path, suffix);
            let identity = std::fs::metadata(&path).ok().map(|metadata| identity(&metadata));
            (path, identity)
        });
        Ok(Self {
            path: path.to_owned(),
            main: identity(&metadata),
            beside,
            stamp: Mutex::new(stamp(&metadata)),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes that what is in the file now is ours.
    pub(super) fn wrote(&self) {
        if let Ok(metadata) = std::fs::metadata(&self.path)
            && identity(&metadata) == self.main
        {
            *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) = stamp(&metadata);
        }
    }

    /// What has become of the files since [`wrote`](Self::wrote).
    ///
    /// # Errors
    ///
    /// The file system does not say.
    pub(super) fn look(&self) -> io::Result<Look> {
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Look::Gone);
            }
            Err(error) => return Err(error),
        };
        if identity(&metadata) != self.main {
            return Ok(Look::Replaced);
        }
        if differ(stamp(&metadata), *self.stamp.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(Look::Overwritten);
        }
        let moved = self.beside.iter().any(|(path, known)| {
            known.is_some() && std::fs::metadata(path).ok().map(|metadata| identity(&metadata)) != *known
        });
        Ok(if moved { Look::Beside } else { Look::Same })
    }

    /// As [`look`](Self::look), right after a write of ours.
    pub(super) fn look_after_write(&self) -> io::Result<Look> {
        self.wrote();
        self.look()
    }

    /// Removes the log and its index if they are still ours: they belong to a database that is not there any more, and
    /// SQLite would apply them to the next one.
    pub(super) fn remove_beside(&self) -> io::Result<()> {
        for (path, known) in &self.beside {
            let present = std::fs::metadata(path).ok().map(|metadata| identity(&metadata));
            if present.is_some() && present == *known {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whether somebody wrote into the file between two looks. File systems of other computers may round a time later than
/// they report it.
fn differ((new, new_bytes): Stamp, (old, old_bytes): Stamp) -> bool {
    let apart = |a: SystemTime, b: SystemTime| a.duration_since(b).unwrap_or_else(|error| error.duration());
    let later = new.zip(old).is_some_and(|(new, old)| apart(new, old) > ROUNDING);
    later || new_bytes != old_bytes
}

fn stamp(metadata: &std::fs::Metadata) -> Stamp {
    (metadata.modified().ok(), metadata.len())
}

#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// Elsewhere an open file can be neither deleted nor replaced.
#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) -> Identity {
    (0, 0)
}
