//! One batch, one transaction.

use std::sync::LazyLock;

use mqtt_lab_wire::Value;
use sqlx::{Connection as _, SqliteConnection};

use super::bulk::Bulk;
use super::cache::{Cache, LIVES, bind_life};
use super::counts::{COUNTS, bind_counts};
use super::placing::{self, Rows};
use super::rollup::Rollups;
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
            Write::NoReading { device, number, arrived_us } => {
                let known = self.device(*device).await?;
                known.last_seen_us = known.last_seen_us.max(*arrived_us);
                match number {
                    Some(number) if !known.is_new(*number, *arrived_us) => {}
                    Some((boot, _)) => {
                        known.life(*boot, *arrived_us).no_reading += 1;
                        known.no_reading += 1;
                    }
                    None => known.no_reading += 1,
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
            Some(_) => {
                device.stored += 1;
                device.wrong_clock += u64::from(sample.wrong_clock);
            }
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
        for id in &self.touched {
            let Some(device) = self.cache.devices.get_mut(id) else { continue };
            device.touched = false;
        }
        let devices = &self.cache.devices;
        let rows: Vec<_> =
            self.touched.iter().filter_map(|id| devices.get(id).map(|device| (*id, device))).collect();
        COUNTS.run(self.connection, &rows, bind_counts).await?;
        Ok(rows.into_iter().map(|(id, device)| (id, device.counts())).collect())
    }
}

/// Returns when the sample was measured. The first one of a boot may fix when that was, or the error of its clock.
fn when(device: &mut super::cache::Device, sample: &NewSample) -> i64 {
    let life = sample.number.map(|(boot, _)| device.life(boot, sample.arrived_us));
    match (sample.when, life) {
        (WhenMeasured::Known(t_us) | WhenMeasured::Stamped(t_us), _) => t_us,
        (WhenMeasured::SinceBoot { ms, arrived_us, fresh }, Some(life)) => {
            life.window.since_boot(ms, arrived_us, fresh)
        }
        (WhenMeasured::WrongClock { t_us, arrived_us, fresh }, Some(life)) => {
            life.window.by_wrong_clock(t_us, arrived_us, fresh)
        }
        (WhenMeasured::SinceBoot { arrived_us, .. } | WhenMeasured::WrongClock { arrived_us, .. }, None) => {
            arrived_us
        }
    }
}

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
