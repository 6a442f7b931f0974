//! The samples that the broker has not yet acknowledged.

use minimq::Op;
use mqtt_lab_wire::ValueRef;

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entry {
    /// The channel's number.
    pub(crate) channel: u8,
    /// Whether it is a state, of which the newest must not be lost.
    pub(crate) state: bool,
    pub(crate) value: ValueRef<'static>,
    /// When it was measured, in milliseconds since the boot.
    pub(crate) since_boot_ms: u64,
    /// Its number in this life.
    pub(crate) number: u32,
    /// The way it is on, at QoS 1 or 2.
    pub(crate) sent: Option<Op>,
}

/// Samples in the order in which they were measured, at most `SAMPLES`.
#[derive(Debug)]
pub(crate) struct Ring<const SAMPLES: usize> {
    entries: heapless::Vec<Entry, SAMPLES>,
}

impl<const SAMPLES: usize> Ring<SAMPLES> {
    pub(crate) const fn new() -> Self {
        Self { entries: heapless::Vec::new() }
    }

    /// Adds a sample; `false`: one was pushed out, the oldest measurement that is not on its way, or the new
    /// one itself where there is none.
    pub(crate) fn push(&mut self, entry: Entry) -> bool {
        let Err(entry) = self.entries.push(entry) else { return true };
        if let Some(oldest) = self.entries.iter().position(|e| e.sent.is_none() && !e.state) {
            self.entries.remove(oldest);
            // There is room now.
            let _ = self.entries.push(entry);
        }
        false
    }

    /// The oldest sample that is not on its way.
    pub(crate) fn next(&self) -> Option<Entry> {
        self.entries.iter().find(|entry| entry.sent.is_none()).copied()
    }

    /// The sample of this number is on its way; without `op` it needs no acknowledgement.
    pub(crate) fn sent(&mut self, number: u32, op: Option<Op>) {
        // It may have been pushed out meanwhile.
        let Some(at) = self.entries.iter().position(|entry| entry.number == number) else { return };
        match op {
            None => drop(self.entries.remove(at)),
            op => self.entries[at].sent = op,
        }
    }

    /// Forgets what `is_complete`, and takes back what will never be complete.
    pub(crate) fn settle(&mut self, is_complete: impl Fn(&Op) -> bool, is_gone: impl Fn(&Op) -> bool) {
        self.entries.retain(|entry| !entry.sent.as_ref().is_some_and(&is_complete));
        for entry in &mut self.entries {
            if entry.sent.as_ref().is_some_and(&is_gone) {
                entry.sent = None;
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn entry(number: u32, state: bool) -> Entry {
        Entry { channel: 0, state, value: ValueRef::Int(1), since_boot_ms: number.into(), number, sent: None }
    }

    fn numbers<const N: usize>(ring: &mut Ring<N>) -> Vec<u32> {
        core::iter::from_fn(|| {
            let entry = ring.next()?;
            ring.sent(entry.number, None);
            Some(entry.number)
        })
        .collect()
    }

    #[test]
    fn samples_leave_in_the_order_in_which_they_came() {
        let mut ring = Ring::<4>::new();
        assert!((1..=4).all(|n| ring.push(entry(n, false))));
        assert_eq!(numbers(&mut ring), [1, 2, 3, 4]);
        assert!(ring.is_empty());
    }

    #[test]
    fn a_full_ring_loses_its_oldest_measurement_and_no_state() {
        let mut ring = Ring::<3>::new();
        assert!(ring.push(entry(1, true)) && ring.push(entry(2, false)) && ring.push(entry(3, false)));
        assert!(!ring.push(entry(4, false)));
        assert_eq!(numbers(&mut ring), [1, 3, 4]);
    }

    #[test]
    fn a_ring_full_of_states_takes_nothing_more() {
        let mut ring = Ring::<1>::new();
        assert!(ring.push(entry(1, true)));
        assert!(!ring.push(entry(2, false)));
        assert_eq!(numbers(&mut ring), [1]);
    }
}
