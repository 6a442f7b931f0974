//! Commands and what became of them.

use mqtt_lab_wire::Value;
use sqlx::{SqliteConnection, SqlitePool};

use super::During;
use crate::store::{Command, CommandState, DeviceId, StoreError};

const SELECT: &str = "select c.id, d.class, d.name, c.channel, c.value, c.state, c.error, c.sent, c.ended
    from command c join device d on d.id = c.device_id";

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    device: DeviceId,
    command: &Command,
) -> sqlx::Result<()> {
    let sql = "insert into command (id, device_id, channel, value, state, error, sent, ended)
               values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let value = serde_json::to_string(&command.value).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let query = sqlx::query(sql).bind(&command.id).bind(device.0).bind(&command.channel).bind(value);
    let query = query.bind(command.state.as_str()).bind(&command.error);
    query.bind(command.sent_us).bind(command.ended_us).execute(connection).await?;
    Ok(())
}

/// Ends one that is pending, or timed out. By primary key.
pub(super) async fn end(
    connection: &mut SqliteConnection,
    id: &str,
    state: CommandState,
    error: Option<&str>,
    ended_us: i64,
) -> sqlx::Result<()> {
    let sql = "update command set state = $1, error = $2, ended = $3
               where id = $4 and state in ('pending', 'timed_out')";
    let query = sqlx::query(sql).bind(state.as_str()).bind(error).bind(ended_us).bind(id);
    query.execute(connection).await?;
    Ok(())
}

/// Ends those of an earlier process. Index `command_pending`.
pub(super) async fn time_out_pending(connection: &mut SqliteConnection, now_us: i64) -> sqlx::Result<()> {
    let sql = "update command set state = 'timed_out', ended = $1 where state = 'pending'";
    sqlx::query(sql).bind(now_us).execute(connection).await?;
    Ok(())
}

/// By primary key.
pub(super) async fn one(pool: &SqlitePool, id: &str) -> Result<Option<Command>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} where c.id = $1"));
    let row: Option<Row> =
        sqlx::query_as(sql).bind(id).fetch_optional(pool).await.during("read a command")?;
    row.map(Row::command).transpose()
}

/// Newest first. Index `command_of_device`.
pub(super) async fn of_device(
    pool: &SqlitePool,
    id: DeviceId,
    limit: u32,
) -> Result<Vec<Command>, StoreError> {
    let sql = format!("{SELECT} where c.device_id = $1 order by c.sent desc, c.rowid desc limit $2");
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.0).bind(i64::from(limit));
    let rows: Vec<Row> = query.fetch_all(pool).await.during("read commands")?;
    rows.into_iter().map(Row::command).collect()
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    class: String,
    name: String,
    channel: String,
    value: String,
    state: String,
    error: Option<String>,
    sent: i64,
    ended: Option<i64>,
}

impl Row {
    fn command(self) -> Result<Command, StoreError> {
        let unreadable = |found: &str| StoreError::Unreadable { what: "a command", found: found.to_owned() };
        let value: Value = serde_json::from_str(&self.value).map_err(|_| unreadable(&self.value))?;
        let state = CommandState::from_word(&self.state).ok_or_else(|| unreadable(&self.state))?;
        Ok(Command {
            id: self.id,
            group: self.class,
            device: self.name,
            channel: self.channel,
            value,
            state,
            error: self.error,
            sent_us: self.sent,
            ended_us: self.ended,
        })
    }
}
