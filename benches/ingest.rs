//! Ingest into SQLite over Debian's mosquitto and the own broker, beside a bare loop that only stores.
//!
//! ```console
//! $ cargo bench --bench ingest
//! ```
//!
//! Fifty publishers at QoS 1 in a process of their own, the real program as another, and the bare loop in
//! this one, in turn; ratios within one run are what counts, a machine that does other things moves the
//! rest. Roll-ups cannot be switched off, so they are in the lab's figures and not in the bare loop's. Then
//! the store alone, with times of all kinds. A missed target is printed as `missed` and is no failure. It
//! takes four minutes or more and needs `mosquitto` and `/proc`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures for whoever runs it")]

#[path = "ingest/bare.rs"]
mod bare;
#[path = "ingest/load.rs"]
mod load;
#[path = "../tests/support/mod.rs"]
mod support;
#[path = "ingest/times.rs"]
mod times;

use bare::Bare;
use load::{DEVICES, Form};
use mqtt_lab_core::link::{Link, LinkConfig, Publish};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};
use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::database::Database;
use support::mosquitto::Mosquitto;
use support::{Lab, PATIENCE, rand_name};
use tokio::time::MissedTickBehavior;

/// Messages of one round, and rounds, of which the median counts.
const MESSAGES: u64 = 100_000;
const ROUNDS: usize = 5;
/// Nothing is dropped, and 3.1.1, which the bare loop speaks, has a window as large as the lab's.
const MOSQUITTO: &str = "max_queued_messages 0\nmax_inflight_messages 2048";
/// Latency: messages, their spacing, and how often the database is asked.
const SAMPLES: usize = 2_000;
const SPACING: Duration = Duration::from_millis(5);
const LOOK: Duration = Duration::from_micros(500);
/// How long the database stands still, and what comes meanwhile, a second.
const STOP: Duration = Duration::from_secs(60);
const STOPPED_RATE: u64 = 5_000;

#[tokio::main]
async fn main() {
    if load::run_if_ordered() {
        return;
    }
    // `cargo test --all-targets` runs benches too, on a program that is not optimised.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("run by `cargo bench --bench ingest`");
        return;
    }
    println!("{:<54} {:>16} {:>14}", "figure", "measured", "target");
    // `-- store latency` measures only these.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == part);
    if is_wanted("throughput") {
        throughput().await;
    }
    if is_wanted("times") {
        odd_times().await;
    }
    if is_wanted("store") {
        times::rows().await;
    }
    if is_wanted("latency") {
        latency().await;
    }
    if is_wanted("stopped") {
        stopped().await;
    }
}

/// Prints a row of the table; a figure without target is only told.
fn row(name: &str, measured: f64, unit: &str, target: Option<(&str, f64)>) {
    let verdict = match target {
        None => "",
        Some(("at least", limit)) if measured >= limit => "met",
        Some(("at most", limit)) if measured <= limit => "met",
        Some(_) => "missed",
    };
    let target = target.map_or_else(String::new, |(word, limit)| format!("{word} {limit}"));
    println!("{name:<54} {:>16} {target:>14}  {verdict}", format!("{measured:.2} {unit}"));
}

fn start_lab(folder: &Path, broker: &str) -> Lab {
    Lab::start(folder, Some(&format!("[mqtt]\nbrokers = [\"{broker}\"]\n")))
}

/// A broker between the devices and the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broker {
    Mosquitto,
    /// The lab's own, whose time is in the lab's figures.
    Embedded,
}

/// What is measured beside the bare loop.
const CASES: [(&str, Form, Broker); 8] = [
    ("numbered, mosquitto", Form::Numbered, Broker::Mosquitto),
    ("`t` only, mosquitto", Form::Timed, Broker::Mosquitto),
    ("plain, mosquitto", Form::Plain, Broker::Mosquitto),
    ("JSON object, mosquitto", Form::Object, Broker::Mosquitto),
    ("numbered, own broker", Form::Numbered, Broker::Embedded),
    ("`t` only, own broker", Form::Timed, Broker::Embedded),
    ("plain, own broker", Form::Plain, Broker::Embedded),
    ("JSON object, own broker", Form::Object, Broker::Embedded),
];

/// Times that do not just increase, beside numbered samples through the own broker, which is the faster one.
const TIMES: [(&str, Form); 4] = [
    ("constant times", Form::Constant),
    ("falling times", Form::Falling),
    ("random times", Form::Random),
    ("one time in the future, then normal", Form::Future),
];

