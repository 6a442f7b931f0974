//! Points for a chart: as many as it can draw, with the lowest and the highest of each stretch.

use std::ops::Range;

use mqtt_lab_wire::Value;
use sqlx::SqlitePool;

use super::rollup::{HOUR_US, MINUTE_US};
use super::value::from_real;
use crate::store::{Point, SavedSeries, SeriesId};
use crate::thin::Thinner;

/// Rows read from one series before roll-ups are considered: about 30 ms.
const MANY_ROWS: i64 = if cfg!(test) { 2_000 } else { 200_000 };
/// Rows per query; between two, other readers have their turn.
const PAGE: i64 = 10_000;

pub(super) async fn points(
    pool: &SqlitePool,
    series: &SavedSeries,
    range: Range<i64>,
    max_points: usize,
) -> sqlx::Result<Vec<Point>> {
    if range.is_empty() {
        return Ok(Vec::new());
    }
    if series.datatype.is_textual() {
        return texts(pool, series.id, range, max_points).await;
    }
    let numbers = match rollup(pool, series.id, &range, max_points).await? {
        Some(sql) => from_rollup(pool, sql, series.id, range, max_points).await?,
        None => raw(pool, series.id, range, max_points).await?,
    };
    let point = |(t_us, number)| Point { t_us, value: from_real(series.datatype, number) };
    Ok(numbers.into_iter().map(point).collect())
}

/// The query for the coarsest roll-up that is fine enough, where raw rows are too many.
async fn rollup(
    pool: &SqlitePool,
    id: SeriesId,
    range: &Range<i64>,
    max_points: usize,
) -> sqlx::Result<Option<(&'static str, i64)>> {
    let halves = i64::try_from(max_points / 2).unwrap_or(i64::MAX).max(1);
    let bucket_us = range.end.saturating_sub(range.start) / halves;
    let (sql, width_us) = match bucket_us {
        HOUR_US.. => (
            "select t, min, max from rollup_hour where series_id = $1 and t >= $2 and t < $3 order by t limit $4",
            HOUR_US,
        ),
        MINUTE_US.. => (
            "select t, min, max from rollup_minute where series_id = $1 and t >= $2 and t < $3 order by t limit $4",
            MINUTE_US,
        ),
        _ => return Ok(None),
    };
    let count =
        "select count(*) from (select 1 from sample where series_id = $1 and t >= $2 and t < $3 limit $4)";
    let query = sqlx::query_scalar(count).bind(id.0).bind(range.start).bind(range.end).bind(MANY_ROWS);
    let rows: i64 = query.fetch_one(pool).await?;
    Ok((rows >= MANY_ROWS).then_some((sql, width_us)))
}

/// Range scan on the primary key `(series_id, t)`, no sort, page by page.
async fn raw(
    pool: &SqlitePool,
    id: SeriesId,
    range: Range<i64>,
    max_points: usize,
) -> sqlx::Result<Vec<(i64, f64)>> {
    let sql = "select t, value from sample where series_id = $1 and t >= $2 and t < $3 order by t limit $4";
    let mut thinner = Thinner::new(range.clone(), max_points);
    let mut from = range.start;
    loop {
        let query = sqlx::query_as(sql).bind(id.0).bind(from).bind(range.end).bind(PAGE);
        let rows: Vec<(i64, f64)> = query.fetch_all(pool).await?;
        let full = rows.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
        let last = rows.last().map_or(range.end, |(t, _)| *t);
        rows.into_iter().for_each(|(t, value)| thinner.add(t, value));
        if !full {
            return Ok(thinner.finish());
        }
        from = last + 1;
    }
}

