//! The plug of a device of the same program.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::ApiError;
use super::devices::Key;
use super::extract::{Body, Names};
use crate::app::App;
use crate::plugs::Plug;
use crate::problem::Problem;

/// How a plug is; null: the device does not run in this program.
#[derive(Serialize)]
pub(super) struct PlugView {
    plug: Option<Plug>,
}

/// What is to be done with a plug.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pull {
    plug: Plug,
}

/// `GET /api/v1/devices/{group}/{device}/plug`.
pub(super) async fn plug(
    State(app): State<App>,
    Names((group, device)): Names<Key>,
) -> Result<Json<PlugView>, ApiError> {
    Ok(Json(PlugView { plug: app.plugs.ask(group, device, None).await? }))
}

/// `POST /api/v1/devices/{group}/{device}/plug`.
pub(super) async fn pull(
    State(app): State<App>,
    Names((group, device)): Names<Key>,
    Body(Pull { plug }): Body<Pull>,
) -> Result<Json<PlugView>, ApiError> {
    let device_name = format!("{group}/{device}");
    let now = app.plugs.ask(group, device, Some(plug)).await?;
    let plug = now.ok_or(Problem::ForeignPlug { device: device_name })?;
    Ok(Json(PlugView { plug: Some(plug) }))
}
