//! What could not be stored or read, and was left out so that the rest goes on.

use std::collections::VecDeque;
use std::time::SystemTime;

/// Entries that are kept.
pub const MAX_SET_ASIDE: usize = 100;
/// Longest text of an entry, in characters.
const MAX_CHARS: usize = 300;

/// Something that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// When.
    pub at: SystemTime,
    /// The part that could not take it.
    pub part: &'static str,
    /// What it was, in words.
    pub what: String,
    /// Why it was set aside.
    pub reason: String,
}

/// The last ones, and how many there were.
#[derive(Debug, Default)]
pub(super) struct SetAsideLog {
    total: u64,
    last: VecDeque<SetAside>,
}

impl SetAsideLog {
    pub(super) fn add(&mut self, mut entry: SetAside) {
        for text in [&mut entry.what, &mut entry.reason] {
            if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
                text.truncate(end);
                text.push('…');
            }
        }
        self.total += 1;
        if self.last.len() == MAX_SET_ASIDE {
            self.last.pop_back();
        }
        self.last.push_front(entry);
    }

    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn all(&self) -> (u64, Vec<SetAside>) {
        (self.total, self.last.iter().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hundred_are_kept_and_all_are_counted() {
        let mut log = SetAsideLog::default();
        for i in 0..=MAX_SET_ASIDE {
            let (what, reason) = (i.to_string(), "ä".repeat(MAX_CHARS + 1));
            log.add(SetAside { at: SystemTime::UNIX_EPOCH, part: "test", what, reason });
        }
        let (total, last) = log.all();
        assert_eq!((total, last.len()), (101, MAX_SET_ASIDE));
        assert_eq!((last[0].what.as_str(), last[99].what.as_str()), ("100", "1"));
        assert_eq!(last[0].reason.chars().count(), MAX_CHARS + 1);
    }
}
