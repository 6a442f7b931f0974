//! Count, minimum, maximum and sum of each minute and hour, gathered first and written once per batch.

use std::collections::HashMap;
use std::sync::LazyLock;

use sqlx::SqliteConnection;

use super::bulk::Bulk;
use crate::store::SeriesId;

pub(super) const MINUTE_US: i64 = 60_000_000;
pub(super) const HOUR_US: i64 = 60 * MINUTE_US;

/// Roll-ups of the rows of one batch.
#[derive(Default)]
pub(super) struct Rollups {
    minutes: HashMap<(SeriesId, i64), Bucket>,
    hours: HashMap<(SeriesId, i64), Bucket>,
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
        for (buckets, width) in [(&mut self.minutes, MINUTE_US), (&mut self.hours, HOUR_US)] {
            let begin = t_us - t_us.rem_euclid(width);
            let one = Bucket { count: 1, min: value, max: value, sum: value };
            buckets.entry((series, begin)).and_modify(|bucket| bucket.add(&one)).or_insert(one);
        }
    }

    /// Adds the batch to what is there.
    pub(super) async fn write(self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        for (bulk, buckets) in [(&*MINUTES, self.minutes), (&*HOURS, self.hours)] {
            let rows: Vec<_> = buckets.into_iter().collect();
            bulk.run(connection, &rows, |query, ((series, begin), bucket)| {
                let query = query.bind(series.0).bind(*begin).bind(bucket.count);
                query.bind(bucket.min).bind(bucket.max).bind(bucket.sum)
            })
            .await?;
        }
        Ok(())
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
