//! The plug of a device of the same program.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::ApiError;
use super::devices::Key;
use super::extract::{Body, Names};
use crate::app::App;
use crate::plugs::Plug;

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
pub(super) async fn plug(State(app): State<App>, Names((group, device)): Names<Key>) -> Json<PlugView> {
    Json(PlugView { plug: app.plugs.ask(group, device, None).await })
}

/// `POST /api/v1/devices/{group}/{device}/plug`.
pub(super) async fn pull(
    State(app): State<App>,
    Names((group, device)): Names<Key>,
    Body(Pull { plug }): Body<Pull>,
) -> Result<Json<PlugView>, ApiError> {
    let name = format!("{group}/{device}");
    let now = app.plugs.ask(group, device, Some(plug)).await;
    let foreign =
        || ApiError::not_found(format!("`{name}` does not run in this program: nobody here has its plug"));
    now.map(|plug| Json(PlugView { plug: Some(plug) })).ok_or_else(foreign)
}
