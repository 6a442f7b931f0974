//! A second connection beside one that is expected to be closed soon: it tells why.
//!
//! A network that fails, or a broker that ends, closes both. Another client with the same client id ends the first
//! one alone.

use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::time::timeout;

use super::handshake::Greeting;

/// Both connections of a failing network are closed within this time.
const TOGETHER: Duration = Duration::from_millis(300);

/// Runs a connection to its end. Returns the second one that `open` made meanwhile, unless the first one lasted longer
/// than `limit` beside it.
pub(super) async fn beside<T>(
    mut connection: Pin<&mut impl Future<Output = T>>,
    open: impl Future<Output = Option<Greeting>>,
    limit: Duration,
) -> (T, Option<Greeting>) {
    let second = tokio::select! {
        biased;
        end = connection.as_mut() => return (end, None),
        second = pin!(open) => second,
    };
    match timeout(limit, connection.as_mut()).await {
        Ok(end) => (end, second),
        Err(_) => {
            drop(second);
            (connection.await, None)
        }
    }
}

/// Whether the second connection is still there when the first one was closed.
pub(super) async fn outlives(second: &mut Greeting) -> bool {
    let closed = async {
        loop {
            if second.socket.readable().await.is_err()
                || !second.socket.read(&mut second.read).unwrap_or(false)
            {
                return;
            }
        }
    };
    timeout(TOGETHER, closed).await.is_err()
}
