//! Commands to actuators and control variables.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mqtt_lab_wire::Value;
use serde::Deserialize;

use super::ApiError;
use super::devices::{Key, Limit, unknown};
use super::extract::{Body, Names, Params};
use crate::app::App;
use crate::commands::Wish;
use crate::registry::CommandView;

const DEFAULT_TTL_MS: u32 = 5_000;
const MAX_TTL_MS: u32 = 3_600_000;

/// A command as a page asks for it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Set {
    value: serde_json::Value,
    #[serde(default)]
    ttl_ms: Option<u32>,
}

/// `POST /api/v1/devices/{group}/{device}/{channel}/set`: 202, the answer comes by itself.
pub(super) async fn set(
    State(app): State<App>,
    Names((group, device, channel)): Names<(String, String, String)>,
    Body(set): Body<Set>,
) -> Result<(StatusCode, Json<CommandView>), ApiError> {
    let ttl_ms = set.ttl_ms.unwrap_or(DEFAULT_TTL_MS);
    if !(1..=MAX_TTL_MS).contains(&ttl_ms) {
        return Err(ApiError::bad_request(format!("`ttl_ms` is from 1 to {MAX_TTL_MS}")));
    }
    let value = scalar(set.value)?;
    let wish = Wish { group: &group, device: &device, channel: &channel, value, ttl_ms };
    let command = app.commands.send(wish).await?;
    Ok((StatusCode::ACCEPTED, Json(command.into())))
}

fn scalar(value: serde_json::Value) -> Result<Value, ApiError> {
    use serde_json::Value as Json;
    let number = |n: &serde_json::Number| n.as_i64().map(Value::Int).or_else(|| n.as_f64().map(Value::Float));
    let value = match value {
        Json::Bool(value) => Some(Value::Bool(value)),
        Json::Number(n) => number(&n),
        Json::String(text) => Some(Value::Text(text)),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    };
    value.ok_or_else(|| ApiError::unprocessable("`value` is a number, a text, `true` or `false`"))
}

/// `GET /api/v1/devices/{group}/{device}/commands?limit`.
pub(super) async fn of_device(
    State(app): State<App>,
    Names((group, device)): Names<Key>,
    Params(limit): Params<Limit>,
) -> Result<Json<Vec<CommandView>>, ApiError> {
    let limit = limit.or(50)?;
    let id = app.registry.listed_id(&group, &device).ok_or_else(|| unknown(&group, &device))?;
    let commands = app.store.commands(id, limit).await?;
    // What is known here is newer than what is committed.
    let newest = commands.into_iter().map(|command| app.commands.get(&command.id).unwrap_or(command));
    Ok(Json(newest.map(CommandView::from).collect()))
}

/// `GET /api/v1/commands/{id}`.
pub(super) async fn one(
    State(app): State<App>,
    Names(id): Names<String>,
) -> Result<Json<CommandView>, ApiError> {
    let command = match app.commands.get(&id) {
        Some(command) => Some(command),
        None => app.store.command(&id).await?,
    };
    let unknown = || ApiError::not_found(format!("there is no command `{id}`"));
    command.map(|command| Json(command.into())).ok_or_else(unknown)
}