/// Samples a second, and CPU seconds per million of them.
type Figures = (f64, f64);

async fn throughput() {
    let mut bare = Vec::new();
    let mut all = vec![Vec::new(); CASES.len()];
    for _ in 0..ROUNDS {
        bare.push(bare_round().await);
        for ((_, form, broker), figures) in CASES.iter().zip(&mut all) {
            figures.push(lab_round(*form, *broker).await);
        }
    }
    row("bare loop, mosquitto", median_of(&bare, |bare| bare.0), "samples/s", None);
    row("bare loop, mosquitto: CPU per million", median_of(&bare, |bare| bare.1), "s", None);
    for ((name, _, broker), figures) in CASES.iter().zip(&all) {
        let beside: Vec<_> = figures.iter().zip(&bare).collect();
        // The bare loop had mosquitto beside it; the own broker's time is in the lab's.
        let target = |limit| (*broker == Broker::Mosquitto).then_some(limit);
        row(name, median_of(figures, |own| own.0), "samples/s", None);
        let rate = median_of(&beside, |(own, bare)| own.0 / bare.0);
        row(&format!("{name}: rate"), rate, "of bare", target(("at least", 0.8)));
        row(&format!("{name}: CPU per million"), median_of(figures, |own| own.1), "s", None);
        let cpu = median_of(&beside, |(own, bare)| own.1 / bare.1);
        row(&format!("{name}: CPU"), cpu, "times bare", target(("at most", 2.2)));
    }
}

async fn odd_times() {
    let mut all = vec![Vec::new(); TIMES.len()];
    for _ in 0..ROUNDS {
        let numbered = lab_round(Form::Numbered, Broker::Embedded).await;
        for ((_, form), parts) in TIMES.iter().zip(&mut all) {
            parts.push(lab_round(*form, Broker::Embedded).await.0 / numbered.0);
        }
    }
    for ((name, _), parts) in TIMES.iter().zip(&all) {
        row(name, median_of(parts, |part| *part), "of numbered", Some(("at least", 0.5)));
    }
}

async fn bare_round() -> Figures {
    let (mosquitto, folder) = (Mosquitto::start(MOSQUITTO), tempfile::tempdir().expect("a folder"));
    let mut bare = Bare::start(&mosquitto.address(), folder.path()).await;
    let (begin, used) = (Instant::now(), cpu_seconds(std::process::id()));
    let mut publishers = load::start(&mosquitto.address(), Form::Numbered, &boot(), MESSAGES, None);
    bare.store(MESSAGES).await;
    let (seconds, used) = (begin.elapsed().as_secs_f64(), cpu_seconds(std::process::id()) - used);
    assert!(publishers.wait().expect("they end").success());
    (MESSAGES as f64 / seconds, used / MESSAGES as f64 * 1e6)
}

/// As [`bare_round`], of the lab; nothing is lost.
async fn lab_round(form: Form, broker: Broker) -> Figures {
    let folder = tempfile::tempdir().expect("a folder");
    let mosquitto = (broker == Broker::Mosquitto).then(|| Mosquitto::start(MOSQUITTO));
    let lab = match &mosquitto {
        Some(mosquitto) => start_lab(folder.path(), &mosquitto.address()),
        None => Lab::start(folder.path(), Some("")),
    };
    let address = mosquitto.as_ref().map_or_else(|| lab.broker.clone(), |mosquitto| mosquitto.address());
    let samples = MESSAGES * form.samples();
    let (begin, used) = (Instant::now(), cpu_seconds(lab.pid()));
    let mut publishers = load::start(&address, form, &boot(), MESSAGES, None);
    lab.poll("/api/v1/lab", |lab| (lab["counts"]["stored"].as_u64()? >= samples).then_some(()));
    let (seconds, used) = (begin.elapsed().as_secs_f64(), cpu_seconds(lab.pid()) - used);
    assert!(publishers.wait().expect("they end").success());
    nothing_is_lost(&lab, folder.path(), samples).await;
    lab.interrupt();
    (samples as f64 / seconds, used / samples as f64 * 1e6)
}

