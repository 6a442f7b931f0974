//! The sign that the web stops.

use tokio::sync::watch;

/// Waits for the sign. A sender that is gone is one, too.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The guard is dropped here: it must not live across the caller's next await.
    drop(stop.wait_for(|stop| *stop).await);
}
