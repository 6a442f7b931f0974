//! Moves what was left under one name to another name.

use super::DiskSpool;
use super::folder::Folder;
use super::store::prefix;

/// Messages that are moved in one transaction.
const BATCH: usize = 1_000;

impl DiskSpool {
    /// Moves all messages of the name `from` to the name `to`, behind those that are there. Each message is under
    /// exactly one of the two names at any time, whatever ends this process.
    pub(super) fn rename(&self, folder: &Folder, from: &str, to: &str) {
        match move_all(folder, &prefix(from), &prefix(to)) {
            Ok(0) => {}
            Ok(moved) => tracing::info!(from, to, moved, "messages of an earlier version stay in the spool"),
            Err(cause) => self.0.fails(cause),
        }
    }
}

fn move_all(folder: &Folder, from: &[u8], to: &[u8]) -> Result<usize, String> {
    let mut moved = 0;
    loop {
        let found = folder.messages.prefix(from).take(BATCH);
        let found: Result<Vec<_>, _> = found.map(fjall::Guard::into_inner).collect();
        let found = found.map_err(|error| crate::storage::words(&error))?;
        if found.is_empty() {
            return Ok(moved);
        }
        let first = next_number(folder, to)?;
        folder.batch(|batch| {
            for (number, (key, value)) in (first..).zip(&found) {
                let new = [to, &number.to_be_bytes()].concat();
                batch.insert(&folder.messages, new, value.clone());
                batch.remove(&folder.messages, key.clone());
            }
        })?;
        moved += found.len();
    }
}

/// The number behind the last message of a name.
fn next_number(folder: &Folder, prefix: &[u8]) -> Result<u64, String> {
    let Some(last) = folder.messages.prefix(prefix).next_back() else { return Ok(0) };
    let key = last.key().map_err(|error| crate::storage::words(&error))?;
    let number = key[prefix.len()..].try_into().map(u64::from_be_bytes);
    Ok(number.map_or(0, |number| number + 1))
}
