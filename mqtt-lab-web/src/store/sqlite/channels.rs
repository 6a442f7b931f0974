//! Channels: what a person said of them.

use std::collections::{BTreeMap, HashMap};

use mqtt_lab_wire::Datatype;
use sqlx::{SqliteConnection, SqlitePool};

use crate::store::{ChannelSettings, DeviceId};

/// All of them; once, at the start. What cannot be read counts as not said.
pub(super) async fn all(
    pool: &SqlitePool,
) -> sqlx::Result<HashMap<DeviceId, BTreeMap<String, ChannelSettings>>> {
    let sql = "select device_id, name, datatype, unit, quantity, label, choices from channel";
    let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(pool).await?;
    let mut all: HashMap<_, BTreeMap<_, _>> = HashMap::new();
    for row in rows {
        let (device, name, settings) = row.settings();
        all.entry(device).or_default().insert(name, settings);
    }
    Ok(all)
}

/// Keeps them, or forgets them if nothing is said. By primary key.
pub(super) async fn set(
    connection: &mut SqliteConnection,
    device: DeviceId,
    name: &str,
    settings: &ChannelSettings,
) -> sqlx::Result<()> {
    if settings.is_empty() {
        let sql = "delete from channel where device_id = $1 and name = $2";
        sqlx::query(sql).bind(device.0).bind(name).execute(connection).await?;
        return Ok(());
    }
    let sql = "insert into channel (device_id, name, datatype, unit, quantity, label, choices)
               values ($1, $2, $3, $4, $5, $6, $7)
               on conflict (device_id, name) do update set datatype = excluded.datatype, unit = excluded.unit,
               quantity = excluded.quantity, label = excluded.label, choices = excluded.choices";
    let ChannelSettings { datatype, unit, quantity, label, choices } = settings;
    let choices = serde_json::to_string(choices).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let query = sqlx::query(sql).bind(device.0).bind(name).bind(datatype.map(Datatype::as_str));
    query.bind(unit).bind(quantity).bind(label).bind(choices).execute(connection).await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    device_id: i64,
    name: String,
    datatype: Option<String>,
    unit: Option<String>,
    quantity: Option<String>,
    label: Option<String>,
    choices: Option<String>,
}

impl Row {
    fn settings(self) -> (DeviceId, String, ChannelSettings) {
        let choices = self.choices.and_then(|choices| serde_json::from_str(&choices).ok());
        let settings = ChannelSettings {
            datatype: self.datatype.and_then(|word| Datatype::from_word(&word)),
            unit: self.unit,
            quantity: self.quantity,
            label: self.label,
            choices: choices.unwrap_or_default(),
        };
        (DeviceId(self.device_id), self.name, settings)
    }
}
