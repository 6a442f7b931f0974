//! One SELECT for many keys: a look-up by primary key costs less than the way to the database's thread and back.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, SqliteConnection};

use super::bulk::Bound;

/// Keys per statement. Few sizes, so that the prepared statements are reused.
const SIZES: [usize; 4] = [256, 64, 8, 1];

/// A SELECT that joins the keys, in a few sizes.
pub(super) struct Lookup {
    sizes: [(usize, String); SIZES.len()],
}

impl Lookup {
    /// `with wanted (columns) as (values (?, …), …) tail`.
    pub(super) fn new(columns: &[&str], tail: &str) -> Self {
        let names = columns.join(", ");
        let key = format!("({})", vec!["?"; columns.len()].join(", "));
        let sql = |size| {
            let keys = vec![key.as_str(); size].join(", ");
            (size, format!("with wanted ({names}) as (values {keys}) {tail}"))
        };
        Self { sizes: SIZES.map(sql) }
    }

    /// Looks `keys` up; `bind` adds one. Where they do not fill a statement, the last one is repeated in it.
    pub(super) async fn run<Key, Row>(
        &'static self,
        connection: &mut SqliteConnection,
        mut keys: &[Key],
        bind: impl Fn(Bound, &Key) -> Bound,
    ) -> sqlx::Result<Vec<Row>>
    where
        Row: for<'r> FromRow<'r, SqliteRow>,
    {
        let mut found = Vec::new();
        while let Some(last) = keys.last() {
            let [(largest, _), ..] = &self.sizes;
            let (now, later) = keys.split_at(keys.len().min(*largest));
            let Some((size, sql)) = self.sizes.iter().rev().find(|(size, _)| *size >= now.len()) else {
                break;
            };
            // The text holds nothing but what this file and its callers wrote.
            let mut query = sqlx::query(AssertSqlSafe(sql.as_str()));
            for key in now.iter().chain(std::iter::repeat_n(last, size - now.len())) {
                query = bind(query, key);
            }
            for row in query.fetch_all(&mut *connection).await? {
                found.push(Row::from_row(&row)?);
            }
            keys = later;
        }
        Ok(found)
    }
}
