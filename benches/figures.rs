//! The figures this project promises, measured on the real program, each beside its target.
//!
//! ```console
//! $ (cd mqtt-lab-web/browser-test && npm ci)   # once, for the figures of the browser
//! $ cargo bench --bench figures
//! ```
//!
//! It takes about four minutes and wants a machine that does nothing else. A missed target is printed as
//! `missed` and is no failure: machines differ. What a machine cannot measure is printed as `not measured`
//! with the reason: without `/proc` the memory; without node, the npm package or Chromium (`CHROMIUM`, else
//! `/usr/bin/chromium`) what `mqtt-lab-web/browser-test/figures.mjs` measures.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures for whoever runs it")]

#[path = "../tests/support/mod.rs"]
mod support;

use futures_util::StreamExt;
use mqtt_lab_core::link::{Link, Publish, Qos, Version};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};
use support::{Lab, PATIENCE};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Starts of the program, of which the median counts.
const STARTS: usize = 5;
/// Samples for a percentile, and some before them that create the device and warm up.
const SAMPLES: i32 = 200;
const WARM_UP: i32 = 10;
/// More than the hub's 100 ms between two messages: after such a pause it sends a sample at once.
const QUIET: Duration = Duration::from_millis(120);
/// How long a lab rests, or a page stays open, before its memory is read.
const REST: Duration = Duration::from_secs(10);
/// A lab without devices: what its pages see comes from the bench alone.
const EMPTY_LAB: &str = "[lab]\nroot = \"lab\"\n";
/// Twenty series at 10 Hz.
const BUSY_LAB: &str = "[[sensor]]\nkind = \"temperature\"\ncount = 20\ninterval_s = 0.1\n";
/// A minute of the 20 series: as much as the first charts show.
const BUSY_ENOUGH: i64 = 20 * 10 * 60;
/// The browser measures for about a minute; it shall not hang a bench.
const BROWSER_PATIENCE: Duration = Duration::from_secs(300);
/// Its value is the time of publishing, in ms since the Unix epoch; `figures.mjs` knows the name.
const CLOCK_TOPIC: &str = "lab/demo/clock/published";
/// No divisor or multiple of the hub's 100 ms: samples fall on all moments between two messages.
const CLOCK_SPACING: Duration = Duration::from_millis(237);

#[tokio::main]
async fn main() {
    // `cargo test --all-targets` runs benches too, on a program that is not optimised.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("run by `cargo bench --bench figures`");
        return;
    }
    println!("{:<54} {:>14} {:>12}", "figure", "measured", "target");
    first_stored_row();
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
        sample_to_websocket(qos).await;
    }
    idle_memory().await;
    browser().await;
}

/// Prints a row of the table; a figure without target is only told.
fn row(name: &str, measured: f64, target: Option<f64>, unit: &str) {
    let verdict = target.map_or("", |target| if measured <= target { "met" } else { "missed" });
    let target = target.map_or_else(String::new, |target| format!("{target} {unit}"));
    println!("{name:<54} {:>14} {target:>12}  {verdict}", format!("{measured:.2} {unit}"));
}

fn not_measured(name: &str, reason: &str) {
    println!("{name:<54} not measured: {reason}");
}

/// The value that `percent` of all `values` do not exceed.
fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * percent / 100]
}

fn ms_since(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e3
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder for the lab's data")
}

/// From the start of the process to the first row in the database: the default lab in an empty folder,
/// asked by `GET /api/v1/lab` without a pause.
fn first_stored_row() {
    let mut starts: Vec<f64> = (0..STARTS).map(|_| start_to_first_row()).collect();
    row("start of the process to first stored row, median", percentile(&mut starts, 50), Some(150.0), "ms");
}

fn start_to_first_row() -> f64 {
    let folder = folder();
    let begin = Instant::now();
    let lab = Lab::start(folder.path(), None);
    while stored(&lab.get("/api/v1/lab")) < 1 {
        assert!(begin.elapsed() < PATIENCE, "the default lab stores nothing");
    }
    let ms = ms_since(begin);
    lab.interrupt();
    ms
}

/// How many samples the lab stored, by its own count.
fn stored(lab: &Value) -> i64 {
    lab["counts"]["stored"].as_i64().expect("`counts.stored` is a count")
}

/// From a foreign publisher's call to the message at an open page, over broker, intake and hub. Each sample
/// waits for a pause of the hub, which gathers for 100 ms: that delay is not in the figure.
async fn sample_to_websocket(qos: Qos) {
    let folder = folder();
    let lab = Lab::start(folder.path(), Some(EMPTY_LAB));
    let client = lab.client(Version::V5).await;
    let mut page = open_page(&lab).await;
    let mut latencies = Vec::new();
    for number in 0..WARM_UP + SAMPLES {
        until_quiet(&mut page).await;
        let begin = Instant::now();
        publish(&client, "lab/demo/foreign/number", number.to_string(), qos).await;
        until_sample(&mut page, number).await;
        if number >= WARM_UP {
            latencies.push(ms_since(begin));
        }
    }
    drop(page);
    lab.interrupt();
    let qos = qos.level();
    row(&format!("sample to WebSocket, QoS {qos}, p50"), percentile(&mut latencies, 50), Some(0.8), "ms");
    row(&format!("sample to WebSocket, QoS {qos}, p99"), percentile(&mut latencies, 99), None, "ms");
}

/// Gives a message to the link, which sends it at once; nobody waits for its acknowledgement.
async fn publish(client: &Link, topic: &str, payload: String, qos: Qos) {
    let accepted = client.publish(Publish::new(topic, payload).qos(qos)).await;
    accepted.expect("a valid message");
}

