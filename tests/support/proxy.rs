//! A TCP proxy that does to a connection what a bad network does.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

/// Chunks on their way in one direction of one connection, at most: then the sender waits.
const ON_THE_WAY: usize = 4096;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToBroker,
    ToClient,
}

/// What the network is like now.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    /// Delay of every byte from the broker to the client.
    delay: Duration,
    /// Bytes go nowhere, and nobody is told.
    silent: bool,
}

#[derive(Debug, Default)]
struct Plan {
    /// Cuts to come: after so many bytes of that way, counted over all connections. One after the other.
    cuts: VecDeque<(Way, u64)>,
    bytes: [u64; 2],
    /// Cuts that took place.
    done: u32,
}

impl Plan {
    /// How many of `count` bytes still pass, and whether the connection is cut after them.
    fn pass(&mut self, way: Way, count: usize) -> (usize, bool) {
        let passed = &mut self.bytes[usize::from(way == Way::ToClient)];
        let end = *passed + count as u64;
        match self.cuts.front() {
            Some((cut, at)) if *cut == way && end >= *at => {
                let fits = usize::try_from(at.saturating_sub(*passed)).unwrap_or(count).min(count);
                *passed += fits as u64;
                self.cuts.pop_front();
                self.done += 1;
                (fits, true)
            }
            _ => {
                *passed = end;
                (count, false)
            }
        }
    }
}

/// A proxy on a free port; dropped, it and all its connections are gone.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    target: Arc<Mutex<SocketAddr>>,
    plan: Arc<Mutex<Plan>>,
    cut: watch::Sender<u64>,
    task: AbortHandle,
}

impl Proxy {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (weather, plan) = (watch::Sender::new(Weather::default()), Arc::<Mutex<Plan>>::default());
        let (target, cut) = (Arc::new(Mutex::new(target)), watch::Sender::new(0));
        let shared = (weather.clone(), Arc::clone(&target), Arc::clone(&plan), cut.clone());
        let task = tokio::spawn(async move {
            let (weather, target, plan, cut) = shared;
            // Ends the connections with itself.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let target = *locked(&target);
                let mut cut = cut.subscribe();
                let weather = weather.subscribe();
                let plan = Arc::clone(&plan);
                connections.spawn(async move {
                    tokio::select! {
                        () = connection(client, target, weather, plan) => {}
                        _ = cut.changed() => {}
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, weather, target, plan, cut, task: task.abort_handle() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections now, at both ends.
    pub(crate) fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Ends a connection as soon as so many bytes went that way since the start, within a packet too.
    pub(crate) fn cut_after(&self, way: Way, bytes: u64) {
        locked(&self.plan).cuts.push_back((way, bytes));
    }

    /// Planned cuts that took place.
    pub(crate) fn cuts(&self) -> u32 {
        locked(&self.plan).done
    }

    /// Bytes that went that way since the start.
    pub(crate) fn bytes(&self, way: Way) -> u64 {
        locked(&self.plan).bytes[usize::from(way == Way::ToClient)]
    }

    /// Bytes of the broker arrive so much later.
    pub(crate) fn delay(&self, delay: Duration) {
        self.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Nothing arrives any more, in either direction, and no connection ends.
    pub(crate) fn silence(&self, silent: bool) {
        self.weather.send_modify(|weather| weather.silent = silent);
    }

    /// Waits until so many bytes went that way since the start.
    pub(crate) async fn passed(&self, way: Way, bytes: u64) {
        while self.bytes(way) < bytes {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Later connections end before they begin.
    pub(crate) fn refuse(&self) {
        // Nobody listens on the discard port of a loopback address.
        self.lead_to(([127, 0, 0, 1], 9).into());
    }

    /// Later connections lead there.
    pub(crate) fn lead_to(&self, target: SocketAddr) {
        *locked(&self.target) = target;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until either side closes or a cut is due; then both are closed.
async fn connection(
    client: TcpStream,
    target: SocketAddr,
    weather: watch::Receiver<Weather>,
    plan: Arc<Mutex<Plan>>,
) {
    let Ok(broker) = TcpStream::connect(target).await else { return };
    for stream in [&client, &broker] {
        stream.set_nodelay(true).expect("a TCP socket");
    }
    let ((from_client, to_client), (from_broker, to_broker)) = (client.into_split(), broker.into_split());
    tokio::select! {
        () = pump(from_client, to_broker, Way::ToBroker, weather.clone(), &plan) => {}
        () = pump(from_broker, to_client, Way::ToClient, weather, &plan) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    mut weather: watch::Receiver<Weather>,
    plan: &Mutex<Plan>,
) {
    let (send, mut receive) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let seen = weather.clone();
    let read = async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let delay = if way == Way::ToClient { seen.borrow().delay } else { Duration::ZERO };
            if send.send((Instant::now() + delay, buffer[..count].to_vec())).await.is_err() {
                break;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = receive.recv().await {
            sleep_until(due).await;
            if weather.wait_for(|weather| !weather.silent).await.is_err() {
                break;
            }
            let (count, cut) = locked(plan).pass(way, bytes.len());
            if to.write_all(&bytes[..count]).await.is_err() || cut {
                break;
            }
        }
    };
    // What was read is still delivered when the other side has closed.
    let read = async move {
        read.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
}
