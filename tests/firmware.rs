//! The firmware on an emulated board, with a real lab and a real broker.
//!
//! Feature `system-tests`; needs Debian's `rustc-web`, `rust-web-src`, `lld`, `qemu-system-arm` and `mosquitto`.
//! `firmware/check` installs them and runs this.

mod support;

use std::time::{Duration, Instant};

use mqtt_lab_core::link::Version;
use serde_json::Value;
use support::Lab;
use support::mosquitto::Mosquitto;
use support::qemu::Board;

/// How long the network or the broker is away in these tests: some samples at one per second.
const OUTAGE: Duration = Duration::from_secs(4);

/// How long the network is away when the time to reconnect is measured, in milliseconds.
const AWAY_MS: [u64; 12] = [100, 300, 1000, 1700, 2500, 3300, 4100, 5200, 6400, 8000, 10_500, 13_000];

/// Longest time from the return of the network to the next connection.
const RECONNECT: Duration = Duration::from_secs(2);

/// Longest time from power-on to the first value in the database.
const BOOT: Duration = Duration::from_secs(1);

const DEVICE: &str = "demo/board";

/// A lab without devices of its own, at its own broker or at another.
fn lab(folder: &tempfile::TempDir, broker: Option<&Mosquitto>) -> Lab {
    let mqtt = broker.map(|broker| format!("[mqtt]\nbrokers = [\"{}\"]\n", broker.address()));
    Lab::start(folder.path(), Some(&mqtt.unwrap_or_else(|| "[web]\n".into())))
}

fn device(lab: &Lab) -> Value {
    lab.get(&format!("/api/v1/devices/{DEVICE}"))
}

fn channel<'a>(device: &'a Value, name: &str) -> &'a Value {
    let channels = device["channels"].as_array().into_iter().flatten();
    channels.into_iter().find(|channel| channel["name"] == name).unwrap_or(&Value::Null)
}

/// Waits until a channel has a value.
#[track_caller]
fn until_value(lab: &Lab, name: &str, value: &Value) {
    lab.poll(&format!("/api/v1/devices/{DEVICE}"), |device| {
        (channel(device, name)["value"] == *value).then_some(())
    });
}

/// Commands a channel as the page does, and waits for what became of it.
#[track_caller]
fn command(lab: &Lab, name: &str, value: &str) -> Value {
    let path = format!("/api/v1/devices/{DEVICE}/{name}/set");
    let (status, sent) = lab.request("POST", &path, Some(&format!("{{\"value\":{value}}}")));
    assert_eq!(status, 202, "{sent}");
    let id = sent["id"].as_str().expect("an id");
    lab.poll(&format!("/api/v1/commands/{id}"), |command| {
        (command["state"] != "pending").then(|| command.clone())
    })
}

/// Sends commands with one id to several channels.
fn same_id(lab: &Lab, broker: &str, commands: &[(&str, &str)]) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let link = lab.client_at(broker, Version::V5).await;
        for (name, value) in commands {
            let payload = format!("{{\"v\":{value},\"id\":\"same\"}}");
            support::publish(&link, &format!("lab/{DEVICE}/{name}/set"), payload).await;
        }
    });
}

/// When the temperatures were measured, in seconds since the Unix epoch.
fn measured_at(lab: &Lab) -> Vec<f64> {
    let series = channel(&device(lab), "temperature")["series"].as_i64().expect("a series");
    let points = lab.get(&format!("/api/v1/series/{series}/points?max_points=5000"));
    let points = points["points"].as_array().expect("points").iter();
    points.map(|point| point[0].as_f64().expect("a time") / 1000.0).collect()
}

/// Every sample that the board measured is there: no number is missing, and no second.
#[track_caller]
fn nothing_is_missing(lab: &Lab) {
    let times = measured_at(lab);
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    assert!(longest < 1.5, "{longest} s between two samples: {times:?}");
    assert_eq!(device(lab)["counts"]["lost"], 0);
}

/// Waits until so much time has passed.
fn pause(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::thread::park_timeout(end.saturating_duration_since(Instant::now()));
    }
}

fn announces_measures_and_obeys(lab: &Lab, broker: &str) {
    let mut board = Board::start(broker, &["board"]);
    let described = lab.until_state(DEVICE, "ready");
    assert_eq!((&described["kind"], &described["role"]), (&"qemu-mps2".into(), &"both".into()));
    let temperature = channel(&described, "temperature");
    assert_eq!((&temperature["unit"], &temperature["settable"]), (&"°C".into(), &false.into()));
    for thousandths in [23_500, -12_250, 125, -55_000, 0] {
        board.warm_to(thousandths);
        until_value(lab, "temperature", &(f64::from(thousandths) / 1000.0).into());
    }
    assert_eq!(command(lab, "$interval", "0.2")["state"], "confirmed");
    until_value(lab, "$interval", &0.2.into());
    lab.poll("/api/v1/devices", |_| {
        let times = measured_at(lab);
        let newest = times.last_chunk::<3>().map(|[a, b, c]| (b - a).max(c - b));
        newest.filter(|gap| (0.1..0.3).contains(gap))
    });
    let mut changes = board.until_led(0, 0);
    for (on, percent) in [("true", 100), ("false", 0), ("true", 100)] {
        assert_eq!(command(lab, "led", on)["state"], "confirmed");
        changes = board.until_led(percent, changes);
        until_value(lab, "led", &(on == "true").into());
    }
    // The same id on two channels means two commands.
    same_id(lab, broker, &[("led", "false"), ("$qos", "2")]);
    until_value(lab, "led", &false.into());
    until_value(lab, "$qos", &2.into());
    assert_eq!(command(lab, "$paused", "true")["state"], "confirmed");
    assert_eq!(device(lab)["counts"]["duplicate"], 0);
}

