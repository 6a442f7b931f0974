//! A student's way: `mqtt-lab new`, build, test, see it on the dashboard. In Rust, Python and C.

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use support::{Lab, run, typed};

/// CPU time that the first build of a sensor in Rust may take, in seconds.
const FIRST_BUILD_S: f64 = 60.0;

/// Makes a plugin in `folder`; its own folder.
fn new(folder: &Path, role: &str, name: &str, language: &str) -> PathBuf {
    let made = run(&["new", role, name, "--lang", language], folder);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder.join(name)
}

/// Runs `mqtt-lab plugin check` on it.
#[track_caller]
fn checked(folder: &Path, arguments: &[&str]) {
    let checked = run(&[&["plugin", "check"], arguments].concat(), folder);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.ends_with("everything is right\n"), "{said}{}", String::from_utf8_lossy(&checked.stderr));
}

/// The lab of the generated `lab.toml`, which must stop without a word of complaint.
fn in_its_lab(folder: &Path, look: impl Fn(&Lab)) {
    let toml = std::fs::read_to_string(folder.join("lab.toml")).expect("lab.toml");
    let lab = Lab::start(folder, Some(&toml));
    look(&lab);
    let (ended, output) = lab.interrupt();
    assert!(ended.success() && !output.iter().any(|line| line.contains("ERROR")), "{output:#?}");
}

fn channel<'a>(device: &'a Value, name: &str) -> &'a Value {
    let channels = device["channels"].as_array().map(Vec::as_slice).unwrap_or_default();
    channels.iter().find(|channel| channel["name"] == name).unwrap_or(&Value::Null)
}

fn measures(lab: &Lab, name: &str) {
    let device = format!("/api/v1/devices/demo/{name}");
    lab.poll(&device, |device| channel(device, "value")["value"].is_number().then_some(()));
}

/// A command is confirmed, and its new state is the channel's value.
fn obeys(lab: &Lab, name: &str, wanted: i64) {
    let device = format!("/api/v1/devices/demo/{name}");
    lab.until_state(&format!("demo/{name}"), "ready");
    lab.poll(&device, |device| channel(device, "power").is_object().then_some(()));
    let body = format!("{{\"value\":{wanted}}}");
    let (status, command) = lab.request("POST", &format!("{device}/power/set"), Some(&body));
    assert_eq!(status, 202, "{command}");
    let path = format!("/api/v1/commands/{}", command["id"].as_str().expect("an id"));
    lab.poll(&path, |command| (command["state"] == "confirmed").then_some(()));
    lab.poll(&device, |device| (channel(device, "power")["value"] == wanted).then_some(()));
}

/// Seconds of the children, user and system, in the last line that `times` printed: `0m1.5s 0m0.2s`.
fn cpu_seconds(said: &str) -> f64 {
    let last =
        said.lines().rev().find(|line| line.starts_with(|c: char| c.is_ascii_digit())).unwrap_or_default();
    let seconds = |time: &str| {
        let (minutes, seconds) = time.split_once('m')?;
        Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.trim_end_matches('s').parse::<f64>().ok()?)
    };
    let times: Option<Vec<_>> = last.split_whitespace().map(seconds).collect();
    times.filter(|times| times.len() == 2).unwrap_or_else(|| panic!("no times in:\n{said}")).iter().sum()
}

#[test]
fn rust() {
    let folder = tempfile::tempdir().expect("a folder");
    let sensor = new(folder.path(), "sensor", "my-sensor", "rust");
    typed(&sensor, "cargo fmt --check");
    let built = typed(&sensor, "cargo build --release --offline 2>&1; built=$?; times; exit $built");
    let seconds = cpu_seconds(&built);
    println!("the first build of a sensor took {seconds:.1} s of CPU time");
    assert!(seconds <= FIRST_BUILD_S, "{seconds} s");
    checked(&sensor, &[".", "--set", "period_s=10"]);
    checked(&sensor, &[".", "--set", "period_s=10", "--process"]);
    in_its_lab(&sensor, |lab| measures(lab, "my-sensor"));
    let tested = typed(&sensor, "cargo test --offline");
    assert!(tested.contains("2 passed"), "{tested}");
    typed(&sensor, "cargo clippy --offline --all-targets -- -D warnings");

    let actuator = new(folder.path(), "actuator", "my-actuator", "rust");
    typed(&actuator, "cargo fmt --check");
    // What both need is not built a second time.
    std::fs::rename(sensor.join("target"), actuator.join("target")).expect("the same disk");
    typed(&actuator, "cargo build --release --offline");
    checked(&actuator, &["."]);
    in_its_lab(&actuator, |lab| obeys(lab, "my-actuator", 75));
    let tested = typed(&actuator, "cargo test --offline");
    assert!(tested.contains("2 passed"), "{tested}");
    typed(&actuator, "cargo clippy --offline --all-targets -- -D warnings");
}

