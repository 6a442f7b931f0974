//! What the fuzzer in `fuzz/` calls; not part of the library.

use bytes::BytesMut;

use super::wire::{Connect, read};
use crate::frame::{self, Sender};
use crate::link::Version;

/// Bytes that a client, or whoever says to be one, sends: CONNECT, then packets of either version.
pub fn from_a_client(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let mut version = if choice & 1 == 0 { Version::V311 } else { Version::V5 };
    let mut stream = BytesMut::from(bytes);
    while let Ok(Some(frame)) = frame::take(&mut stream, Sender::Client, 10_000) {
        if frame.kind() == 1 {
            if let Ok(connect) = Connect::read(&frame) {
                version = connect.version;
            }
        } else if read(version, &frame).is_err() {
            return;
        }
    }
}
