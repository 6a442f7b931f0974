//! Ten thousand links in one process: their memory, and how fast they come and come back.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mqtt_lab_core::link::{Link, LinkConfig, Version, Will};

use crate::report;
use crate::support::mosquitto::Mosquitto;

pub(crate) const CHILD: &str = "--many-links";
const LINKS: usize = 10_000;
const IDLE: usize = 2_000;

pub(crate) fn measure() {
    if let Err(error) = allow_files() {
        println!("10,000 links: not measured: {error}");
        return;
    }
    for version in ["3.1.1", "5"] {
        let broker = Mosquitto::start("max_connections -1\n");
        let mut child = Process::start(&broker.address(), version, IDLE);
        child.until("connected");
        let bytes: f64 = child.until("bytes").parse().expect("a number");
        let kib = bytes / 1024.0;
        report(
            &format!("memory of an idle link, {version}, with will"),
            &format!("{kib:.1} KiB"),
            "12 KiB",
            kib <= 12.0,
        );
    }
    let mut broker = Mosquitto::start("max_connections -1\n");
    let mut child = Process::start(&broker.address(), "5", LINKS);
    let seconds: f64 = child.until("connected").parse().expect("a number");
    report("10,000 links connected", &format!("{seconds:.1} s"), "8 s", seconds <= 8.0);
    child.until("bytes");
    broker.kill();
    child.until("lost");
    broker.start_again();
    let begin = Instant::now();
    child.until("connected");
    let again = begin.elapsed().as_secs_f64();
    report("all 10,000 back after a restart of the broker", &format!("{again:.1} s"), "", true);
    let attempts: f64 = child.until("attempts").parse().expect("a number");
    report(
        "connections per link for that (1: no stampede)",
        &format!("{attempts:.2}"),
        "1.05",
        attempts <= 1.05,
    );
}

/// A descriptor for each connection, and mosquitto inherits the limit.
fn allow_files() -> Result<(), String> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let needed = (LINKS + 1_000) as u64;
    if limit.maximum.is_some_and(|most| most < needed) {
        return Err(format!("this user may have {:?} open files, {needed} are needed", limit.maximum));
    }
    limit.current = Some(limit.current.unwrap_or(0).max(needed));
    setrlimit(Resource::Nofile, limit).map_err(|error| error.to_string())
}

struct Process {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Process {
    fn start(broker: &str, version: &str, links: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args([CHILD, broker, version, &links.to_string()]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines }
    }

    /// What it says after a word.
    fn until(&mut self, word: &str) -> String {
        loop {
            let line = self.lines.next().expect("it lives").expect("text");
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim().to_owned();
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * rustix::param::page_size()
}