#[test]
fn python() {
    let folder = tempfile::tempdir().expect("a folder");
    let sensor = new(folder.path(), "sensor", "my-sensor", "python");
    let tested = typed(&sensor, "python3 -m unittest");
    assert!(tested.contains("OK"), "{tested}");
    checked(&sensor, &["my_sensor.py"]);
    in_its_lab(&sensor, |lab| measures(lab, "my-sensor"));
    let actuator = new(folder.path(), "actuator", "my-actuator", "python");
    typed(folder.path(), "python3 -m unittest discover -s my-actuator");
    checked(folder.path(), &["my-actuator/my_actuator.py", "--set", "step=5"]);
    in_its_lab(&actuator, |lab| obeys(lab, "my-actuator", 75));
}

/// What docs/plugins.md shows of the line protocol is what the script says.
#[test]
fn python_speaks_as_the_docs_say() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/plugins.md");
    let docs = std::fs::read_to_string(docs).expect("the docs");
    let session =
        docs.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a session");
    let side = |mark: &str| {
        let lines = session.lines().filter_map(|line| line.strip_prefix(mark));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let lamp = new(folder.path(), "actuator", "lamp", "python");
    std::fs::write(lamp.join("asked"), side("> ")).expect("writable");
    assert_eq!(typed(&lamp, "python3 lamp.py < asked"), side("< "));
}

/// However long the name is.
#[test]
fn rust_is_formatted() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["x".to_owned(), "long-".repeat(11) + "name-"] {
        for role in ["sensor", "actuator"] {
            let name = format!("{name}{}", role.len());
            let made = new(folder.path(), role, &name, "rust");
            typed(&made, "cargo fmt --check");
            // Inside a checkout of mqtt-lab, cargo fmt takes that one's rules.
            typed(
                &made,
                "rustfmt --check --edition 2024 --config max_width=110,use_small_heuristics=Max src/lib.rs",
            );
        }
    }
}

/// What a student prints, in whatever way, is log and never an answer.
#[test]
fn python_may_print() {
    let folder = tempfile::tempdir().expect("a folder");
    let sensor = new(folder.path(), "sensor", "my-sensor", "python");
    let file = sensor.join("my_sensor.py");
    let text = std::fs::read_to_string(&file).expect("the script");
    let noisy = "        import os\n        print('{\"id\": 1, \"ok\": 5}')\n        print('half a line', end='')\n        \
                 os.system('echo from a child')\n        return ";
    std::fs::write(&file, text.replacen("        return {\"value\"", &format!("{noisy}{{\"value\""), 1))
        .expect("writable");
    let shown = run(&["plugin", "run", "my_sensor.py", "--count", "3", "--interval", "0.01"], &sensor);
    let (said, log) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    assert!(shown.status.success() && said.matches("value ").count() == 3, "{said}{log}");
    assert!(log.contains("INFO my_sensor.py: {\"id\": 1, \"ok\": 5}"), "{log}");
    assert!(log.contains("WARN my_sensor.py: from a child"), "{log}");
}

#[test]
fn c() {
    let folder = tempfile::tempdir().expect("a folder");
    let sensor = new(folder.path(), "sensor", "my-sensor", "c");
    let tested = typed(&sensor, "make CFLAGS='-std=c11 -Wall -Wextra -Wpedantic -Werror -fPIC' && make test");
    assert!(tested.contains("all tests passed"), "{tested}");
    checked(&sensor, &["libmy-sensor.so"]);
    in_its_lab(&sensor, |lab| measures(lab, "my-sensor"));
    let actuator = new(folder.path(), "actuator", "my-actuator", "c");
    let tested = typed(&actuator, "make CFLAGS='-std=c11 -Wall -Wextra -Wpedantic -Werror -fPIC' test");
    assert!(tested.contains("all tests passed"), "{tested}");
    checked(&actuator, &["libmy-actuator.so", "--process"]);
    in_its_lab(&actuator, |lab| obeys(lab, "my-actuator", 75));
}
