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

/// What is in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As our own devices write it: value, time, boot id and number.
    Numbered,
    /// Value and time.
    Timed,
    /// The value alone.
    Plain,
    /// Two values in a JSON object, on the topic of the device.
    Object,
    /// As `Timed`, always the same time; here and below each value is another one.
    Constant,
    /// As `Timed`, each time before the last one.
    Falling,
    /// As `Timed`, anywhere within a day.
    Random,
    /// As `Timed`, the first one 50 s ahead: the latest that is plausible, and later than the bench.
    Future,
}

impl Form {
    const ALL: [Self; 8] = [
        Self::Numbered,
        Self::Timed,
        Self::Plain,
        Self::Object,
        Self::Constant,
        Self::Falling,
        Self::Random,
        Self::Future,
    ];

    /// Samples in a message.
    pub(crate) fn samples(self) -> u64 {
        if self == Self::Object { 2 } else { 1 }
    }

    fn topic(self, device: u64) -> String {
        let channel = if self == Self::Object { "" } else { "/value" };
        format!("lab/load/device-{device:02}{channel}")
    }

    fn payload(self, boot: &str, n: u64, now: u128) -> String {
        let v = n % 100;
        match self {
            Self::Numbered => format!("{{\"v\":{v}.5,\"t\":{now},\"b\":\"{boot}\",\"n\":{n}}}"),
            Self::Timed => timed(v, now),
            Self::Constant => timed(n, BEGIN_US),
            Self::Falling => timed(n, BEGIN_US - u128::from(n) * 1_000),
            Self::Random => timed(n, BEGIN_US - u128::from(scattered(n)) % DAY_US),
            Self::Future => timed(n, if n == 1 { now + AHEAD_US } else { now }),
            Self::Plain => format!("{v}.5"),
            Self::Object => format!("{{\"temperature\":{v}.5,\"humidity\":{v}}}"),
        }
    }
}

/// Monday, 23 November 2026, 12:00 UTC, in microseconds.
const BEGIN_US: u128 = 1_795_435_200_000_000;
const DAY_US: u128 = 86_400_000_000;
const AHEAD_US: u128 = 50_000_000;

fn timed(v: u64, t: u128) -> String {
    format!("{{\"v\":{v}.5,\"t\":{t}}}")
}

/// A number that looks random, always the same for one `n` (the finaliser of SplitMix64).
pub(crate) fn scattered(n: u64) -> u64 {
    let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Publishes `total` messages as devices of boot `boot`, as fast as the broker takes them, or so many a second.
pub(crate) fn start(broker: &str, form: Form, boot: &str, total: u64, per_second: Option<u64>) -> Child {
    let order = format!("{broker} {form:?} {boot} {total} {}", per_second.unwrap_or(0));
    let program = std::env::current_exe().expect("this program has a path");
    Command::new(program).env(ORDER, order).spawn().expect("it starts once more")
}

/// Publishes and ends, in the process that was started for it.
pub(crate) fn run_if_ordered() -> bool {
    let Ok(order) = std::env::var(ORDER) else { return false };
    let order: Vec<_> = order.split(' ').collect();
    let [broker, form, boot, total, per_second] = order[..] else { panic!("not an order: {order:?}") };
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let form = Form::ALL.into_iter().find(|known| format!("{known:?}") == form).expect("a form");
    publish(broker, form, boot, number(total), number(per_second));
    true
}

fn publish(broker: &str, form: Form, boot: &str, total: u64, per_second: u64) {
    let mut devices: Vec<_> = (0..DEVICES).map(|n| Device::connect(broker, form, boot, n)).collect();
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
    form: Form,
    topic: String,
    boot: String,
    sent: u64,
    last_us: u128,
    buffer: Vec<u8>,
}

impl Device {
    fn connect(broker: &str, form: Form, boot: &str, number: u64) -> Self {
        let mut stream = TcpStream::connect(broker).expect("the broker listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let id = format!("load-{boot}-{number}");
        let mut packet = b"\x10\0\0\x04MQTT\x04\x02\0\0\0".to_vec();
        packet.push(u8::try_from(id.len()).expect("short"));
        packet.extend(id.as_bytes());
        packet[1] = u8::try_from(packet.len() - 2).expect("short");
        stream.write_all(&packet).expect("CONNECT");
        stream.read_exact(&mut [0; 4]).expect("CONNACK");
        Self {
            stream,
            form,
            topic: form.topic(number),
            boot: boot.to_owned(),
            sent: 0,
            last_us: 0,
            buffer: Vec::new(),
        }
    }

    fn publish(&mut self, count: u64) {
        self.buffer.clear();
        for _ in 0..count {
            self.sent += 1;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
            self.last_us = now.max(self.last_us + 1);
            let n = self.sent;
            let payload = self.form.payload(&self.boot, n, self.last_us);
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
