//! Taken instants in a row, with the values at the last of them.

use std::collections::VecDeque;
use std::ops::Range;

/// Instants at the end of a run among which an equal value is looked for.
pub(super) const MAX_VALUES: usize = if cfg!(test) { 6 } else { 256 };
/// Not the fingerprint of a value: as a number it would be none.
const UNKNOWN: u64 = u64::MAX;
/// Weight of a run without its values, in units of 8 bytes.
const OWN_WEIGHT: usize = 16;

/// Taken instants in a row, perhaps none, and the free ones after it. Where it begins is its key in
/// [`Runs`](super::runs::Runs).
#[derive(Debug)]
pub(super) struct Run {
    /// The first instant that is not taken.
    pub(super) end: i64,
    /// Instants from `end` to this one (not included) are free. Nothing is known of this one, unless another run
    /// begins there.
    pub(super) free_until: i64,
    /// The values at the last instants before `end`, at most [`MAX_VALUES`]; [`UNKNOWN`] where only the database knows
    /// it, as it does before them.
    values: VecDeque<u64>,
}

/// Whether a value is at an instant, or where an equal instant moved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Repeats {
    Yes,
    No,
    /// Not at the instants whose values are known. The database knows about these.
    Unknown(Range<i64>),
}

impl Run {
    /// A run of unknown values.
    pub(super) fn new(end: i64, free_until: i64) -> Self {
        Self { end, free_until, values: VecDeque::new() }
    }

    /// One instant, with its value.
    pub(super) fn one(t_us: i64, free_until: i64, value: u64) -> Self {
        Self { end: t_us + 1, free_until, values: VecDeque::from([value]) }
    }

    /// Takes the first free instant.
    pub(super) fn push(&mut self, value: u64) {
        self.end += 1;
        self.values.push_back(value);
        self.bound();
    }

    /// Appends the run that begins at `begin`, where this one ends.
    pub(super) fn append(&mut self, begin: i64, next: Self) {
        let unknown = next.end - begin - length(&next.values);
        let unknown = usize::try_from(unknown).unwrap_or(0).min(MAX_VALUES);
        self.values.extend(std::iter::repeat_n(UNKNOWN, unknown));
        self.values.extend(next.values);
        (self.end, self.free_until) = (next.end, next.free_until);
        self.bound();
    }

    /// Whether `value` is at `t_us`, which is taken, or at one of the later instants.
    pub(super) fn repeats(&self, t_us: i64, value: u64) -> Repeats {
        let begin_us = self.end - length(&self.values);
        let from_us = t_us.max(self.end.saturating_sub_unsigned(MAX_VALUES as u64));
        let skipped = usize::try_from(from_us - begin_us).unwrap_or(0);
        if self.values.range(skipped..).any(|known| *known == value) {
            return Repeats::Yes;
        }
        let values = (begin_us..).zip(&self.values).skip(skipped);
        let mut unknown = values.filter(|(_, value)| **value == UNKNOWN).map(|(t_us, _)| t_us);
        let first_us = if from_us < begin_us { Some(from_us) } else { unknown.next() };
        let Some(first_us) = first_us else { return Repeats::No };
        let begin_us = first_us.max(begin_us - 1);
        Repeats::Unknown(first_us..unknown.last().unwrap_or(begin_us) + 1)
    }

    pub(super) fn forget_values(&mut self) {
        self.values = VecDeque::new();
    }

    pub(super) fn weight(&self) -> usize {
        OWN_WEIGHT + self.values.len()
    }

    fn bound(&mut self) {
        let surplus = self.values.len().saturating_sub(MAX_VALUES);
        self.values.drain(..surplus);
    }
}

fn length(values: &VecDeque<u64>) -> i64 {
    i64::try_from(values.len()).unwrap_or(i64::MAX)
}
