//! Count, minimum, maximum and sum of each minute and hour, gathered first and written once per batch.

use std::sync::LazyLock;

use sqlx::SqliteConnection;

use super::bulk::Bulk;
use crate::store::SeriesId;

pub(super) const MINUTE_US: i64 = 60_000_000;
pub(super) const HOUR_US: i64 = 60 * MINUTE_US;

/// Roll-ups of the rows of one batch: each of a row alone, until they are written.
#[derive(Default)]
pub(super) struct Rollups(Vec<Rollup>);

#[derive(Clone, Copy)]
struct Rollup {
    series: SeriesId,
    begin_us: i64,
    bucket: Bucket,
}

#[derive(Clone, Copy)]
struct Bucket {
    count: i64,
    min: f64,
    max: f64,
    sum: f64,
}

impl Rollups {
    /// Counts a row that is really inserted.
    pub(super) fn add(&mut self, series: SeriesId, t_us: i64, value: f64) {
        let bucket = Bucket { count: 1, min: value, max: value, sum: value };
        self.0.push(Rollup { series, begin_us: begin(t_us, MINUTE_US), bucket });
    }

    /// Adds the batch to what is there.
    pub(super) async fn write(mut self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        // In the order of the primary key: neighbours go into one page, which is looked up once. A stable sort, so that
        // sums do not depend on it.
        self.0.sort_by_key(Rollup::key);
        let minutes = merged(self.0.into_iter());
        let of_hours =
            minutes.iter().map(|minute| Rollup { begin_us: begin(minute.begin_us, HOUR_US), ..*minute });
        let hours = merged(of_hours);
        for (bulk, rollups) in [(&*MINUTES, minutes), (&*HOURS, hours)] {
            bulk.run(connection, &rollups, |query, Rollup { series, begin_us, bucket }| {
                let query = query.bind(series.0).bind(*begin_us).bind(bucket.count);
                query.bind(bucket.min).bind(bucket.max).bind(bucket.sum)
            })
            .await?;
        }
        Ok(())
    }
}

fn begin(t_us: i64, width_us: i64) -> i64 {
    t_us - t_us.rem_euclid(width_us)
}

/// One for each key, of roll-ups in the order of their keys.
fn merged(rollups: impl Iterator<Item = Rollup>) -> Vec<Rollup> {
    let mut merged: Vec<Rollup> = Vec::new();
    for rollup in rollups {
        match merged.last_mut().filter(|last| last.key() == rollup.key()) {
            Some(last) => last.bucket.add(&rollup.bucket),
            None => merged.push(rollup),
        }
    }
    merged
}

impl Rollup {
    fn key(&self) -> (SeriesId, i64) {
        (self.series, self.begin_us)
    }
}

impl Bucket {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        // Finite, or a later sum could be no number at all.
        self.sum = (self.sum + other.sum).clamp(f64::MIN, f64::MAX);
    }
}

const MERGE: &str = "on conflict (series_id, t) do update set count = count + excluded.count,
    min = min(min, excluded.min), max = max(max, excluded.max), 
    sum = max(min(sum + excluded.sum, 1.7976931348623157e308), -1.7976931348623157e308)";

static MINUTES: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new("insert into rollup_minute (series_id, t, count, min, max, sum) values", 6, MERGE)
});

static HOURS: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new("insert into rollup_hour (series_id, t, count, min, max, sum) values", 6, MERGE)
});
