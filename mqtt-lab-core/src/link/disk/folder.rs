//! The open folder.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};

use crate::storage::{OpenFolder, words};

/// Largest in-memory table before it goes to a file, in bytes.
const TABLE: u64 = 4 * 1024 * 1024;
/// Largest journal, in bytes: the least that the store allows.
const JOURNAL: u64 = 64 * 1024 * 1024;
/// Cache for reading, in bytes; only a start reads.
const CACHE: u64 = 1024 * 1024;

/// An open folder.
pub(in super::super) struct Folder {
    database: Database,
    pub(super) messages: Keyspace,
    folder: OpenFolder,
}

impl Folder {
    /// Opens a folder, or makes it. An error is the cause in words.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let open = || -> fjall::Result<Self> {
            let database =
                Database::builder(path).cache_size(CACHE).max_journaling_size(JOURNAL).worker_threads(1);
            let database = database.open()?;
            let options = || KeyspaceCreateOptions::default().max_memtable_size(TABLE);
            let messages = database.keyspace("messages", options)?;
            Ok(Self { database, messages, folder: OpenFolder::of(path) })
        };
        open().map_err(|error| words(&error))
    }

    /// Whether the folder is still the one that was opened.
    pub(super) fn is_there(&self) -> bool {
        self.folder.is_there()
    }

    /// Writes one message.
    pub(super) fn insert(&self, key: Vec<u8>, value: Vec<u8>, sync: bool) -> Result<(), String> {
        let write = || {
            self.messages.insert(key, value)?;
            if sync { self.database.persist(PersistMode::SyncAll) } else { Ok(()) }
        };
        write().map_err(|error: fjall::Error| words(&error))
    }

    /// Writes several changes, all or none of them.
    pub(super) fn batch(&self, changes: impl FnOnce(&mut OwnedWriteBatch)) -> Result<(), String> {
        let mut batch = self.database.batch();
        changes(&mut batch);
        batch.commit().map_err(|error| words(&error))
    }
}
