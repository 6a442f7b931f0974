//! Exchanges the token for a cookie, so that a browser need not keep it; and back.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::ApiError;
use super::extract::Body;
use crate::app::App;
use crate::guard::Visitor;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    token: String,
}

/// `POST /api/v1/login`. Without a token set there is nothing to know, and no cookie.
pub(super) async fn login(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Body(login): Body<Login>,
) -> Result<Response, ApiError> {
    Ok(match app.access.log_in(&login.token, visitor).await? {
        Some(cookie) => (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// `POST /api/v1/logout`: ends the login of the cookie, and everything opened under it.
pub(super) async fn logout(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
) -> Response {
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, app.access.log_out(&headers, visitor))]).into_response()
}
