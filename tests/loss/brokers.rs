//! The brokers of a cell, as processes that can be killed.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cell::Cell;
use crate::fault::Fault;
use crate::support::Lab;
use crate::support::mosquitto::Mosquitto;
use crate::support::proxy::Proxy;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Embedded,
    Mosquitto,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Embedded => "embedded",
            Self::Mosquitto => "mosquitto",
        })
    }
}

enum Process {
    Embedded(Option<Box<Embedded>>),
    Mosquitto(Mosquitto),
}

/// A lab that is a broker and nothing else.
struct Embedded {
    lab: Lab,
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Embedded {
    fn start(durable: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = folder.path().join("broker");
        let mut toml = "[web]\nenabled = false\n[broker]\n".to_owned();
        if durable {
            toml += &format!("storage = {storage:?}\n");
        }
        let file = folder.path().join("broker.toml");
        std::fs::write(&file, toml).expect("writable");
        let lab = Lab::start_at(folder.path(), Some(&file), "127.0.0.1:0");
        Self { lab, folder, file }
    }

    fn kill_and_start_again(self) -> Self {
        let Self { lab, folder, file } = self;
        let address = lab.broker.clone();
        lab.kill();
        let lab = Lab::start_at(folder.path(), Some(&file), &address);
        Self { lab, folder, file }
    }
}

impl Process {
    fn start(cell: &Cell) -> Self {
        let durable = cell.fault == Fault::BrokerKill;
        match cell.broker {
            Kind::Embedded => Self::Embedded(Some(Box::new(Embedded::start(durable)))),
            Kind::Mosquitto => {
                let kept = "persistence true\nautosave_interval 1\n";
                let options = format!("max_queued_messages 0\n{}", if durable { kept } else { "" });
                Self::Mosquitto(Mosquitto::start(&options))
            }
        }
    }

    fn address(&self) -> String {
        match self {
            Self::Embedded(broker) => broker.as_ref().expect("it runs").lab.broker.clone(),
            Self::Mosquitto(broker) => broker.address(),
        }
    }

    fn kill_and_start_again(&mut self) {
        match self {
            Self::Embedded(broker) => {
                *broker = broker.take().map(|broker| Box::new(broker.kill_and_start_again()));
            }
            Self::Mosquitto(broker) => {
                broker.kill();
                broker.start_again();
            }
        }
    }
}

/// One broker, or two for a failover.
pub(crate) struct Brokers(Vec<Process>);

impl Brokers {
    pub(crate) async fn start(cell: &Cell) -> Self {
        let (cell, count) = (cell.clone(), if cell.fault == Fault::Failover { 2 } else { 1 });
        let start = move || (0..count).map(|_| Process::start(&cell)).collect();
        Self(tokio::task::spawn_blocking(start).await.expect("brokers"))
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.0.iter().map(Process::address).collect()
    }

    pub(crate) fn first(&self) -> SocketAddr {
        self.0[0].address().parse().expect("an address")
    }

    pub(crate) async fn kill_first_and_start_again(&mut self, proxy: &Arc<Proxy>) {
        let mut processes = std::mem::take(&mut self.0);
        let restarted = tokio::task::spawn_blocking(move || {
            processes[0].kill_and_start_again();
            processes
        });
        self.0 = restarted.await.expect("the broker starts again");
        proxy.cut();
    }
}
