//! The end of a lab: what stops before what, and what is lost by it.

use super::Running;
use crate::losses::Losses;
use mqtt_lab_core::broker::Broker;
use mqtt_lab_core::supervisor::Weight;
use mqtt_lab_web::NotStored;
use std::time::Duration;

/// Time that the last samples get to reach the storage, and time for the rest of the web's stop.
const CATCH_UP: Duration = Duration::from_secs(5);
/// The same when nothing moves: no broker, or no database.
const NOTHING_MOVES: Duration = Duration::from_millis(500);

impl Running {
    /// Devices disconnect cleanly, then the last samples are stored, then the broker ends. What is lost is counted,
    /// printed, and kept for the page of the next start.
    pub(crate) async fn stop(self) {
        let Self { supervisor, printer, devices, web, losses, broker, started, .. } = self;
        let mut lost = Vec::new();
        let left = devices.stop().await;
        let moves = left.is_empty();
        for undelivered in left {
            match undelivered.lost == 0 && undelivered.error.is_none() {
                true => printer.say(&undelivered.to_string()),
                false => lost.push(undelivered.to_string()),
            }
        }
        if let Some(web) = web {
            let works = supervisor.part("database", Weight::Essential).is_working();
            let limit = if moves && works { CATCH_UP } else { NOTHING_MOVES };
            let caught_up = web.catch_up(limit).await;
            if !caught_up && moves && works {
                tracing::warn!(
                    "the broker did not deliver everything in time; the last samples may be missing"
                );
            }
            let undelivered = web.shutdown(if moves { CATCH_UP } else { 2 * NOTHING_MOVES }).await;
            let keeps = started.is_none_or(|source| source.config.broker.storage.is_some());
            let (kept, gone) = fate(&undelivered, broker.as_ref(), keeps);
            if kept > 0 {
                printer.say(&format!(
                    "{} for the next start",
                    messages(kept, "waits at the broker", "wait at the broker")
                ));
            }
            if gone > 0 {
                let cause = supervisor.part("database", Weight::Essential).status().cause;
                let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                let what = messages(
                    gone,
                    "was acknowledged and is not stored",
                    "were acknowledged and are not stored",
                );
                lost.push(format!("{what}{cause}"));
            }
        }
        if let Some(broker) = broker {
            broker.stop().await;
        }
        for line in &lost {
            printer.say(&format!("lost: {line}"));
        }
        if let Some(losses) = losses.filter(|_| !lost.is_empty()) {
            keep(losses, lost).await;
        }
    }
}

/// Keeps what was lost for the next start, if the file system answers.
async fn keep(mut losses: Losses, lost: Vec<String>) {
    let written = tokio::task::spawn_blocking(move || losses.write(&lost));
    let error = match tokio::time::timeout(NOTHING_MOVES, written).await {
        Ok(Ok(Ok(()))) => return,
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the file system does not answer".to_owned(),
    };
    tracing::error!(error, "what was lost cannot be kept for the next start");
}

/// How many messages that the ingest had not stored come again at the next start, and how many are lost.
fn fate(undelivered: &NotStored, broker: Option<&Broker>, keeps: bool) -> (usize, usize) {
    let Some(broker) = broker else { return (undelivered.kept, undelivered.lost) };
    let clients = broker.clients().all();
    let queued = clients.iter().find(|client| client.id == undelivered.client_id).map_or(0, |it| it.queued);
    if keeps { (queued, undelivered.lost) } else { (0, queued + undelivered.lost) }
}

fn messages(count: usize, one: &str, several: &str) -> String {
    if count == 1 { format!("1 message {one}") } else { format!("{count} messages {several}") }
}
