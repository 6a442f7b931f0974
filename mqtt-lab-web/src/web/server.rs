//! The task that accepts connections and answers requests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use mqtt_lab_core::supervisor::Work;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower::ServiceExt as _;

use super::unstalled::Unstalled;
use crate::app::App;
use crate::guard::{Connection, Peer, Place, Places, Rarely};
use crate::stop::stopped;

/// Time for the head of a request, from the connection or from the answer before: an idle connection is closed after
/// it, too. A browser opens another one without being asked.
const HEAD_PATIENCE: Duration = Duration::from_secs(20);
/// A visitor that takes nothing of an answer, or of live messages, for so long is disconnected.
const WRITE_PATIENCE: Duration = Duration::from_secs(20);
/// Longest head of a request, in bytes: the topic of a query has 64 KiB at most, and few have a tenth of it.
const MAX_HEAD: usize = 64 * 1024;
/// Pause after a failed accept: the system has no file or memory left, and more tries would not make it better.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What a visitor is told for whom there is no place.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\n\
    content-type: text/plain\r\ncontent-length: 67\r\n\r\nToo many connections to this lab are open. Try again in 5 \
    seconds.\n";

/// Answers requests.
pub(super) struct Server {
    pub(super) listener: std::net::TcpListener,
    pub(super) app: App,
    pub(super) places: Arc<Places>,
    pub(super) stop: watch::Receiver<bool>,
}

#[async_trait]
impl Work for Server {
    async fn run(&mut self) -> Result<(), String> {
        let listener = self.listener.try_clone().and_then(TcpListener::from_std);
        let listener = listener.map_err(|error| error.to_string())?;
        let router = crate::router(self.app.clone());
        let (mut stop, mut connections) = (self.stop.clone(), JoinSet::new());
        let (refused, failed) = (Rarely::default(), Rarely::default());
        loop {
            let accepted = tokio::select! {
                () = stopped(&mut stop) => break,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, from)) => match self.enter(from) {
                    Some(place) => {
                        let connection = serve(stream, from, place, router.clone(), self.stop.clone());
                        drop(connections.spawn(connection));
                    }
                    None => refuse(&stream, from, &refused),
                },
                Err(error) => {
                    if let Some(count) = failed.count() {
                        tracing::warn!(%error, count, "connections to the dashboard could not be accepted");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        while connections.join_next().await.is_some() {}
        Ok(())
    }
}

impl Server {
    /// A place for a connection. That of a trusted proxy carries the requests of many, like those of the own computer.
    fn enter(&self, from: SocketAddr) -> Option<Place> {
        let proxied = self.app.access.proxies().trust(from.ip());
        let peer = if proxied { Peer::OWN_COMPUTER } else { Peer::of(from.ip()) };
        self.places.enter(peer).ok()
    }
}

/// Tells a visitor that there is no place, if that can be done without waiting.
fn refuse(stream: &TcpStream, from: SocketAddr, refused: &Rarely) {
    // It is closed anyway.
    let _ = stream.try_write(FULL);
    if let Some(count) = refused.count() {
        tracing::warn!(
            address = %Peer::of(from.ip()), count,
            "too many connections to the dashboard; refused since the last such line, the last one from this address"
        );
    }
}

/// Answers the requests of one connection. A WebSocket leaves it, and lives on by itself.
async fn serve(
    stream: TcpStream,
    from: SocketAddr,
    place: Place,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    // Live messages are small and must not wait for more.
    let _ = stream.set_nodelay(true);
    let connection = Arc::new(Connection::new(from.ip()));
    let service = service_fn(|request: hyper::Request<Incoming>| {
        place.touch();
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(Arc::clone(&connection));
        let answer = router.clone().oneshot(request);
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let io = TokioIo::new(Unstalled::new(stream, WRITE_PATIENCE));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(MAX_HEAD)
        .serve_connection(io, service)
        .with_upgrades();
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = place.evicted() => return,
        () = stopped(&mut stop) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%from, %error, "a connection to the dashboard ended early");
    }
}
