//! CONNECT and CONNACK.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::super::hub::Hub;
use super::super::state::Accepted;
use super::super::wire::{Connect, Refused, Wrong, connack};
use super::FAREWELL;
use crate::frame::{self, Frame, Sender};
use crate::link::Version;
use crate::reason;

/// Longest time from the connection to a complete CONNECT.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client that was let in.
pub(super) struct Greeted {
    pub(super) accepted: Accepted,
    pub(super) version: Version,
    pub(super) client_id: String,
    pub(super) keep_alive_s: u16,
    pub(super) connack: BytesMut,
    /// What has to be on disk before CONNACK is sent.
    pub(super) change: u64,
}

/// Reads CONNECT and decides. `None`: refused, which was said.
pub(super) async fn greet(
    hub: &Hub,
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
    input: &mut BytesMut,
    address: SocketAddr,
) -> Option<Greeted> {
    let mut stop = hub.stop.subscribe();
    let frame = tokio::select! {
        frame = timeout(PATIENCE, first(reader, input, hub.max_packet)) => frame.ok()??,
        _ = stop.wait_for(|stop| *stop) => return None,
    };
    match admit(hub, &frame, address) {
        Ok(greeted) => Some(greeted),
        Err(Refused { version, wrong }) => {
            tracing::warn!(%address, "the broker refuses a client: {wrong}");
            let mut out = BytesMut::new();
            connack(version, wrong.code, false, 0, None, &mut out);
            let _ = timeout(FAREWELL, writer.write_all_buf(&mut out)).await;
            None
        }
    }
}

async fn first(reader: &mut (impl AsyncRead + Unpin), input: &mut BytesMut, limit: u32) -> Option<Frame> {
    const CONNECT: u8 = 0x10;
    loop {
        // What does not begin like MQTT is not waited for.
        if input.first().is_some_and(|head| *head != CONNECT) {
            return None;
        }
        if let Some(frame) = frame::take(input, Sender::Client, limit).ok()? {
            return Some(frame);
        }
        input.reserve(super::READ.0);
        if reader.read_buf(input).await.ok()? == 0 {
            return None;
        }
    }
}

fn admit(hub: &Hub, frame: &Frame, address: SocketAddr) -> Result<Greeted, Refused> {
    let mut connect = Connect::read(frame)?;
    let version = connect.version;
    let refused = |wrong| Refused { version, wrong };
    if !hub.users.admit(&connect.user, &connect.password) {
        // The password is not told.
        let problem = format!("user `{}` or its password is not known", connect.user);
        return Err(refused(Wrong::new(reason::BAD_LOGIN, problem)));
    }
    let assigned = connect.client_id.is_empty();
    if assigned {
        connect.client_id = format!("auto-{:016x}", rand::random::<u64>());
    }
    let (client_id, keep_alive_s) = (connect.client_id.clone(), connect.keep_alive_s);
    let (accepted, change) = hub.with_due(|state| state.connect(connect, address));
    let accepted = accepted.map_err(refused)?;
    let mut out = BytesMut::new();
    let id = assigned.then_some(client_id.as_str());
    connack(version, 0, accepted.session_present, hub.max_packet, id, &mut out);
    Ok(Greeted { accepted, version, client_id, keep_alive_s, connack: out, change })
}
