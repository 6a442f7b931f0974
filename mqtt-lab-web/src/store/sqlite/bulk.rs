//! One INSERT for many rows: the difference between 60,000 and 176,000 rows a second.

use std::fmt::Write as _;

use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{AssertSqlSafe, SqliteConnection};

/// Rows per statement. Few sizes, so that the prepared statements are reused, and each half of the one before,
/// so that any number of rows takes few statements: each costs a way to the database's thread and back.
const SIZES: [usize; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];

/// An INSERT in a few sizes.
pub(super) struct Bulk {
    sizes: [(usize, String); SIZES.len()],
}

pub(super) type Bound = Query<'static, Sqlite, SqliteArguments>;

impl Bulk {
    /// `head` (… values) (?, ?, …), … `tail`.
    pub(super) fn new(head: &str, columns: usize, tail: &str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(", "));
        let sql = |rows| {
            let mut sql = format!("{head} {}", vec![row.as_str(); rows].join(", "));
            let _ = write!(sql, " {tail}");
            (rows, sql)
        };
        Self { sizes: SIZES.map(sql) }
    }

    /// Inserts `rows`; `bind` adds the values of one.
    pub(super) async fn run<Row>(
        &'static self,
        connection: &mut SqliteConnection,
        mut rows: &[Row],
        bind: impl Fn(Bound, &Row) -> Bound,
    ) -> sqlx::Result<()> {
        for (size, sql) in &self.sizes {
            while rows.len() >= *size {
                let (now, later) = rows.split_at(*size);
                // The text holds nothing but what this file and its callers wrote.
                let query = sqlx::query(AssertSqlSafe(sql.as_str()));
                now.iter().fold(query, &bind).execute(&mut *connection).await?;
                rows = later;
            }
        }
        Ok(())
    }
}
