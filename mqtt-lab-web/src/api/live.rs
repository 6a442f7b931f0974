//! The WebSocket of an open page.

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;

use super::ApiError;
use crate::app::App;
use crate::live;

/// Longest message a page may send: it has nothing to say.
const MAX_MESSAGE: usize = 4 * 1024;

/// `GET /api/v1/live`: everything that changes, as it changes.
pub(super) async fn live(
    State(app): State<App>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|refused| ApiError::refused(refused.status(), refused.body_text()))?;
    let place = app.sessions.enter().ok_or_else(|| ApiError::unavailable("too many pages are open"))?;
    let (hub, registry, board) = (app.registry.hub.clone(), app.registry.clone(), app.board.clone());
    let stop = app.stop.clone();
    Ok(upgrade.max_message_size(MAX_MESSAGE).on_upgrade(async move |socket| {
        live::serve(socket, hub, registry, board, stop).await;
        drop(place);
    }))
}
