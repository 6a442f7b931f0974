//! The bound: as many sockets, and the same bytes each second from one thread.

use crate::process::cpu_seconds;
use crate::{SECONDS, SENSORS};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

pub(crate) const CHILD: &str = "--bare";

/// A sample as the lab's sensors send it.
const PAYLOAD: &str = r#"{"v":21.25,"t":1732375200123456,"b":"k3f9ab","n":17}"#;

/// Sends, reads what the broker answers, and tells the processor time.
pub(crate) fn run(broker: &str) {
    let mut sockets: Vec<_> = (0..SENSORS).map(|number| connect(broker, number)).collect();
    let packets: Vec<_> = (0..SENSORS).map(publish).collect();
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let mut buffer = [0; 256];
    for round in 0..SECONDS {
        for (number, (socket, packet)) in sockets.iter_mut().zip(&packets).enumerate() {
            let due = Duration::from_secs(round) + Duration::from_secs(1) * index(number) / index(SENSORS);
            if let Some(early) = due.checked_sub(begin.elapsed()).filter(|early| early.as_millis() > 0) {
                std::thread::park_timeout(early);
            }
            socket.write_all(packet).expect("the socket takes a small packet");
            match socket.read(&mut buffer) {
                Ok(read) => assert!(read > 0, "the broker stays"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
        }
    }
    println!("cpu {}", cpu_seconds() - cpu);
}

fn connect(broker: &str, number: usize) -> TcpStream {
    let mut socket = TcpStream::connect(broker).expect("the broker listens");
    socket.set_nodelay(true).expect("a TCP socket");
    let (client, will) = (format!("bare-{number}"), format!("lab/bench/s-{number}/$state"));
    // CONNECT of 3.1.1: clean session, will at QoS 1 and retained, keep-alive 60 s.
    let mut body = b"\0\x04MQTT\x04\x2e\0\x3c".to_vec();
    for text in [client.as_str(), &will, "lost"] {
        body.extend([0, low(text.len())]);
        body.extend(text.as_bytes());
    }
    socket.write_all(&[&[0x10, low(body.len())], &body[..]].concat()).expect("sent");
    let mut answer = [0; 4];
    socket.read_exact(&mut answer).expect("CONNACK");
    assert_eq!(answer[3], 0, "accepted");
    socket.set_nonblocking(true).expect("a TCP socket");
    socket
}

/// PUBLISH at QoS 1.
fn publish(number: usize) -> Vec<u8> {
    let topic = format!("lab/bench/s-{number}/temperature");
    let mut packet = vec![0x32, low(2 + topic.len() + 2 + PAYLOAD.len()), 0, low(topic.len())];
    packet.extend(topic.as_bytes());
    packet.extend([0, 1]);
    packet.extend(PAYLOAD.as_bytes());
    packet
}

fn low(number: usize) -> u8 {
    u8::try_from(number).expect("less than 256")
}

fn index(number: usize) -> u32 {
    u32::try_from(number).expect("small")
}
