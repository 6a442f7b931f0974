//! The lab as a whole.

use std::time::{Duration, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use mqtt_lab_core::supervisor::SetAside;
use serde::Serialize;
use tokio::time::timeout;

use super::ApiError;
use crate::app::{App, PartView, WholeLabView};
use crate::clock::Millis;
use crate::problem::Problem;

/// `GET /api/v1/lab`.
pub(super) async fn lab(State(app): State<App>) -> Json<WholeLabView> {
    Json(app.whole_lab())
}

/// `GET /healthz`: the process lives.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Longest wait for the database's answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// That the lab is ready, and what is missing all the same.
#[derive(Serialize)]
pub(super) struct Ready {
    status: &'static str,
    /// Parts that the lab can do without for a while, and devices without a connection.
    degraded: Vec<String>,
}

/// `GET /readyz`: every part works without which samples are not stored, or not safe.
pub(super) async fn readyz(State(app): State<App>) -> Result<Json<Ready>, ApiError> {
    let lab = app.lab();
    let mut failing = Vec::new();
    if !lab.broker.connected {
        let why = lab.broker.error.unwrap_or_else(|| "there is no connection yet".to_owned());
        failing.push(("ingest".to_owned(), format!("no broker: {why}")));
    }
    let mut degraded = Vec::new();
    for PartView { part, essential, error, .. } in app.parts() {
        match error {
            Some(error) if essential => failing.push((part.to_owned(), error)),
            Some(_) => degraded.push(part.to_owned()),
            None => {}
        }
    }
    if failing.iter().all(|(part, _)| part != "database") {
        match timeout(PATIENCE, app.store.check()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => failing.push(("database".to_owned(), error.cause())),
            Err(_) => failing.push(("database".to_owned(), "it does not answer".to_owned())),
        }
    }
    degraded.extend(app.unconnected());
    if failing.is_empty() { Ok(Json(Ready { status: "ready", degraded })) } else { Err(not_ready(failing)) }
}

fn not_ready(failing: Vec<(String, String)>) -> ApiError {
    let reasons: Vec<_> = failing.iter().map(|(part, why)| format!("{part}: {why}")).collect();
    let parts = failing.into_iter().map(|(part, _)| part).collect();
    Problem::NotReady { parts, reason: reasons.join("; ") }.into()
}

/// What was set aside since the start.
#[derive(Serialize)]
pub(super) struct SetAsideView {
    total: u64,
    /// The last ones, newest first.
    last: Vec<SetAsideEntry>,
}

#[derive(Serialize)]
struct SetAsideEntry {
    at_ms: Millis,
    part: &'static str,
    what: String,
    reason: String,
}

/// `GET /api/v1/parts`: every part of the lab, and whether it works.
pub(super) async fn parts(State(app): State<App>) -> Json<Vec<PartView>> {
    Json(app.parts())
}

/// `GET /api/v1/set-aside`: what was usable, and could not be stored or read.
pub(super) async fn set_aside(State(app): State<App>) -> Json<SetAsideView> {
    let (total, last) = app.health.supervisor.all_set_aside();
    let entry = |SetAside { at, part, what, reason }| {
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ms = Millis(i64::try_from(at.as_micros()).unwrap_or(i64::MAX));
        SetAsideEntry { at_ms, part, what, reason }
    };
    Json(SetAsideView { total, last: last.into_iter().map(entry).collect() })
}

/// `GET /api/openapi.json`.
pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

const OPENAPI: &str = include_str!("openapi.json");
