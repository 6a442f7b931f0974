//! Messages to oneself: when one is back, everything that the broker took before it is here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mqtt_lab_core::link::Publish;
use mqtt_lab_wire::{Address, CommandResult};
use tokio::sync::watch;

use crate::bus::Outlet;

/// Sent through the broker like the answers to commands that nobody gave; each has a number.
#[derive(Debug)]
pub(crate) struct Marker {
    word: String,
    sent: AtomicU64,
    /// Number of the last one that came back; 0: none did.
    back: watch::Sender<u64>,
}

impl Default for Marker {
    fn default() -> Self {
        let word = format!("marker-{:016x}-", rand::random::<u64>());
        Self { word, sent: AtomicU64::new(0), back: watch::Sender::new(0) }
    }
}

impl Marker {
    /// Notes one that came back; false: the answer to a command.
    pub(super) fn came_back(&self, id: &str) -> bool {
        let number = id.strip_prefix(&self.word).and_then(|number| number.parse::<u64>().ok());
        let Some(number) = number else { return false };
        self.back.send_modify(|back| *back = number.max(*back));
        true
    }

    /// Sends one and waits for it; false: it did not come back within `limit`.
    pub(crate) async fn pass(&self, root: &str, outlet: &dyn Outlet, limit: Duration) -> bool {
        let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("{}{number}", self.word);
        let mut payload = String::new();
        let result = CommandResult { id: &id, value: None, error: None };
        if result.encode(&mut payload).is_err() {
            return false;
        }
        let topic = Address::of_foreign(root, "mqtt-lab", "ingest").result("marker").to_string();
        let pass = async {
            outlet.deliver(Publish::new(topic, payload)).await?;
            self.wait(number).await;
            Ok::<(), String>(())
        };
        matches!(tokio::time::timeout(limit, pass).await, Ok(Ok(())))
    }

    /// Waits until any has come back.
    pub(crate) async fn first(&self) {
        self.wait(1).await;
    }

    async fn wait(&self, number: u64) {
        // The sender lives in `self`, so there is no error.
        let _ = self.back.subscribe().wait_for(|back| *back >= number).await;
    }
}
