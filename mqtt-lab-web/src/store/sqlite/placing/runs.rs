//! Which instants of each series are taken and which are free, as far as it is known without asking the database.

use std::collections::{BTreeMap, HashMap};
use std::hash::RandomState;

use super::run::{Repeats, Run};
use crate::store::SeriesId;

/// Times are kept within these two, so that no instant after a run overflows.
pub(super) const LOWEST: i64 = -(1 << 62);
pub(super) const HIGHEST: i64 = 1 << 62;
/// Everything after the newest sample of a series is free.
pub(super) const FOREVER: i64 = i64::MAX;
/// A run of so many instants takes long to read again: it is kept when others are forgotten.
const LONG: i64 = if cfg!(test) { 10 } else { 256 };
/// Weight of all runs, in units of 8 bytes, above which runs are forgotten: 32 MB, or 200,000 series.
const MAX_WEIGHT: usize = if cfg!(test) { 300 } else { 4_000_000 };

/// Runs of taken instants. Each series is unknown, or its newest run is among them.
#[derive(Debug, Default)]
pub(in crate::store::sqlite) struct Runs {
    /// By their beginnings.
    series: HashMap<SeriesId, BTreeMap<i64, Run>>,
    weight: usize,
    /// Where runs were added since [`settle`](Runs::settle).
    added: Vec<(SeriesId, i64)>,
    /// For the fingerprints of texts.
    pub(super) hasher: RandomState,
}

/// Where a search for a free instant ends; all instants before are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Free(i64),
    Unknown(i64),
}

impl Runs {
    /// Whether the newest sample of the series is known.
    pub(super) fn knows(&self, series: SeriesId) -> bool {
        self.series.contains_key(&series)
    }

    /// Searches for a free instant from `t_us` on.
    pub(super) fn search(&self, series: SeriesId, t_us: i64) -> End {
        let Some((_, run)) = self.before(series, t_us) else { return End::Unknown(t_us) };
        let t_us = t_us.max(run.end);
        // Behind it no other run begins: it would have been joined.
        if t_us < run.free_until { End::Free(t_us) } else { End::Unknown(t_us) }
    }

    pub(super) fn is_unknown(&self, series: SeriesId, t_us: i64) -> bool {
        self.search(series, t_us) == End::Unknown(t_us)
    }

    /// Where the next run after an instant begins.
    pub(super) fn next(&self, series: SeriesId, t_us: i64) -> i64 {
        let next = self.series.get(&series).and_then(|runs| runs.range(t_us + 1..).next());
        next.map_or(FOREVER, |(begin, _)| *begin)
    }

    /// Whether `value` is at `t_us`, or where an equal instant moved it. Not if the instant is free.
    pub(super) fn repeats(&self, series: SeriesId, t_us: i64, value: u64) -> Repeats {
        match self.before(series, t_us) {
            Some((_, run)) if t_us < run.end => run.repeats(t_us, value),
            _ => Repeats::No,
        }
    }

    /// Notes what the database knows from an unknown instant on: those from `t_us` to `end` (not included) are taken,
    /// those from `end` to `free_until` are free. A run that is known already, and may be ahead of the
    /// database, has the last word.
    pub(super) fn learn(&mut self, series: SeriesId, t_us: i64, end: i64, free_until: i64) {
        let next = self.next(series, t_us);
        let free_until = free_until.min(next);
        self.insert(series, t_us, Run::new(end.min(next), free_until));
        self.join(series, t_us, free_until);
        if let Some((before, run)) = self.before(series, t_us - 1)
            && run.free_until == t_us
        {
            self.join(series, before, t_us);
        }
    }

    /// Notes the newest instant of a series that was unknown; `None` if it is empty.
    pub(super) fn learn_end(&mut self, series: SeriesId, last: Option<i64>) {
        match last.map(|last| last.clamp(LOWEST, HIGHEST)) {
            Some(last) => self.learn(series, last, last + 1, FOREVER),
            None => self.learn(series, LOWEST, LOWEST, FOREVER),
        }
    }

    /// Takes an instant that is free.
    pub(super) fn take(&mut self, series: SeriesId, t_us: i64, value: u64) {
        let Some((begin, run)) = self.before_mut(series, t_us) else { return };
        if run.end == t_us {
            let before = run.weight();
            run.push(value);
            let (after, next) = (run.weight(), (run.end == run.free_until).then_some(run.end));
            self.weight = self.weight + after - before;
            if let Some(next) = next {
                self.join(series, begin, next);
            }
        } else {
            let free_until = std::mem::replace(&mut run.free_until, t_us);
            self.insert(series, t_us, Run::one(t_us, free_until, value));
            self.join(series, t_us, free_until);
        }
    }

    /// Forgets single instants, which are looked up quickly, and what is too much. Called after each batch.
    pub(super) fn settle(&mut self) {
        for (series, begin) in std::mem::take(&mut self.added) {
            let single = |run: &Run| run.end <= begin + 1 && run.free_until != FOREVER;
            if self.get(series, begin).is_some_and(single) {
                self.remove(series, begin);
            }
        }
        if self.weight > MAX_WEIGHT {
            self.forget_most();
        }
    }

    fn forget_most(&mut self) {
        for runs in self.series.values_mut() {
            runs.values_mut().for_each(Run::forget_values);
            runs.retain(|begin, run| run.end - begin >= LONG || run.free_until == FOREVER);
        }
        self.weight = self.series.values().flat_map(BTreeMap::values).map(Run::weight).sum();
        if self.weight > MAX_WEIGHT / 2 {
            *self = Self::default();
        }
    }

    /// Joins the run at `begin` with the one at `next`, where what is known of the first ends; unless there is none,
    /// or both have taken instants, and free ones between them.
    fn join(&mut self, series: SeriesId, begin: i64, next: i64) {
        let ends_at_next = |run: &Run| run.end == next;
        let left_does = self.get(series, begin).is_some_and(ends_at_next);
        let right_is_empty = self.get(series, next).is_some_and(ends_at_next);
        if !left_does && !right_is_empty {
            return;
        }
        let Some(right) = self.remove(series, next) else { return };
        let Some((_, left)) = self.before_mut(series, begin) else { return };
        let before = left.weight();
        if left.end < next {
            left.free_until = right.free_until;
        } else {
            left.append(next, right);
        }
        let after = left.weight();
        self.weight = self.weight + after - before;
    }

    fn get(&self, series: SeriesId, begin: i64) -> Option<&Run> {
        self.series.get(&series)?.get(&begin)
    }

    /// The last run that begins at `t_us` or before.
    fn before(&self, series: SeriesId, t_us: i64) -> Option<(i64, &Run)> {
        let before = self.series.get(&series)?.range(..=t_us).next_back();
        before.map(|(begin, run)| (*begin, run))
    }

    fn before_mut(&mut self, series: SeriesId, t_us: i64) -> Option<(i64, &mut Run)> {
        let before = self.series.get_mut(&series)?.range_mut(..=t_us).next_back();
        before.map(|(begin, run)| (*begin, run))
    }

    fn insert(&mut self, series: SeriesId, begin: i64, run: Run) {
        self.weight += run.weight();
        self.added.push((series, begin));
        let replaced = self.series.entry(series).or_default().insert(begin, run);
        self.weight -= replaced.map_or(0, |run| run.weight());
    }

    fn remove(&mut self, series: SeriesId, begin: i64) -> Option<Run> {
        let run = self.series.get_mut(&series)?.remove(&begin)?;
        self.weight -= run.weight();
        Some(run)
    }
}
