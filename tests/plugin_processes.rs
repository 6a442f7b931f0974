//! A plugin's process ends with the lab, whatever becomes of either.

#![cfg(target_os = "linux")]

#[path = "../mqtt-lab-core/tests/support/mod.rs"]
mod bench;
#[path = "support/plugin_files.rs"]
mod plugin_files;
mod support;

use bench::{Observer, broker};
use mqtt_lab_core::config::{DeviceConfig, Isolation, PluginsConfig};
use mqtt_lab_core::plugin::{PluginLoader, PluginSource};
use plugin_files::bad_plugin;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::{Lab, PATIENCE};

/// Processes with a plugin whose path no other test uses.
fn processes(plugin: &str) -> BTreeSet<u32> {
    let found = proc_entries().filter_map(|(pid, folder)| {
        let arguments = std::fs::read(folder.join("cmdline")).ok()?;
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        arguments.split('\0').any(|argument| argument == plugin).then_some(pid)
    });
    found.collect()
}

/// Children of this process that have ended and that nobody has waited for.
fn zombies() -> BTreeSet<u32> {
    let own = format!(" Z {} ", std::process::id());
    let found = proc_entries().filter_map(|(pid, folder)| {
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        stat.contains(&own).then_some(pid)
    });
    found.collect()
}

fn proc_entries() -> impl Iterator<Item = (u32, PathBuf)> {
    let entries = std::fs::read_dir("/proc").expect("Linux").flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
}

#[track_caller]
fn until(what: &str, limit: Duration, done: impl Fn() -> bool) {
    let deadline = Instant::now() + limit;
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A copy of the bad plugin whose path no other test has.
fn own_plugin(folder: &Path) -> String {
    let file = folder.join("libmisbehaves.so");
    std::fs::copy(bad_plugin(), &file).expect("copied");
    file.to_string_lossy().into_owned()
}

/// A lab with a good device, and a plugin's process that loops in `read`.
fn looping(plugin: &str) -> String {
    format!(
        "[[sensor]]\nkind = \"temperature\"\nid = \"good\"\ninterval_s = 0.1\n\
         [[sensor]]\nkind = \"bad\"\nid = \"bad\"\ninterval_s = 0.1\nread_timeout_s = 600\n\
         plugin = {plugin:?}\nisolation = \"process\"\nsettings.fault = \"loop\"\n"
    )
}

fn started(folder: &Path, toml: &str, plugin: &str) -> Lab {
    let lab = Lab::start(folder, Some(toml));
    lab.until_state("demo/bad", "ready");
    until("the plugin runs", PATIENCE, || !processes(plugin).is_empty());
    lab
}

#[test]
fn a_killed_lab_takes_its_plugins_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = own_plugin(folder.path());
    let lab = started(folder.path(), &looping(&plugin), &plugin);
    lab.kill();
    until("the plugin ends", Duration::from_secs(10), || processes(&plugin).is_empty());
}

#[test]
fn a_lab_that_stops_in_order_takes_its_plugins_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = own_plugin(folder.path());
    let lab = started(folder.path(), &looping(&plugin), &plugin);
    let (status, output) = lab.interrupt();
    assert!(status.success(), "{output:?}");
    until("the plugin ends", Duration::from_secs(10), || processes(&plugin).is_empty());
}

/// Ctrl-C goes to all processes of the terminal's group: the plugins are not among them.
#[test]
fn ctrl_c_reaches_the_lab_and_not_its_plugins() {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = own_plugin(folder.path());
    let toml = looping(&plugin).replace("\"loop\"", "\"none\"");
    let lab = started(folder.path(), &toml, &plugin);
    let group = |pid: u32| {
        let pid = rustix::process::Pid::from_raw(pid.cast_signed());
        rustix::process::getpgid(pid).expect("it runs")
    };
    for pid in processes(&plugin) {
        assert_ne!(group(pid), group(lab.pid()), "a group of its own");
    }
    let (status, output) = lab.interrupt();
    assert!(status.success(), "{output:?}");
    assert!(!output.iter().any(|line| line.contains("its process")), "no process failed: {output:?}");
    until("the plugin ends", Duration::from_secs(10), || processes(&plugin).is_empty());
}

async fn in_this_process(folder: &Path) -> (mqtt_lab_core::RunningLab, String, Observer) {
    let plugin = own_plugin(folder);
    let config = PluginsConfig::default();
    let mut loader = PluginLoader::new(config, ".").host([env!("CARGO_BIN_EXE_mqtt-lab"), "plugin", "host"]);
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let mut device = DeviceConfig::new("bad").id("bad").setting("fault", "loop");
    device.plugin = Some(PluginSource::from(Path::new(&plugin)));
    device.isolation = Some(Isolation::Process);
    let lab = bench::lab(&broker).device(device).load_plugins(&mut loader).await.expect("loads");
    let running = lab.build().expect("valid").start().await.expect("runs");
    observer.on("lab/demo/bad/$state", "ready").await;
    until("the one that told what it offers ends", PATIENCE, || processes(&plugin).len() == 1);
    // The broker lives as long as the test program.
    std::mem::forget(broker);
    (running, plugin, observer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lab_inside_another_program_takes_its_plugins_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let (running, plugin, _observer) = in_this_process(folder.path()).await;
    running.stop().await;
    until("the plugin ends", Duration::from_secs(10), || processes(&plugin).is_empty());
    until("it is waited for", PATIENCE, || zombies().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_lab_takes_its_plugins_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let (running, plugin, _observer) = in_this_process(folder.path()).await;
    drop(running);
    until("the plugin ends", Duration::from_secs(10), || processes(&plugin).is_empty());
    until("it is waited for", PATIENCE, || zombies().is_empty());
}

#[test]
fn a_lab_whose_runtime_is_dropped_takes_its_plugins_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (running, plugin, observer) = runtime.block_on(in_this_process(folder.path()));
    runtime.shutdown_background();
    until("the plugin ends", Duration::from_secs(10), || processes(&plugin).is_empty());
    drop((running, observer));
}
