//! Where samples, states and commands are kept: the engine-neutral face of the database.
//!
//! SQL stands only in the modules below (one per engine) and in `migrations/`. The rules that hold
//! for each engine are in [`Store`]; `tests/store_contract.rs` checks them on every engine.

mod error;
mod fault;
mod sender_clock;
pub mod sqlite;
mod types;
mod window;

use std::ops::Range;

use async_trait::async_trait;
use mqtt_lab_wire::Value;

pub use error::StoreError;
pub use fault::Fault;
pub use types::{
    ChannelSettings, Command, CommandState, Counts, DeviceId, Generation, Healed, Last, LifeCounts,
    LostAndFound, NewSample, NewSeries, Outcome, Point, SavedDevice, SavedSeries, SavedVariable, SeriesId,
    Snapshot, StateCause, StateChange, WhenMeasured, Write, WriteReport,
};
pub use window::{MAX_RANGES, ReceiveWindow};

/// A database of one lab.
///
/// # Contract
///
/// - [`write`](Store::write) is one transaction: samples, receive windows, roll-ups and states are
///   in it together or not at all. What it returned `Ok` for survives the kill of the process.
/// - A numbered sample (`b` and `n`) is stored once, however often it is written.
/// - Two different samples of one series at one instant are both kept, the later one at the next
///   free microsecond.
/// - An unnumbered sample of a known time is a duplicate if its value is at that instant, or among the
///   last ones (some hundred) that an equal instant moved behind it.
/// - No pattern of times makes storing slow.
/// - Roll-ups count only rows that were really inserted.
/// - Every method may be called at any time from any task; writers wait for each other.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The engine in one word: `sqlite`.
    fn engine(&self) -> &'static str;

    /// Where it is, in words for people, without a password.
    fn place(&self) -> String;

    /// A random word made with the database, the same ever after: every MQTT client id of the lab ends in it.
    fn identity(&self) -> &str;

    /// Whether version 0.1.0 may have left a session of this database's ingest at the broker.
    async fn has_former_session(&self) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// That session is ended: [`has_former_session`](Store::has_former_session) is false from now on.
    async fn former_session_ended(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Everything the dashboard shows before the first message comes. Ends the commands that an
    /// earlier process left pending, at `now_us`, as timed out. The newest sample of a series is the
    /// newest one that is not after `now_us`: one dated tomorrow is not its last value.
    async fn load(&self, now_us: i64) -> Result<Snapshot, StoreError>;

    /// The id of a device, which is made if need be.
    async fn open_device(&self, group: &str, device: &str, now_us: i64) -> Result<DeviceId, StoreError>;

    /// A series, which is made if need be. Its newest sample is chosen as in [`load`](Store::load).
    async fn open_series(&self, new: &NewSeries) -> Result<SavedSeries, StoreError>;

    /// Which database this is, among those that the store had.
    fn generation(&self) -> Generation;

    /// Writes a batch in one transaction, in its order.
    async fn write(&self, batch: &[Write]) -> Result<WriteReport, StoreError> {
        self.write_for(self.generation(), batch).await
    }

    /// As [`write`](Store::write), for ids of a certain database.
    ///
    /// # Errors
    ///
    /// [`StoreError::OtherDatabase`] if there is another one by now.
    async fn write_for(&self, generation: Generation, batch: &[Write]) -> Result<WriteReport, StoreError>;

    /// Sets the name a person gave (`None`: takes it back) and whether the device is hidden.
    async fn set_shown(&self, id: DeviceId, name: Option<&str>, hidden: bool) -> Result<(), StoreError>;

    /// Keeps what a person said of a channel; empty settings are forgotten.
    async fn set_channel(
        &self,
        id: DeviceId,
        channel: &str,
        settings: &ChannelSettings,
    ) -> Result<(), StoreError>;

    /// The last states of a device, newest first, at most `limit`.
    async fn states(&self, id: DeviceId, limit: u32) -> Result<Vec<StateChange>, StoreError>;

    /// The last lives of a device in which samples were numbered, newest first.
    async fn lives(&self, id: DeviceId) -> Result<Vec<LifeCounts>, StoreError>;

    /// The last commands to a device, newest first, at most `limit`.
    async fn commands(&self, id: DeviceId, limit: u32) -> Result<Vec<Command>, StoreError>;

    /// One command.
    async fn command(&self, id: &str) -> Result<Option<Command>, StoreError>;

    /// Keeps a command that is about to be sent.
    async fn insert_command(&self, device: DeviceId, command: &Command) -> Result<(), StoreError>;

    /// Ends a command that is pending, or timed out: a late answer is an answer.
    async fn end_command(
        &self,
        id: &str,
        state: CommandState,
        error: Option<&str>,
        ended_us: i64,
    ) -> Result<(), StoreError>;

    /// All variables of which something is kept.
    async fn variables(&self) -> Result<Vec<SavedVariable>, StoreError>;

    /// Keeps what a user made a variable; its value stays.
    async fn define_variable(&self, group: &str, name: &str, definition: &str) -> Result<(), StoreError>;

    /// Keeps the value of a variable, one of the lab's file too.
    async fn keep_variable(&self, group: &str, name: &str, value: &Value) -> Result<(), StoreError>;

    /// Forgets a variable, what it is and its value.
    async fn forget_variable(&self, group: &str, name: &str) -> Result<(), StoreError>;

    /// A known series by its id.
    async fn series(&self, id: SeriesId) -> Result<Option<SavedSeries>, StoreError>;

    /// Points of one series in `range` (µs since the Unix epoch), oldest first, thinned to at most
    /// `max_points` (4 or more) such that the lowest and the highest of each stretch are kept.
    async fn points(
        &self,
        series: &SavedSeries,
        range: Range<i64>,
        max_points: usize,
    ) -> Result<Vec<Point>, StoreError>;

    /// Whether the database answers.
    async fn check(&self) -> Result<(), StoreError>;

    /// Writes something that is always the same: tells a row that cannot be written from a database that takes
    /// nothing.
    async fn probe(&self) -> Result<(), StoreError>;

    /// Looks whether the database is still the one that is open, and puts right what is not: one that was deleted is
    /// made again with all it held by the second look that misses it, one that was replaced by a valid one is opened.
    /// Costs little when all is well.
    async fn heal(&self) -> Result<Healed, StoreError>;

    /// Ends all connections; what was written stays.
    async fn close(&self);
}
