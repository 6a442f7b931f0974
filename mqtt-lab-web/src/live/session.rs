//! One open page.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::Hub;
use super::hub::GAP;
use crate::notice::Board;
use crate::registry::{DeviceView, Registry};
use crate::stop::stopped;

/// Pages open at once.
const MAX_SESSIONS: usize = 512;
/// A page that takes nothing for so long is closed.
const PATIENCE: Duration = Duration::from_secs(20);
/// Devices in one part of the list: a page shows the first part while the others are on their way, and is never
/// busy with reading one for long.
const DEVICES_PER_PART: usize = 250;

/// Counts the open pages.
#[derive(Debug)]
pub(crate) struct Sessions(Arc<Semaphore>);

impl Default for Sessions {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_SESSIONS)))
    }
}

impl Sessions {
    /// A place for one more page; `None`: there are too many.
    pub(crate) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// Sends everything that changes until the page goes, or the web stops.
pub(crate) async fn serve(
    mut socket: WebSocket,
    hub: Arc<Hub>,
    registry: Arc<Registry>,
    board: Arc<Board>,
    mut stop: watch::Receiver<bool>,
) {
    // Subscribed first: what changes while the list is written comes after it.
    let mut frames = hub.subscribe();
    let mut open = send_all(&mut socket, &registry, &board).await;
    while open {
        open = tokio::select! {
            frame = frames.recv() => match frame {
                Ok(text) if text.as_str() == GAP => start_over(&mut socket, &registry, &board).await,
                Ok(text) => send(&mut socket, text).await,
                Err(RecvError::Lagged(_)) => start_over(&mut socket, &registry, &board).await,
                Err(RecvError::Closed) => false,
            },
            // A page says nothing but goodbye; pings are answered by the library.
            message = socket.recv() => !matches!(message, None | Some(Err(_) | Ok(Message::Close(_)))),
            () = stopped(&mut stop) => {
                let reason = Utf8Bytes::from_static("the lab stops");
                let farewell = Message::Close(Some(CloseFrame { code: close_code::AWAY, reason }));
                // It is going anyway.
                let _ = timeout(Duration::from_secs(1), socket.send(farewell)).await;
                false
            }
        };
    }
}

/// The page missed something: it gets everything again.
async fn start_over(socket: &mut WebSocket, registry: &Registry, board: &Board) -> bool {
    send(socket, Utf8Bytes::from_static(GAP)).await && send_all(socket, registry, board).await
}

/// Sends what a page must know before changes make sense to it.
async fn send_all(socket: &mut WebSocket, registry: &Registry, board: &Board) -> bool {
    let all = registry.views();
    let parts = all.len().div_ceil(DEVICES_PER_PART).max(1);
    for part in 0..parts {
        let devices = all.iter().skip(part * DEVICES_PER_PART).take(DEVICES_PER_PART).collect();
        let text = devices_message(devices, part == 0, part + 1 == parts);
        if !send(socket, text).await {
            return false;
        }
    }
    send(socket, board.message().to_string().into()).await
}

async fn send(socket: &mut WebSocket, text: Utf8Bytes) -> bool {
    matches!(timeout(PATIENCE, socket.send(Message::Text(text))).await, Ok(Ok(())))
}

/// Written straight away: a tree of JSON values would cost as much again.
fn devices_message(devices: Vec<&DeviceView>, first: bool, last: bool) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Message<'a> {
        r#type: &'static str,
        devices: Vec<&'a DeviceView>,
        first: bool,
        last: bool,
    }
    match serde_json::to_string(&Message { r#type: "devices", devices, first, last }) {
        Ok(text) => text.into(),
        Err(error) => {
            tracing::error!(%error, "the list of devices could not be written");
            Utf8Bytes::from_static(GAP)
        }
    }
}
