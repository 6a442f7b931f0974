//! One batch, one transaction.

use sqlx::{Connection as _, SqliteConnection};

use super::cache::{Cache, LIVES, bind_life};
use super::counts::{COUNTS, bind_counts};
use super::placing::{self, Pending};
use super::rows::Rows;
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
    let mut writer = Writer {
        cache,
        connection: &mut transaction,
        outcomes: Vec::new(),
        pending: Vec::new(),
        touched: Vec::new(),
    };
    for write in batch {
        writer.one(write).await?;
    }
    writer.store_samples().await?;
    let outcomes = std::mem::take(&mut writer.outcomes);
    let counts = writer.finish().await?;
    transaction.commit().await?;
    Ok(WriteReport { outcomes, counts })
}

struct Writer<'a> {
    cache: &'a mut Cache,
    connection: &'a mut SqliteConnection,
    /// Of each sample; those that are pending count as duplicates until they are placed.
    outcomes: Vec<Outcome>,
    /// Samples that are new as far as their numbers tell, and their places in `outcomes`.
    pending: Vec<(usize, Pending<'a>)>,
    touched: Vec<DeviceId>,
}

impl<'a> Writer<'a> {
    async fn one(&mut self, write: &'a Write) -> sqlx::Result<()> {
        match write {
            Write::Sample(sample) => self.sample(sample).await?,
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
        Ok(())
    }

    async fn device(&mut self, id: DeviceId) -> sqlx::Result<&mut super::cache::Device> {
        let device = self.cache.device(self.connection, id).await?;
        if !device.touched {
            device.touched = true;
            self.touched.push(id);
        }
        Ok(device)
    }

    async fn sample(&mut self, sample: &'a NewSample) -> sqlx::Result<()> {
        let device = self.device(sample.device).await?;
        device.received += 1;
        device.last_seen_us = device.last_seen_us.max(sample.arrived_us);
        if sample.number.is_some_and(|number| !device.is_new(number, sample.arrived_us)) {
            self.outcomes.push(Outcome::Duplicate);
            return Ok(());
        }
        let t_us = when(device, sample);
        self.pending.push((self.outcomes.len(), Pending::new(&self.cache.runs, sample, t_us)));
        self.outcomes.push(Outcome::Duplicate);
        Ok(())
    }

    async fn store_samples(&mut self) -> sqlx::Result<()> {
        let (numbers, pending): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending).into_iter().unzip();
        let samples: Vec<_> = pending.iter().map(|pending| pending.sample).collect();
        let placed = placing::place(self.connection, &mut self.cache.runs, pending).await?;
        let mut rows = Rows::default();
        for ((number, sample), placed) in numbers.into_iter().zip(samples).zip(placed) {
            let device = self.device(sample.device).await?;
            let Some(t_us) = placed else {
                device.duplicate += 1;
                continue;
            };
            device.stored += 1;
            device.wrong_clock += u64::from(sample.wrong_clock);
            rows.add(sample, t_us);
            self.outcomes[number] = Outcome::Stored(t_us);
        }
        rows.insert(self.connection).await
    }

    async fn finish(mut self) -> sqlx::Result<Vec<(DeviceId, crate::store::Counts)>> {
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
