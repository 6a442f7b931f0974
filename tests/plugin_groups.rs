//! What a plugin's process gets from the lab, its time to end, and the end of all that it started. The plugins
//! here are shell scripts that speak the line protocol.

#![cfg(target_os = "linux")]

mod support;

use mqtt_lab_core::config::PluginsConfig;
use mqtt_lab_core::plugin::{PluginLoader, PluginSource};
use mqtt_lab_core::{Device, Settings};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Lab, PATIENCE};

/// A plugin that runs `start` before it describes its device, answers a reading with `read`, and runs `end` when its
/// input is closed.
struct Script {
    folder: tempfile::TempDir,
}

const READ: &str = r#"echo "{\"id\":$id,\"ok\":1}""#;

/// Takes a second to end, and then says so.
const SLOW: &str = "sleep 1; echo > ended";

/// Starts a process that outlives it, and writes down its number.
const STARTS: &str = "sleep 1000 & echo $! >> started";

/// The same, out of reach of its outputs.
const STARTS_SILENTLY: &str = "sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >> started";

impl Script {
    fn new(start: &str, read: &str, end: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            r#"#!/bin/sh
while read -r line; do
  id=${{line#*\"id\":}}; id=${{id%%[,\}}]*}}
  case "$line" in
    *'"op":"manifest"'*) echo "{{\"id\":$id,\"ok\":{{\"name\":\"odd\",\"kinds\":[{{\"name\":\"odd\",\"role\":\"sensor\"}}]}}}}" ;;
    *'"op":"create"'*) {start}
      echo "{{\"id\":$id,\"ok\":{{\"channels\":[{{\"name\":\"value\",\"datatype\":\"float\"}}]}}}}" ;;
    *'"op":"read"'*) {read} ;;
  esac
done
{end}
"#
        );
        let script = Self { folder };
        std::fs::write(script.file(), text).expect("writable");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(script.file(), mode).expect("its mode can be set");
        script
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("odd")
    }

    /// Numbers of the processes that it has started.
    fn started(&self) -> Vec<u32> {
        let text = std::fs::read_to_string(self.folder.path().join("started")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    fn has_ended(&self) -> bool {
        self.folder.path().join("ended").exists()
    }

    /// The file of a lab with one device of it.
    fn toml(&self, interval_s: f64) -> PathBuf {
        let file = self.folder.path().join("lab.toml");
        let toml = format!(
            "[plugins]\nwatch = true\n[[sensor]]\nkind = \"odd\"\nid = \"odd\"\ninterval_s = {interval_s}\nplugin = {:?}\n",
            self.file().display().to_string()
        );
        std::fs::write(&file, toml).expect("writable");
        file
    }

    /// Such a lab, once the device is connected.
    fn lab(&self) -> Lab {
        let lab = Lab::start_file(self.folder.path(), &self.toml(0.1));
        lab.until_state("demo/odd", "ready");
        lab
    }

    /// A device of it, in this process.
    async fn device(&self) -> Box<dyn Device> {
        let mut loader = PluginLoader::new(PluginsConfig::default(), ".");
        let plugin = loader.load(&PluginSource::from(self.file().as_path()), None).await.expect("loads");
        plugin.kinds()[0].create(Settings::new()).await.expect("created")
    }

    /// `mqtt-lab plugin …` of it.
    fn plugin(&self, arguments: &[&str], variables: &[(&str, &str)]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-lab"));
        command.arg("plugin").args(arguments).arg(self.file()).envs(variables.iter().copied());
        let output = command.stdin(Stdio::null()).output().expect("the program starts");
        assert!(output.status.success(), "{output:?}");
    }
}

/// Whether a process runs; one that nobody has waited for yet does not.
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[track_caller]
fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Waits until something was started, and then until none of it runs.
#[track_caller]
fn until_all_ended(script: &Script) {
    let started = script.started();
    assert!(!started.is_empty(), "something was started");
    until("what the plugin started ends", || !started.iter().any(|pid| runs(*pid)));
}

// Environment ------------------------------------------------------------------------------------

#[test]
fn a_plugin_gets_the_environment_without_the_labs_own_variables() {
    let script = Script::new("env > environment", READ, "");
    let variables =
        [("MQTT_LAB_WEB__TOKEN", "secret"), ("MQTT_LAB_OTHER", "secret"), ("RUST_LOG", "warn"), ("OWN", "7")];
    script.plugin(&["check"], &variables);
    let found = std::fs::read_to_string(script.folder.path().join("environment")).expect("written");
    assert!(!found.contains("MQTT_LAB") && !found.contains("secret"), "{found}");
    for kept in ["RUST_LOG=warn", "OWN=7", "PATH=", "PYTHONUNBUFFERED=1"] {
        assert!(found.lines().any(|line| line.starts_with(kept)), "{kept}: {found}");
    }
}

// Time to end ------------------------------------------------------------------------------------

#[test]
fn a_plugin_gets_its_time_when_the_lab_stops() {
    let script = Script::new("", READ, SLOW);
    let (status, output) = script.lab().interrupt();
    assert!(status.success(), "{output:?}");
    assert!(script.has_ended(), "it was not killed before");
}

#[test]
fn a_plugin_gets_its_time_when_it_was_tried() {
    for arguments in [&["run", "--count", "1"][..], &["check"]] {
        let script = Script::new("", READ, SLOW);
        script.plugin(arguments, &[]);
        assert!(script.has_ended(), "{arguments:?}: it was not killed before");
    }
}

#[test]
fn a_plugin_gets_its_time_when_another_build_replaces_it() {
    let script = Script::new("", READ, SLOW);
    let lab = script.lab();
    let newer = Script::new("", "echo \"{\\\"id\\\":$id,\\\"ok\\\":2}\"", "");
    std::fs::rename(newer.file(), script.file()).expect("replaced");
    until("the old one ends in order", || script.has_ended());
    drop(lab);
}

#[test]
fn a_plugin_gets_its_time_when_it_failed() {
    let fails = r#"[ -e fail ] && echo "{\"id\":$id,\"error\":\"no wire\",\"fatal\":true}""#;
    let script = Script::new("", &format!("{fails} || {READ}"), SLOW);
    let lab = script.lab();
    std::fs::write(script.folder.path().join("fail"), "").expect("writable");
    until("the failed one ends in order", || script.has_ended());
    drop(lab);
}

/// It may hold what the one that follows needs, such as a serial port.
#[test]
fn a_plugin_with_other_options_starts_when_the_one_before_has_ended() {
    let start = "[ -e holds ] && echo > both; echo > holds; echo $$ >> started";
    let script = Script::new(start, READ, "sleep 1; rm holds; echo > ended");
    let lab = script.lab();
    script.toml(0.2);
    until("another one starts", || script.started().len() == 2);
    assert!(script.has_ended());
    assert!(!script.folder.path().join("both").exists(), "two at a time");
    drop(lab);
}

#[test]
fn a_plugin_gets_its_time_also_without_the_runtime_that_it_was_made_in() {
    let script = Script::new("", READ, SLOW);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let device = runtime.block_on(script.device());
    runtime.shutdown_background();
    let dropped = Instant::now();
    drop(device);
    assert!(dropped.elapsed() < Duration::from_millis(500), "nobody waits for it");
    until("it ends in order", || script.has_ended());
}

#[tokio::test]
async fn a_plugin_that_takes_longer_is_killed() {
    let script = Script::new("echo $$ >> started", READ, "sleep 1000; echo > ended");
    drop(script.device().await);
    until_all_ended(&script);
    assert!(!script.has_ended());
}

// What a plugin starts ---------------------------------------------------------------------------

#[tokio::test]
async fn what_a_plugin_started_ends_with_it() {
    for start in [STARTS, STARTS_SILENTLY] {
        let script = Script::new(start, READ, "");
        let mut device = script.device().await;
        assert!(device.read().await.is_ok());
        assert!(script.started().iter().all(|pid| runs(*pid)), "it runs as long as the plugin");
        drop(device);
        until_all_ended(&script);
    }
}

#[tokio::test]
async fn what_a_plugin_started_ends_when_it_crashes() {
    for start in [STARTS, STARTS_SILENTLY] {
        let script = Script::new(start, "kill -SEGV $$", "");
        let mut device = script.device().await;
        let error = device.read().await.expect_err("it crashed").to_string();
        assert!(error.starts_with("its process was ended by signal 11"), "{error}");
        until_all_ended(&script);
    }
}

#[tokio::test]
async fn what_a_plugin_started_gets_the_same_time() {
    // It ends at once itself; what it started still works for a second.
    let script = Script::new(&format!("({SLOW}) & echo $! >> started"), READ, "");
    drop(script.device().await);
    until_all_ended(&script);
    assert!(script.has_ended(), "it was not killed before");
}

#[test]
fn what_a_plugin_started_ends_with_the_lab() {
    for start in [STARTS, STARTS_SILENTLY] {
        let script = Script::new(start, READ, "");
        let (status, output) = script.lab().interrupt();
        assert!(status.success(), "{output:?}");
        until_all_ended(&script);
    }
}

#[test]
fn what_a_plugin_started_ends_when_the_lab_is_killed() {
    for start in [STARTS, STARTS_SILENTLY] {
        let script = Script::new(start, READ, "");
        script.lab().kill();
        until_all_ended(&script);
    }
}

#[test]
fn nothing_of_a_killed_lab_remains_that_ended_its_plugins() {
    let script = Script::new(STARTS, READ, "");
    let lab = script.lab();
    let guards = || children(lab.pid());
    let before = guards();
    assert!(before.len() >= 2, "the plugin and the guard: {before:?}");
    lab.kill();
    until("all of them end", || !before.iter().any(|pid| runs(*pid)));
}

/// Processes that `parent` started.
fn children(parent: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).expect("it runs").flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let lists: Vec<_> = lists.collect();
    lists.iter().flat_map(|list| list.split_whitespace()).filter_map(|pid| pid.parse().ok()).collect()
}

#[test]
fn the_guard_survives_ctrl_c() {
    let script = Script::new(STARTS, READ, "");
    let lab = script.lab();
    let group = |pid: u32| {
        let pid = rustix::process::Pid::from_raw(pid.cast_signed());
        rustix::process::getpgid(pid).expect("it runs")
    };
    let found = children(lab.pid());
    assert!(found.len() >= 2, "the plugin and the guard: {found:?}");
    assert!(found.iter().all(|pid| group(*pid) != group(lab.pid())), "in groups of their own");
}
