//! Accepts connections until the broker stops.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::hub::Hub;

/// Connections that have not said CONNECT yet, at most beside the clients that may connect.
const STRANGERS: usize = 256;
/// Pause after the system had no connection to give (no file descriptor left).
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections and lets `serve` have them. Those above the limit are closed at once.
pub(super) async fn listen<F>(
    hub: Arc<Hub>,
    listener: TcpListener,
    max_clients: usize,
    serve: impl Fn(Arc<Hub>, TcpStream, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut stop = hub.stop.subscribe();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, address)) if connections.len() < max_clients.saturating_add(STRANGERS) => {
                // Small packets, answered at once.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, %address, "cannot switch TCP_NODELAY on");
                }
                connections.spawn(serve(Arc::clone(&hub), stream, address));
            }
            Ok((_, address)) => tracing::warn!(%address, "too many connections: closed at once"),
            Err(error) => pause(&error).await,
        }
    }
    drop(listener);
    connections.join_all().await;
}

async fn pause(error: &io::Error) {
    tracing::warn!(%error, "the broker cannot accept a connection");
    tokio::time::sleep(PAUSE).await;
}
