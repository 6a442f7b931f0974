//! The journal on disk: sessions, their queues and retained messages survive the process.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::journal::{Change, Found, FoundSession, Space, decode, read_queued};
use crate::storage::{OpenFolder, words};

/// Largest in-memory table before it goes to a file, in bytes.
const TABLE: u64 = 8 * 1024 * 1024;
/// Largest journal, in bytes: the least that the store allows.
const JOURNAL: u64 = 64 * 1024 * 1024;
/// Cache for reading, in bytes; only a start reads.
const CACHE: u64 = 1024 * 1024;

/// An open folder. One process at a time has it.
pub(super) struct Store {
    database: Database,
    folder: OpenFolder,
    sessions: Keyspace,
    subscriptions: Keyspace,
    queues: Keyspace,
    sent: Keyspace,
    received: Keyspace,
    retained: Keyspace,
}

impl Store {
    /// Opens a folder, or makes it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let open = || {
            let database =
                Database::builder(path).cache_size(CACHE).max_journaling_size(JOURNAL).worker_threads(1);
            let database = database.open()?;
            let options = || KeyspaceCreateOptions::default().max_memtable_size(TABLE);
            let space = |name| database.keyspace(name, options);
            Ok(Self {
                sessions: space("sessions")?,
                subscriptions: space("subscriptions")?,
                queues: space("queues")?,
                sent: space("sent")?,
                received: space("received")?,
                retained: space("retained")?,
                database: database.clone(),
                folder: OpenFolder::of(path),
            })
        };
        open().map_err(|error| match error {
            fjall::Error::Io(error) => error,
            error => io::Error::other(words(&error)),
        })
    }

    /// Whether the folder is still the one that was opened.
    pub(super) fn is_there(&self) -> bool {
        self.folder.is_there()
    }

    /// Whether nothing at all was ever written, or all of it is gone.
    pub(super) fn is_empty(&self) -> bool {
        let spaces = [&self.sessions, &self.retained];
        spaces.into_iter().all(|space| space.first_key_value().is_none())
    }

    /// Writes changes, all or none of them, so that a kill of the process does not take them back.
    pub(super) fn write(&self, changes: &[Change]) -> fjall::Result<()> {
        let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
        for change in changes {
            let space = self.space(change.space);
            match &change.value {
                Some(value) => batch.insert(space, change.key.as_slice(), value.as_slice()),
                None => batch.remove(space, change.key.as_slice()),
            }
        }
        batch.commit()
    }

    fn space(&self, space: Space) -> &Keyspace {
        match space {
            Space::Sessions => &self.sessions,
            Space::Subscriptions => &self.subscriptions,
            Space::Queues => &self.queues,
            Space::Sent => &self.sent,
            Space::Received => &self.received,
            Space::Retained => &self.retained,
        }
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        let spaces =
            [&self.sessions, &self.subscriptions, &self.queues, &self.sent, &self.received, &self.retained];
        spaces.into_iter().map(|space| space.iter().count()).sum()
    }

    /// Reads everything.
    pub(super) fn load(&self) -> io::Result<Found> {
        let mut found = Found::default();
        let mut at = HashMap::new();
        for entry in self.sessions.iter() {
            let (number, _, value) = entry_of(entry)?;
            let (client_id, expiry_s, will) = decode(&value).map_err(spoiled)?;
            at.insert(number, found.sessions.len());
            found.sessions.push(FoundSession {
                number,
                client_id,
                expiry_s,
                will,
                subscriptions: Vec::new(),
                queue: std::collections::VecDeque::new(),
                sent: 0,
                received: Vec::new(),
            });
        }
        self.load_parts(&mut found, &at)?;
        for entry in self.retained.iter() {
            let (_, value) = entry.into_inner().map_err(io::Error::other)?;
            found.retained.push(decode(&value).map_err(spoiled)?);
        }
        Ok(found)
    }

    fn load_parts(&self, found: &mut Found, at: &HashMap<u64, usize>) -> io::Result<()> {
        // A part is written with its session and removed with it: one without was never told to a client.
        let mut each = |space: &Keyspace, take: Take| -> io::Result<()> {
            for entry in space.iter() {
                let (number, key, value) = entry_of(entry)?;
                if let Some(session) = at.get(&number).and_then(|at| found.sessions.get_mut(*at)) {
                    take(session, &key, &value)?;
                }
            }
            Ok(())
        };
        each(&self.sent, |session, _, value| {
            session.sent = u64::from_be_bytes(fixed(value)?);
            Ok(())
        })?;
        each(&self.subscriptions, |session, key, value| {
            let filter = String::from_utf8(key.to_vec()).map_err(io::Error::other)?;
            session.subscriptions.push((filter, decode(value).map_err(spoiled)?));
            Ok(())
        })?;
        each(&self.received, |session, key, _| {
            session.received.push(u16::from_be_bytes(fixed(key)?));
            Ok(())
        })?;
        each(&self.queues, |session, key, value| {
            let place = u64::from_be_bytes(fixed(key)?);
            let entry = read_queued(value, place <= session.sent).map_err(spoiled)?;
            session.queue.push_back((place, entry));
            Ok(())
        })
    }
}

/// Takes one part of a session: its key behind the session's number, and its value.
type Take = fn(&mut FoundSession, &[u8], &[u8]) -> io::Result<()>;

/// The session's number, the rest of the key, and the value.
fn entry_of(entry: fjall::Guard) -> io::Result<(u64, Vec<u8>, Vec<u8>)> {
    let (key, value) = entry.into_inner().map_err(io::Error::other)?;
    let (number, rest) = key.split_at_checked(8).ok_or_else(|| cut_off(&key))?;
    Ok((u64::from_be_bytes(fixed(number)?), rest.to_vec(), value.to_vec()))
}

fn fixed<const N: usize>(bytes: &[u8]) -> io::Result<[u8; N]> {
    bytes.try_into().map_err(|_| cut_off(bytes))
}

fn cut_off(bytes: &[u8]) -> io::Error {
    io::Error::other(format!("an entry of {} bytes is cut off", bytes.len()))
}

fn spoiled(error: postcard::Error) -> io::Error {
    io::Error::other(format!("an entry cannot be read: {error}"))
}
