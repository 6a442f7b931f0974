//! The word at the end of a lab's client ids, where no database keeps it.

use crate::config::Source;
use crate::failure::Failure;
use mqtt_lab_core::Identity;
use std::path::{Path, PathBuf};

/// The folder that keeps the word, and what it was like before this start.
pub(crate) struct WordFolder {
    path: PathBuf,
    /// Version 0.1.0 used it last.
    is_upgrade: bool,
}

impl WordFolder {
    /// The folder of the spool, else that of the broker; `None` if the lab has neither. Call it before one of them is
    /// opened, which makes it.
    pub(crate) fn of(source: &Source) -> Option<Self> {
        let storage = source.config.broker.storage.as_ref().filter(|_| source.has_own_broker());
        let path = source.config.spool.folder.as_ref().or(storage)?;
        let is_upgrade = path.exists() && !Identity::is_in_folder(path);
        Some(Self { path: path.clone(), is_upgrade })
    }

    pub(crate) const fn is_upgrade(&self) -> bool {
        self.is_upgrade
    }

    /// Why the word that the folder keeps cannot be used. Nothing is made.
    pub(crate) fn damage(&self) -> Option<String> {
        let kept = Identity::is_in_folder(&self.path).then(|| Identity::in_folder(&self.path))?;
        kept.err().map(|error| words(&self.path, &error))
    }

    /// Returns the word, which is made if need be.
    pub(crate) fn word(&self) -> Result<Identity, Failure> {
        Identity::in_folder(&self.path).map_err(|error| unusable(&self.path, &error))
    }
}

fn words(folder: &Path, error: &std::io::Error) -> String {
    let file = folder.join("identity");
    format!("cannot use `{}`, which keeps the last part of all client ids: {error}", file.display())
}

fn unusable(folder: &Path, error: &std::io::Error) -> Failure {
    let hint = "make the folder writable; a damaged file may be deleted, then the client ids are other ones";
    Failure::failed(words(folder, error), Some(hint.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_word_was_used_by_an_earlier_version() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let spool = folder.path().join("spool");
        let mut source = Source::read(None).expect("the default lab");
        assert!(WordFolder::of(&source).is_none());
        source.config.spool.folder = Some(spool.clone());
        let new = WordFolder::of(&source).expect("a folder");
        assert!(!new.is_upgrade());
        std::fs::create_dir(&spool).expect("made");
        let used = WordFolder::of(&source).expect("a folder");
        assert!(used.is_upgrade());
        let word = used.word().expect("written");
        let known = WordFolder::of(&source).expect("a folder");
        assert_eq!((known.is_upgrade(), known.word().expect("read")), (false, word));
    }
}
