//! The WebSocket of an open page.

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;

use super::ApiError;
use crate::app::App;
use crate::guard::{LoggedIn, Visitor};
use crate::live;

/// Longest message a page may send: it has nothing to say.
const MAX_MESSAGE: usize = 4 * 1024;

/// `GET /api/v1/live`: everything that changes, as it changes. It ends with the login under which it was opened.
pub(super) async fn live(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    login: Option<Extension<LoggedIn>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|refused| ApiError::refused(refused.status(), refused.body_text()))?;
    let place = app.pages.enter(visitor.peer).map_err(|_| {
        ApiError::unavailable("too many pages are open, or too many at this address; close some")
    })?;
    let upgrade = upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    Ok(upgrade.on_upgrade(async move |socket| {
        let closed = async {
            tokio::select! {
                () = place.evicted() => {}
                () = async { match login { Some(Extension(login)) => login.ended().await, None => std::future::pending().await } } => {}
            }
        };
        tokio::select! {
            () = live::serve(socket, &app) => {}
            () = closed => {}
        }
    }))
}
