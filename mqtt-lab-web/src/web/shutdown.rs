//! The end of a web, in order and in time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::Web;

/// How often a stopping web looks whether its database still works.
const LOOK: Duration = Duration::from_millis(100);
/// Time for what takes none when all is well.
const LAST_CHANCE: Duration = Duration::from_millis(500);

impl Web {
    /// Stops in order: no more requests, no more messages; what was received is committed and
    /// acknowledged; then link and store close. Takes `limit` at most when nothing moves any more: no
    /// broker, no database, no file system.
    pub async fn shutdown(self, limit: Duration) -> NotStored {
        let Self { app, stop, abandon, server, reader, writer, unstored, client_id, background, .. } = self;
        let deadline = Instant::now() + limit;
        stop.send_replace(true);
        finish("the web server", server, deadline).await;
        finish("the reader of messages", reader, deadline).await;
        let mut writer = writer;
        // A database that does not take anything now will not do so in the last second.
        let patient = async {
            while app.health.database.is_working() {
                sleep(LOOK).await
            }
        };
        tokio::select! {
            _ = &mut writer => {}
            () = async { timeout_at(deadline, patient).await.ok(); } => {
                abandon.send_replace(true);
                finish("the writer of samples", writer, deadline.max(Instant::now() + LAST_CHANCE)).await;
            }
        }
        drop(background);
        let left = deadline.saturating_duration_since(Instant::now());
        app.outlet.close(left).await;
        if timeout_at(deadline.max(Instant::now() + LAST_CHANCE), app.store.close()).await.is_err() {
            tracing::warn!("the database did not close in time");
        }
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        NotStored { kept: count(&unstored.kept), lost: count(&unstored.lost), client_id }
    }
}

/// What a web had received and could not store when it was stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotStored {
    /// Messages that were not acknowledged: a broker that keeps sessions sends them again.
    pub kept: usize,
    /// Messages at QoS 0, which nobody sends again.
    pub lost: usize,
    /// The client id under which a broker keeps the session.
    pub client_id: String,
}

async fn finish(what: &str, mut task: JoinHandle<()>, deadline: Instant) {
    match timeout_at(deadline, &mut task).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "{what} ended badly"),
        Err(_) => {
            tracing::warn!("{what} did not end in time");
            task.abort();
        }
    }
}
