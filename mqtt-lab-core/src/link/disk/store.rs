//! The messages of one link.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::DiskSpool;
use super::folder::Folder;
use super::stored::Stored;
use crate::link::Publish;
use crate::link::wire::Message;

/// A link whose messages are in a spool.
pub(in super::super) trait Holds: Send + Sync {
    /// Makes the folder hold what the link holds, and nothing else of it. An error is the cause in words.
    fn bring_in_line(&self, folder: &Folder) -> Result<(), String>;

    /// How many messages the link holds.
    fn count(&self) -> usize;
}

/// The messages of one link.
#[derive(Debug)]
pub(in super::super) struct Store {
    spool: DiskSpool,
    prefix: Vec<u8>,
    /// The first number that is this link's business: what came before was left by an earlier process, and could not
    /// be read when this link began.
    first: u64,
    next: AtomicU64,
}

impl DiskSpool {
    /// What the links of a name left, in the order in which it was accepted. What was left under the `former` name is
    /// moved to the new one.
    pub(in super::super) fn load(&self, name: &str, former: Option<&str>) -> (Store, Vec<(u64, Publish)>) {
        let prefix = prefix(name);
        let left = match &*self.0.folder() {
            Some(folder) => {
                if let Some(former) = former {
                    self.rename(folder, former, name);
                }
                self.read(folder, name, &prefix)
            }
            None => None,
        };
        // Beyond every number that was counted from 0.
        let late = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let (first, next) = match &left {
            Some(left) => (0, left.last().map_or(0, |(number, _)| number + 1)),
            None => {
                let late = u64::try_from(late()).unwrap_or(u64::MAX / 2);
                (late, late)
            }
        };
        let store = Store { spool: self.clone(), prefix, first, next: AtomicU64::new(next) };
        (store, left.unwrap_or_default())
    }

    /// Reads what was left; what cannot be read is set aside. `None`: the folder cannot be read at all.
    fn read(&self, folder: &Folder, name: &str, prefix: &[u8]) -> Option<Vec<(u64, Publish)>> {
        let (mut left, mut unreadable) = (Vec::new(), Vec::new());
        for entry in folder.messages.prefix(prefix) {
            let (key, value) = match entry.into_inner() {
                Ok(entry) => entry,
                Err(error) => {
                    self.0.fails(crate::storage::words(&error));
                    return None;
                }
            };
            let number = key[prefix.len()..].try_into().map(u64::from_be_bytes);
            let read = match number {
                Err(_) => Err("its number is cut off".to_owned()),
                Ok(number) => Stored::read(&value).map(|stored| (number, stored.into())),
            };
            match read {
                Ok(message) => left.push(message),
                Err(reason) => unreadable.push((key.to_vec(), reason)),
            }
        }
        for (_, reason) in &unreadable {
            let what = format!("a message of `{name}` in the spool");
            tracing::error!(what, reason, "set aside: it cannot be read");
            self.0.supervisor.set_aside(&self.0.part, what, reason);
        }
        let removed = folder.batch(|batch| {
            for (key, _) in unreadable {
                batch.remove(&folder.messages, key);
            }
        });
        removed.unwrap_or_else(|cause| self.0.fails(cause));
        Some(left)
    }
}

impl Store {
    /// Writes a message and has it accepted under its number. One that the folder does not take has a number, too.
    pub(in super::super) fn add<T>(&self, publish: Publish, accept: impl FnOnce(Publish, u64) -> T) -> T {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // Held until the link has the message: who brings the folder in line sees it in one of the two.
        let folder = self.spool.0.folder();
        if let Some(folder) = folder.as_ref().filter(|_| self.works()) {
            let (key, value, sync) = (self.key(number), Stored::from(&publish).write(), self.spool.0.sync);
            let written = blocking(sync, || folder.insert(key, value, sync));
            written.unwrap_or_else(|cause| self.spool.0.fails(cause));
        }
        accept(publish, number)
    }

    /// Forgets messages whose end is known. One that stays because of an error is removed when the folder works again.
    pub(in super::super) fn remove(&self, numbers: &[u64]) {
        let folder = self.spool.0.folder();
        if let Some(folder) = folder.as_ref().filter(|_| self.works()) {
            let removed = folder.batch(|batch| {
                for number in numbers {
                    batch.remove(&folder.messages, self.key(*number));
                }
            });
            removed.unwrap_or_else(|cause| self.spool.0.fails(cause));
        }
    }

    /// Makes the folder hold these messages, and no others of this link.
    pub(in super::super) fn bring_in_line(
        &self,
        folder: &Folder,
        held: BTreeMap<u64, Message>,
    ) -> Result<(), String> {
        let mut gone = Vec::new();
        for entry in folder.messages.prefix(&self.prefix) {
            let key = entry.key().map_err(|error| crate::storage::words(&error))?;
            let number = key[self.prefix.len()..].try_into().map(u64::from_be_bytes);
            if number.is_ok_and(|number| number >= self.first && !held.contains_key(&number)) {
                gone.push(key);
            }
        }
        folder.batch(|batch| {
            for key in gone {
                batch.remove(&folder.messages, key);
            }
            for (number, message) in held {
                batch.insert(&folder.messages, self.key(number), Stored::from(&message).write());
            }
        })
    }

    /// Whether the messages of this link are on disk, as far as it is known.
    pub(in super::super) fn works(&self) -> bool {
        !self.spool.0.failed.load(Ordering::SeqCst)
    }

    pub(in super::super) fn spool(&self) -> &DiskSpool {
        &self.spool
    }

    fn key(&self, number: u64) -> Vec<u8> {
        [self.prefix.as_slice(), &number.to_be_bytes()].concat()
    }
}

/// Runs what may take milliseconds without holding up other tasks, where the runtime can.
fn blocking<T>(long: bool, work: impl FnOnce() -> T) -> T {
    let many = Handle::try_current().is_ok_and(|it| it.runtime_flavor() == RuntimeFlavor::MultiThread);
    if long && many { tokio::task::block_in_place(work) } else { work() }
}

/// The name with its length first, so that none is the beginning of another.
pub(super) fn prefix(name: &str) -> Vec<u8> {
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), name.as_bytes()].concat()
}
