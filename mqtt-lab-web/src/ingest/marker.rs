//! A message to oneself: when it is back, everything that the broker took before it is here.

use std::time::Duration;

use mqtt_lab_core::link::Publish;
use mqtt_lab_wire::{Address, CommandResult};
use tokio::sync::Notify;

use crate::bus::Outlet;

/// Sent through the broker like the answer to a command that nobody gave.
#[derive(Debug)]
pub(crate) struct Marker {
    id: String,
    arrived: Notify,
}

impl Default for Marker {
    fn default() -> Self {
        Self { id: format!("marker-{:016x}", rand::random::<u64>()), arrived: Notify::new() }
    }
}

impl Marker {
    pub(super) fn is(&self, id: &str) -> bool {
        self.id == id
    }

    pub(super) fn arrived(&self) {
        self.arrived.notify_one();
    }

    /// Sends it and waits for it; false: it did not come back within `limit`.
    pub(crate) async fn pass(&self, root: &str, outlet: &dyn Outlet, limit: Duration) -> bool {
        let mut payload = String::new();
        let result = CommandResult { id: &self.id, value: None, error: None };
        if result.encode(&mut payload).is_err() {
            return false;
        }
        let topic = Address::of_foreign(root, "mqtt-lab", "ingest").result("marker").to_string();
        let pass = async {
            outlet.deliver(Publish::new(topic, payload)).await?;
            self.arrived.notified().await;
            Ok::<(), String>(())
        };
        matches!(tokio::time::timeout(limit, pass).await, Ok(Ok(())))
    }
}
