//! What the writer knows by heart, so that a sample costs no query.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use mqtt_lab_wire::BootId;
use sqlx::SqliteConnection;

use super::value::{from_sql, to_sql};
use crate::store::{Counts, DeviceId, LostAndFound, ReceiveWindow, SeriesId};

/// Lives remembered per device; of older ones only the sum of losses stays.
const MAX_LIVES: usize = 32;
/// Devices remembered; above that all are forgotten and read again when needed.
const MAX_DEVICES: usize = 50_000;
const MAX_SERIES: usize = 200_000;

/// Devices and series as the database has them, or will have them after this batch.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) devices: HashMap<DeviceId, Device>,
    /// Where the newest sample of a series is.
    pub(super) ends: HashMap<SeriesId, End>,
    /// A batch was begun and not ended: the cache may be ahead of the database.
    pub(super) in_doubt: bool,
}

/// The newest end of a series.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// Time of the newest sample.
    pub(super) last_us: i64,
    /// A stretch of instants known to be taken: from, to (not included).
    pub(super) taken: (i64, i64),
}

impl End {
    /// The first instant from `t_us` on that is not known to be taken.
    pub(super) fn skip_taken(&self, t_us: i64) -> i64 {
        if (self.taken.0..self.taken.1).contains(&t_us) {
            self.taken.1
        } else if t_us == self.last_us {
            t_us.saturating_add(1)
        } else {
            t_us
        }
    }
}

/// A device's counts and lives.
#[derive(Debug, Default)]
pub(super) struct Device {
    pub(super) received: u64,
    pub(super) duplicate: u64,
    pub(super) refused: u64,
    pub(super) refusal: Option<String>,
    pub(super) last_seen_us: i64,
    /// Losses of lives no longer remembered; `None`: there were none.
    pub(super) forgotten: Option<u64>,
    pub(super) lives: BTreeMap<BootId, Life>,
    pub(super) touched: bool,
}

/// One life of a device.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) window: ReceiveWindow,
    pub(super) updated_us: i64,
    pub(super) touched: bool,
}

impl Cache {
    /// Prepares for a batch: forgets what may be wrong, or too much.
    pub(super) fn begin(&mut self) {
        if self.in_doubt || self.devices.len() > MAX_DEVICES {
            self.devices.clear();
        }
        if self.in_doubt || self.ends.len() > MAX_SERIES {
            self.ends.clear();
        }
        self.in_doubt = true;
    }

    /// The device, read if it is not known.
    pub(super) async fn device(
        &mut self,
        connection: &mut SqliteConnection,
        id: DeviceId,
    ) -> sqlx::Result<&mut Device> {
        use std::collections::hash_map::Entry;
        Ok(match self.devices.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(Device::read(connection, id).await?),
        })
    }
}

impl Device {
    /// Reads one device: three look-ups by primary key.
    async fn read(connection: &mut SqliteConnection, id: DeviceId) -> sqlx::Result<Self> {
        let sql =
            "select received, duplicate, refused, refusal, last_seen from device_count where device_id = $1";
        let counts: Option<(i64, i64, i64, Option<String>, i64)> =
            sqlx::query_as(sql).bind(id.0).fetch_optional(&mut *connection).await?;
        let mut device = Self::default();
        if let Some((received, duplicate, refused, refusal, last_seen)) = counts {
            device.received = from_sql(received);
            device.duplicate = from_sql(duplicate);
            device.refused = from_sql(refused);
            device.refusal = refusal;
            device.last_seen_us = last_seen;
        }
        let sql = "select lost from forgotten_loss where device_id = $1";
        let lost: Option<i64> = sqlx::query_scalar(sql).bind(id.0).fetch_optional(&mut *connection).await?;
        device.forgotten = lost.map(from_sql);
        let sql = "select device_id, boot, ranges, given_up, sent, epoch, updated from receive_window
                   where device_id = $1";
        let lives: Vec<LifeRow> = sqlx::query_as(sql).bind(id.0).fetch_all(connection).await?;
        device.lives =
            lives.into_iter().filter_map(LifeRow::life).map(|(_, boot, life)| (boot, life)).collect();
        Ok(device)
    }

    /// The life of `boot`, begun if it is new.
    pub(super) fn life(&mut self, boot: BootId, now_us: i64) -> &mut Life {
        let life = self.lives.entry(boot).or_insert_with(|| Life {
            window: ReceiveWindow::default(),
            updated_us: now_us,
            touched: true,
        });
        life.updated_us = life.updated_us.max(now_us);
        life.touched = true;
        life
    }

    /// Takes the oldest lives out when there are too many.
    pub(super) fn forget_old_lives(&mut self) -> Vec<BootId> {
        let mut gone = Vec::new();
        while self.lives.len() > MAX_LIVES {
            let oldest = self.lives.iter().min_by_key(|(_, life)| life.updated_us).map(|(boot, _)| *boot);
            let Some((boot, life)) = oldest.and_then(|boot| self.lives.remove_entry(&boot)) else { break };
            self.forgotten = Some(self.forgotten.unwrap_or(0).saturating_add(life.window.lost()));
            gone.push(boot);
        }
        gone
    }

    /// The counts as the dashboard shows them.
    pub(super) fn counts(&self) -> Counts {
        let lives = self.lives.values().map(|life| life.window.lost());
        let lost = lives.fold(self.forgotten.unwrap_or(0), u64::saturating_add);
        let numbered = self.forgotten.is_some() || !self.lives.is_empty();
        Counts {
            received: self.received,
            refused: self.refused,
            numbered: numbered.then_some(LostAndFound { duplicate: self.duplicate, lost }),
        }
    }
}

/// A row of `receive_window`.
#[derive(sqlx::FromRow)]
pub(super) struct LifeRow {
    device_id: i64,
    boot: String,
    ranges: String,
    given_up: i64,
    sent: i64,
    epoch: Option<i64>,
    updated: i64,
}

impl LifeRow {
    /// `None` for what another program wrote there.
    pub(super) fn life(self) -> Option<(DeviceId, BootId, Life)> {
        let boot = BootId::from_str(&self.boot).ok()?;
        let window =
            ReceiveWindow::parse(&self.ranges, from_sql(self.given_up), from_sql(self.sent), self.epoch)?;
        Some((DeviceId(self.device_id), boot, Life { window, updated_us: self.updated, touched: false }))
    }
}

/// What a window is written as: `receive_window`'s columns after device and boot.
pub(super) fn window_row(life: &Life) -> (String, i64, i64, Option<i64>, i64) {
    let ReceiveWindow { epoch_us, .. } = life.window;
    let window = &life.window;
    (window.to_string(), to_sql(window.given_up()), to_sql(window.sent()), epoch_us, life.updated_us)
}
