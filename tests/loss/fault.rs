//! What goes wrong, and when.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinHandle;

use crate::brokers::Brokers;
use crate::cell::Cell;
use crate::support::database::Database;
use crate::support::proxy::{Proxy, Way};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The connection ends twice, between any two bytes on their way to the broker.
    TwoCuts,
    /// It ends within a packet of the sender, and then within an acknowledgement.
    CutMidPacket,
    /// The network swallows everything, and nobody is told.
    Blackhole,
    /// `kill -9` of the broker, which comes back with what it kept.
    BrokerKill,
    /// `kill -9` of the sending process, which has a spool on disk.
    SenderKill,
    /// The database of the lab that stores stands still from somewhere in the middle until all is sent.
    DatabaseStopped,
    /// The first of two brokers cannot be reached any more.
    Failover,
}

pub(crate) const FAULTS: [Fault; 7] = [
    Fault::TwoCuts,
    Fault::CutMidPacket,
    Fault::Blackhole,
    Fault::BrokerKill,
    Fault::SenderKill,
    Fault::DatabaseStopped,
    Fault::Failover,
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::TwoCuts => "two cuts",
            Self::CutMidPacket => "cut mid-packet",
            Self::Blackhole => "blackhole",
            Self::BrokerKill => "broker kill -9",
            Self::SenderKill => "sender kill -9",
            Self::DatabaseStopped => "database stops",
            Self::Failover => "failover",
        })
    }
}

/// Plans the fault; it happens when so many bytes have passed. The task ends when it is over.
pub(crate) fn plan(
    cell: &Cell,
    messages: u32,
    proxy: &Arc<Proxy>,
    brokers: Brokers,
    mut database: Database,
) -> JoinHandle<(Brokers, Database)> {
    let mut random = StdRng::seed_from_u64(cell.seed);
    // What one message takes at least, so that the fault comes before the end.
    let bytes = u64::from(messages) * 50;
    let first = random.random_range(bytes / 8..bytes / 3);
    let second = first + random.random_range(bytes / 8..bytes / 3);
    let acks = u64::from(messages) * if cell.qos.level() == 0 { 0 } else { 4 };
    match cell.fault {
        Fault::TwoCuts => {
            proxy.cut_after(Way::ToBroker, first);
            proxy.cut_after(Way::ToBroker, second);
        }
        Fault::CutMidPacket => {
            proxy.cut_after(Way::ToBroker, first);
            let (way, at) =
                if acks > 0 { (Way::ToClient, acks / 2 + second % 64) } else { (Way::ToBroker, second) };
            proxy.cut_after(way, at);
        }
        Fault::Blackhole
        | Fault::BrokerKill
        | Fault::SenderKill
        | Fault::DatabaseStopped
        | Fault::Failover => {}
    }
    let (proxy, fault) = (Arc::clone(proxy), cell.fault);
    tokio::spawn(async move {
        let mut brokers = brokers;
        match fault {
            Fault::TwoCuts | Fault::CutMidPacket | Fault::SenderKill => {}
            Fault::Blackhole => {
                proxy.passed(Way::ToBroker, first).await;
                proxy.silence(true);
                // Until every watchdog has given the connection up; the next one finds the network mended.
                tokio::time::sleep(Duration::from_secs(3)).await;
                proxy.cut();
                proxy.silence(false);
            }
            Fault::DatabaseStopped => {
                proxy.passed(Way::ToBroker, first).await;
                database.stop().await;
            }
            Fault::BrokerKill => {
                proxy.passed(Way::ToBroker, first).await;
                brokers.kill_first_and_start_again(&proxy).await;
            }
            Fault::Failover => {
                proxy.passed(Way::ToBroker, first).await;
                proxy.refuse();
                proxy.cut();
            }
        }
        (brokers, database)
    })
}
