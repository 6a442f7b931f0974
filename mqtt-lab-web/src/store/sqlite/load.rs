//! Everything the dashboard shows before the first message comes.

use std::collections::{BTreeMap, HashMap};

use mqtt_lab_wire::{Info, State};
use sqlx::SqlitePool;

use super::cache::{Device, LifeRow, SELECT_LIVES};
use super::counts::{CountsRow, SELECT_COUNTS};
use super::value::from_sql;
use super::{During, channels, devices, series};
use crate::store::{DeviceId, SavedDevice, Snapshot, StoreError};

pub(super) async fn snapshot(pool: &SqlitePool, now_us: i64) -> Result<Snapshot, StoreError> {
    let sql =
        "select d.id, d.class, d.name, d.given_name, d.hidden, d.removed, d.info, d.state, d.state_cause,
                      d.state_t, d.announced_state, d.error, f.lost as forgotten
               from device d
               left join forgotten_loss f on f.device_id = d.id
               order by d.class, d.name";
    let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(pool).await.during("read the devices")?;
    let mut known = known(pool).await.during("read what arrived")?;
    let mut settings = channels::all(pool).await.during("read the channels")?;
    let saved = rows.into_iter().map(|row| {
        let id = DeviceId(row.id);
        let settings = settings.remove(&id).unwrap_or_default();
        row.device(known.remove(&id).unwrap_or_default()).map(|device| SavedDevice { settings, ..device })
    });
    Ok(Snapshot { devices: saved.collect::<Result<_, _>>()?, series: series::all(pool, now_us).await? })
}

/// Counts and lives.
async fn known(pool: &SqlitePool) -> sqlx::Result<HashMap<DeviceId, Device>> {
    let counts: Vec<CountsRow> = sqlx::query_as(SELECT_COUNTS).fetch_all(pool).await?;
    let mut devices: HashMap<_, _> = counts.into_iter().map(|row| (row.id(), row.device())).collect();
    let rows: Vec<LifeRow> = sqlx::query_as(SELECT_LIVES).fetch_all(pool).await?;
    for (id, boot, life) in rows.into_iter().filter_map(LifeRow::life) {
        devices.entry(id).or_default().lives.insert(boot, life);
    }
    Ok(devices)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    class: String,
    name: String,
    given_name: Option<String>,
    hidden: bool,
    removed: bool,
    info: Option<String>,
    state: Option<String>,
    state_cause: Option<String>,
    state_t: Option<i64>,
    announced_state: Option<String>,
    error: Option<String>,
    forgotten: Option<i64>,
}

impl Row {
    fn device(self, mut known: Device) -> Result<SavedDevice, StoreError> {
        known.forgotten = self.forgotten.map(from_sql);
        let counts = known.counts();
        let life = known.lives.into_iter().max_by_key(|(_, life)| life.updated_us);
        let state = match (&self.state, &self.state_cause, self.state_t) {
            (Some(state), Some(cause), Some(t_us)) => Some(devices::change(t_us, state, cause)?),
            _ => None,
        };
        Ok(SavedDevice {
            id: DeviceId(self.id),
            group: self.class,
            device: self.name,
            name: self.given_name,
            hidden: self.hidden,
            removed: self.removed,
            // A description that a later version cannot read any more comes again: it is retained.
            info: self.info.and_then(|info| Info::decode(info.as_bytes()).ok()),
            state,
            announced_state: self.announced_state.and_then(|word| State::decode(word.as_bytes()).ok()),
            error: self.error,
            counts,
            refusal: known.refusal,
            last_seen_us: (known.last_seen_us > 0).then_some(known.last_seen_us),
            life: life.map(|(boot, life)| (boot, life.window)),
            settings: BTreeMap::new(),
        })
    }
}
