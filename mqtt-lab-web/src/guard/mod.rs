//! Who may do what: the checks every request passes before a handler sees it.
//!
//! Against DNS rebinding (a foreign page whose name suddenly points here) the header `Host` must be
//! a name of the lab. Against requests forged by a foreign page, `Origin` must match `Host` on every
//! write and on the WebSocket. With a token set, requests need it; the page itself is no secret.

mod hosts;
mod token;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::ApiError;
use crate::app::App;
pub(crate) use hosts::Hosts;
pub(crate) use token::{Token, is_usable};

/// What may be seen without token: where one says it, and whether the process lives.
const OPEN: [&str; 2] = ["/api/v1/login", "/healthz"];
const LIVE: &str = "/api/v1/live";

/// Lets a request pass, or answers in the handlers' place.
pub(crate) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    if let Err(error) = check_sender(&app, &request) {
        return error.into_response();
    }
    if let Some(token) = &app.token
        && needs_token(request.uri().path())
        && let Err(error) = token.check(request.headers()).await
    {
        return error.into_response();
    }
    next.run(request).await
}

fn check_sender(app: &App, request: &Request) -> Result<(), ApiError> {
    let host = host_of(request).ok_or_else(|| ApiError::forbidden("the header `Host` is missing"))?;
    if app.token.is_none() && !app.hosts.allow(host) {
        return Err(ApiError::forbidden(format!(
            "`{host}` is not an address of this lab; if it is, add it to `web.allowed_hosts`"
        )));
    }
    let harmless = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if harmless && request.uri().path() != LIVE {
        return Ok(());
    }
    match origin_of(request.headers()) {
        Some(origin) if !hosts::is_same(origin, host) => {
            Err(ApiError::forbidden(format!("a page of `{origin}` may not do this here")))
        }
        _ => Ok(()),
    }
}

fn host_of(request: &Request) -> Option<&str> {
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    header.or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str))
}

/// The header as text; one that is none is never equal to a host.
fn origin_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("null"))
}

fn needs_token(path: &str) -> bool {
    let data = path.starts_with("/api/") || path == "/metrics" || path == "/readyz";
    data && !OPEN.contains(&path)
}
