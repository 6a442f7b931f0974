//! Gathers what changed and sends it to all pages at once, written down only once.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use mqtt_lab_wire::Value;
use serde::Serialize;
use serde_json::json;
use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, sleep_until};

use crate::clock::Millis;
use crate::registry::{CommandView, DeviceView, Registry};
use crate::store::SeriesId;

/// Time between two messages of samples. The first after a pause goes out at once.
const SPACING: Duration = Duration::from_millis(100);
/// Messages that wait for a slow page before it gets a gap.
const FRAMES: usize = 256;
/// Devices sent at once; the others follow with the next flush.
const DEVICES_PER_FLUSH: usize = 100;

/// Tells a page that it missed something; everything follows.
pub(super) const GAP: &str = r#"{"type":"gap"}"#;

/// A sample for the pages.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fresh {
    pub(crate) t_us: i64,
    pub(crate) value: Value,
    /// Length of its payload.
    pub(crate) bytes: usize,
}

/// Where changes are gathered until the next flush.
#[derive(Debug)]
pub(crate) struct Hub {
    changes: Mutex<Changes>,
    wake: Notify,
    frames: broadcast::Sender<Utf8Bytes>,
}

#[derive(Debug, Default)]
struct Changes {
    /// The newest sample of each series, and how many came.
    samples: HashMap<SeriesId, (Fresh, u64)>,
    devices: BTreeSet<(String, String)>,
}

impl Hub {
    pub(crate) fn new() -> Arc<Self> {
        let (frames, _) = broadcast::channel(FRAMES);
        Arc::new(Self { changes: Mutex::default(), wake: Notify::new(), frames })
    }

