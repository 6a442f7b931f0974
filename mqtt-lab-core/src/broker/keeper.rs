//! The thread that brings the journal to disk, and goes on when the disk did not take it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::hub::Hub;
use super::journal::Change;
use super::store::Store;
use crate::failpoint;
use crate::storage::{io_words, words};
use crate::supervisor::Part;

/// Pause before a failed write is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// How often a folder is looked after in which nothing is written.
const LOOK: Duration = Duration::from_secs(1);

/// Writes the journal. Its state survives a panic.
pub(super) struct Keeper {
    hub: Arc<Hub>,
    path: PathBuf,
    part: Part,
    /// None after a failure: the store answers nothing but that it is poisoned until it is opened again.
    store: Option<Store>,
    /// Changes that are not on disk, and the number of the last one.
    pending: Option<(Vec<Change>, u64)>,
}

impl Keeper {
    pub(super) fn new(hub: Arc<Hub>, path: PathBuf, part: Part, store: Store) -> Self {
        Self { hub, path, part, store: Some(store), pending: None }
    }

    /// Writes as long as the broker runs, and then what is left. All changes since the last time go together: the
    /// busier the broker, the fewer writes for each message.
    pub(super) fn run(&mut self) -> Result<(), String> {
        loop {
            if self.pending.is_none() && self.is_whole() {
                match self.hub.next_changes(LOOK) {
                    Next::Changes(changes, last) => self.pending = Some((changes, last)),
                    Next::Nothing => continue,
                    Next::Stopped => return Ok(()),
                }
            }
            failpoint::hit("broker-storage");
            if self.is_deleted() {
                self.part.fails("the folder was deleted");
                // Who deletes it may be about to end this program.
                std::thread::park_timeout(LOOK);
                if self.hub.is_stopping() {
                    return Ok(());
                }
            }
            match self.write() {
                Ok(last) => {
                    self.part.works();
                    self.pending = None;
                    self.hub.set_durable(last);
                }
                Err(cause) => {
                    self.part.fails(cause);
                    self.part.waiting(self.pending.as_ref().map_or(0, |(changes, _)| changes.len()));
                    self.store = None;
                    if self.hub.is_stopping() {
                        return Ok(());
                    }
                    std::thread::park_timeout(RETRY);
                }
            }
        }
    }

    /// Whether the folder holds what was written to it.
    fn is_whole(&self) -> bool {
        self.store.as_ref().is_some_and(Store::is_there)
    }

    fn is_deleted(&self) -> bool {
        self.store.as_ref().is_some_and(|store| !store.is_there())
    }

    /// Writes what is pending; the number of the last change that is on disk then.
    fn write(&mut self) -> Result<u64, String> {
        let deleted = self.is_deleted();
        if deleted {
            tracing::warn!(folder = %self.path.display(), "the broker's storage was deleted and is written again");
            self.store = None;
        }
        let reopened = self.store.is_none();
        let store = match &mut self.store {
            Some(store) => store,
            None => self.store.insert(Store::open(&self.path).map_err(|error| io_words(&error))?),
        };
        // A folder that was deleted while nothing could be written is noticed only now.
        if reopened && (deleted || store.is_empty()) {
            // With what is pending: all of it is in the state by now.
            let (changes, last) = self.hub.everything();
            store.write(&changes).map_err(|error| words(&error))?;
            return Ok(last);
        }
        let Some((changes, last)) = &self.pending else { return Ok(self.hub.written()) };
        store.write(changes).map_err(|error| words(&error))?;
        Ok(*last)
    }
}

/// What there is to write.
pub(super) enum Next {
    Changes(Vec<Change>, u64),
    /// Not yet.
    Nothing,
    /// The broker has stopped, and all is written.
    Stopped,
}