#[test]
fn a_board_announces_itself_measures_and_obeys() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = lab(&folder, None);
    announces_measures_and_obeys(&lab, &lab.broker);
}

#[test]
fn the_same_board_works_at_mosquitto() {
    let folder = tempfile::tempdir().expect("a folder");
    let mosquitto = Mosquitto::start("");
    announces_measures_and_obeys(&lab(&folder, Some(&mosquitto)), &mosquitto.address());
}

#[test]
fn a_board_without_power_is_lost_and_one_that_stops_in_order_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = lab(&folder, None);
    let board = Board::start(&lab.broker, &["board"]);
    lab.until_state(DEVICE, "ready");
    board.kill();
    lab.until_state(DEVICE, "lost");
    let board = Board::start(&lab.broker, &["board"]);
    lab.until_state(DEVICE, "ready");
    let console = board.stop();
    // The page knows it before the database has it.
    let history = lab.poll(&format!("/api/v1/devices/{DEVICE}/states"), |states| {
        (states[0]["state"] == "disconnected").then(|| states.clone())
    });
    assert_eq!(history[0]["cause"], "orderly");
    let lost: Vec<_> =
        history.as_array().into_iter().flatten().filter(|state| state["state"] == "lost").collect();
    assert_eq!(lost.len(), 1, "{history}");
    assert_eq!(lost[0]["cause"], "will");
    // The farewell tells how many samples there were, so that a loss at the end would be known.
    assert_eq!(device(&lab)["counts"]["lost"], 0);
    println!("{}", console.lines().last().unwrap_or_default());
}

#[test]
fn a_pulled_cable_is_noticed_after_the_keep_alive_and_costs_no_sample() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = lab(&folder, None);
    let mut board = Board::start(&lab.broker, &["board"]);
    lab.until_state(DEVICE, "ready");
    let pulled = Instant::now();
    board.cable(false);
    lab.until_state(DEVICE, "lost");
    let keep_alive = Duration::from_secs(15);
    assert!(pulled.elapsed() > keep_alive / 2, "lost after {:?}, before the keep-alive", pulled.elapsed());
    board.cable(true);
    lab.until_state(DEVICE, "ready");
    let now = measured_at(&lab).len();
    lab.poll("/api/v1/devices", |_| (measured_at(&lab).len() >= now + 2).then_some(()));
    nothing_is_missing(&lab);
}

#[test]
fn a_board_reconnects_soon_after_its_network_returned() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = lab(&folder, None);
    let mut board = Board::start(&lab.broker, &["board"]);
    lab.until_state(DEVICE, "ready");
    let took: Vec<_> =
        AWAY_MS.iter().map(|away| reconnects(&mut board, Duration::from_millis(*away))).collect();
    println!("network away for {AWAY_MS:?} ms, reconnected after {took:?}");
    assert!(took.iter().all(|took| *took < RECONNECT), "{took:?}:\n{}", board.console());
}

/// Pulls the cable for so long; the time from plugging it in to the next connection.
fn reconnects(board: &mut Board, away: Duration) -> Duration {
    let connections = board.times_on_console("connected");
    board.cable(false);
    pause(away);
    board.cable(true);
    let plugged = Instant::now();
    board.until_again("connected", connections);
    plugged.elapsed()
}

#[test]
fn a_broker_that_goes_and_comes_back_costs_no_sample() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut mosquitto = Mosquitto::start("persistence true");
    let lab = lab(&folder, Some(&mosquitto));
    let _board = Board::start(&mosquitto.address(), &["board"]);
    lab.until_state(DEVICE, "ready");
    lab.poll("/api/v1/devices", |_| {
        (channel(&device(&lab), "temperature")["series"].is_i64() && measured_at(&lab).len() > 1)
            .then_some(())
    });
    let before = measured_at(&lab).len();
    mosquitto.stop();
    pause(OUTAGE);
    mosquitto.start_again();
    let during = usize::try_from(OUTAGE.as_secs()).expect("small");
    lab.poll("/api/v1/devices", |_| (measured_at(&lab).len() > before + during).then_some(()));
    nothing_is_missing(&lab);
}

#[test]
fn a_board_logs_in_and_says_so_when_it_may_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab =
        Lab::start(folder.path(), Some("[broker]\nusers = [{ name = \"board\", password = \"right\" }]\n"));
    let refused = Board::start(&lab.broker, &["board", "board", "wrong"]);
    refused.until_console("the broker refuses user name or password");
    refused.kill();
    let _board = Board::start(&lab.broker, &["board", "board", "right"]);
    lab.until_state(DEVICE, "ready");
}

#[test]
fn the_first_value_is_in_the_database_within_a_second() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = lab(&folder, None);
    // The first time builds the firmware.
    support::qemu::firmware();
    let boot = |name: String| {
        let start = Instant::now();
        let _board = Board::start(&lab.broker, &[&name]);
        lab.poll("/api/v1/series", |series| {
            let mut series = series.as_array().into_iter().flatten();
            let found = series.find(|s| s["device"] == name.as_str() && s["channel"] == "temperature")?;
            let points = lab.get(&format!("/api/v1/series/{}/points", found["id"]));
            points["points"].as_array().is_some_and(|points| !points.is_empty()).then(|| start.elapsed())
        })
    };
    // The best of some: the machine may be busy with other things.
    let best = (0..5).map(|n| boot(format!("b{n}"))).min().expect("five");
    println!("power-on to the first value in the database: {best:?}");
    assert!(best <= BOOT, "{best:?}");
}
