//! The bound: hand-written bytes on a socket, with a window and nothing else.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// Publishes `count` messages at `qos` (1 or 2) and waits until all are acknowledged.
pub(crate) fn publish(broker: &str, qos: u8, count: usize, window: usize, payload: &[u8], topic: &str) {
    let mut socket = TcpStream::connect(broker).expect("the broker listens");
    socket.set_nodelay(true).expect("a TCP socket");
    socket.write_all(b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03raw").expect("sent");
    let mut buffer = vec![0; 64 * 1024];
    socket.read_exact(&mut buffer[..4]).expect("CONNACK");
    assert_eq!(buffer[3], 0, "accepted");
    let (mut sent, mut acknowledged, mut held, mut out) = (0, 0, 0, Vec::new());
    let rest = 2 + topic.len() + 2 + payload.len();
    while acknowledged < count {
        while sent < count.min(acknowledged + window) {
            out.push(0x30 | qos << 1);
            // Two digits are enough for a packet of 128 to 16,383 bytes, and one for less.
            if rest > 127 {
                out.extend([low(rest % 128) | 0x80, low(rest / 128)]);
            } else {
                out.push(low(rest));
            }
            out.extend([0, low(topic.len())]);
            out.extend(topic.as_bytes());
            let id = u16::try_from(sent % 60_000 + 1).expect("an id");
            out.extend(id.to_be_bytes());
            out.extend(payload);
            sent += 1;
        }
        if !out.is_empty() {
            socket.write_all(&out).expect("sent");
            out.clear();
        }
        let read = socket.read(&mut buffer[held..]).expect("acknowledgements");
        assert!(read > 0, "the broker stays");
        held += read;
        for packet in buffer[..held].chunks_exact(4) {
            match packet[0] >> 4 {
                4 | 7 => acknowledged += 1,
                5 => out.extend([0x62, 2, packet[2], packet[3]]),
                _ => {}
            }
        }
        let whole = held / 4 * 4;
        buffer.copy_within(whole..held, 0);
        held -= whole;
    }
    socket.write_all(b"\xe0\0").expect("sent");
}

fn low(number: usize) -> u8 {
    u8::try_from(number).expect("less than 256")
}
