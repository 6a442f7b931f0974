//! Messages a second on one connection, all acknowledged.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mqtt_lab_core::link::{DiskSpool, Link, LinkConfig, Publish, Qos, Version};
use tokio::runtime::Runtime;

use crate::support::mosquitto::{Mosquitto, tool};
use crate::{median, raw, report};

const MESSAGES: usize = 50_000;
const ROUNDS: usize = 7;
const WINDOW: u16 = 100;
const TOPIC: &str = "lab/bench/link/value";
/// More than any round takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn payload() -> Vec<u8> {
    vec![b'x'; 100]
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Raw,
    Link(Version),
    Disk,
    Rumqttc,
    MosquittoPub,
}

/// What it is called, and the ratio to the raw loop that it shall reach at QoS 1 and 2.
type Figure = (Way, &'static str, Option<(f64, f64)>);

const WAYS: [Figure; 6] = [
    (Way::Raw, "raw TCP loop", None),
    (Way::Link(Version::V311), "link, 3.1.1", Some((0.9, 1.0))),
    (Way::Link(Version::V5), "link, 5", Some((0.9, 1.0))),
    (Way::Disk, "link, 5, spool on disk", Some((0.5, 0.5))),
    (Way::Rumqttc, "rumqttc's client, 3.1.1", None),
    (Way::MosquittoPub, "mosquitto_pub, 3.1.1", None),
];

pub(crate) fn measure() {
    let broker = Mosquitto::start("max_queued_messages 0\nmax_inflight_messages 1000\n");
    let address = broker.address();
    let runtime = Runtime::new().expect("threads");
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let mut times = vec![Vec::new(); WAYS.len()];
        // In turn, so that a slow moment of the machine hits all of them.
        for _ in 0..ROUNDS {
            for (way, times) in WAYS.iter().map(|(way, ..)| *way).zip(&mut times) {
                let begin = Instant::now();
                run(way, &runtime, &address, qos);
                times.push(begin.elapsed());
            }
        }
        let times: Vec<_> = times.into_iter().map(median).collect();
        for ((_, name, aim), time) in WAYS.iter().zip(&times) {
            let ratio = times[0].as_secs_f64() / time.as_secs_f64();
            let aim = aim.map(|(at_1, at_2)| if qos == Qos::AtLeastOnce { at_1 } else { at_2 });
            #[allow(clippy::cast_precision_loss, reason = "a figure to be read")]
            let rate = MESSAGES as f64 / time.as_secs_f64() / 1000.0;
            report(
                &format!("QoS {qos}, {name}"),
                &format!("{rate:.1} k/s {ratio:.2}"),
                &aim.map_or_else(String::new, |aim| format!("{aim:.1}")),
                aim.is_none_or(|aim| ratio >= aim),
            );
        }
    }
}

fn run(way: Way, runtime: &Runtime, broker: &str, qos: Qos) {
    match way {
        Way::Raw => raw::publish(broker, qos.level(), MESSAGES, WINDOW.into(), &payload(), TOPIC),
        Way::Link(version) => runtime.block_on(by_link(broker, version, qos, None)),
        Way::Disk => {
            let folder = tempfile::tempdir().expect("a folder");
            let disk = DiskSpool::open(folder.path(), false).expect("a spool");
            runtime.block_on(by_link(broker, Version::V5, qos, Some(disk)));
        }
        Way::Rumqttc => runtime.block_on(by_rumqttc(broker, qos)),
        Way::MosquittoPub => by_mosquitto_pub(broker, qos),
    }
}

async fn by_link(broker: &str, version: Version, qos: Qos, disk: Option<DiskSpool>) {
    let mut config = LinkConfig::new(broker, "bench");
    (config.version, config.window, config.qos2_window_311, config.disk) = (version, WINDOW, WINDOW, disk);
    let (link, events) = Link::spawn(config).expect("valid");
    drop(events);
    let payload = bytes::Bytes::from(payload());
    for _ in 0..MESSAGES {
        // Whether it was acknowledged is known at the end.
        drop(link.publish(Publish::new(TOPIC, payload.clone()).qos(qos)).await.expect("accepted"));
    }
    link.close(PATIENCE).await.expect("all acknowledged");
}

async fn by_rumqttc(broker: &str, qos: Qos) {
    use rumqttc::{AsyncClient, Event, Incoming, MqttOptions};
    let (host, port) = broker.rsplit_once(':').expect("host:port");
    let mut options = MqttOptions::new("bench", host, port.parse().expect("a port"));
    options.set_inflight(WINDOW);
    let (client, mut events) = AsyncClient::new(options, 1_000);
    let level = if qos == Qos::AtLeastOnce { rumqttc::QoS::AtLeastOnce } else { rumqttc::QoS::ExactlyOnce };
    let sending = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            client.publish(TOPIC, level, false, payload()).await.expect("accepted");
        }
        client
    });
    let mut ended = 0;
    while ended < MESSAGES {
        if let Event::Incoming(Incoming::PubAck(_) | Incoming::PubComp(_)) =
            events.poll().await.expect("connected")
        {
            ended += 1;
        }
    }
    drop(sending.await.expect("it does not panic"));
}

/// A line for each message, as a script would use it.
fn by_mosquitto_pub(broker: &str, qos: Qos) {
    let (host, port) = broker.rsplit_once(':').expect("host:port");
    let mut command = Command::new(tool("mosquitto_pub"));
    command.args(["-V", "311", "-h", host, "-p", port, "-q", &qos.to_string(), "-t", TOPIC, "-l"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("mosquitto_pub runs");
    let line = [payload().as_slice(), b"\n"].concat();
    let mut input = child.stdin.take().expect("piped");
    input.write_all(&line.repeat(MESSAGES)).expect("it reads");
    drop(input);
    assert!(child.wait().expect("it ends").success());
}
