//! The rows of a batch, gathered first and inserted at once.

use std::sync::LazyLock;

use mqtt_lab_wire::Value;
use sqlx::SqliteConnection;

use super::bulk::{Bound, Bulk};
use super::rollup::Rollups;
use super::value::to_real;
use crate::store::NewSample;

/// Samples whose keys are free.
#[derive(Default)]
pub(super) struct Rows {
    numbers: Vec<(i64, i64, f64)>,
    texts: Vec<(i64, i64, String)>,
    rollups: Rollups,
}

impl Rows {
    /// Inserts what was gathered, and adds it to the roll-ups.
    pub(super) async fn insert(mut self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        // In the order of the primary key: neighbours go into one page, which is looked up once.
        self.numbers.sort_unstable_by_key(|row| (row.0, row.1));
        let bind = |query: Bound, row: &(i64, i64, f64)| query.bind(row.0).bind(row.1).bind(row.2);
        NUMBERS.run(&mut *connection, &self.numbers, bind).await?;
        let bind = |query: Bound, row: &(i64, i64, String)| query.bind(row.0).bind(row.1).bind(row.2.clone());
        TEXTS.run(&mut *connection, &self.texts, bind).await?;
        self.rollups.write(connection).await
    }

    /// Adds a row whose key is free.
    pub(super) fn add(&mut self, sample: &NewSample, t_us: i64) {
        match (&sample.value, to_real(&sample.value)) {
            (_, Some(number)) => {
                self.numbers.push((sample.series.0, t_us, number));
                self.rollups.add(sample.series, t_us, number);
            }
            (Value::Text(text), None) => self.texts.push((sample.series.0, t_us, text.clone())),
            (_, None) => {}
        }
    }
}

static NUMBERS: LazyLock<Bulk> =
    LazyLock::new(|| Bulk::new("insert into sample (series_id, t, value) values", 3, ""));

static TEXTS: LazyLock<Bulk> =
    LazyLock::new(|| Bulk::new("insert into sample_text (series_id, t, value) values", 3, ""));
