//! What a stop lost, kept for the page of the next start.
//!
//! The disk may be full by then, so the room for it is taken at the start.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

/// Room that is taken, in bytes.
const ROOM: usize = 4096;

/// The file beside the database.
pub(crate) struct Losses(File);

impl Losses {
    /// Opens the file and takes the room; what the last stop lost, if anything.
    pub(crate) fn open(database: &str) -> io::Result<(Self, Vec<String>)> {
        let path = format!("{database}.lost");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::with_capacity(ROOM);
        (&file).take(ROOM as u64).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let lost = text.trim_end().lines().map(str::to_owned).collect();
        let mut losses = Self(file);
        losses.write(&[])?;
        Ok((losses, lost))
    }

    /// Keeps what was lost, one line each.
    pub(crate) fn write(&mut self, lost: &[String]) -> io::Result<()> {
        let mut text = lost.join("\n").into_bytes();
        // Blanks up to the end: nothing is left of what was there, and the room stays taken.
        text.resize(ROOM, b' ');
        self.0.seek(SeekFrom::Start(0))?;
        self.0.write_all(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("lab.sqlite").display().to_string();
        let (mut losses, before) = Losses::open(&database).unwrap();
        assert!(before.is_empty());
        losses.write(&["3 messages".to_owned(), "ä".repeat(3_000)]).unwrap();
        let (_losses, before) = Losses::open(&database).unwrap();
        assert_eq!(before[0], "3 messages");
        let (_losses, before) = Losses::open(&database).unwrap();
        assert!(before.is_empty(), "{before:?}");
    }
}
