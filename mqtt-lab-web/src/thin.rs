//! Thins a series for drawing.

use std::ops::Range;

/// Thins a series for drawing and keeps each stretch's lowest and highest point.
///
/// Points are added oldest first; [`Thinner::finish`] returns at most `max_points` of them in that
/// order, all if they are no more. O(n) time, O(`max_points`) memory.
///
/// Source: the min/max part of M4 (Jugel et al., PVLDB 7(10), 2014).
#[derive(Debug)]
pub(crate) struct Thinner {
    range: Range<i64>,
    max_points: usize,
    /// The points themselves, as long as they are few.
    all: Vec<(i64, f64)>,
    buckets: Vec<Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    index: i128,
    low: (i64, f64),
    high: (i64, f64),
}

impl Thinner {
    /// For points in `range`, of which at most `max_points` (2 or more) are wanted.
    pub(crate) fn new(range: Range<i64>, max_points: usize) -> Self {
        Self { range, max_points: max_points.max(2), all: Vec::new(), buckets: Vec::new() }
    }

    /// Takes the next point, not older than the last.
    pub(crate) fn add(&mut self, t: i64, value: f64) {
        if self.buckets.is_empty() {
            self.all.push((t, value));
            if self.all.len() > self.max_points {
                std::mem::take(&mut self.all).into_iter().for_each(|(t, value)| self.put(t, value));
            }
        } else {
            self.put(t, value);
        }
    }

    /// The points to draw, oldest first.
    pub(crate) fn finish(self) -> Vec<(i64, f64)> {
        let mut points = self.all;
        for Bucket { low, high, .. } in self.buckets {
            let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
            points.push(first);
            if second != first {
                points.push(second);
            }
        }
        points
    }

    fn put(&mut self, t: i64, value: f64) {
        // 128 bits: a span of centuries times a bucket count does not fit in 64.
        let span = (i128::from(self.range.end) - i128::from(self.range.start)).max(1);
        let count = (self.max_points / 2) as i128;
        let index = ((i128::from(t) - i128::from(self.range.start)) * count / span).clamp(0, count - 1);
        match self.buckets.last_mut().filter(|bucket| bucket.index == index) {
            Some(bucket) => {
                if value < bucket.low.1 {
                    bucket.low = (t, value);
                }
                if value > bucket.high.1 {
                    bucket.high = (t, value);
                }
            }
            None => self.buckets.push(Bucket { index, low: (t, value), high: (t, value) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn thin(points: &[(i64, f64)], range: Range<i64>, max_points: usize) -> Vec<(i64, f64)> {
        let mut thinner = Thinner::new(range, max_points);
        points.iter().for_each(|(t, value)| thinner.add(*t, *value));
        thinner.finish()
    }

    #[test]
    fn few_points_stay_as_they_are() {
        let points = [(1, 5.0), (2, 5.0), (900, 4.0)];
        assert_eq!(thin(&points, 0..1_000, 4), points);
    }

    #[test]
    fn a_single_spike_survives() {
        let mut points: Vec<_> = (0..100_000).map(|t| (t, 1.0)).collect();
        points[77_777].1 = 99.0;
        points[33_333].1 = -99.0;
        let thinned = thin(&points, 0..100_000, 100);
        assert!(thinned.contains(&(77_777, 99.0)) && thinned.contains(&(33_333, -99.0)));
    }

    proptest! {
        #[test]
        fn never_too_many_in_order_and_with_the_extremes(
            mut points in prop::collection::vec((0_i64..10_000, -1e6_f64..1e6), 1..500),
            max_points in 4_usize..50,
        ) {
            points.sort_by_key(|(t, _)| *t);
            let thinned = thin(&points, 0..10_000, max_points);
            prop_assert!(thinned.len() <= max_points);
            prop_assert!(thinned.is_sorted_by_key(|(t, _)| *t));
            let extremes = |points: &[(i64, f64)]| points.iter().fold(
                (f64::MAX, f64::MIN),
                |(low, high), (_, v)| (low.min(*v), high.max(*v)),
            );
            prop_assert_eq!(extremes(&thinned), extremes(&points));
        }
    }
}
