//! What the database knows of instants. All keys of a query are of one table.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use sqlx::SqliteConnection;

use super::super::lookup::Lookup;
use super::super::value::to_real;
use crate::store::{NewSample, SeriesId};

/// The table that holds a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Numbers,
    Texts,
}

impl Table {
    pub(super) const ALL: [Self; 2] = [Self::Numbers, Self::Texts];

    pub(super) fn of(sample: &NewSample) -> Self {
        if to_real(&sample.value).is_some() { Self::Numbers } else { Self::Texts }
    }
}

/// An instant to look up, as far as another one that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) series: SeriesId,
    pub(super) t_us: i64,
    pub(super) until_us: i64,
}

/// What is found from an instant on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) wanted: Wanted,
    /// The first free instant; `None`: all are taken as far as was looked.
    pub(super) free_us: Option<i64>,
    /// Where the next taken one is after it.
    pub(super) next_us: Option<i64>,
}

/// A value that may be among those at some instants.
pub(super) struct Question<'a> {
    pub(super) number: usize,
    pub(super) sample: &'a NewSample,
    pub(super) range: Range<i64>,
}

/// The newest instant of each series. One step to the end of the primary key's range.
pub(super) async fn ends(
    connection: &mut SqliteConnection,
    table: Table,
    series: &[SeriesId],
) -> sqlx::Result<Vec<(SeriesId, Option<i64>)>> {
    let rows: Vec<(i64, Option<i64>)> =
        ENDS[table as usize].run(connection, series, |query, series| query.bind(series.0)).await?;
    Ok(rows.into_iter().map(|(series, last)| (SeriesId(series), last)).collect())
}

/// Where the first free instant is. One step on the primary key for a free one, and one for each taken one.
pub(super) async fn free(
    connection: &mut SqliteConnection,
    table: Table,
    wanted: &[Wanted],
) -> sqlx::Result<Vec<Found>> {
    let numbered: Vec<_> = (0_i64..).zip(wanted).collect();
    let rows: Vec<(i64, Option<i64>, Option<i64>)> = FREE[table as usize]
        .run(connection, &numbered, |query, (number, wanted)| {
            query.bind(*number).bind(wanted.series.0).bind(wanted.t_us).bind(wanted.until_us)
        })
        .await?;
    let found = rows.into_iter().filter_map(|(number, free_us, next_us)| {
        let wanted = *wanted.get(usize::try_from(number).ok()?)?;
        Some(Found { wanted, free_us, next_us })
    });
    Ok(found.collect())
}

/// The newest instant with the value of a question, by its number. Reads as many rows as there are instants.
pub(super) async fn equal(
    connection: &mut SqliteConnection,
    table: Table,
    questions: &[Question<'_>],
) -> sqlx::Result<HashMap<usize, i64>> {
    let rows: Vec<(i64, i64)> = EQUAL[table as usize]
        .run(connection, questions, |query, Question { number, sample, range }| {
            let query = query.bind(i64::try_from(*number).unwrap_or(i64::MAX)).bind(sample.series.0);
            let query = query.bind(range.start).bind(range.end);
            match to_real(&sample.value) {
                Some(value) => query.bind(value),
                None => query.bind(sample.value.as_str().unwrap_or_default().to_owned()),
            }
        })
        .await?;
    Ok(rows.into_iter().filter_map(|(number, t_us)| Some((usize::try_from(number).ok()?, t_us))).collect())
}

fn each_table(columns: &[&str], tail: &str) -> [Lookup; 2] {
    ["sample", "sample_text"].map(|table| Lookup::new(columns, &tail.replace("TABLE", table)))
}

static ENDS: LazyLock<[Lookup; 2]> = LazyLock::new(|| {
    let tail = "select series_id, (select max(t) from TABLE where series_id = wanted.series_id) from wanted";
    each_table(&["series_id"], tail)
});

// A free instant takes one step: what comes next tells that it is free. `materialized`: or a column would be searched
// again for each column that needs it.
static FREE: LazyLock<[Lookup; 2]> = LazyLock::new(|| {
    let tail = ",
        begun as materialized (
            select wanted.*, (select min(t) from TABLE where series_id = wanted.series_id and t >= wanted.since) as next
            from wanted),
        found as materialized (
            select number, series_id, since, next, case
                when next is since
                then (select taken.t + 1 from TABLE as taken
                      where taken.series_id = begun.series_id and taken.t >= begun.since and taken.t < begun.until
                          and not exists (select 1 from TABLE as next
                                          where next.series_id = taken.series_id and next.t = taken.t + 1)
                      order by taken.t limit 1)
                else since end as free
            from begun)
        select number, free, case
            when next is since then (select min(t) from TABLE where series_id = found.series_id and t >= found.free)
            else next end
        from found";
    each_table(&["number", "series_id", "since", "until"], tail)
});

static EQUAL: LazyLock<[Lookup; 2]> = LazyLock::new(|| {
    let tail = "select number, max(taken.t) from wanted cross join TABLE as taken
        on taken.series_id = wanted.series_id and taken.t >= wanted.since and taken.t < wanted.until
            and taken.value = wanted.value
        group by number";
    each_table(&["number", "series_id", "since", "until", "value"], tail)
});
