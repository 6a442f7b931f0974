//! Variables: what users made, and the values that were set.

use mqtt_lab_wire::Value;
use sqlx::{SqliteConnection, SqlitePool};

use super::During;
use crate::store::{SavedVariable, StoreError};

/// Most variables that are read: far more than a lab takes, so that those of other files count little.
const MAX_ROWS: i64 = 10_000;

/// All of them, by group and name: primary key, no sort.
pub(super) async fn all(pool: &SqlitePool) -> Result<Vec<SavedVariable>, StoreError> {
    let sql = "select class, name, definition, value from variable order by class, name limit $1";
    let rows: Vec<Row> = sqlx::query_as(sql).bind(MAX_ROWS).fetch_all(pool).await.during("read variables")?;
    rows.into_iter().map(Row::variable).collect()
}

/// What a user made it. By primary key.
pub(super) async fn define(
    connection: &mut SqliteConnection,
    group: &str,
    name: &str,
    definition: &str,
) -> sqlx::Result<()> {
    let sql = "insert into variable (class, name, definition) values ($1, $2, $3)
               on conflict (class, name) do update set definition = excluded.definition";
    sqlx::query(sql).bind(group).bind(name).bind(definition).execute(connection).await?;
    Ok(())
}

/// Its value. By primary key.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    group: &str,
    name: &str,
    value: &Value,
) -> sqlx::Result<()> {
    let sql = "insert into variable (class, name, value) values ($1, $2, $3)
               on conflict (class, name) do update set value = excluded.value";
    let value = serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(sql).bind(group).bind(name).bind(value).execute(connection).await?;
    Ok(())
}

/// By primary key.
pub(super) async fn forget(connection: &mut SqliteConnection, group: &str, name: &str) -> sqlx::Result<()> {
    let sql = "delete from variable where class = $1 and name = $2";
    sqlx::query(sql).bind(group).bind(name).execute(connection).await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    class: String,
    name: String,
    definition: Option<String>,
    value: Option<String>,
}

impl Row {
    fn variable(self) -> Result<SavedVariable, StoreError> {
        let read = |text: String| {
            let unreadable = |_| StoreError::Unreadable { what: "a variable", found: text.clone() };
            serde_json::from_str(&text).map_err(unreadable)
        };
        let value = self.value.map(read).transpose()?;
        Ok(SavedVariable { group: self.class, name: self.name, definition: self.definition, value })
    }
}
