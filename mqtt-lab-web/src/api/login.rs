//! Exchanges the token for a cookie, so that a browser need not keep it.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::ApiError;
use super::extract::Body;
use crate::app::App;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    token: String,
}

/// `POST /api/v1/login`. Without a token set there is nothing to know, and no cookie.
pub(super) async fn login(State(app): State<App>, Body(login): Body<Login>) -> Result<Response, ApiError> {
    let Some(token) = &app.token else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    let cookie = token.login(&login.token).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}
