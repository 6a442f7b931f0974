//! The clients of the broker.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::ApiError;
use super::extract::Params;
use crate::app::App;
use crate::clients::ClientsView;

/// Clients in one answer, unless fewer are asked for.
const MOST: usize = 1_000;

/// Which clients.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Which {
    search: String,
    limit: usize,
}

impl Default for Which {
    fn default() -> Self {
        Self { search: String::new(), limit: 200 }
    }
}

/// `GET /api/v1/clients`.
pub(super) async fn all(
    State(app): State<App>,
    Params(which): Params<Which>,
) -> Result<Json<ClientsView>, ApiError> {
    if !(1..=MOST).contains(&which.limit) {
        return Err(ApiError::bad_request(format!("`limit` is from 1 to {MOST}")));
    }
    Ok(Json(app.clients.view(&which.search, which.limit)))
}
