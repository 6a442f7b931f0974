//! The users' own control variables: list, make, change, delete. Their values are set as those of every device.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mqtt_lab_core::config::VariableConfig;
use mqtt_lab_core::{MAX_VARIABLES, VariableError};

use super::ApiError;
use super::extract::{Body, Names};
use crate::app::App;
use crate::problem::Problem;
use crate::variables::{VariableChange, VariableView, VariableWish};

/// Group and id in the path.
type Key = (String, String);

/// `GET /api/v1/variables`.
pub(super) async fn all(State(app): State<App>) -> Result<Json<Vec<VariableView>>, ApiError> {
    Ok(Json(app.variables.ask(VariableWish::List).await?))
}

/// `POST /api/v1/variables`: answered once the variable is there.
pub(super) async fn create(
    State(app): State<App>,
    Body(variable): Body<VariableConfig>,
) -> Result<(StatusCode, Json<VariableView>), ApiError> {
    let wish = VariableWish::Create(Box::new(variable));
    Ok((StatusCode::CREATED, Json(only(app.variables.ask(wish).await?)?)))
}

/// `PATCH /api/v1/variables/{group}/{id}`: what is missing stays, `null` takes back.
pub(super) async fn change(
    State(app): State<App>,
    Names((group, id)): Names<Key>,
    Body(change): Body<serde_json::Map<String, serde_json::Value>>,
) -> Result<Json<VariableView>, ApiError> {
    let wish = VariableWish::Change { group, id, change: VariableChange(change) };
    Ok(Json(only(app.variables.ask(wish).await?)?))
}

/// `DELETE /api/v1/variables/{group}/{id}`.
pub(super) async fn delete(
    State(app): State<App>,
    Names((group, id)): Names<Key>,
) -> Result<StatusCode, ApiError> {
    app.variables.ask(VariableWish::Delete { group, id }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn only(variables: Vec<VariableView>) -> Result<VariableView, ApiError> {
    variables.into_iter().next().ok_or_else(|| ApiError::unavailable("the program did not say what it made"))
}

impl From<VariableError> for ApiError {
    fn from(error: VariableError) -> Self {
        let detail = error.to_string();
        match error {
            VariableError::Unknown(variable) => Problem::NoVariable { variable }.into(),
            VariableError::Taken(variable) => Problem::VariableTaken { variable }.into(),
            VariableError::Declared(variable) => Problem::VariableDeclared { variable }.into(),
            VariableError::TooMany => Problem::VariablesFull { most: MAX_VARIABLES }.into(),
            VariableError::Wrong(_) => Self::unprocessable(detail),
            _ => {
                tracing::error!(error = detail, "a variable cannot be made, changed or deleted");
                Self::unavailable(detail)
            }
        }
    }
}
