//! Cuts the byte stream into packets (MQTT 5.0 section 2.1), before anything inside is looked at.
//!
//! rumqttc's `Codec` mistakes a malformed packet for an incomplete one and waits for ever, and
//! reserves whatever a header promises; so link and broker frame packets themselves.

use bytes::{Bytes, BytesMut};

/// The other side sent something that is not MQTT, or more of it than allowed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("packet of `{size}` bytes exceeds `max_packet_size`")]
    TooLarge { size: usize },
    #[error("remaining length takes more than four bytes")]
    Length,
    #[error("`{0:#04x}` begins no packet that the other side may send")]
    Head(u8),
    #[error("packet type `{kind}` is malformed: {problem}")]
    Content { kind: u8, problem: String },
}

/// One complete packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Type in the upper, flags in the lower four bits.
    pub(crate) head: u8,
    /// The whole packet; its content begins at `content`.
    pub(crate) bytes: Bytes,
    content: usize,
}

impl Frame {
    /// The packet type, 1 to 15.
    pub(crate) fn kind(&self) -> u8 {
        self.head >> 4
    }

    /// What follows the fixed header.
    pub(crate) fn content(&self) -> &[u8] {
        &self.bytes[self.content..]
    }

    /// Length of the remaining length, in bytes.
    pub(crate) fn digits(&self) -> usize {
        self.content - 1
    }

    pub(crate) fn malformed(&self, problem: impl ToString) -> Malformed {
        Malformed::Content { kind: self.kind(), problem: problem.to_string() }
    }
}

/// Takes the next packet of at most `limit` bytes from the front, or `None` if it is not complete.
pub(crate) fn take(from: &mut BytesMut, sender: Sender, limit: u32) -> Result<Option<Frame>, Malformed> {
    let Some(&head) = from.first() else { return Ok(None) };
    if !sender.sends(head) {
        return Err(Malformed::Head(head));
    }
    let Some((remaining, digits)) = variable_int(&from[1..])? else { return Ok(None) };
    let (content, size) = (1 + digits, 1 + digits + remaining);
    if u32::try_from(size).is_ok_and(|size| size <= limit) {
        let complete = from.len() >= size;
        return Ok(complete.then(|| Frame { head, bytes: from.split_to(size).freeze(), content }));
    }
    Err(Malformed::TooLarge { size })
}

/// Who sent the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Broker,
    #[cfg(feature = "broker")]
    Client,
}

impl Sender {
    /// Type and flags, which are fixed but for PUBLISH (MQTT-2.1.3-1). AUTH is not asked for.
    fn sends(self, head: u8) -> bool {
        match self {
            Self::Broker => {
                matches!(head, 0x20 | 0x30..0x40 | 0x40 | 0x50 | 0x62 | 0x70 | 0x90 | 0xB0 | 0xD0 | 0xE0)
            }
            #[cfg(feature = "broker")]
            Self::Client => {
                matches!(head, 0x10 | 0x30..0x40 | 0x40 | 0x50 | 0x62 | 0x70 | 0x82 | 0xA2 | 0xC0 | 0xE0)
            }
        }
    }
}

/// Reads a variable byte integer (MQTT 5.0 section 1.5.5) and its length in bytes; `None` if it is
/// not complete.
pub(crate) fn variable_int(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((value, at + 1)));
        }
    }
    if bytes.len() >= 4 { Err(Malformed::Length) } else { Ok(None) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn take_from(bytes: &[u8]) -> Result<Option<Frame>, Malformed> {
        take(&mut BytesMut::from(bytes), Sender::Broker, 300)
    }

    #[test]
    fn an_incomplete_packet_waits() {
        for bytes in [&[][..], &[0x20], &[0x20, 2], &[0x20, 2, 0], &[0x30, 0x80]] {
            assert_eq!(take_from(bytes), Ok(None), "{bytes:?}");
        }
    }

    #[test]
    fn a_packet_leaves_what_follows() {
        let mut stream = BytesMut::from(&[0x20, 2, 0, 5, 0xD0, 0, 0x40][..]);
        let frame = take(&mut stream, Sender::Broker, 300).unwrap().unwrap();
        assert_eq!((frame.kind(), frame.content()), (2, &[0, 5][..]));
        assert_eq!(take(&mut stream, Sender::Broker, 300).unwrap().unwrap().kind(), 13);
        assert_eq!(stream[..], [0x40]);
    }

    #[test]
    fn what_is_not_mqtt_is_noticed_at_the_first_byte() {
        for head in [b'H', 0x00, 0x10, 0x21, 0x60, 0xF0, 0xFF] {
            assert_eq!(take_from(&[head]), Err(Malformed::Head(head)));
        }
    }

    #[test]
    fn a_header_that_promises_too_much_is_refused_at_once() {
        assert_eq!(
            take_from(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]),
            Err(Malformed::TooLarge { size: 268_435_460 })
        );
        assert_eq!(take_from(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF]), Err(Malformed::Length));
        assert_eq!(take_from(&[0x30, 0xAA, 0x02]), Err(Malformed::TooLarge { size: 301 }));
    }
}
