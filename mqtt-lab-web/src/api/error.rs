//! Errors as `application/problem+json` (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::store::StoreError;

/// An answer that says what is wrong.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    detail: String,
    /// What a page can tell in its own language; none for what only a program can do wrong.
    problem: Option<Box<Problem>>,
}

macro_rules! constructors {
    ($($name:ident $status:ident;)+) => {$(
        pub(crate) fn $name(detail: impl Into<String>) -> Self {
            Self::refused(StatusCode::$status, detail.into())
        }
    )+};
}

impl ApiError {
    constructors! {
        bad_request BAD_REQUEST;
        unauthorized UNAUTHORIZED;
        forbidden FORBIDDEN;
        not_found NOT_FOUND;
        unprocessable UNPROCESSABLE_ENTITY;
        unavailable SERVICE_UNAVAILABLE;
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::refused(StatusCode::METHOD_NOT_ALLOWED, "this address takes other methods".to_owned())
    }

    /// What an extractor of axum refused, in its words.
    pub(crate) fn refused(status: StatusCode, detail: String) -> Self {
        Self { status, detail, problem: None }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry_after = match self.problem.as_deref() {
            Some(Problem::TooManyTries { seconds }) => Some(*seconds),
            _ => None,
        };
        let known = self.problem.and_then(|problem| serde_json::to_value(problem).ok());
        let name = known.as_ref().and_then(|known| known["problem"].as_str());
        let body = json!({
            "type": name.map_or_else(|| "about:blank".to_owned(), |name| format!("urn:mqtt-lab:problem:{name}")),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "values": known.as_ref().map_or(&Value::Null, |known| &known["values"]),
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        let detail = problem.to_string();
        let status = match problem {
            Problem::ChannelName { .. } | Problem::Name { .. } => StatusCode::BAD_REQUEST,
            Problem::NoDevice { .. }
            | Problem::NoVariable { .. }
            | Problem::ForeignPlug { .. }
            | Problem::TopicUnheard => StatusCode::NOT_FOUND,
            Problem::VariableTaken { .. }
            | Problem::VariableDeclared { .. }
            | Problem::ChannelDescribed { .. }
            | Problem::ChannelsFull { .. }
            | Problem::VariablesFull { .. } => StatusCode::CONFLICT,
            Problem::NotSettable { .. }
            | Problem::Value { .. }
            | Problem::TopicEmpty
            | Problem::TopicWildcard
            | Problem::TopicNul
            | Problem::TopicLong { .. }
            | Problem::PayloadLong { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Problem::CommandsWaiting { .. } | Problem::DeviceBusy { .. } | Problem::TooManyTries { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Problem::BrokerAway { .. }
            | Problem::NotReady { .. }
            | Problem::NotConfirmed
            | Problem::PlugUnanswered { .. }
            | Problem::StoreAway
            | Problem::TooSlow => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self { status, detail, problem: Some(Box::new(problem)) }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}