/// Range scan on the roll-up's primary key. A bucket's extremes stand at its begin and its middle:
/// their own instants are not kept.
async fn from_rollup(
    pool: &SqlitePool,
    (sql, width_us): (&'static str, i64),
    id: SeriesId,
    range: Range<i64>,
    max_points: usize,
) -> sqlx::Result<Vec<(i64, f64)>> {
    let mut thinner = Thinner::new(range.clone(), max_points);
    let mut from = range.start - range.start.rem_euclid(width_us);
    loop {
        let query = sqlx::query_as(sql).bind(id.0).bind(from).bind(range.end).bind(PAGE);
        let rows: Vec<(i64, f64, f64)> = query.fetch_all(pool).await?;
        let full = rows.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
        let last = rows.last().map_or(range.end, |(t, ..)| *t);
        for (t, min, max) in rows {
            let (begin, middle) = (t.max(range.start), (t + width_us / 2).clamp(range.start, range.end - 1));
            thinner.add(begin, min);
            thinner.add(middle.max(begin), max);
        }
        if !full {
            return Ok(thinner.finish());
        }
        from = last + 1;
    }
}

/// Texts have no extremes: the last of each stretch is kept. `max(t)` takes the other columns of its row along.
async fn texts(
    pool: &SqlitePool,
    id: SeriesId,
    range: Range<i64>,
    max_points: usize,
) -> sqlx::Result<Vec<Point>> {
    let stretches = i64::try_from(max_points).unwrap_or(i64::MAX);
    let span = range.end.saturating_sub(range.start);
    let width = span / stretches + i64::from(span % stretches != 0);
    let sql = "select max(t), value from sample_text where series_id = $1 and t >= $2 and t < $3
               group by (t - $2) / $4 order by 1 limit $5";
    let few = "select t, value from sample_text where series_id = $1 and t >= $2 and t < $3
               order by t limit $5 + 0 * $4";
    let read = async |sql: &'static str, limit: i64| -> sqlx::Result<Vec<(i64, String)>> {
        let query = sqlx::query_as(sql).bind(id.0).bind(range.start).bind(range.end);
        query.bind(width.max(1)).bind(limit).fetch_all(pool).await
    };
    let mut rows = read(few, stretches.saturating_add(1)).await?;
    if rows.len() > max_points {
        rows = read(sql, stretches).await?;
    }
    Ok(rows.into_iter().map(|(t_us, text)| Point { t_us, value: Value::Text(text) }).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use mqtt_lab_wire::Datatype;

    use super::*;
    use crate::store::sqlite::SqliteStore;
    use crate::store::{NewSample, NewSeries, Store, WhenMeasured, Write};

    const NOON: i64 = 1_795_435_200_000_000;

    #[tokio::test]
    async fn long_spans_come_from_roll_ups_and_keep_the_extremes() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("x").to_str().unwrap()).await.unwrap();
        let device = store.open_device("demo", "x", NOON).await.unwrap();
        let new = NewSeries {
            device,
            channel: "v".to_owned(),
            datatype: Datatype::Float,
            unit: None,
            now_us: NOON,
        };
        let series = store.open_series(&new).await.unwrap();
        let sample = |i: i64| {
            let value = Value::Float(if i == 1_111 {
                99.0
            } else if i == 2_222 {
                -99.0
            } else {
                1.0
            });
            let when = WhenMeasured::Known(NOON + i * 10_000_000);
            Write::Sample(NewSample {
                device,
                series: series.id,
                value,
                when,
                wrong_clock: false,
                number: None,
                arrived_us: NOON,
            })
        };
        let batch: Vec<_> = (0..3_000).map(sample).collect();
        store.write(&batch).await.unwrap();
        let range = NOON..NOON + 30_000_000_000;
        for (max_points, width_us) in [(10, HOUR_US), (500, MINUTE_US)] {
            let chosen = rollup(&store.readers(), series.id, &range, max_points).await.unwrap();
            assert_eq!(chosen.map(|(_, width)| width), Some(width_us));
            let points = store.points(&series, range.clone(), max_points).await.unwrap();
            assert!(points.len() <= max_points && points.is_sorted_by_key(|point| point.t_us));
            assert!(points.iter().all(|point| range.contains(&point.t_us)));
            let values: Vec<_> = points.iter().filter_map(|point| point.value.as_f64()).collect();
            assert!(values.contains(&99.0) && values.contains(&-99.0), "{max_points}");
        }
    }
}
