//! Who may do what: the checks every request passes before a handler sees it.
//!
//! Against DNS rebinding (a foreign page whose name suddenly points here) the header `Host` must be
//! a name of the lab. Against requests forged by a foreign page, `Origin` must match `Host` on every
//! write and on the WebSocket. With a token set, requests need it or a login; the page itself is no secret.

mod access;
mod credential;
mod hosts;
mod logins;
mod network;
mod peer;
mod places;
mod proxies;
mod rarely;
mod token;
mod tries;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::ApiError;
use crate::app::App;
pub(crate) use access::Access;
pub(crate) use hosts::Hosts;
pub(crate) use logins::LoggedIn;
use network::Network;
pub(crate) use peer::{Connection, Peer};
pub(crate) use places::{Limits, Place, Places};
pub(crate) use proxies::{Proxies, Visitor};
pub(crate) use rarely::Rarely;
pub(crate) use token::{Token, is_usable};

/// What may be called without token: where one presents it or ends a login, and whether the process lives.
const OPEN: [&str; 3] = ["/api/v1/login", "/api/v1/logout", "/healthz"];
const LIVE: &str = "/api/v1/live";

/// Lets a request pass, or answers in the handlers' place. The handlers find the [`Visitor`] among the request's
/// extensions, and the [`LoggedIn`] if there is one.
pub(crate) async fn check(State(app): State<App>, mut request: Request, next: Next) -> Response {
    if let Err(error) = check_sender(&app, &request) {
        return error.into_response();
    }
    let connection = request.extensions().get::<Arc<Connection>>().cloned();
    let visitor = app.access.visitor(connection.as_deref(), request.headers());
    if needs_token(request.uri().path()) {
        match app.access.admit(request.headers(), visitor, connection.as_deref()).await {
            Ok(Some(login)) => drop(request.extensions_mut().insert(login)),
            Ok(None) => {}
            Err(error) => return error.into_response(),
        }
    }
    request.extensions_mut().insert(visitor);
    next.run(request).await
}

fn check_sender(app: &App, request: &Request) -> Result<(), ApiError> {
    let host = host_of(request).ok_or_else(|| ApiError::forbidden("the header `Host` is missing"))?;
    if !app.access.needs_token() && !app.hosts.allow(host) {
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
