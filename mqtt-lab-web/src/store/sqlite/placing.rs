//! Finds the instant at which a sample is kept: its own, or the next free microsecond.

use sqlx::SqliteConnection;

use super::cache::{Cache, End};
use super::rollup::Rollups;
use super::value::to_real;
use crate::store::NewSample;

/// Rows gathered for the next INSERT.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) numbers: Vec<(i64, i64, f64)>,
    pub(super) texts: Vec<(i64, i64, String)>,
    pub(super) rollups: Rollups,
}

/// Instants looked at for an equal value, and read at once while searching for a free one.
const STRETCH: i64 = 1_000;

/// Gathers the row and returns its time; `None`: an unnumbered sample that is there already.
/// Nearly always the sample is the newest of its series and costs no query.
pub(super) async fn place(
    connection: &mut SqliteConnection,
    cache: &mut Cache,
    rows: &mut Rows,
    sample: &NewSample,
    t_us: i64,
    may_repeat: bool,
) -> sqlx::Result<Option<i64>> {
    let end = match cache.ends.get(&sample.series) {
        Some(end) => *end,
        None => read_end(connection, sample).await?,
    };
    let mut place_us = end.skip_taken(t_us);
    let mut taken = end.taken;
    if t_us <= end.last_us {
        // Beyond the newest all is free; among the others the database knows.
        if may_repeat || place_us <= end.last_us {
            rows.flush(connection).await?;
            if may_repeat && is_there(connection, sample, t_us).await? {
                return Ok(None);
            }
            place_us = free_from(connection, sample, place_us).await?;
        }
        let from = if (taken.0..=taken.1).contains(&t_us) { taken.0 } else { t_us };
        taken = (from, place_us.saturating_add(1));
    }
    cache.ends.insert(sample.series, End { last_us: end.last_us.max(place_us), taken });
    rows.add(sample, place_us);
    Ok(Some(place_us))
}

/// One step to the right end of the primary key's range.
async fn read_end(connection: &mut SqliteConnection, sample: &NewSample) -> sqlx::Result<End> {
    let sql = match to_real(&sample.value) {
        Some(_) => "select max(t) from sample where series_id = $1",
        None => "select max(t) from sample_text where series_id = $1",
    };
    let last: Option<i64> = sqlx::query_scalar(sql).bind(sample.series.0).fetch_one(connection).await?;
    Ok(End { last_us: last.unwrap_or(i64::MIN), taken: (0, 0) })
}

/// Whether the same value stands at the instant, or close behind where an equal instant moved it.
async fn is_there(connection: &mut SqliteConnection, sample: &NewSample, t_us: i64) -> sqlx::Result<bool> {
    let sql = match to_real(&sample.value) {
        Some(_) => "select t, value = $1 from sample where series_id = $2 and t >= $3 and t < $4 order by t",
        None => {
            "select t, value = $1 from sample_text where series_id = $2 and t >= $3 and t < $4 order by t"
        }
    };
    let query = sqlx::query_as(sql);
    let query = match to_real(&sample.value) {
        Some(number) => query.bind(number),
        None => query.bind(sample.value.as_str().unwrap_or_default().to_owned()),
    };
    let query = query.bind(sample.series.0).bind(t_us).bind(t_us.saturating_add(STRETCH));
    let around: Vec<(i64, bool)> = query.fetch_all(connection).await?;
    let mut run = (t_us..).zip(around).take_while(|(expected, (t, _))| expected == t);
    Ok(run.any(|(_, (_, equal))| equal))
}

/// The first instant from `t_us` on without a row: reads the run of taken ones.
async fn free_from(connection: &mut SqliteConnection, sample: &NewSample, t_us: i64) -> sqlx::Result<i64> {
    let sql = match to_real(&sample.value) {
        Some(_) => "select t from sample where series_id = $1 and t >= $2 order by t limit $3",
        None => "select t from sample_text where series_id = $1 and t >= $2 order by t limit $3",
    };
    let mut free_us = t_us;
    loop {
        let query = sqlx::query_scalar(sql).bind(sample.series.0).bind(free_us).bind(STRETCH);
        let taken: Vec<i64> = query.fetch_all(&mut *connection).await?;
        let run = (free_us..).zip(&taken).take_while(|(expected, t)| expected == *t).count();
        let run = i64::try_from(run).unwrap_or(0);
        free_us += run;
        if run < STRETCH {
            return Ok(free_us);
        }
    }
}
