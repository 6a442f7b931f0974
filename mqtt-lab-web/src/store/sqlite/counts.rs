//! Counts of a device's samples, one row for each device.

use std::sync::LazyLock;

use super::bulk::{Bound, Bulk};
use super::cache::Device;
use super::value::{from_sql, to_sql};
use crate::store::DeviceId;

/// The columns of a [`CountsRow`].
pub(super) const SELECT_COUNTS: &str = "select device_id, received, stored, duplicate, refused, no_reading,
    wrong_clock, refusal, last_seen from device_count";

/// A row of `device_count`.
#[derive(sqlx::FromRow)]
pub(super) struct CountsRow {
    device_id: i64,
    received: i64,
    stored: i64,
    duplicate: i64,
    refused: i64,
    no_reading: i64,
    wrong_clock: i64,
    refusal: Option<String>,
    last_seen: i64,
}

impl CountsRow {
    pub(super) fn id(&self) -> DeviceId {
        DeviceId(self.device_id)
    }

    /// A device of which nothing else is known yet.
    pub(super) fn device(self) -> Device {
        Device {
            received: from_sql(self.received),
            stored: from_sql(self.stored),
            duplicate: from_sql(self.duplicate),
            refused: from_sql(self.refused),
            no_reading: from_sql(self.no_reading),
            wrong_clock: from_sql(self.wrong_clock),
            refusal: self.refusal,
            last_seen_us: self.last_seen,
            ..Device::default()
        }
    }
}

/// The INSERT of what [`bind_counts`] binds.
pub(super) static COUNTS: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "insert into device_count
         (device_id, received, stored, duplicate, refused, no_reading, wrong_clock, refusal, last_seen) values",
        9,
        "on conflict (device_id) do update set received = excluded.received, stored = excluded.stored,
         duplicate = excluded.duplicate, refused = excluded.refused, no_reading = excluded.no_reading,
         wrong_clock = excluded.wrong_clock, refusal = excluded.refusal, last_seen = excluded.last_seen",
    )
});

pub(super) fn bind_counts(query: Bound, (id, device): &(DeviceId, &Device)) -> Bound {
    let counts = [device.received, device.stored, device.duplicate, device.refused];
    let query = counts.iter().fold(query.bind(id.0), |query, count| query.bind(to_sql(*count)));
    let query = query.bind(to_sql(device.no_reading)).bind(to_sql(device.wrong_clock));
    query.bind(device.refusal.clone()).bind(device.last_seen_us)
}
