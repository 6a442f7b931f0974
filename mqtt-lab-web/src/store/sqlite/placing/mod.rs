//! Finds the instant at which each sample of a batch is kept: its own, or the next free microsecond.
//!
//! What must be known is looked up for the whole batch at once; then each sample is placed in memory. Rows that are
//! not inserted yet are in [`Runs`], so that the database is never asked about them. Nearly always a sample is the
//! newest of its series, and costs no query.

mod queries;
mod run;
mod runs;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::ops::Range;

use sqlx::SqliteConnection;

use super::value::to_real;
use crate::store::{NewSample, SeriesId, WhenMeasured};
use queries::{Question, Table, Wanted};
use run::Repeats;
pub(super) use runs::Runs;
use runs::{End, FOREVER, HIGHEST, LOWEST};

/// Instants of a run that are read for many samples at once; those of a longer one are read once for all.
const SHORT: i64 = if cfg!(test) { 4 } else { 64 };

/// A sample to place.
pub(super) struct Pending<'a> {
    pub(super) sample: &'a NewSample,
    /// When it was measured, from [`LOWEST`] to [`HIGHEST`].
    t_us: i64,
    table: Table,
    /// Stands for the value: equal ones have equal fingerprints.
    value: u64,
    /// Where the database was asked for an equal value, and the newest instant at which it has one.
    asked: Option<(Range<i64>, Option<i64>)>,
}

impl<'a> Pending<'a> {
    pub(super) fn new(runs: &Runs, sample: &'a NewSample, t_us: i64) -> Self {
        let value = match to_real(&sample.value) {
            // The sum makes one zero of both, which SQL takes for equal.
            Some(number) => (number + 0.0).to_bits(),
            None => runs.hasher.hash_one(sample.value.as_str()),
        };
        let t_us = t_us.clamp(LOWEST, HIGHEST);
        Self { sample, t_us, table: Table::of(sample), value, asked: None }
    }

    /// Whether an equal sample at the same instant is the same one: only numbers and stamps tell two apart.
    fn may_repeat(&self) -> bool {
        self.sample.number.is_none() && matches!(self.sample.when, WhenMeasured::Known(_))
    }
}

/// Places samples in their order; `None` for one that is there already.
pub(super) async fn place(
    connection: &mut SqliteConnection,
    runs: &mut Runs,
    mut pending: Vec<Pending<'_>>,
) -> sqlx::Result<Vec<Option<i64>>> {
    for table in Table::ALL {
        prepare(connection, runs, table, &mut pending).await?;
    }
    let mut placed = Vec::with_capacity(pending.len());
    for sample in &pending {
        placed.push(one(connection, runs, sample).await?);
    }
    runs.settle();
    Ok(placed)
}

