//! The HTTP API (`docs/http-api.md`) and the files of the page.

mod channels;
mod clients;
mod commands;
mod devices;
mod error;
mod extract;
mod files;
mod lab;
mod live;
mod login;
mod metrics;
mod plug;
mod series;
mod topics;
mod variables;

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::guard;
use crate::problem::Problem;
pub(crate) use error::ApiError;

/// Longest request body, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// Longest time for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The whole web as a router, without a socket: API, live messages, and the files of the page.
pub fn router(app: App) -> Router {
    let publish = post(topics::publish).layer(DefaultBodyLimit::max(topics::MAX_PUBLISH_BODY));
    Router::new()
        .route("/api/v1/lab", get(lab::lab))
        .route("/api/v1/login", post(login::login))
        .route("/api/v1/logout", post(login::logout))
        .route("/api/v1/parts", get(lab::parts))
        .route("/api/v1/set-aside", get(lab::set_aside))
        .route("/api/v1/devices", get(devices::all))
        .route("/api/v1/devices/{group}/{device}", get(devices::one).patch(devices::change))
        .route("/api/v1/devices/{group}/{device}/states", get(devices::states))
        .route("/api/v1/devices/{group}/{device}/boots", get(devices::boots))
        .route("/api/v1/devices/{group}/{device}/channels/{channel}", patch(channels::change))
        .route("/api/v1/devices/{group}/{device}/plug", get(plug::plug).post(plug::pull))
        .route("/api/v1/devices/{group}/{device}/commands", get(commands::of_device))
        .route("/api/v1/devices/{group}/{device}/{channel}/set", post(commands::set))
        .route("/api/v1/commands/{id}", get(commands::one))
        .route("/api/v1/series", get(series::all))
        .route("/api/v1/series/{id}/points", get(series::points))
        .route("/api/v1/recent", get(series::recent))
        .route("/api/v1/topics", get(topics::list))
        .route("/api/v1/topics/message", get(topics::message))
        .route("/api/v1/topics/retained", delete(topics::forget))
        .route("/api/v1/publish", publish)
        .route("/api/v1/variables", get(variables::all).post(variables::create))
        .route("/api/v1/variables/{group}/{id}", patch(variables::change).delete(variables::delete))
        .route("/api/v1/clients", get(clients::all))
        .route("/api/v1/live", get(live::live))
        .route("/api/openapi.json", get(lab::openapi))
        .route("/healthz", get(lab::healthz))
        .route("/readyz", get(lab::readyz))
        .route("/metrics", get(metrics::metrics))
        .fallback(files::file)
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(in_time))
        .layer(from_fn_with_state(app.clone(), guard::check))
        .layer(from_fn(secure))
        .layer(CompressionLayer::new())
        .with_state(app)
}

/// No request waits for ever. (A WebSocket is answered at once and lives on by itself.)
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(PATIENCE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::from(Problem::TooSlow).into_response(),
    }
}

/// What a browser may do with our answers: run our own scripts, and nothing else.
async fn secure(request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, &str); 3] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Values change; the files say for themselves how long they hold.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
