//! The samples that the broker has not yet acknowledged.

use minimq::Op;
use mqtt_lab_wire::ValueRef;

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entry<O = Op> {
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
    pub(crate) sent: Option<O>,
}

/// Samples in the order in which they were measured, at most `SAMPLES`: at least as many as there are channels.
///
/// A full ring drops the oldest measurement, and a state only when a newer one of its channel is there.
#[derive(Debug)]
pub(crate) struct Ring<const SAMPLES: usize, O = Op> {
    entries: heapless::Vec<Entry<O>, SAMPLES>,
    dropped: u32,
}

impl<const SAMPLES: usize, O: Copy> Ring<SAMPLES, O> {
    pub(crate) const fn new() -> Self {
        Self { entries: heapless::Vec::new(), dropped: 0 }
    }

    /// How many samples were dropped since the boot.
    pub(crate) const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Adds a sample; `false` if one had to be dropped.
    pub(crate) fn push(&mut self, entry: Entry<O>) -> bool {
        let Err(entry) = self.entries.push(entry) else { return true };
        self.dropped = self.dropped.saturating_add(1);
        if let Some(at) = self.least_needed(&entry) {
            self.entries.remove(at);
            // There is room now.
            let _ = self.entries.push(entry);
        }
        false
    }

    /// The sample that makes room for `new`. `None`: `new` is a measurement, and all others are needed more.
    fn least_needed(&self, new: &Entry<O>) -> Option<usize> {
        let measured = |sent: bool| self.position(|_, e| !e.state && e.sent.is_some() == sent);
        let outdated =
            |sent: bool| self.position(|at, e| e.sent.is_some() == sent && self.is_outdated(at, e, new));
        let waiting = measured(false).or_else(|| outdated(false));
        // The client keeps what is on its way; it would be missed only if the broker lost the session.
        waiting.or_else(|| if new.state { measured(true).or_else(|| outdated(true)) } else { None })
    }

    fn position(&self, is_it: impl Fn(usize, &Entry<O>) -> bool) -> Option<usize> {
        self.entries.iter().enumerate().position(|(at, entry)| is_it(at, entry))
    }

    /// Whether a state has a newer one of its channel, in the ring or `new`.
    fn is_outdated(&self, at: usize, old: &Entry<O>, new: &Entry<O>) -> bool {
        let newer = |other: &Entry<O>| other.state && other.channel == old.channel;
        old.state && (newer(new) || self.entries[at + 1..].iter().any(newer))
    }

    /// The oldest sample that is not on its way.
    pub(crate) fn next(&self) -> Option<Entry<O>> {
        self.entries.iter().find(|entry| entry.sent.is_none()).copied()
    }

    /// The sample of this number is on its way; without `op` it needs no acknowledgement.
    pub(crate) fn sent(&mut self, number: u32, op: Option<O>) {
        // It may have been pushed out meanwhile.
        let Some(at) = self.entries.iter().position(|entry| entry.number == number) else { return };
        match op {
            None => drop(self.entries.remove(at)),
            op => self.entries[at].sent = op,
        }
    }

    /// Forgets what `is_complete`, and takes back what will never be complete.
    pub(crate) fn settle(&mut self, is_complete: impl Fn(&O) -> bool, is_gone: impl Fn(&O) -> bool) {
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

    /// Which message one is does not matter here.
    type Kept<const N: usize> = Ring<N, ()>;

    fn measured(number: u32) -> Entry<()> {
        let value = ValueRef::Int(1);
        Entry { channel: 9, state: false, value, since_boot_ms: number.into(), number, sent: None }
    }

    fn state(channel: u8, number: u32) -> Entry<()> {
        Entry { channel, state: true, ..measured(number) }
    }

    fn numbers<const N: usize>(ring: &mut Kept<N>) -> Vec<u32> {
        core::iter::from_fn(|| {
            let entry = ring.next()?;
            ring.sent(entry.number, None);
            Some(entry.number)
        })
        .collect()
    }

    #[test]
    fn samples_leave_in_the_order_in_which_they_came() {
        let mut ring = Kept::<4>::new();
        assert!((1..=4).all(|n| ring.push(measured(n))));
        assert_eq!(numbers(&mut ring), [1, 2, 3, 4]);
        assert!(ring.is_empty());
    }

    #[test]
    fn a_full_ring_loses_its_oldest_measurement_and_no_state() {
        let mut ring = Kept::<3>::new();
        assert!(ring.push(state(0, 1)) && ring.push(measured(2)) && ring.push(measured(3)));
        assert!(!ring.push(measured(4)));
        assert_eq!(ring.dropped(), 1);
        assert_eq!(numbers(&mut ring), [1, 3, 4]);
    }

    #[test]
    fn a_ring_full_of_states_keeps_the_newest_of_each_channel() {
        let mut ring = Kept::<3>::new();
        for (channel, number) in [(0, 1), (1, 2), (0, 3)] {
            assert!(ring.push(state(channel, number)));
        }
        // Number 1 is outdated by 3, then 2 by the new one, then 3.
        assert!(!ring.push(state(2, 4)));
        assert!(!ring.push(state(1, 5)));
        assert!(!ring.push(state(0, 6)));
        assert_eq!(ring.dropped(), 3);
        assert_eq!(numbers(&mut ring), [4, 5, 6]);
    }

    #[test]
    fn a_measurement_replaces_an_outdated_state_and_no_other() {
        let mut ring = Kept::<2>::new();
        assert!(ring.push(state(0, 1)) && ring.push(state(0, 2)));
        assert!(!ring.push(measured(3)));
        assert!(!ring.push(state(1, 4)), "in the place of the measurement");
        assert!(!ring.push(measured(5)), "itself");
        assert_eq!(ring.dropped(), 3);
        assert_eq!(numbers(&mut ring), [2, 4]);
    }

    #[test]
    fn the_newest_state_is_kept_also_when_all_others_are_on_their_way() {
        let mut ring = Kept::<2>::new();
        for entry in [measured(1), state(0, 2)] {
            ring.push(Entry { sent: Some(()), ..entry });
        }
        assert!(!ring.push(measured(3)), "itself");
        assert!(!ring.push(state(0, 4)));
        assert!(!ring.push(state(0, 5)));
        assert!(!ring.push(state(0, 6)));
        assert_eq!(numbers(&mut ring), [6]);
    }

    /// Whatever comes in whatever order: with room for each channel, no state that is the newest is missing.
    #[test]
    fn no_newest_state_is_ever_missing() {
        const CHANNELS: u8 = 4;
        let mut random = 7_u64;
        let mut next = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        for _ in 0..200 {
            let mut ring = Kept::<4>::new();
            let mut newest = [None; CHANNELS as usize];
            for number in 1..100 {
                let channel = u8::try_from(next(CHANNELS.into())).expect("small");
                if next(3) == 0 {
                    ring.push(measured(number));
                } else {
                    ring.push(state(channel, number));
                    newest[usize::from(channel)] = Some(number);
                }
                let kept = |number: &u32| ring.entries.iter().any(|entry| entry.number == *number);
                assert!(newest.iter().flatten().all(kept), "{newest:?}: {:?}", ring.entries);
            }
        }
    }
}
