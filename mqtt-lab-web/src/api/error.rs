//! Errors as `application/problem+json` (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::commands::CommandError;
use crate::health::chain;
use crate::store::StoreError;

/// An answer that says what is wrong.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    detail: String,
}

macro_rules! constructors {
    ($($name:ident $status:ident;)+) => {$(
        pub(crate) fn $name(detail: impl Into<String>) -> Self {
            Self { status: StatusCode::$status, detail: detail.into() }
        }
    )+};
}

impl ApiError {
    constructors! {
        bad_request BAD_REQUEST;
        unauthorized UNAUTHORIZED;
        forbidden FORBIDDEN;
        not_found NOT_FOUND;
        conflict CONFLICT;
        unprocessable UNPROCESSABLE_ENTITY;
        too_many TOO_MANY_REQUESTS;
        unavailable SERVICE_UNAVAILABLE;
    }

    pub(crate) fn method_not_allowed() -> Self {
        let detail = "this address takes other methods".to_owned();
        Self { status: StatusCode::METHOD_NOT_ALLOWED, detail }
    }

    /// What an extractor of axum refused, in its words.
    pub(crate) fn refused(status: StatusCode, detail: String) -> Self {
        Self { status, detail }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = chain(&error), "the store fails");
        Self::unavailable("the store does not answer; the log of the lab says why")
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        let detail = error.to_string();
        match error {
            CommandError::NoDevice(_) => Self::not_found(detail),
            CommandError::ChannelName(_) => Self::bad_request(detail),
            CommandError::NotSettable(_) | CommandError::Value { .. } => Self::unprocessable(detail),
            CommandError::NoBroker(_) => Self::unavailable(detail),
            CommandError::TooMany => Self::too_many(detail),
            CommandError::Store(error) => error.into(),
        }
    }
}
