//! One open page.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, interval_at, timeout};

use super::hub::GAP;
use crate::app::App;
use crate::notice::Board;
use crate::registry::{DeviceView, Registry};
use crate::stop::stopped;

/// A page that takes nothing for so long is closed.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a page is asked whether it is still there. One that has not answered until the next time is gone.
const PING: Duration = Duration::from_secs(30);
/// Devices in one part of the list: a page shows the first part while the others are on their way, and is never
/// busy with reading one for long.
const DEVICES_PER_PART: usize = 250;

/// Sends everything that changes until the page goes, or the web stops.
pub(crate) async fn serve(mut socket: WebSocket, app: &App) {
    let (registry, board, mut stop) = (&app.registry, &app.board, app.stop.clone());
    // Subscribed first: what changes while the list is written comes after it.
    let mut frames = registry.hub.subscribe();
    let mut open = send_all(&mut socket, registry, board).await;
    let mut pings = interval_at(Instant::now() + PING, PING);
    let mut answered = true;
    while open {
        open = tokio::select! {
            frame = frames.recv() => match frame {
                Ok(text) if text.as_str() == GAP => start_over(&mut socket, registry, board).await,
                Ok(text) => send(&mut socket, text).await,
                Err(RecvError::Lagged(_)) => start_over(&mut socket, registry, board).await,
                Err(RecvError::Closed) => false,
            },
            // A page says nothing but goodbye; pings are answered by the library.
            message = socket.recv() => {
                answered = true;
                !matches!(message, None | Some(Err(_) | Ok(Message::Close(_))))
            }
            // A page whose computer is gone closes nothing.
            _ = pings.tick() => std::mem::take(&mut answered) && ping(&mut socket).await,
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

/// Sends what a page must know before changes make sense to it. Only one part of the list is in memory, however slowly
/// the page reads.
async fn send_all(socket: &mut WebSocket, registry: &Registry, board: &Board) -> bool {
    let mut part = registry.views_after(None, DEVICES_PER_PART);
    let mut first = true;
    loop {
        let next = match part.last() {
            Some(last) if part.len() == DEVICES_PER_PART => {
                registry.views_after(Some(last.key()), DEVICES_PER_PART)
            }
            _ => Vec::new(),
        };
        let text = devices_message(&part, first, next.is_empty());
        if !send(socket, text).await {
            return false;
        }
        if next.is_empty() {
            return send(socket, board.message().to_string().into()).await;
        }
        (part, first) = (next, false);
    }
}

async fn ping(socket: &mut WebSocket) -> bool {
    matches!(timeout(PATIENCE, socket.send(Message::Ping(Bytes::new()))).await, Ok(Ok(())))
}

async fn send(socket: &mut WebSocket, text: Utf8Bytes) -> bool {
    matches!(timeout(PATIENCE, socket.send(Message::Text(text))).await, Ok(Ok(())))
}

/// Written straight away: a tree of JSON values would cost as much again.
fn devices_message(devices: &[DeviceView], first: bool, last: bool) -> Utf8Bytes {
    #[derive(Serialize)]
    struct Message<'a> {
        r#type: &'static str,
        devices: &'a [DeviceView],
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
