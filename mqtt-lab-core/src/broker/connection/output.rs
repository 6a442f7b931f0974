//! What is to be sent: first not yet on disk, then ready.

use bytes::BytesMut;

/// Bytes that are under way to a client at most, beside one packet. A client that does not read them is not
/// read from.
const MOST: usize = 256 * 1024;
/// Changes that may wait for the disk before a connection reads on.
const BACKLOG: u64 = 20_000;

/// Bytes for a client in three steps: `fresh` is being written, `held` waits until its cause is on disk,
/// `ready` goes to the socket. So what keeps coming does not hold back what came before.
#[derive(Debug, Default)]
pub(super) struct Output {
    fresh: BytesMut,
    fresh_for: u64,
    held: Option<(u64, BytesMut)>,
    ready: BytesMut,
}

impl Output {
    pub(super) fn fresh(&mut self) -> &mut BytesMut {
        &mut self.fresh
    }

    pub(super) fn ready(&mut self) -> &mut BytesMut {
        &mut self.ready
    }

    pub(super) fn ready_is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// What is fresh follows from a change and those before.
    pub(super) fn caused_by(&mut self, change: u64) {
        self.fresh_for = change;
    }

    /// Moves on what is on disk up to `durable`.
    pub(super) fn settle(&mut self, durable: u64) {
        if let Some((_, held)) = self.held.take_if(|(cause, _)| *cause <= durable) {
            append(&mut self.ready, held);
        }
        if self.held.is_some() {
            return;
        }
        if self.fresh_for > durable && (!self.fresh.is_empty() || self.fresh_for - durable > BACKLOG) {
            self.held = Some((self.fresh_for, std::mem::take(&mut self.fresh)));
        } else if !self.fresh.is_empty() {
            append(&mut self.ready, std::mem::take(&mut self.fresh));
        }
    }

    /// Whether something waits for the disk.
    pub(super) fn waits(&self) -> bool {
        self.held.is_some()
    }

    /// For which change.
    pub(super) fn waits_for(&self) -> u64 {
        self.held.as_ref().map_or(0, |(cause, _)| *cause)
    }

    fn len(&self) -> usize {
        self.fresh.len() + self.held.as_ref().map_or(0, |(_, held)| held.len()) + self.ready.len()
    }

    /// Bytes that may be added.
    pub(super) fn room(&self) -> usize {
        MOST.saturating_sub(self.len())
    }

    pub(super) fn has_room(&self) -> bool {
        self.len() < MOST / 2
    }

    /// Whether the client is read from: not while its output is full, and not while two parts of it wait for
    /// the disk.
    pub(super) fn reads(&self) -> bool {
        let behind = self.held.as_ref().is_some_and(|(_, held)| held.is_empty() || !self.fresh.is_empty());
        self.len() < MOST && !behind
    }
}

fn append(to: &mut BytesMut, bytes: BytesMut) {
    if to.is_empty() { *to = bytes } else { to.extend_from_slice(&bytes) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_ready_before_its_cause_is_on_disk() {
        let mut output = Output::default();
        output.fresh().extend_from_slice(b"a");
        output.caused_by(3);
        output.settle(2);
        assert!(output.waits() && output.waits_for() == 3 && output.ready_is_empty() && output.reads());
        output.fresh().extend_from_slice(b"b");
        output.caused_by(5);
        assert!(!output.reads(), "two parts wait");
        output.settle(3);
        assert_eq!(output.ready()[..], b"a"[..]);
        assert_eq!(output.waits_for(), 5);
        output.settle(9);
        assert_eq!(output.ready()[..], b"ab"[..]);
        assert!(!output.waits());
    }

    #[test]
    fn what_changes_nothing_is_ready_at_once() {
        let mut output = Output::default();
        output.fresh().extend_from_slice(b"a");
        output.settle(0);
        assert_eq!(output.ready()[..], b"a"[..]);
    }

    #[test]
    fn a_client_that_only_publishes_waits_for_a_slow_disk_too() {
        let mut output = Output::default();
        output.caused_by(BACKLOG + 1);
        output.settle(0);
        assert!(!output.reads());
        output.settle(BACKLOG + 1);
        assert!(output.reads());
    }
}
