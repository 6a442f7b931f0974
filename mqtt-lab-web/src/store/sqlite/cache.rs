//! What the writer knows by heart, so that a sample costs no query.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::sync::LazyLock;

use mqtt_lab_wire::BootId;
use sqlx::SqliteConnection;

use super::bulk::{Bound, Bulk};
use super::counts::{CountsRow, SELECT_COUNTS};
use super::placing::Runs;
use super::value::{from_sql, to_sql};
use crate::store::{Counts, DeviceId, LifeCounts, LostAndFound, ReceiveWindow};

/// Lives remembered per device; of older ones only the sum of losses stays.
const MAX_LIVES: usize = 32;
/// Devices remembered; above that all are forgotten and read again when needed.
const MAX_DEVICES: usize = 50_000;

/// Devices and series as the database has them, or will have them after this batch.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pub(super) devices: HashMap<DeviceId, Device>,
    pub(super) runs: Runs,
    /// A batch was begun and not ended: the cache may be ahead of the database.
    pub(super) in_doubt: bool,
}

/// A device's counts and lives.
#[derive(Debug, Default)]
pub(super) struct Device {
    pub(super) received: u64,
    pub(super) stored: u64,
    pub(super) duplicate: u64,
    pub(super) refused: u64,
    pub(super) no_reading: u64,
    pub(super) wrong_clock: u64,
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
    pub(super) duplicate: u64,
    pub(super) refused: u64,
    pub(super) no_reading: u64,
    pub(super) began_us: i64,
    pub(super) updated_us: i64,
    pub(super) touched: bool,
}

impl Cache {
    /// Prepares for a batch: forgets what may be wrong, or too much.
    pub(super) fn begin(&mut self) {
        if self.in_doubt || self.devices.len() > MAX_DEVICES {
            self.devices.clear();
        }
        if self.in_doubt {
            self.runs = Runs::default();
        }
        self.in_doubt = true;
    }

    /// Another file is the database now.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
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
        let sql = sqlx::AssertSqlSafe(format!("{SELECT_COUNTS} where device_id = $1"));
        let counts: Option<CountsRow> =
            sqlx::query_as(sql).bind(id.0).fetch_optional(&mut *connection).await?;
        let mut device = counts.map_or_else(Self::default, CountsRow::device);
        let sql = "select lost from forgotten_loss where device_id = $1";
        let lost: Option<i64> = sqlx::query_scalar(sql).bind(id.0).fetch_optional(&mut *connection).await?;
        device.forgotten = lost.map(from_sql);
        let sql = sqlx::AssertSqlSafe(format!("{SELECT_LIVES} where device_id = $1"));
        let lives: Vec<LifeRow> = sqlx::query_as(sql).bind(id.0).fetch_all(connection).await?;
        device.lives =
            lives.into_iter().filter_map(LifeRow::life).map(|(_, boot, life)| (boot, life)).collect();
        Ok(device)
    }

    /// The life of `boot`, begun if it is new.
    pub(super) fn life(&mut self, boot: BootId, now_us: i64) -> &mut Life {
        let life = self.lives.entry(boot).or_insert_with(|| Life::begin(false, now_us));
        life.updated_us = life.updated_us.max(now_us);
        life.touched = true;
        life
    }

    /// Notes a life that the device itself told of, if it is new.
    pub(super) fn begin_life(&mut self, boot: BootId, whole: bool, now_us: i64) {
        self.lives.entry(boot).or_insert_with(|| Life::begin(whole, now_us));
    }

    /// Notes that a number arrived; false: not for the first time, which is counted.
    pub(super) fn is_new(&mut self, (boot, n): (BootId, u64), now_us: i64) -> bool {
        let life = self.life(boot, now_us);
        let new = life.window.insert(n);
        life.duplicate += u64::from(!new);
        self.duplicate += u64::from(!new);
        new
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
            stored: self.stored,
            refused: self.refused,
            no_reading: self.no_reading,
            wrong_clock: self.wrong_clock,
            numbered: numbered.then_some(LostAndFound { duplicate: self.duplicate, lost }),
        }
    }
}

impl Life {
    fn begin(whole: bool, now_us: i64) -> Self {
        let mut window = ReceiveWindow::default();
        window.whole = whole;
        Self {
            window,
            duplicate: 0,
            refused: 0,
            no_reading: 0,
            began_us: now_us,
            updated_us: now_us,
            touched: true,
        }
    }

    /// The counts as the dashboard shows them.
    pub(super) fn counts(&self, boot: BootId) -> LifeCounts {
        LifeCounts {
            boot,
            began_us: self.began_us,
            updated_us: self.updated_us,
            stored: self.window.arrived().saturating_sub(self.refused + self.no_reading),
            refused: self.refused,
            no_reading: self.no_reading,
            found: LostAndFound { duplicate: self.duplicate, lost: self.window.lost() },
        }
    }
}

/// The columns of a [`LifeRow`].
pub(super) const SELECT_LIVES: &str = "select device_id, boot, ranges, given_up, sent, epoch, clock_offset,
    whole, duplicate, refused, no_reading, began, updated from receive_window";

/// A row of `receive_window`.
#[derive(sqlx::FromRow)]
pub(super) struct LifeRow {
    device_id: i64,
    boot: String,
    ranges: String,
    given_up: i64,
    sent: i64,
    epoch: Option<i64>,
    clock_offset: Option<i64>,
    whole: bool,
    duplicate: i64,
    refused: i64,
    no_reading: i64,
    began: i64,
    updated: i64,
}

impl LifeRow {
    /// `None` for what another program wrote there.
    pub(super) fn life(self) -> Option<(DeviceId, BootId, Life)> {
        let boot = BootId::from_str(&self.boot).ok()?;
        let mut window = ReceiveWindow::parse(&self.ranges, from_sql(self.given_up), from_sql(self.sent))?;
        (window.epoch_us, window.clock_offset_us) = (self.epoch, self.clock_offset);
        window.whole = self.whole;
        let life = Life {
            window,
            duplicate: from_sql(self.duplicate),
            refused: from_sql(self.refused),
            no_reading: from_sql(self.no_reading),
            began_us: self.began,
            updated_us: self.updated,
            touched: false,
        };
        Some((DeviceId(self.device_id), boot, life))
    }
}

/// The INSERT of what [`bind_life`] binds.
pub(super) static LIVES: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "insert into receive_window
         (device_id, boot, ranges, given_up, sent, epoch, clock_offset, whole, duplicate, refused, no_reading, began,
          updated) values",
        13,
        "on conflict (device_id, boot) do update set ranges = excluded.ranges, given_up = excluded.given_up,
         sent = excluded.sent, epoch = excluded.epoch, clock_offset = excluded.clock_offset,
         duplicate = excluded.duplicate, refused = excluded.refused, no_reading = excluded.no_reading,
         updated = excluded.updated",
    )
});

pub(super) fn bind_life(query: Bound, (device, boot, life): &(DeviceId, BootId, &Life)) -> Bound {
    let window = &life.window;
    let query = query.bind(device.0).bind(boot.to_string()).bind(window.to_string());
    let query = query.bind(to_sql(window.given_up())).bind(to_sql(window.sent())).bind(window.epoch_us);
    let query = query.bind(window.clock_offset_us).bind(window.whole).bind(to_sql(life.duplicate));
    let query = query.bind(to_sql(life.refused)).bind(to_sql(life.no_reading));
    query.bind(life.began_us).bind(life.updated_us)
}
