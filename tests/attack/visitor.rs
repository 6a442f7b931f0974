//! A visitor of the page with an address of its own, who speaks HTTP by hand.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::support::PATIENCE;

/// The lab's own computer.
pub(crate) const OWN_COMPUTER: u8 = 1;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
}

/// A connection from `127.0.0.<from>`.
pub(crate) async fn connect(web: &str, from: u8) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into())?;
    let address: SocketAddr = web.parse().expect("an address");
    timeout(PATIENCE, socket.connect(address)).await?
}

/// A request as it is sent; `headers` are whole lines.
pub(crate) fn request(web: &str, line: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nHost: {web}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )
}

/// One request on a connection of its own. An error if the connection is refused or closed before the answer.
pub(crate) async fn ask(web: &str, from: u8, line: &str, headers: &str, body: &str) -> io::Result<Answer> {
    let mut stream = connect(web, from).await?;
    stream.write_all(request(web, line, headers, body).as_bytes()).await?;
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await?;
    let text = String::from_utf8_lossy(&bytes);
    let head = text.split_once("\r\n\r\n").map(|(head, _)| head.to_owned());
    let status = head.as_ref().and_then(|head| head.split(' ').nth(1)?.parse().ok());
    match (head, status) {
        (Some(head), Some(status)) => Ok(Answer { status, head }),
        _ => Err(read.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into())),
    }
}

/// Logs in; returns the header line with the cookie.
pub(crate) async fn log_in(web: &str, from: u8) -> String {
    let answer =
        ask(web, from, "POST /api/v1/login", "", r#"{"token":"geheim-7"}"#).await.expect("an answer");
    assert_eq!(answer.status, 204, "{}", answer.head);
    let line = answer.head.lines().find(|line| line.starts_with("set-cookie: ")).expect("a cookie");
    let pair = line.trim_start_matches("set-cookie: ").split(';').next().expect("a pair");
    format!("Cookie: {pair}\r\n")
}

/// Waits until the other end has closed the connection, without reading from it; false: it did not within `limit`.
pub(crate) async fn is_closed(stream: &TcpStream, limit: Duration) -> bool {
    let closed = async {
        // Where nothing can be written, an error still comes.
        while !matches!(stream.try_write(b"x"), Err(error) if error.kind() != io::ErrorKind::WouldBlock) {
            crate::a_moment().await;
        }
    };
    timeout(limit, closed).await.is_ok()
}
