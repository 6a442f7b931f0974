//! Many plugins, many devices, many reloads: nothing is left behind.

#![cfg(target_os = "linux")]

#[path = "../mqtt-lab-core/tests/support/mod.rs"]
mod bench;
#[path = "support/plugin_files.rs"]
mod plugin_files;

use bench::{Observer, broker};
use mqtt_lab_core::config::{DeviceConfig, Isolation, PluginsConfig};
use mqtt_lab_core::plugin::{PluginLoader, PluginSource};
use mqtt_lab_core::{Device, Plugin, Settings};
use plugin_files::{bad_plugin, raw_plugin};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

/// Runs one of the ignored tests below in a process and with a folder for temporary files of its own;
/// nothing may be left in it.
fn alone(test: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let program = std::env::current_exe().expect("a path");
    let mut command = Command::new(program);
    command.args(["--exact", test, "--ignored", "--nocapture"]).env("TMPDIR", folder.path());
    let output = command.output().expect("the test runs");
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_hundred_devices_of_one_library() {
    alone("hundred_devices");
}

#[test]
fn twenty_libraries_in_one_lab() {
    alone("twenty_libraries");
}

#[test]
fn a_hundred_reloads() {
    alone("hundred_reloads");
}

fn loader() -> PluginLoader {
    PluginLoader::new(PluginsConfig::default(), ".").host([env!("CARGO_BIN_EXE_mqtt-lab"), "plugin", "host"])
}

/// Threads that are not tokio's own, nor the one that starts processes for as long as the program runs.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    let names = names.map(|name| name.trim().to_owned());
    names.filter(|name| !name.starts_with("tokio") && name != "plugin-spawner").collect()
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux").count()
}

/// Processes that this one started, dead ones included; not the shell that guards them as long as the program
/// runs.
fn children() -> usize {
    let own = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").expect("Linux").flatten();
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    // `pid (name) state parent …`
    let parents = stats
        .filter(|stat| !stat.contains("(sh)"))
        .filter_map(|stat| stat.rsplit_once(')')?.1.split_whitespace().nth(1).map(str::to_owned));
    parents.filter(|parent| *parent == own).count()
}

/// Waits until nothing is left of a lab.
async fn until_nothing_is_left(before: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while threads().len() > before || children() > 0 {
        assert!(Instant::now() < deadline, "{before} before; {:?}, {} processes", threads(), children());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs a lab until every one of `count` devices has sent a third value.
async fn all_send(devices: Vec<DeviceConfig>, channel: &str, count: usize) {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let before = threads().len();
    let lab = bench::lab(&broker).devices(devices).load_plugins(&mut loader()).await.expect("loads");
    let running = lab.build().expect("valid").start().await.expect("runs");
    let mut sent = BTreeSet::new();
    let suffix = format!("/{channel}");
    while sent.len() < count {
        let value = observer
            .until("a third value", |s| s.topic.ends_with(&suffix) && s.payload.starts_with("{\"v\":3,"));
        sent.insert(value.await.topic);
        observer.seen.clear();
    }
    assert_eq!(format!("{:?}", running.stop().await), "[]", "everything was delivered");
    until_nothing_is_left(before).await;
}

fn device(file: &Path, id: &str) -> DeviceConfig {
    let mut device = DeviceConfig::new("counter").id(id);
    device.plugin = Some(PluginSource::from(file));
    device.interval_s = 0.2;
    device.read_timeout_s = 60.0;
    device
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by `a_hundred_devices_of_one_library`"]
async fn hundred_devices() {
    let mut many = device(&bad_plugin(), "many");
    many.count = 100;
    let mut apart = device(&bad_plugin(), "apart");
    (apart.count, apart.isolation) = (10, Some(Isolation::Process));
    all_send(vec![many, apart], "count", 110).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by `twenty_libraries_in_one_lab`"]
async fn twenty_libraries() {
    let folder = tempfile::tempdir().expect("a folder");
    let copies = (0..20).map(|i| {
        let file = folder.path().join(format!("libcopy_{i}.so"));
        std::fs::copy(raw_plugin(), &file).expect("copied");
        device(&file, &format!("copy-{i}"))
    });
    all_send(copies.collect(), "value", 20).await;
}

async fn counts(plugin: &Plugin) {
    let kind = plugin.kinds().iter().find(|kind| kind.name() == "counter").expect("a kind").clone();
    let mut device: Box<dyn Device> = kind.create(Settings::default()).await.expect("constructed");
    for expected in 1..=3 {
        let reading = device.read().await.expect("a reading");
        let count = reading.values().next().and_then(|(_, count)| count.as_f64());
        assert_eq!(count, Some(f64::from(expected)), "a device of its own");
    }
}

/// Builds a plugin again and again; how many files are open more than before.
async fn reloads(original: &Path, builds: u32) -> usize {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("libreloaded.so");
    std::fs::copy(original, &file).expect("copied");
    let source = PluginSource::from(file.as_path());
    let mut loader = loader();
    let first = loader.load(&source, None).await.expect("loads");
    counts(&first).await;
    let before = (threads().len(), open_files());
    let built = SystemTime::now();
    for build in 1..=builds {
        // A build is noticed once the file does not change any more.
        let writing = File::options().append(true).open(&file).expect("opened");
        writing.set_modified(built + Duration::from_secs(build.into())).expect("touched");
        drop(writing);
        assert!(!loader.changed(), "it may still be written");
        assert!(loader.changed(), "it is settled");
        assert!(!loader.changed(), "told once");
        let plugin = loader.load(&source, None).await.expect("loads");
        let info = plugin.kinds()[0].plugin().expect("where it came from");
        assert_eq!(info.loads, build + 1);
        counts(&plugin).await;
    }
    // What was loaded first works as long as somebody has it.
    counts(&first).await;
    until_nothing_is_left(before.0).await;
    open_files() - before.1
}

#[tokio::test]
#[ignore = "run by `a_hundred_reloads`"]
async fn hundred_reloads() {
    // One open file per library that was loaded: the copy that holds its symbols.
    assert_eq!(reloads(&raw_plugin(), 100).await, 100);
    // Each copy of tokio keeps a pair of sockets for signals, where its feature `signal` is on, as it is
    // here by the features of the whole workspace.
    assert!(reloads(&bad_plugin(), 10).await <= 3 * 10);
}