    /// All messages from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Utf8Bytes> {
        self.frames.subscribe()
    }

    /// How many pages listen.
    pub(crate) fn listeners(&self) -> usize {
        self.frames.receiver_count()
    }

    /// A new sample.
    pub(crate) fn sample(&self, series: SeriesId, fresh: Fresh) {
        if self.listeners() == 0 {
            return;
        }
        let mut changes = self.lock();
        match changes.samples.get_mut(&series) {
            Some((newest, count)) => (*newest, *count) = (fresh, *count + 1),
            None => drop(changes.samples.insert(series, (fresh, 1))),
        }
        drop(changes);
        self.wake.notify_one();
    }

    /// A device appeared, or something of it changed.
    pub(crate) fn device(&self, group: &str, name: &str) {
        if self.listeners() > 0 {
            self.lock().devices.insert((group.to_owned(), name.to_owned()));
            self.wake.notify_one();
        }
    }

    /// A device left the list.
    pub(crate) fn removed(&self, group: &str, name: &str) {
        self.lock().devices.remove(&(group.to_owned(), name.to_owned()));
        self.send(&json!({"type": "removed", "group": group, "id": name}));
    }

    /// Everything may be different: the pages get all of it again.
    pub(crate) fn reset(&self) {
        *self.lock() = Changes::default();
        drop(self.frames.send(Utf8Bytes::from_static(GAP)));
    }

    /// A command was sent or ended.
    pub(crate) fn command(&self, command: CommandView) {
        #[derive(Serialize)]
        struct Message {
            r#type: &'static str,
            command: CommandView,
        }
        self.send(&Message { r#type: "command", command });
    }

    /// Sends a message to all pages.
    pub(crate) fn send(&self, message: &impl Serialize) {
        if self.listeners() == 0 {
            return;
        }
        match serde_json::to_string(message) {
            // Without a listener there is nobody to miss it.
            Ok(text) => drop(self.frames.send(text.into())),
            Err(error) => tracing::error!(%error, "a live message could not be written"),
        }
    }

    /// Sends what was gathered; true: there is more.
    fn flush(&self, registry: &Registry) -> bool {
        let (samples, devices, more) = {
            let mut changes = self.lock();
            let samples = std::mem::take(&mut changes.samples);
            let mut devices = std::mem::take(&mut changes.devices);
            if let Some(next) = devices.iter().nth(DEVICES_PER_FLUSH).cloned() {
                changes.devices = devices.split_off(&next);
            }
            (samples, devices, !changes.devices.is_empty())
        };
        // Devices first: a page must know a series before its samples come.
        for (group, name) in devices {
            if let Some(device) = registry.view(&group, &name) {
                self.send(&DeviceMessage { r#type: "device", device });
            }
        }
        if !samples.is_empty() {
            drop(self.frames.send(samples_message(&samples).into()));
        }
        more
    }

    fn lock(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Serialize)]
struct DeviceMessage {
    r#type: &'static str,
    device: DeviceView,
}

/// `{"type":"samples","samples":[[series,time_ms,value,bytes,count],…]}`.
fn samples_message(samples: &HashMap<SeriesId, (Fresh, u64)>) -> String {
    let mut text = String::with_capacity(40 + samples.len() * 48);
    text.push_str(r#"{"type":"samples","samples":["#);
    for (i, (series, (fresh, count))) in samples.iter().enumerate() {
        let row = (series, Millis(fresh.t_us), &fresh.value, fresh.bytes, count);
        let row = serde_json::to_string(&row).unwrap_or_default();
        // Writing into a `String` cannot fail.
        let _ = write!(text, "{}{row}", if i == 0 { "" } else { "," });
    }
    text.push_str("]}");
    text
}

/// Flushes the hub: at once after a pause, else every 100 ms. Runs until it is dropped.
pub(crate) async fn run(hub: Arc<Hub>, registry: Arc<Registry>) {
    let mut last = Instant::now();
    loop {
        hub.wake.notified().await;
        mqtt_lab_core::failpoint::hit("live");
        sleep_until(last + SPACING).await;
        last = Instant::now();
        if hub.flush(&registry) {
            hub.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Snapshot;

    fn setup() -> (Arc<Hub>, Arc<Registry>) {
        let hub = Hub::new();
        let registry = Registry::new("lab".to_owned(), None, Arc::clone(&hub), Snapshot::default());
        (hub, Arc::new(registry))
    }

    fn fresh(value: f64) -> Fresh {
        Fresh { t_us: 1_000_500, value: Value::Float(value), bytes: 4 }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_sample_goes_out_at_once_and_the_next_ones_together() {
        let (hub, registry) = setup();
        let mut page = hub.subscribe();
        tokio::spawn(run(Arc::clone(&hub), registry));
        tokio::time::sleep(Duration::from_secs(1)).await; // virtual time
        let begin = Instant::now();
        hub.sample(SeriesId(1), fresh(1.0));
        let first = page.recv().await;
        assert_eq!(first.as_deref(), Ok(r#"{"type":"samples","samples":[[1,1000.5,1.0,4,1]]}"#));
        assert_eq!(begin.elapsed(), Duration::ZERO);
        hub.sample(SeriesId(1), fresh(2.0));
        hub.sample(SeriesId(1), fresh(3.0));
        let second = page.recv().await;
        assert_eq!(second.as_deref(), Ok(r#"{"type":"samples","samples":[[1,1000.5,3.0,4,2]]}"#));
        assert!(begin.elapsed() >= Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_does_not_read_gets_a_gap_and_the_other_everything() {
        let (hub, _) = setup();
        let (mut slow, mut quick) = (hub.subscribe(), hub.subscribe());
        for i in 0..FRAMES + 10 {
            hub.send(&i);
            assert_eq!(quick.recv().await.as_deref(), Ok(i.to_string().as_str()));
        }
        assert!(matches!(slow.recv().await, Err(broadcast::error::RecvError::Lagged(10))));
    }

    #[test]
    fn without_pages_nothing_is_gathered() {
        let (hub, _) = setup();
        hub.sample(SeriesId(1), fresh(1.0));
        hub.device("demo", "x");
        let changes = hub.lock();
        assert!(changes.samples.is_empty() && changes.devices.is_empty());
    }
}
