//! The files of the page.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::ApiError;
use crate::app::App;

/// Any other address: a file of the page, or nothing.
pub(super) async fn file(State(app): State<App>, request: Request) -> Response {
    let path = request.uri().path();
    let Some(asset) = app.assets.get(path) else {
        return ApiError::not_found(format!("there is nothing at `{path}`")).into_response();
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return ApiError::method_not_allowed().into_response();
    }
    // The browser asks each time, and mostly hears that nothing changed.
    let headers = [
        (header::ETAG, HeaderValue::from_str(&asset.etag)),
        (header::CACHE_CONTROL, Ok(HeaderValue::from_static("no-cache"))),
        (header::CONTENT_TYPE, Ok(HeaderValue::from_static(asset.content_type))),
    ];
    let headers = headers.map(|(name, value)| (name, value.unwrap_or(HeaderValue::from_static(""))));
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    if known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == asset.etag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, asset.bytes).into_response()
}
