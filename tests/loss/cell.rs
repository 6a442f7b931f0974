//! One cell of the matrix.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mqtt_lab_core::link::{Qos, Version};

use crate::brokers::{Brokers, Kind};
use crate::fault::{self, FAULTS, Fault};
use crate::sender::{self, Client};
use crate::support::database::Database;
use crate::support::proxy::Proxy;
use crate::witness::{Ingest, Seen, Witness};

#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// Its place in the table.
    pub(crate) index: usize,
    pub(crate) fault: Fault,
    pub(crate) broker: Kind,
    pub(crate) qos: Qos,
    pub(crate) version: Version,
    pub(crate) delay: Duration,
    pub(crate) seed: u64,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, broker, qos, version, delay, .. } = self;
        let (version, delay) = (version.to_string(), delay.as_millis());
        write!(f, "{fault:<14} {broker:<9} QoS {qos} MQTT {version:<5} {delay:>2} ms")
    }
}

pub(crate) fn messages(full: bool) -> u32 {
    if full { 3_000 } else { 1_000 }
}

pub(crate) fn all(full: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    let delays: &[u64] = if full { &[0, 60] } else { &[60] };
    for fault in FAULTS {
        for broker in [Kind::Embedded, Kind::Mosquitto] {
            for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
                for version in [Version::V311, Version::V5] {
                    for delay in delays.iter().map(|ms| Duration::from_millis(*ms)) {
                        let index = cells.len();
                        cells.push(Cell { index, fault, broker, qos, version, delay, seed: 0 });
                    }
                }
            }
        }
    }
    cells
}

/// What a cell brought to light.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Messages that no subscriber ever got.
    pub(crate) lost: usize,
    /// Those among them that the broker had acknowledged.
    pub(crate) lost_after_ack: usize,
    /// Deliveries beyond the first at the foreign subscriber.
    pub(crate) repeated: usize,
    pub(crate) disordered: usize,
    /// How often the sender connected again.
    pub(crate) reconnects: u64,
    /// Messages that were not in the database when it went on.
    pub(crate) held_up: u64,
    /// Rows in SQL, the distinct values among them, and what the lab counts as lost; of every lab.
    pub(crate) stored: Vec<Stored>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) numbers: Vec<u32>,
    pub(crate) counted_lost: Option<u64>,
}

impl Cell {
    pub(crate) async fn run(&self, client: Client, messages: u32) -> Outcome {
        let brokers = Brokers::start(self).await;
        let proxy = Arc::new(Proxy::start(brokers.first()).await);
        proxy.delay(self.delay);
        let mut witnesses = Vec::new();
        let mut labs = Vec::new();
        for address in brokers.addresses() {
            witnesses.push(Witness::start(&address).await);
            labs.push(Ingest::start(&address).await);
            sender::announce(&address).await;
        }
        let mut route = vec![proxy.address().to_string()];
        route.extend(brokers.addresses().into_iter().skip(1));
        let folder = labs[0].folder().to_path_buf();
        let fault = fault::plan(self, messages, &proxy, brokers, Database::of(&folder).await);
        let sent = sender::send(self, client, &route, messages).await;
        let (brokers, mut database) = fault.await.expect("the fault's task lives");
        let held_up = if self.fault == Fault::DatabaseStopped {
            let held_up = u64::from(messages) - database.samples("sender").await.0;
            database.go_on().await;
            held_up
        } else {
            0
        };
        let mut seen = Vec::new();
        for witness in witnesses {
            seen.push(witness.finish(messages).await);
        }
        let got: HashSet<u32> = seen.iter().flat_map(|seen| seen.numbers()).collect();
        let mut stored = Vec::new();
        let alone = labs.len() == 1;
        for ((lab, seen), address) in labs.into_iter().zip(&seen).zip(brokers.addresses()) {
            let lab = lab.listening().await;
            sender::say_again(&address, messages).await;
            // A broker gives the same to both of its subscribers.
            let expected = if alone { got.len() } else { seen.numbers().count() };
            stored.push(lab.finish(expected, messages).await);
        }
        drop(brokers);
        let lost: Vec<u32> = (1..=messages).filter(|number| !got.contains(number)).collect();
        Outcome {
            lost_after_ack: lost.iter().filter(|number| sent.acked.contains(number)).count(),
            lost: lost.len(),
            repeated: seen.iter().map(Seen::repeated).sum(),
            disordered: seen.iter().map(Seen::disordered).sum(),
            reconnects: sent.reconnects,
            held_up,
            stored,
        }
    }
}
