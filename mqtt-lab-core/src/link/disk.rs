//! A spool that survives the process.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{LinkError, Properties, Publish, Qos};

/// Largest in-memory table before it goes to a file, in bytes.
const TABLE: u64 = 4 * 1024 * 1024;
/// Largest journal, in bytes: the least that the store allows.
const JOURNAL: u64 = 64 * 1024 * 1024;
/// Cache for reading, in bytes; only a start reads.
const CACHE: u64 = 1024 * 1024;

/// A folder for the messages of any number of links: what [`Link::publish`](super::Link::publish)
/// accepted at QoS 1 or 2 is written before it returns, and removed when its end is known.
///
/// The next link with the same client id sends what was left, before its births and before anything
/// new. So a kill of the process (`kill -9`) loses nothing; with `sync` neither does a power cut.
/// Across processes a message may arrive twice, at QoS 2 as well: nobody knows what the broker had.
///
/// One process at a time opens a folder; clones share it. Each link still holds its messages in
/// memory too, at most [`spool_capacity`](super::LinkConfig::spool_capacity).
///
/// ```no_run
/// use mqtt_lab_core::link::{DiskSpool, Link, LinkConfig};
///
/// # async fn run() -> Result<(), mqtt_lab_core::link::LinkError> {
/// let mut config = LinkConfig::new("127.0.0.1:1883", "thermometer");
/// config.disk = Some(DiskSpool::open("spool", false)?);
/// let (link, _events) = Link::spawn(config)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DiskSpool {
    database: Database,
    messages: Keyspace,
    sync: bool,
}

impl fmt::Debug for DiskSpool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskSpool").field("sync", &self.sync).finish_non_exhaustive()
    }
}

impl DiskSpool {
    /// Opens a folder, or makes it.
    ///
    /// `sync`: every message is forced to the disk before it counts as accepted (milliseconds each);
    /// otherwise it is handed to the operating system (microseconds).
    ///
    /// # Errors
    ///
    /// [`LinkError::Spool`] if the folder cannot be used, or another process has it open.
    pub fn open(path: impl AsRef<Path>, sync: bool) -> Result<Self, LinkError> {
        let path = path.as_ref();
        let failed = |error| {
            let reason = match error {
                fjall::Error::Locked => "another process has it open".into(),
                fjall::Error::Io(error) => error.to_string(),
                error => error.to_string(),
            };
            LinkError::Spool { reason: format!("cannot open `{}`: {reason}", path.display()) }
        };
        let database =
            Database::builder(path).cache_size(CACHE).max_journaling_size(JOURNAL).worker_threads(1);
        let database = database.open().map_err(failed)?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(TABLE);
        let messages = database.keyspace("messages", options).map_err(failed)?;
        Ok(Self { database, messages, sync })
    }

    /// What the links of a client id left, in the order in which it was accepted.
    pub(super) fn load(&self, client_id: &str) -> Result<(Store, Vec<(u64, Publish)>), LinkError> {
        let prefix = prefix(client_id);
        let mut left = Vec::new();
        let spoiled =
            |reason: String| LinkError::Spool { reason: format!("a message cannot be read: {reason}") };
        for entry in self.messages.prefix(&prefix) {
            let (key, value) = entry.into_inner().map_err(|error| spoiled(error.to_string()))?;
            let number = key[prefix.len()..].try_into().map(u64::from_be_bytes);
            let number = number.map_err(|_| spoiled("its number is cut off".into()))?;
            let stored: Stored = postcard::from_bytes(&value).map_err(|error| spoiled(error.to_string()))?;
            left.push((number, stored.into()));
        }
        let next = left.last().map_or(0, |(number, _)| number + 1);
        Ok((Store { spool: self.clone(), prefix, next: AtomicU64::new(next) }, left))
    }
}

/// The messages of one client id.
#[derive(Debug)]
pub(super) struct Store {
    spool: DiskSpool,
    prefix: Vec<u8>,
    next: AtomicU64,
}

impl Store {
    /// Writes a message; its number.
    pub(super) fn add(&self, publish: &Publish) -> Result<u64, String> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let stored = postcard::to_allocvec(&Stored::from(publish)).map_err(|error| error.to_string())?;
        let write = || {
            self.spool.messages.insert(self.key(number), stored)?;
            if self.spool.sync { self.spool.database.persist(PersistMode::SyncAll) } else { Ok(()) }
        };
        blocking(self.spool.sync, write).map_err(|error: fjall::Error| error.to_string())?;
        Ok(number)
    }

    /// Forgets messages whose end is known. One that stays because of an error is sent again some day.
    pub(super) fn remove(&self, numbers: &[u64]) {
        let mut batch = self.spool.database.batch();
        for number in numbers {
            batch.remove(&self.spool.messages, self.key(*number));
        }
        if let Err(error) = batch.commit() {
            tracing::error!(%error, count = numbers.len(), "delivered messages stay in the spool on disk");
        }
    }

    fn key(&self, number: u64) -> Vec<u8> {
        [self.prefix.as_slice(), &number.to_be_bytes()].concat()
    }
}

/// Runs what may take milliseconds without holding up other tasks, where the runtime can.
fn blocking<T>(long: bool, work: impl FnOnce() -> T) -> T {
    let many = Handle::try_current().is_ok_and(|it| it.runtime_flavor() == RuntimeFlavor::MultiThread);
    if long && many { tokio::task::block_in_place(work) } else { work() }
}

/// The client id with its length first, so that none is the beginning of another.
fn prefix(client_id: &str) -> Vec<u8> {
    let length = u32::try_from(client_id.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), client_id.as_bytes()].concat()
}

/// A message on disk. Fields are never reordered: files of an older version are read with it.
#[derive(Serialize, Deserialize)]
struct Stored {
    topic: String,
    payload: Vec<u8>,
    qos: u8,
    retain: bool,
    /// When it expires, in milliseconds since the Unix epoch: the life goes on while nothing runs.
    expires_ms: Option<u64>,
    response_topic: Option<String>,
    correlation_data: Option<Vec<u8>>,
    content_type: Option<String>,
    user_properties: Vec<(String, String)>,
}

impl From<&Publish> for Stored {
    fn from(publish: &Publish) -> Self {
        let properties = publish.properties.as_deref().cloned().unwrap_or_default();
        Self {
            topic: publish.topic.clone(),
            payload: publish.payload.to_vec(),
            qos: publish.qos.level(),
            retain: publish.retain,
            expires_ms: properties.message_expiry.map(|life| milliseconds(now().saturating_add(life))),
            response_topic: properties.response_topic,
            correlation_data: properties.correlation_data.map(Into::into),
            content_type: properties.content_type,
            user_properties: properties.user_properties,
        }
    }
}

impl From<Stored> for Publish {
    fn from(stored: Stored) -> Self {
        let left = |expires_ms| Duration::from_millis(expires_ms).saturating_sub(now());
        let properties = Properties {
            message_expiry: stored.expires_ms.map(left),
            response_topic: stored.response_topic,
            correlation_data: stored.correlation_data.map(Into::into),
            content_type: stored.content_type,
            user_properties: stored.user_properties,
        };
        let qos = Qos::from_level(stored.qos).unwrap_or(Qos::AtLeastOnce);
        Self::new(stored.topic, stored.payload).qos(qos).retain(stored.retain).properties(properties)
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