/// Looks up what the samples of one table need. What is found out only while they are placed is looked up then.
async fn prepare(
    connection: &mut SqliteConnection,
    runs: &mut Runs,
    table: Table,
    pending: &mut [Pending<'_>],
) -> sqlx::Result<()> {
    let unknown: HashSet<SeriesId> = pending
        .iter()
        .filter(|pending| pending.table == table && !runs.knows(pending.sample.series))
        .map(|pending| pending.sample.series)
        .collect();
    let unknown: Vec<_> = unknown.into_iter().collect();
    for (series, last) in queries::ends(connection, table, &unknown).await? {
        runs.learn_end(series, last);
    }
    let mut unknown = unknown_instants(runs, table, pending);
    // What is free after the first instant of a series often holds all the others.
    let first_of_each = unknown.chunk_by(|one, next| one.0 == next.0).map(|of_one| of_one[0]);
    let first_of_each: Vec<_> = first_of_each.collect();
    look_up(connection, runs, table, &first_of_each).await?;
    unknown.retain(|(series, t_us)| runs.is_unknown(*series, *t_us));
    look_up(connection, runs, table, &unknown).await?;
    ask(connection, runs, table, pending).await
}

/// The first unknown instants on the way to a free one, in order.
fn unknown_instants(runs: &Runs, table: Table, pending: &[Pending<'_>]) -> Vec<(SeriesId, i64)> {
    let of_table = pending.iter().filter(|pending| pending.table == table);
    let first_unknown = |pending: &Pending<'_>| {
        let series = pending.sample.series;
        match runs.search(series, pending.t_us) {
            End::Free(_) => None,
            End::Unknown(t_us) => Some((series, t_us)),
        }
    };
    let mut unknown: Vec<_> = of_table.filter_map(first_unknown).collect();
    unknown.sort_unstable();
    unknown.dedup();
    unknown
}

/// Learns about instants that are unknown, in their order.
async fn look_up(
    connection: &mut SqliteConnection,
    runs: &mut Runs,
    table: Table,
    instants: &[(SeriesId, i64)],
) -> sqlx::Result<()> {
    let wanted = |(series, t_us): &(SeriesId, i64)| {
        let (series, t_us) = (*series, *t_us);
        Wanted { series, t_us, until_us: runs.next(series, t_us).min(t_us.saturating_add(SHORT)) }
    };
    let wanted: Vec<_> = instants.iter().map(wanted).collect();
    let (mut found, mut long) = (queries::free(connection, table, &wanted).await?, Vec::new());
    found.sort_unstable_by_key(|found| (found.wanted.series, found.wanted.t_us));
    for found in found {
        let Wanted { series, t_us, until_us } = found.wanted;
        match found.free_us {
            // An earlier one was in the same run.
            _ if !runs.is_unknown(series, t_us) => {}
            None if until_us < runs.next(series, t_us) => long.push((series, t_us)),
            None => runs.learn(series, t_us, until_us, until_us),
            Some(free_us) => runs.learn(series, t_us, free_us, found.next_us.unwrap_or(FOREVER)),
        }
    }
    for (series, t_us) in long {
        if runs.is_unknown(series, t_us) {
            look_up_long(connection, runs, table, series, t_us).await?;
        }
    }
    Ok(())
}

/// Learns about one instant, however long its run is.
async fn look_up_long(
    connection: &mut SqliteConnection,
    runs: &mut Runs,
    table: Table,
    series: SeriesId,
    t_us: i64,
) -> sqlx::Result<()> {
    let wanted = Wanted { series, t_us, until_us: runs.next(series, t_us) };
    let found = queries::free(connection, table, &[wanted]).await?.pop().ok_or(sqlx::Error::RowNotFound)?;
    let free_us = found.free_us.unwrap_or(wanted.until_us);
    runs.learn(series, t_us, free_us, found.next_us.unwrap_or(FOREVER));
    Ok(())
}

/// Asks for equal values at instants whose values are unknown.
async fn ask(
    connection: &mut SqliteConnection,
    runs: &Runs,
    table: Table,
    pending: &mut [Pending<'_>],
) -> sqlx::Result<()> {
    let mut questions = Vec::new();
    for (number, pending) in pending.iter().enumerate() {
        if pending.table == table
            && pending.may_repeat()
            && let Repeats::Unknown(range) = runs.repeats(pending.sample.series, pending.t_us, pending.value)
        {
            questions.push(Question { number, sample: pending.sample, range });
        }
    }
    let newest = queries::equal(connection, table, &questions).await?;
    for Question { number, range, .. } in questions {
        pending[number].asked = Some((range, newest.get(&number).copied()));
    }
    Ok(())
}

/// Places one sample.
async fn one(
    connection: &mut SqliteConnection,
    runs: &mut Runs,
    pending: &Pending<'_>,
) -> sqlx::Result<Option<i64>> {
    let series = pending.sample.series;
    let t_us = loop {
        match runs.search(series, pending.t_us) {
            End::Free(t_us) => break t_us,
            End::Unknown(t_us) => look_up_long(connection, runs, pending.table, series, t_us).await?,
        }
    };
    let moved = t_us != pending.t_us;
    if moved && pending.may_repeat() && is_there(connection, runs, pending).await? {
        return Ok(None);
    }
    runs.take(series, t_us, pending.value);
    Ok(Some(t_us))
}

/// Whether the same value is at the sample's instant, or where an equal instant moved it.
async fn is_there(
    connection: &mut SqliteConnection,
    runs: &Runs,
    pending: &Pending<'_>,
) -> sqlx::Result<bool> {
    let range = match runs.repeats(pending.sample.series, pending.t_us, pending.value) {
        Repeats::Yes => return Ok(true),
        Repeats::No => return Ok(false),
        Repeats::Unknown(range) => range,
    };
    let newest = match &pending.asked {
        Some((asked, newest)) if asked.start <= range.start && range.end <= asked.end => *newest,
        // The run was joined with another one meanwhile.
        _ => {
            let question = Question { number: 0, sample: pending.sample, range: range.clone() };
            queries::equal(connection, pending.table, &[question]).await?.remove(&0)
        }
    };
    Ok(newest.is_some_and(|newest| newest >= range.start))
}
