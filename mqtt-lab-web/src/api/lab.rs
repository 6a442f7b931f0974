//! The lab as a whole.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::ApiError;
use crate::app::{App, WholeLabView};

/// `GET /api/v1/lab`.
pub(super) async fn lab(State(app): State<App>) -> Json<WholeLabView> {
    Json(app.whole_lab())
}

/// `GET /healthz`: the process lives.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: broker and store are connected.
pub(super) async fn readyz(State(app): State<App>) -> Result<&'static str, ApiError> {
    let lab = app.lab();
    let mut reasons = Vec::new();
    if !lab.broker.connected {
        let why = lab.broker.error.unwrap_or_else(|| "there is no connection yet".to_owned());
        reasons.push(format!("broker: {why}"));
    }
    if let Some(error) = lab.store.error {
        reasons.push(format!("store: {error}"));
    } else if app.store.check().await.is_err() {
        reasons.push("store: it does not answer".to_owned());
    }
    if reasons.is_empty() { Ok("ready\n") } else { Err(ApiError::unavailable(reasons.join("; "))) }
}

/// `GET /api/openapi.json`.
pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

const OPENAPI: &str = include_str!("openapi.json");
