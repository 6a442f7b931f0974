//! Devices, what they said, and the history of their states.

use mqtt_lab_wire::{BootId, Info, State};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

use super::During;
use super::cache::{LifeRow, SELECT_LIVES};
use super::value::to_sql;
use crate::store::{DeviceId, LifeCounts, StateCause, StateChange, StoreError};

/// Finds or makes a device. Unique index on `(class, name)`.
pub(super) async fn open(
    connection: &mut SqliteConnection,
    group: &str,
    device: &str,
    now_us: i64,
) -> sqlx::Result<DeviceId> {
    let mut transaction = connection.begin_with("begin immediate").await?;
    let sql = "insert into device (class, name, created) values ($1, $2, $3) on conflict do nothing";
    sqlx::query(sql).bind(group).bind(device).bind(now_us).execute(&mut *transaction).await?;
    let sql = "select id from device where class = $1 and name = $2";
    let id = sqlx::query_scalar(sql).bind(group).bind(device).fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(DeviceId(id))
}

/// What a person sets.
pub(super) async fn set_shown(
    connection: &mut SqliteConnection,
    id: DeviceId,
    name: Option<&str>,
    hidden: bool,
) -> sqlx::Result<()> {
    let sql = "update device set given_name = $1, hidden = $2 where id = $3";
    sqlx::query(sql).bind(name).bind(hidden).bind(id.0).execute(connection).await?;
    Ok(())
}

/// The description as it travels; `None`: there is none (any more).
pub(super) async fn set_info(
    connection: &mut SqliteConnection,
    id: DeviceId,
    info: Option<&Info>,
    removed: bool,
) -> sqlx::Result<()> {
    let text = info.map(|info| {
        let mut text = String::new();
        // Writing into a `String` cannot fail.
        let _ = info.encode(&mut text);
        text
    });
    let sql = "update device set info = $1, removed = $2 where id = $3";
    sqlx::query(sql).bind(text).bind(removed).bind(id.0).execute(connection).await?;
    Ok(())
}

/// The last word on `$state` and the text on `$error`.
pub(super) async fn set_said(
    connection: &mut SqliteConnection,
    id: DeviceId,
    state: Option<State>,
    error: Option<&str>,
) -> sqlx::Result<()> {
    let sql = "update device set announced_state = $1, error = $2 where id = $3";
    sqlx::query(sql).bind(state.map(State::as_str)).bind(error).bind(id.0).execute(connection).await?;
    Ok(())
}

/// Moves a device into a state: one row of history.
pub(super) async fn add_state(
    connection: &mut SqliteConnection,
    id: DeviceId,
    change: &StateChange,
) -> sqlx::Result<()> {
    let (state, cause) = (change.state.as_str(), change.cause.as_str());
    let sql = "insert into state_history (device_id, t, state, cause) values ($1, $2, $3, $4)";
    let query = sqlx::query(sql).bind(id.0).bind(change.t_us).bind(state).bind(cause);
    query.execute(&mut *connection).await?;
    let sql = "update device set state = $1, state_cause = $2, state_t = $3 where id = $4";
    sqlx::query(sql).bind(state).bind(cause).bind(change.t_us).bind(id.0).execute(connection).await?;
    Ok(())
}

/// Newest first. Index `state_history_of_device`, no sort.
pub(super) async fn states(
    pool: &SqlitePool,
    id: DeviceId,
    limit: u32,
) -> Result<Vec<StateChange>, StoreError> {
    let sql = "select t, state, cause from state_history where device_id = $1 order by id desc limit $2";
    let query = sqlx::query_as(sql).bind(id.0).bind(i64::from(limit));
    let rows: Vec<(i64, String, String)> = query.fetch_all(pool).await.during("read states")?;
    rows.into_iter().map(|(t_us, state, cause)| change(t_us, &state, &cause)).collect()
}

/// A state as the database has it.
pub(super) fn change(t_us: i64, state: &str, cause: &str) -> Result<StateChange, StoreError> {
    let unreadable = |found: &str| StoreError::Unreadable { what: "a state", found: found.to_owned() };
    let cause = StateCause::from_word(cause).ok_or_else(|| unreadable(cause))?;
    let state = State::decode(state.as_bytes()).map_err(|_| unreadable(state))?;
    Ok(StateChange { t_us, state, cause })
}

/// Newest first; at most as many as are remembered. Primary key of `receive_window`.
pub(super) async fn lives(pool: &SqlitePool, id: DeviceId) -> Result<Vec<LifeCounts>, StoreError> {
    let sql =
        sqlx::AssertSqlSafe(format!("{SELECT_LIVES} where device_id = $1 order by began desc, updated desc"));
    let rows: Vec<LifeRow> =
        sqlx::query_as(sql).bind(id.0).fetch_all(pool).await.during("read what arrived")?;
    let lives = rows.into_iter().filter_map(LifeRow::life);
    Ok(lives.map(|(_, boot, life)| life.counts(boot)).collect())
}

/// Drops the windows of old lives and keeps the sum of what was lost in them.
pub(super) async fn forget_lives(
    connection: &mut SqliteConnection,
    id: DeviceId,
    gone: &[BootId],
    lost: u64,
) -> sqlx::Result<()> {
    for boot in gone {
        let sql = "delete from receive_window where device_id = $1 and boot = $2";
        sqlx::query(sql).bind(id.0).bind(boot.to_string()).execute(&mut *connection).await?;
    }
    let sql = "insert into forgotten_loss (device_id, lost) values ($1, $2)
               on conflict (device_id) do update set lost = excluded.lost";
    sqlx::query(sql).bind(id.0).bind(to_sql(lost)).execute(connection).await?;
    Ok(())
}
