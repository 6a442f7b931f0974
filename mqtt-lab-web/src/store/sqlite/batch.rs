//! One batch, one transaction.

use std::sync::LazyLock;

use mqtt_lab_wire::Value;
use sqlx::{Connection as _, SqliteConnection};

use super::bulk::Bulk;
use super::cache::{Cache, LIVES, bind_life};
use super::placing::{self, Rows};
use super::rollup::Rollups;
use super::value::to_sql;
use super::{commands, devices};
use crate::store::{DeviceId, NewSample, Outcome, WhenMeasured, Write, WriteReport};

pub(super) async fn write(
    connection: &mut SqliteConnection,
    cache: &mut Cache,
    batch: &[Write],
) -> sqlx::Result<WriteReport> {
    cache.begin();
    mqtt_lab_core::failpoint::hit("database");
    let mut transaction = connection.begin_with("begin immediate").await?;
    let mut writer =
        Writer { cache, connection: &mut transaction, rows: Rows::default(), touched: Vec::new() };
    let mut report = WriteReport::default();
    for write in batch {
        if let Some(outcome) = writer.one(write).await? {
            report.outcomes.push(outcome);
        }
    }
    report.counts = writer.finish().await?;
    transaction.commit().await?;
    Ok(report)
}

struct Writer<'a> {
    cache: &'a mut Cache,
    connection: &'a mut SqliteConnection,
    rows: Rows,
    touched: Vec<DeviceId>,
}

impl Writer<'_> {
    async fn one(&mut self, write: &Write) -> sqlx::Result<Option<Outcome>> {
        match write {
            Write::Sample(sample) => return self.sample(sample).await.map(Some),
            Write::Life { device, boot, whole, arrived_us } => {
                self.device(*device).await?.begin_life(*boot, *whole, *arrived_us);
            }
            Write::Sent { device, boot, sent } => {
                let known = self.device(*device).await?;
                // A life of which nothing ever arrived began before this store listened.
                if let Some(life) = known.lives.get_mut(boot) {
                    life.window.say_sent(*sent);
                    life.touched = true;
                }
            }
            Write::Refused { device, reason, number, arrived_us } => {
                let known = self.device(*device).await?;
                known.refusal = Some(reason.clone());
                known.last_seen_us = known.last_seen_us.max(*arrived_us);
                match number {
                    Some(number) if !known.is_new(*number, *arrived_us) => {}
                    Some((boot, _)) => {
                        known.life(*boot, *arrived_us).refused += 1;
                        known.refused += 1;
                    }
                    None => known.refused += 1,
                }
            }
            Write::State { device, change } => devices::add_state(self.connection, *device, change).await?,
            Write::Said { device, state, error } => {
                devices::set_said(self.connection, *device, *state, error.as_deref()).await?;
            }
            Write::Info { device, info, removed } => {
                devices::set_info(self.connection, *device, info.as_deref(), *removed).await?;
            }
            Write::EndCommand { id, state, error, ended_us } => {
                commands::end(&mut *self.connection, id, *state, error.as_deref(), *ended_us).await?;
            }
        }
        Ok(None)
    }

    async fn device(&mut self, id: DeviceId) -> sqlx::Result<&mut super::cache::Device> {
        let device = self.cache.device(self.connection, id).await?;
        if !device.touched {
            device.touched = true;
            self.touched.push(id);
        }
        Ok(device)
    }

    async fn sample(&mut self, sample: &NewSample) -> sqlx::Result<Outcome> {
        let device = self.device(sample.device).await?;
        device.received += 1;
        device.last_seen_us = device.last_seen_us.max(sample.arrived_us);
        if sample.number.is_some_and(|number| !device.is_new(number, sample.arrived_us)) {
            return Ok(Outcome::Duplicate);
        }
        let t_us = when(device, sample);
        let may_repeat = sample.number.is_none() && matches!(sample.when, WhenMeasured::Known(_));
        let placed =
            placing::place(self.connection, self.cache, &mut self.rows, sample, t_us, may_repeat).await?;
        let device = self.device(sample.device).await?;
        match placed {
            Some(_) => device.stored += 1,
            None => device.duplicate += 1,
        }
        Ok(placed.map_or(Outcome::Duplicate, Outcome::Stored))
    }

    async fn finish(mut self) -> sqlx::Result<Vec<(DeviceId, crate::store::Counts)>> {
        self.rows.flush(self.connection).await?;
        std::mem::take(&mut self.rows.rollups).write(self.connection).await?;
        self.write_lives().await?;
        self.write_counts().await
    }

    async fn write_lives(&mut self) -> sqlx::Result<()> {
        for id in &self.touched {
            let Some(device) = self.cache.devices.get_mut(id) else { continue };
            let gone = device.forget_old_lives();
            if !gone.is_empty() {
                devices::forget_lives(self.connection, *id, &gone, device.forgotten.unwrap_or(0)).await?;
            }
        }
        let mut rows = Vec::new();
        for id in &self.touched {
            let Some(device) = self.cache.devices.get(id) else { continue };
            let touched = device.lives.iter().filter(|(_, life)| life.touched);
            rows.extend(touched.map(|(boot, life)| (*id, *boot, life)));
        }
        LIVES.run(self.connection, &rows, bind_life).await?;
        for id in &self.touched {
            let Some(device) = self.cache.devices.get_mut(id) else { continue };
            device.lives.values_mut().for_each(|life| life.touched = false);
        }
        Ok(())
    }

    async fn write_counts(&mut self) -> sqlx::Result<Vec<(DeviceId, crate::store::Counts)>> {
        let (mut rows, mut counts) = (Vec::new(), Vec::new());
        for id in &self.touched {
            let Some(device) = self.cache.devices.get_mut(id) else { continue };
            device.touched = false;
            counts.push((*id, device.counts()));
            rows.push((
                *id,
                [device.received, device.stored, device.duplicate, device.refused].map(to_sql),
                device.refusal.clone(),
                device.last_seen_us,
            ));
        }
        COUNTS
            .run(self.connection, &rows, |query, (id, numbers, refusal, last_seen)| {
                let query = numbers.iter().fold(query.bind(id.0), |query, number| query.bind(*number));
                query.bind(refusal.clone()).bind(*last_seen)
            })
            .await?;
        Ok(counts)
    }
}

