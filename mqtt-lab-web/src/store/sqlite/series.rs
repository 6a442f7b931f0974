//! Series: which channel's values have which id.

use mqtt_lab_wire::{Datatype, Value};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

use super::During;
use super::value::from_real;
use crate::store::fault::is_damage;
use crate::store::{DeviceId, Last, NewSeries, SavedSeries, SeriesId, StoreError};

/// Series with their newest sample that is not later than `$1`: one step on the primary key for each.
const SELECT: &str = "select s.id, s.device_id, s.channel, s.datatype, s.unit,
        coalesce(n.t, x.t) as t, n.value as number, x.value as text
    from series s
    left join sample n on n.series_id = s.id and n.t = (select max(t) from sample where series_id = s.id and t <= $1)
    left join sample_text x on x.series_id = s.id and x.t = (select max(t) from sample_text where series_id = s.id and t <= $1)";

/// Finds or makes a series. Unique index on `(device_id, channel, datatype)`.
pub(super) async fn open(connection: &mut SqliteConnection, new: &NewSeries) -> sqlx::Result<SeriesId> {
    let sql = "insert into series (device_id, channel, datatype, unit, created) values ($1, $2, $3, $4, $5)
               on conflict (device_id, channel, datatype) do update set unit = coalesce(excluded.unit, unit)
               returning id";
    let query = sqlx::query_scalar(sql).bind(new.device.0).bind(&new.channel).bind(new.datatype.as_str());
    // Without a transaction of its own, a commit that fails after the row was returned would be told to nobody.
    let mut transaction = connection.begin_with("begin immediate").await?;
    let id = query.bind(&new.unit).bind(new.now_us).fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(SeriesId(id))
}

/// By primary key.
pub(super) async fn one(
    pool: &SqlitePool,
    id: SeriesId,
    latest_us: i64,
) -> Result<Option<SavedSeries>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} where s.id = $2"));
    let row: Option<Row> =
        sqlx::query_as(sql).bind(latest_us).bind(id.0).fetch_optional(pool).await.during("read a series")?;
    row.map(Row::series).transpose()
}

/// All of them, oldest first; once, at the start. A series whose newest sample is on a damaged page goes without it.
pub(super) async fn all(pool: &SqlitePool, latest_us: i64) -> Result<Vec<SavedSeries>, StoreError> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} order by s.id"));
    let rows: sqlx::Result<Vec<Row>> = sqlx::query_as(sql).bind(latest_us).fetch_all(pool).await;
    match rows {
        Err(error) if is_damage(&error) => one_by_one(pool, latest_us).await,
        rows => rows.during("read the series")?.into_iter().map(Row::series).collect(),
    }
}

async fn one_by_one(pool: &SqlitePool, latest_us: i64) -> Result<Vec<SavedSeries>, StoreError> {
    let sql = "select id, device_id, channel, datatype, unit, null as t, null as number, null as text
               from series order by id";
    let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(pool).await.during("read the series")?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let bare = row.series()?;
        match one(pool, bare.id, latest_us).await {
            Ok(whole) => all.extend(whole),
            Err(error) => {
                tracing::error!(
                    channel = bare.channel,
                    error = error.cause(),
                    "the newest sample cannot be read"
                );
                all.push(bare);
            }
        }
    }
    Ok(all)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    device_id: i64,
    channel: String,
    datatype: String,
    unit: Option<String>,
    t: Option<i64>,
    number: Option<f64>,
    text: Option<String>,
}

impl Row {
    fn series(self) -> Result<SavedSeries, StoreError> {
        let unreadable = || StoreError::Unreadable { what: "a series", found: self.datatype.clone() };
        let datatype = Datatype::from_word(&self.datatype).ok_or_else(unreadable)?;
        let value = match (self.number, self.text) {
            (Some(number), _) => Some(from_real(datatype, number)),
            (None, text) => text.map(Value::Text),
        };
        Ok(SavedSeries {
            id: SeriesId(self.id),
            device: DeviceId(self.device_id),
            channel: self.channel,
            datatype,
            unit: self.unit,
            last: self.t.zip(value).map(|(t_us, value)| Last { t_us, value }),
        })
    }
}