fn median_of<T>(rounds: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    let mut figures: Vec<_> = rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// A boot id.
fn boot() -> String {
    rand_name().chars().filter(char::is_ascii_alphanumeric).collect()
}

async fn nothing_is_lost(lab: &Lab, folder: &Path, total: u64) {
    let counts = lab.get("/api/v1/lab")["counts"].clone();
    assert_eq!(counts["stored"].as_u64(), Some(total), "{counts}");
    assert_eq!(counts["lost"].as_u64().unwrap_or(0), 0, "{counts}");
    let mut database = Database::of(folder).await;
    let mut rows = 0;
    for device in 0..DEVICES {
        rows += database.samples(&format!("device-{device:02}")).await.0;
    }
    assert_eq!(rows, total);
}

/// User and system time of a process, by `/proc/PID/stat` in ticks of a hundredth of a second.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let fields = stat.rsplit_once(')').expect("a name in brackets").1.split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).map(|ticks| ticks.parse().expect("a number")).collect();
    ticks.iter().sum::<f64>() / 100.0
}

/// From a publisher's call to the row that another connection to the database sees, at 200 messages a second.
async fn latency() {
    let (mosquitto, folder) = (Mosquitto::start(MOSQUITTO), tempfile::tempdir().expect("a folder"));
    let lab = start_lab(folder.path(), &mosquitto.address());
    let (link, mut events) =
        Link::spawn(LinkConfig::new(mosquitto.address(), rand_name())).expect("a valid configuration");
    tokio::spawn(async move { while events.next().await.is_some() {} });
    let send = async {
        let mut ticks = tokio::time::interval(SPACING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for value in 0..SAMPLES {
            ticks.tick().await;
            let payload = format!("{{\"v\":{value},\"t\":{}}}", now_us());
            link.publish(Publish::new("lab/load/one/value", payload)).await.expect("accepted");
        }
    };
    let (mut latencies, ()) = tokio::join!(visible(folder.path()), send);
    latencies.sort_by(f64::total_cmp);
    let p50 = latencies[latencies.len() / 2];
    row("message to committed row at 200/s, p50", p50, "ms", Some(("at most", 12.0)));
    row("message to committed row at 200/s, p99", latencies[latencies.len() * 99 / 100], "ms", None);
    lab.interrupt();
}

/// Looks until every row is there; how old each was when it was seen first, in ms.
async fn visible(folder: &Path) -> Vec<f64> {
    let options = SqliteConnectOptions::new().filename(folder.join("lab.sqlite")).read_only(true);
    let mut database: SqliteConnection = options.connect().await.expect("the lab's file");
    let (mut latencies, mut last) = (Vec::new(), 0);
    let deadline = Instant::now() + PATIENCE;
    while latencies.len() < SAMPLES {
        assert!(Instant::now() < deadline, "{} of {SAMPLES} rows", latencies.len());
        let sql = "select t from sample where series_id = 1 and t > $1 order by t";
        let new: VecDeque<i64> =
            sqlx::query_scalar(sql).bind(last).fetch_all(&mut database).await.expect("rows").into();
        let now = now_us();
        last = new.back().copied().unwrap_or(last);
        #[allow(clippy::cast_precision_loss, reason = "a short time")]
        latencies.extend(new.iter().map(|t| (now - t) as f64 / 1e3));
        tokio::time::sleep(LOOK).await;
    }
    latencies
}

fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_micros()).expect("before the year 294247")
}

/// The lab's memory while the database stands still and samples come; afterwards all of them are stored.
async fn stopped() {
    let (mosquitto, folder) = (Mosquitto::start(MOSQUITTO), tempfile::tempdir().expect("a folder"));
    let lab = start_lab(folder.path(), &mosquitto.address());
    let mut database = Database::of(folder.path()).await;
    let total = STOPPED_RATE * STOP.as_secs();
    let mut publishers =
        load::start(&mosquitto.address(), Form::Numbered, &boot(), total, Some(STOPPED_RATE));
    lab.poll("/api/v1/lab", |lab| (lab["counts"]["stored"].as_u64()? >= DEVICES).then_some(()));
    database.stop().await;
    tokio::time::sleep(STOP).await;
    assert!(publishers.wait().expect("they end").success());
    database.go_on().await;
    let begin = Instant::now();
    lab.poll("/api/v1/lab", |lab| (lab["counts"]["stored"].as_u64()? >= total).then_some(()));
    let name = "peak memory, database stopped for a minute at 5000/s";
    row(name, peak_mb(lab.pid()), "MB", Some(("at most", 80.0)));
    row("all of them stored after", begin.elapsed().as_secs_f64(), "s", None);
    nothing_is_lost(&lab, folder.path(), total).await;
    lab.interrupt();
}

/// `VmHWM` of `/proc/PID/status`, which counts in KiB.
fn peak_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kib: f64 = line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number");
    kib * 1024.0 / 1e6
}
