//! Ten thousand links in one process: their memory, and how fast they come and come back.

use std::time::{Duration, Instant};

use mqtt_lab_core::link::{Link, LinkConfig, Version, Will};

use crate::process::{Process, allow_files, resident_bytes};
use crate::report;
use crate::support::mosquitto::Mosquitto;

pub(crate) const CHILD: &str = "--many-links";
const LINKS: usize = 10_000;
const IDLE: usize = 2_000;

pub(crate) fn measure() {
    if let Err(error) = allow_files(LINKS) {
        println!("10,000 links: not measured: {error}");
        return;
    }
    for version in ["3.1.1", "5"] {
        let broker = Mosquitto::start("max_connections -1\n");
        let mut child = Process::start(&[CHILD, &broker.address(), version, &IDLE.to_string()]);
        child.until("connected");
        let kib = child.until("bytes") / 1024.0;
        report(
            &format!("memory of an idle link, {version}, with will"),
            &format!("{kib:.1} KiB"),
            "12 KiB",
            kib <= 12.0,
        );
    }
    let mut broker = Mosquitto::start("max_connections -1\n");
    let mut child = Process::start(&[CHILD, &broker.address(), "5", &LINKS.to_string()]);
    let seconds = child.until("connected");
    report("10,000 links connected", &format!("{seconds:.1} s"), "8 s", seconds <= 8.0);
    child.until("bytes");
    broker.kill();
    child.until("lost");
    broker.start_again();
    let begin = Instant::now();
    child.until("connected");
    let again = begin.elapsed().as_secs_f64();
    report("all 10,000 back after a restart of the broker", &format!("{again:.1} s"), "", true);
    let attempts = child.until("attempts");
    report(
        "connections per link for that (1: no stampede)",
        &format!("{attempts:.2}"),
        "1.05",
        attempts <= 1.05,
    );
}

/// The process that holds the links.
pub(crate) fn child(arguments: &[String]) {
    let [broker, version, links] = arguments else { panic!("broker, version, links") };
    let (links, version) =
        (links.parse().expect("a number"), if version == "5" { Version::V5 } else { Version::V311 });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    runtime.block_on(hold(broker, version, links));
}

async fn hold(broker: &str, version: Version, count: usize) {
    let before = resident_bytes();
    let begin = Instant::now();
    let links: Vec<_> = (0..count).map(|number| connect(broker, version, number)).collect();
    all(&links, true).await;
    println!("connected {}", begin.elapsed().as_secs_f64());
    // Buffers of the handshakes are given back when links rest.
    tokio::time::sleep(Duration::from_secs(3)).await;
    println!("bytes {}", (resident_bytes() - before) / count);
    all(&links, false).await;
    println!("lost");
    all(&links, true).await;
    println!("connected {}", begin.elapsed().as_secs_f64());
    let again: u64 = links.iter().map(|link| link.status().reconnects).sum();
    #[allow(clippy::cast_precision_loss, reason = "a figure to be read")]
    let attempts = again as f64 / count as f64;
    println!("attempts {attempts}");
    std::future::pending::<()>().await;
}

fn connect(broker: &str, version: Version, number: usize) -> Link {
    let mut config = LinkConfig::new(broker, format!("link-{number}"));
    config.version = version;
    config.will = Some(Will::new(format!("lab/bench/link-{number}/$state"), "lost"));
    let (link, events) = Link::spawn(config).expect("valid");
    drop(events);
    link
}

async fn all(links: &[Link], connected: bool) {
    for link in links {
        let mut watch = link.watch();
        let reached = watch.wait_for(|status| status.connected == connected).await;
        drop(reached.expect("the link lives"));
    }
}