/// When the sample was measured; fixes the boot of a life on its first sample.
fn when(device: &mut super::cache::Device, sample: &NewSample) -> i64 {
    let (ms, arrived_us, fresh) = match sample.when {
        WhenMeasured::Known(t_us) | WhenMeasured::Stamped(t_us) => return t_us,
        WhenMeasured::SinceBoot { ms, arrived_us, fresh } => (ms, arrived_us, fresh),
    };
    let since_us = i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000);
    let Some((boot, _)) = sample.number else { return arrived_us };
    let window = &mut device.life(boot, arrived_us).window;
    let epoch_us = window.epoch_us.unwrap_or_else(|| arrived_us.saturating_sub(since_us));
    if fresh {
        window.epoch_us = Some(epoch_us);
    }
    epoch_us.saturating_add(since_us)
}

static COUNTS: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "insert into device_count (device_id, received, stored, duplicate, refused, refusal, last_seen) values",
        7,
        "on conflict (device_id) do update set received = excluded.received, stored = excluded.stored,
         duplicate = excluded.duplicate, refused = excluded.refused, refusal = excluded.refusal, last_seen = excluded.last_seen",
    )
});

static NUMBERS: LazyLock<Bulk> =
    LazyLock::new(|| Bulk::new("insert into sample (series_id, t, value) values", 3, ""));

static TEXTS: LazyLock<Bulk> =
    LazyLock::new(|| Bulk::new("insert into sample_text (series_id, t, value) values", 3, ""));

impl Rows {
    /// Inserts what was gathered.
    pub(super) async fn flush(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        // In the order of the primary key: neighbours go into one page, which is looked up once.
        self.numbers.sort_unstable_by_key(|row| (row.0, row.1));
        let bind =
            |query: super::bulk::Bound, row: &(i64, i64, f64)| query.bind(row.0).bind(row.1).bind(row.2);
        NUMBERS.run(connection, &self.numbers, bind).await?;
        self.numbers.clear();
        let bind = |query: super::bulk::Bound, row: &(i64, i64, String)| {
            query.bind(row.0).bind(row.1).bind(row.2.clone())
        };
        TEXTS.run(connection, &self.texts, bind).await?;
        self.texts.clear();
        Ok(())
    }

    /// Adds a row whose key is free.
    pub(super) fn add(&mut self, sample: &NewSample, t_us: i64) {
        match (&sample.value, super::value::to_real(&sample.value)) {
            (_, Some(number)) => {
                self.numbers.push((sample.series.0, t_us, number));
                Rollups::add(&mut self.rollups, sample.series, t_us, number);
            }
            (Value::Text(text), None) => self.texts.push((sample.series.0, t_us, text.clone())),
            (_, None) => {}
        }
    }
}
