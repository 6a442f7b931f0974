//! Path, query and body of a request; what does not fit is answered with problem+json.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::{Json, RequestExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::ApiError;
use crate::problem::Problem;

/// The names in the path.
pub(super) struct Names<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Names<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(names) = Path::from_request_parts(parts, state)
            .await
            .map_err(|refused| ApiError::refused(refused.status(), refused.body_text()))?;
        Ok(Self(names))
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
        let Json(body) = request.extract::<Json<T>, _>().await.map_err(|refused| {
            // axum calls wrong fields "unprocessable"; here that word is kept for values of a channel.
            let status = match refused.status() {
                axum::http::StatusCode::UNPROCESSABLE_ENTITY => axum::http::StatusCode::BAD_REQUEST,
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
