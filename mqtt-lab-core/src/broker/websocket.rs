//! MQTT over WebSocket (MQTT 5.0 chapter 6).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::connection;
use super::hub::Hub;

/// The name of MQTT among the protocols of WebSocket (MQTT-6.0.0-3).
const PROTOCOL: &str = "mqtt";
/// Bytes between the WebSocket and the connection.
const BUFFER: usize = 16 * 1024;
/// Longest time for the handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves a client that speaks MQTT inside of a WebSocket.
pub(super) async fn serve(hub: Arc<Hub>, stream: TcpStream, address: SocketAddr) {
    let most = usize::try_from(hub.max_packet).unwrap_or(usize::MAX);
    let config = WebSocketConfig::default().max_message_size(Some(most)).max_frame_size(Some(most));
    let handshake = tokio_tungstenite::accept_hdr_async_with_config(stream, check, Some(config));
    let socket = match timeout(PATIENCE, handshake).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return tracing::debug!(%error, %address, "a WebSocket was refused"),
        Err(_) => return,
    };
    let (inside, outside) = tokio::io::duplex(BUFFER);
    tokio::join!(connection::serve(hub, inside, address), pump(socket, outside));
}

/// Only clients that speak MQTT, and no pages of other sites: a browser lets every page connect here.
#[allow(clippy::result_large_err, reason = "the signature is the library's")]
fn check(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let refuse = |status, why: &str| {
        let mut refusal = ErrorResponse::new(Some(why.to_owned()));
        *refusal.status_mut() = status;
        refusal
    };
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut names = offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    if !names.any(|name| name.trim() == PROTOCOL) {
        return Err(refuse(StatusCode::BAD_REQUEST, "the protocol `mqtt` is not offered"));
    }
    let text = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if !same_host(text(header::ORIGIN), text(header::HOST)) {
        return Err(refuse(StatusCode::FORBIDDEN, "a page of another host may not connect"));
    }
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    Ok(response)
}

/// Programs send no origin. A page may come from any port of the host that it connects to.
fn same_host(origin: Option<&str>, host: Option<&str>) -> bool {
    let Some(origin) = origin else { return true };
    let name = |authority: &str| match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name.to_ascii_lowercase(),
        _ => authority.to_ascii_lowercase(),
    };
    let origin = origin.split_once("://").map(|(_, authority)| name(authority));
    origin.is_some() && origin == host.map(name)
}

/// Carries bytes both ways, each as fast as its receiver takes them, until either side ends.
async fn pump(socket: WebSocketStream<TcpStream>, bytes: DuplexStream) {
    let (mut sink, source) = socket.split();
    let (reader, writer) = tokio::io::split(bytes);
    tokio::select! {
        () = inwards(source, writer) => {}
        () = outwards(reader, &mut sink) => {}
    }
    let _ = timeout(PATIENCE, sink.close()).await;
}

type Socket = WebSocketStream<TcpStream>;

async fn inwards(mut source: SplitStream<Socket>, mut to: WriteHalf<DuplexStream>) {
    loop {
        match source.next().await {
            Some(Ok(Message::Binary(packet))) => {
                if to.write_all(&packet).await.is_err() {
                    return;
                }
            }
            // Answered by the library.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            // MQTT travels in binary frames only (MQTT-6.0.0-1).
            Some(Ok(Message::Text(_) | Message::Close(_) | Message::Frame(_)) | Err(_)) | None => return,
        }
    }
}

async fn outwards(mut from: ReadHalf<DuplexStream>, sink: &mut SplitSink<Socket, Message>) {
    let mut out = BytesMut::new();
    loop {
        out.reserve(BUFFER);
        if !matches!(from.read_buf(&mut out).await, Ok(1..)) {
            return;
        }
        if sink.send(Message::Binary(out.split().freeze())).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_host_is_refused() {
        let here = Some("127.0.0.1:8083");
        assert!(same_host(None, here));
        assert!(same_host(Some("http://127.0.0.1:8080"), here));
        assert!(same_host(Some("http://[::1]:8080"), Some("[::1]:8083")));
        assert!(!same_host(Some("https://example.org"), here));
        assert!(!same_host(Some("null"), here) && !same_host(Some("http://127.0.0.1"), None));
    }
}
