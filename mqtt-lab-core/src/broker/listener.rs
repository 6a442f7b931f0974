//! Accepts connections until the broker stops.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};

use super::hub::Hub;
use crate::supervisor::{Part, Supervisor, Work};
use crate::{failpoint, panicked};

/// Connections that have not said CONNECT yet, at most beside the clients that may connect.
const STRANGERS: usize = 256;
/// Pause after the system had no connection to give (no file descriptor left).
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections and lets `serve` have them. Those above the limit are closed at once. After a panic it goes on
/// with the connections that there are.
pub(super) struct Listener<S> {
    pub(super) hub: Arc<Hub>,
    pub(super) listener: TcpListener,
    pub(super) max_clients: usize,
    pub(super) serve: S,
    pub(super) connections: JoinSet<()>,
    pub(super) supervisor: Supervisor,
    pub(super) part: Part,
}

#[async_trait]
impl<S, F> Work for Listener<S>
where
    S: Fn(Arc<Hub>, TcpStream, SocketAddr) -> F + Send + Sync,
    F: Future<Output = ()> + Send + 'static,
{
    async fn run(&mut self) -> Result<(), String> {
        let mut stop = self.hub.stop.subscribe();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(ended) = self.connections.join_next() => {
                    self.ended(ended);
                    continue;
                }
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, address)) if self.has_room() => {
                    // Small packets, answered at once.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, %address, "cannot switch TCP_NODELAY on");
                    }
                    self.connections.spawn((self.serve)(Arc::clone(&self.hub), stream, address));
                }
                Ok((_, address)) => tracing::warn!(%address, "too many connections: closed at once"),
                Err(error) => self.pause(&error).await,
            }
            failpoint::hit("broker");
        }
        while self.connections.join_next().await.is_some() {}
        Ok(())
    }
}

impl<S> Listener<S> {
    fn has_room(&self) -> bool {
        self.connections.len() < self.max_clients.saturating_add(STRANGERS)
    }

    /// A panic ends the connection, like a fault of the network, and no other.
    fn ended(&self, ended: Result<(), JoinError>) {
        if let Some(panic) = ended.err().and_then(|error| error.try_into_panic().ok()) {
            self.supervisor.panicked(&self.part, &panicked::text(&*panic));
            self.part.works();
        }
    }

    /// Says once why there are no further connections.
    async fn pause(&self, error: &io::Error) {
        self.part.fails(format!("cannot accept a connection: {error}"));
        tokio::time::sleep(PAUSE).await;
        self.part.works();
    }
}
