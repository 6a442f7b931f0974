//! A clock that is set while a lab runs, and between two runs: charts and last values are right within a minute.
//!
//! Feature `system-tests`; needs Debian's `faketime`, whose library gives the program a clock of its own.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mqtt_lab_core::link::Version;
use serde_json::Value;
use support::{Lab, PATIENCE, publish};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// How far a last value may be from the lab's present, in milliseconds: its sensor measures each second.
const FRESH_MS: f64 = 5_000.0;

const LAB: &str = r#"
[[sensor]]
kind = "temperature"
id = "wave"
interval_s = 0.5
"#;

/// The clock of a lab: so many seconds from the true one.
struct Clock {
    file: PathBuf,
    zone: &'static str,
    offset_s: i64,
}

impl Clock {
    fn new(folder: &Path, zone: &'static str, offset_s: i64) -> Self {
        let mut clock = Self { file: folder.join("clock"), zone, offset_s: 0 };
        clock.set(offset_s);
        clock
    }

    fn set(&mut self, offset_s: i64) {
        self.offset_s = offset_s;
        // Whole at once: the program may read it at any time.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{offset_s:+}\n")).expect("writable");
        std::fs::rename(&new, &self.file).expect("in one folder");
    }

    #[allow(clippy::cast_precision_loss, reason = "milliseconds")]
    fn now_ms(&self) -> f64 {
        let true_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        true_ms as f64 + self.offset_s as f64 * 1_000.0
    }

    fn start(&self, folder: &Path) -> Lab {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-lab"));
        command.env_remove("RUST_LOG").env("LD_PRELOAD", library()).env("TZ", self.zone);
        command.env("FAKETIME_TIMESTAMP_FILE", &self.file).env("FAKETIME_NO_CACHE", "1");
        command.env("DONT_FAKE_MONOTONIC", "1").env("FAKETIME_DONT_RESET", "1");
        let file = folder.join("lab.toml");
        std::fs::write(&file, LAB).expect("writable");
        Lab::start_by(command, folder, Some(&file), "127.0.0.1:0")
    }
}

/// Debian keeps it in a folder of the machine's architecture.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("a folder").map_while(Result::ok);
    let found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    found.into_iter().find(|path| path.exists()).expect("install Debian's `faketime`")
}

/// Waits until the last value and the newest points of the chart are of the present by `clock`.
#[track_caller]
fn is_right(lab: &Lab, clock: &Clock, what: &str) {
    let begin = Instant::now();
    let shown = |device: &Value| {
        let channel =
            device["channels"].as_array()?.iter().find(|channel| channel["name"] == "temperature")?;
        let fresh = (channel["time_ms"].as_f64()? - clock.now_ms()).abs() < FRESH_MS;
        fresh.then(|| channel["series"].as_i64()).flatten()
    };
    let series = lab.poll("/api/v1/devices/demo/wave", shown);
    let now = clock.now_ms();
    let path =
        format!("/api/v1/series/{series}/points?from_ms={:.0}&to_ms={:.0}", now - 10_000.0, now + 60_000.0);
    lab.poll(&path, |points| {
        let times: Vec<f64> =
            points["points"].as_array()?.iter().filter_map(|point| point[0].as_f64()).collect();
        // Three in a row, none of them of the future, and as far apart as they are measured.
        let last = times.len().checked_sub(3).map(|from| &times[from..])?;
        let apart = last.windows(2).all(|pair| (100.0..FRESH_MS).contains(&(pair[1] - pair[0])));
        (apart && (last[2] - clock.now_ms()).abs() < FRESH_MS + 60_000.0).then_some(())
    });
    assert!(begin.elapsed() < Duration::from_secs(60), "{what}: only after {:?}", begin.elapsed());
}

#[test]
fn a_clock_that_is_set_while_the_lab_runs_is_followed() {
    for jump in [HOUR, -HOUR, DAY, -DAY] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut clock = Clock::new(folder.path(), "UTC", 0);
        let lab = clock.start(folder.path());
        is_right(&lab, &clock, "before");
        clock.set(jump);
        is_right(&lab, &clock, &format!("set by {jump} s"));
        clock.set(0);
        is_right(&lab, &clock, &format!("set by {jump} s and back"));
        let device = lab.get("/api/v1/devices/demo/wave");
        assert_eq!(
            (device["counts"]["lost"].as_u64(), device["counts"]["duplicate"].as_u64()),
            (Some(0), Some(0))
        );
        assert!(lab.interrupt().0.success());
    }
}

#[test]
fn a_clock_that_is_set_between_two_runs_is_followed() {
    for jump in [HOUR, -HOUR, DAY, -DAY] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut clock = Clock::new(folder.path(), "UTC", 0);
        for offset in [0, jump, 0] {
            clock.set(offset);
            let lab = clock.start(folder.path());
            is_right(&lab, &clock, &format!("{offset} s, with a jump of {jump} s"));
            assert!(lab.interrupt().0.success());
        }
    }
}

/// The clocks of Berlin go from 2 to 3 o'clock, and from 3 to 2.
#[test]
fn summer_time_changes_nothing() {
    for change in ["2027-03-28T01:00:00Z", "2027-10-31T01:00:00Z"] {
        let at: jiff::Timestamp = change.parse().expect("a time");
        let folder = tempfile::tempdir().expect("a folder");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let offset_s = at.as_second() - i64::try_from(now).expect("not so far") - 4;
        let clock = Clock::new(folder.path(), "Europe/Berlin", offset_s);
        let lab = clock.start(folder.path());
        #[allow(clippy::cast_precision_loss, reason = "milliseconds")]
        let change_ms = at.as_millisecond() as f64;
        let deadline = Instant::now() + PATIENCE;
        while clock.now_ms() < change_ms + 2_000.0 {
            assert!(Instant::now() < deadline, "the change of {change} does not come");
            is_right(&lab, &clock, change);
        }
        assert!(lab.interrupt().0.success());
    }
}

/// Two devices with the right time, and a lab that is an hour late.
#[tokio::test(flavor = "multi_thread")]
async fn a_lab_whose_clock_is_late_suspects_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut clock = Clock::new(folder.path(), "UTC", -HOUR);
    let lab = clock.start(folder.path());
    let client = lab.client(Version::V5).await;
    let send = async || {
        for device in ["a", "b"] {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
            publish(&client, &format!("lab/demo/{device}/t"), format!(r#"{{"v":1,"t":{now}}}"#)).await;
        }
    };
    send().await;
    let cause = lab.poll("/api/v1/parts", |parts| {
        let clock = parts.as_array()?.iter().find(|part| part["part"] == "clock")?;
        clock["error"].as_str().map(str::to_owned)
    });
    // On its way to the lab it gets a bit older.
    let by = [": 1:00:00", ": 0:59:5"].iter().any(|by| cause.contains(by));
    assert!(cause.contains("2 devices") && by, "{cause}");
    for device in ["a", "b"] {
        let device = lab.get(&format!("/api/v1/devices/demo/{device}"));
        assert_eq!(device["clock"]["problem"], "ahead");
        let time_ms = device["channels"][0]["time_ms"].as_f64().expect("a time");
        assert!((time_ms - clock.now_ms()).abs() < FRESH_MS, "the time of the arrival");
    }
    clock.set(0);
    send().await;
    lab.poll("/api/v1/parts", |parts| {
        let clock = parts.as_array()?.iter().find(|part| part["part"] == "clock")?;
        clock["error"].is_null().then_some(())
    });
    assert!(lab.interrupt().0.success());
}
