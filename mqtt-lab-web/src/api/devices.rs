//! Devices: list, rename, hide, history of states, counts of lives.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::ApiError;
use super::extract::{Body, Names, Params, line, present};
use crate::app::App;
use crate::problem::Problem;
use crate::registry::{DeviceView, LifeView, StateView};

/// Longest name a person may give, in characters.
const MAX_NAME_CHARS: usize = 100;
/// Most rows of a history in one answer.
const MAX_LIMIT: u32 = 1_000;

/// Group and device in the path.
pub(super) type Key = (String, String);

/// `GET /api/v1/devices`.
pub(super) async fn all(State(app): State<App>) -> Json<Vec<DeviceView>> {
    Json(app.registry.views())
}

/// `GET /api/v1/devices/{group}/{device}`.
pub(super) async fn one(
    State(app): State<App>,
    Names((group, device)): Names<Key>,
) -> Result<Json<DeviceView>, ApiError> {
    app.registry.view(&group, &device).map(Json).ok_or_else(|| unknown(&group, &device))
}

/// What may be changed of a device; what is missing stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    #[serde(default, deserialize_with = "present")]
    name: Option<Option<String>>,
    #[serde(default)]
    hidden: Option<bool>,
}

/// `PATCH /api/v1/devices/{group}/{device}`.
pub(super) async fn change(
    State(app): State<App>,
    Names((group, device)): Names<Key>,
    Body(change): Body<Change>,
) -> Result<Json<DeviceView>, ApiError> {
    if change.name.is_none() && change.hidden.is_none() {
        return Err(ApiError::bad_request("give `name`, `hidden` or both"));
    }
    let (id, name, hidden) = app.registry.shown(&group, &device).ok_or_else(|| unknown(&group, &device))?;
    let name = match change.name {
        Some(name) => name.map(|name| line(&name, MAX_NAME_CHARS)).transpose()?,
        None => name,
    };
    let hidden = change.hidden.unwrap_or(hidden);
    app.store.set_shown(id, name.as_deref(), hidden).await?;
    app.registry.set_shown(&group, &device, name, hidden);
    one(State(app), Names((group, device))).await
}

/// How many rows are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    limit: Option<u32>,
}

impl Limit {
    pub(super) fn or(&self, default: u32) -> Result<u32, ApiError> {
        let limit = self.limit.unwrap_or(default);
        if (1..=MAX_LIMIT).contains(&limit) {
            return Ok(limit);
        }
        Err(ApiError::bad_request(format!("`limit` is from 1 to {MAX_LIMIT}")))
    }
}

/// `GET /api/v1/devices/{group}/{device}/states?limit`.
pub(super) async fn states(
    State(app): State<App>,
    Names((group, device)): Names<Key>,
    Params(limit): Params<Limit>,
) -> Result<Json<Vec<StateView>>, ApiError> {
    let limit = limit.or(100)?;
    let id = app.registry.listed_id(&group, &device).ok_or_else(|| unknown(&group, &device))?;
    let states = app.store.states(id, limit).await?;
    Ok(Json(states.into_iter().map(StateView::from).collect()))
}

/// `GET /api/v1/devices/{group}/{device}/boots`.
pub(super) async fn boots(
    State(app): State<App>,
    Names((group, device)): Names<Key>,
) -> Result<Json<Vec<LifeView>>, ApiError> {
    let id = app.registry.listed_id(&group, &device).ok_or_else(|| unknown(&group, &device))?;
    let lives = app.store.lives(id).await?;
    Ok(Json(lives.into_iter().map(LifeView::from).collect()))
}

pub(super) fn unknown(group: &str, device: &str) -> ApiError {
    Problem::NoDevice { device: format!("{group}/{device}") }.into()
}