type Page = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The live messages, as a browser's page takes them.
async fn open_page(lab: &Lab) -> Page {
    let (page, _) = connect_async(format!("ws://{}/api/v1/live", lab.web)).await.expect("a page opens");
    page
}

/// Reads a page's messages until the hub gathered nothing for a while. The lab's own message, once a second,
/// does not pass through what gathers.
async fn until_quiet(page: &mut Page) {
    let mut quiet = Instant::now() + QUIET;
    while let Ok(message) = timeout_at(quiet.into(), next_message(page)).await {
        if message["type"] != "lab" {
            quiet = Instant::now() + QUIET;
        }
    }
}

/// Reads a page's messages up to the sample with the value `number`.
async fn until_sample(page: &mut Page, number: i32) {
    let found = async {
        loop {
            let message = next_message(page).await;
            let samples = message["samples"].as_array().map(Vec::as_slice).unwrap_or_default();
            if samples.iter().any(|sample| sample[2].as_f64() == Some(number.into())) {
                return;
            }
        }
    };
    timeout(PATIENCE, found).await.expect("the sample arrives");
}

/// The next message of a page.
async fn next_message(page: &mut Page) -> Value {
    loop {
        match page.next().await.expect("the page is open").expect("the lab lives") {
            Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
            Message::Close(reason) => panic!("the lab closed the page: {reason:?}"),
            _ => {}
        }
    }
}

/// Resident memory (VmRSS) of the default lab: at rest without a page, and again after one was open and closed.
async fn idle_memory() {
    const NAMES: [&str; 2] = ["idle memory, no page yet", "idle memory, after a page"];
    let folder = folder();
    let lab = Lab::start(folder.path(), None);
    for name in NAMES {
        if name == NAMES[1] {
            page_for(&lab, REST).await;
        }
        sleep(REST).await;
        match resident_mb(lab.pid()) {
            Some(mb) => row(name, mb, Some(60.0), "MB"),
            None => not_measured(name, "there is no /proc"),
        }
    }
    lab.interrupt();
}

/// What a page asks for when it is opened and while it is.
async fn page_for(lab: &Lab, time: Duration) {
    let mut page = open_page(lab).await;
    lab.get("/api/v1/lab");
    lab.get("/api/v1/recent?window_ms=60000&max_points=120");
    let read = async { while page.next().await.is_some() {} };
    assert!(timeout(time, read).await.is_err(), "the lab closed the page");
}

/// `VmRSS` of `/proc/PID/status`, which counts in KiB.
fn resident_mb(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

/// What a visitor sees, in headless Chromium, of a lab with twenty series at 10 Hz and a foreign clock.
async fn browser() {
    const NAME: &str = "first chart, sample to page, script, first load";
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("mqtt-lab-web/browser-test/figures.mjs");
    if let Some(reason) = no_browser(&script).await {
        return not_measured(NAME, &reason);
    }
    let folder = folder();
    let lab = Lab::start(folder.path(), Some(BUSY_LAB));
    lab.poll("/api/v1/lab", |lab| (stored(lab) >= BUSY_ENOUGH).then_some(()));
    let client = lab.client(Version::V5).await;
    let measured = tokio::select! {
        measured = measure_in_browser(&script, &lab.web) => measured,
        () = tell_time(&client) => unreachable!("it never ends"),
    };
    lab.interrupt();
    match measured {
        Ok(figures) => browser_rows(&figures),
        Err(reason) => not_measured(NAME, &reason),
    }
}

/// Why there is nothing to run `script` with, if so.
async fn no_browser(script: &Path) -> Option<String> {
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).status().await;
    if !node.is_ok_and(|status| status.success()) {
        return Some("node is not installed".into());
    }
    if !script.with_file_name("node_modules/playwright-core").exists() {
        return Some("run `npm ci` in mqtt-lab-web/browser-test first".into());
    }
    let chromium = std::env::var_os("CHROMIUM").map_or_else(|| "/usr/bin/chromium".into(), PathBuf::from);
    (!chromium.exists()).then(|| format!("there is no {}", chromium.display()))
}

/// Publishes the time, in ms since the Unix epoch, again and again.
async fn tell_time(client: &Link) {
    loop {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        publish(client, CLOCK_TOPIC, format!("{:.3}", now.as_secs_f64() * 1e3), Qos::AtLeastOnce).await;
        sleep(CLOCK_SPACING).await;
    }
}

/// Runs `figures.mjs`, which prints one JSON object, for the lab at `web`.
async fn measure_in_browser(script: &Path, web: &str) -> Result<Value, String> {
    let mut node = Command::new("node");
    node.arg(script).env("LAB_URL", format!("http://{web}/")).kill_on_drop(true);
    let ended = timeout(BROWSER_PATIENCE, node.output()).await;
    let output = ended.map_err(|_| "the browser never came to an end")?.map_err(|error| error.to_string())?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("figures.mjs failed\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// The rows of what `figures.mjs` measured.
fn browser_rows(figures: &Value) {
    let rows = [
        ("first chart of 20 series at 10 Hz, median", "first_chart_ms", Some(500.0), "ms"),
        ("sample to page, p50", "sample_to_page_p50_ms", Some(150.0), "ms"),
        ("sample to page, p99", "sample_to_page_p99_ms", None, "ms"),
        ("script in a frame that draws 20 series, mean", "script_per_frame_ms", None, "ms"),
        ("first load gzipped, the page's files", "first_load_files_kb", Some(60.0), "kB"),
        ("first load gzipped, the data of 20 series", "first_load_data_kb", None, "kB"),
    ];
    for (name, key, target, unit) in rows {
        match figures[key].as_f64() {
            Some(measured) => row(name, measured, target, unit),
            None => not_measured(name, "figures.mjs does not tell it"),
        }
    }
}
