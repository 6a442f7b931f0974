//! Whether an earlier version of this program may have left a session at the broker.

use sqlx::{SqliteConnection, SqlitePool};

/// Key of the row that says under which scheme of client ids this database is used.
const KEY: &str = "client-ids";

/// The present scheme: `<root>_<group>_<device>_<word>`.
const PRESENT: &str = "2";

/// Whether it was used under another scheme and the session of that one was not ended yet. By primary key.
pub(super) async fn exists(pool: &SqlitePool) -> sqlx::Result<bool> {
    let sql = "select value from meta where key = $1";
    let found: Option<String> = sqlx::query_scalar(sql).bind(KEY).fetch_optional(pool).await?;
    Ok(found.as_deref() != Some(PRESENT))
}

/// Notes that there is none. By primary key.
pub(super) async fn ended(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    let sql = "insert into meta (key, value) values ($1, $2)
               on conflict (key) do update set value = excluded.value";
    sqlx::query(sql).bind(KEY).bind(PRESENT).execute(connection).await?;
    Ok(())
}
