//! Path, query and body of a request; what does not fit is answered with problem+json.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::{Json, RequestExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use tokio::time::timeout;

use super::ApiError;
use crate::problem::Problem;

/// Longest time for the body of a request.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// The names in the path, as the devices write them.
///
/// A browser takes `.` and `..` out of an address, however they are encoded. They are therefore written with `~` before
/// them, and so is a name that begins with `~` itself.
pub(super) struct Names<T>(pub(super) T);

/// One or several names of a path.
pub(super) trait PathNames {
    /// The names as the devices write them.
    fn plain(self) -> Self;
}

impl PathNames for String {
    fn plain(mut self) -> Self {
        if self.starts_with('~') {
            self.remove(0);
        }
        self
    }
}

impl PathNames for (String, String) {
    fn plain(self) -> Self {
        (self.0.plain(), self.1.plain())
    }
}

impl PathNames for (String, String, String) {
    fn plain(self) -> Self {
        (self.0.plain(), self.1.plain(), self.2.plain())
    }
}

impl PathNames for i64 {
    fn plain(self) -> Self {
        self
    }
}

impl<S: Send + Sync, T: DeserializeOwned + PathNames + Send> FromRequestParts<S> for Names<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(names): Path<T> = Path::from_request_parts(parts, state)
            .await
            .map_err(|refused| ApiError::refused(refused.status(), refused.body_text()))?;
        Ok(Self(names.plain()))
    }
}

/// The query.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(params) = Query::from_request_parts(parts, state)
            .await
            .map_err(|refused| ApiError::bad_request(refused.body_text()))?;
        Ok(Self(params))
    }
}

/// The body, JSON.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + 'static> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = timeout(BODY_PATIENCE, request.extract::<Json<T>, _>()).await.map_err(|_| {
            let detail = format!("the body did not arrive within {} s", BODY_PATIENCE.as_secs());
            ApiError::refused(StatusCode::REQUEST_TIMEOUT, detail)
        })?;
        let Json(body) = body.map_err(|refused| {
            // axum calls wrong fields "unprocessable"; here that word is kept for values of a channel.
            let status = match refused.status() {
                StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
                other => other,
            };
            ApiError::refused(status, refused.body_text())
        })?;
        Ok(Self(body))
    }
}

/// Tells `null` from a missing field.
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A text of one line, without space around it.
pub(super) fn line(text: &str, most: usize) -> Result<String, Problem> {
    let text = text.trim();
    let fits = (1..=most).contains(&text.chars().count()) && !text.contains(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(Problem::Name { most }) }
}
