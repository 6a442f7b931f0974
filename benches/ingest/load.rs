//! Fifty devices that cost little: raw sockets in a process of their own, one thread, QoS 1.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Set in the process that is to publish.
const ORDER: &str = "INGEST_BENCH_LOAD";
/// Connections, each of a device of its own.
pub(crate) const DEVICES: u64 = 50;
/// Messages written to one connection before the acknowledgements of all are read.
const BURST: u64 = 20;

/// Publishes `total` samples as devices of life `boot`, as fast as the broker takes them, or so many a second.
pub(crate) fn start(broker: &str, boot: &str, total: u64, per_second: Option<u64>) -> Child {
    let order = format!("{broker} {boot} {total} {}", per_second.unwrap_or(0));
    let program = std::env::current_exe().expect("this program has a path");
    Command::new(program).env(ORDER, order).spawn().expect("it starts once more")
}

/// Publishes and ends, in the process that was started for it.
pub(crate) fn run_if_ordered() -> bool {
    let Ok(order) = std::env::var(ORDER) else { return false };
    let order: Vec<_> = order.split(' ').collect();
    let [broker, boot, total, per_second] = order[..] else { panic!("not an order: {order:?}") };
    let number = |text: &str| text.parse::<u64>().expect("a number");
    publish(broker, boot, number(total), number(per_second));
    true
}

fn publish(broker: &str, boot: &str, total: u64, per_second: u64) {
    let mut devices: Vec<_> = (0..DEVICES).map(|n| Device::connect(broker, boot, n)).collect();
    let begin = Instant::now();
    let mut sent = 0;
    while sent < total {
        let mut expected = vec![0; devices.len()];
        for (device, expected) in devices.iter_mut().zip(&mut expected) {
            *expected = BURST.min(total - sent);
            device.publish(*expected);
            sent += *expected;
        }
        devices.iter_mut().zip(expected).for_each(|(device, count)| device.acknowledged(count));
        if let Some(due_ms) = (sent * 1_000).checked_div(per_second) {
            let ahead = Duration::from_millis(due_ms).saturating_sub(begin.elapsed());
            std::thread::park_timeout(ahead);
        }
    }
}

struct Device {
    stream: TcpStream,
    topic: String,
    boot: String,
    sent: u64,
    last_us: u128,
    buffer: Vec<u8>,
}

impl Device {
    fn connect(broker: &str, boot: &str, number: u64) -> Self {
        let mut stream = TcpStream::connect(broker).expect("the broker listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let id = format!("load-{boot}-{number}");
        let mut packet = b"\x10\0\0\x04MQTT\x04\x02\0\0\0".to_vec();
        packet.push(u8::try_from(id.len()).expect("short"));
        packet.extend(id.as_bytes());
        packet[1] = u8::try_from(packet.len() - 2).expect("short");
        stream.write_all(&packet).expect("CONNECT");
        stream.read_exact(&mut [0; 4]).expect("CONNACK");
        let topic = format!("lab/load/device-{number:02}/value");
        Self { stream, topic, boot: boot.to_owned(), sent: 0, last_us: 0, buffer: Vec::new() }
    }

    /// As our own devices write it.
    fn publish(&mut self, count: u64) {
        self.buffer.clear();
        for _ in 0..count {
            self.sent += 1;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
            self.last_us = now.max(self.last_us + 1);
            let now = self.last_us;
            let (boot, n) = (&self.boot, self.sent);
            let payload = format!("{{\"v\":{}.5,\"t\":{now},\"b\":\"{boot}\",\"n\":{n}}}", n % 100);
            let length = 2 + self.topic.len() + 2 + payload.len();
            self.buffer.push(0x32);
            self.buffer.push(u8::try_from(length).ok().filter(|length| *length < 128).expect("short"));
            self.buffer.extend([0, u8::try_from(self.topic.len()).expect("short")]);
            self.buffer.extend(self.topic.as_bytes());
            // Any packet id but 0, not in use: all earlier ones are acknowledged.
            self.buffer.extend(u16::try_from(n % 60_000 + 1).expect("small").to_be_bytes());
            self.buffer.extend(payload.as_bytes());
        }
        self.stream.write_all(&self.buffer).expect("the broker reads");
    }

    fn acknowledged(&mut self, count: u64) {
        self.buffer.resize(usize::try_from(count * 4).expect("small"), 0);
        self.stream.read_exact(&mut self.buffer).expect("PUBACKs");
    }
}
