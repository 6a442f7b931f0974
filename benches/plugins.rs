//! What a reading costs in each form of a plugin, each beside its target.
//!
//! ```console
//! $ cargo bench --bench plugins
//! ```
//!
//! A reading is one `Device::read` of one number, on the thread that asks: what the runtime adds (the hop
//! from the device's thread, the message) is the same for all forms. The forms take turns, and the median of
//! the rounds counts. A missed target is printed as `missed` and is no failure: machines differ.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures for whoever runs it")]

#[path = "../tests/support/plugin_files.rs"]
mod plugin_files;

use mqtt_lab_core::config::{Isolation, PluginsConfig};
use mqtt_lab_core::plugin::{PluginLoader, PluginSource};
use mqtt_lab_core::{Device, Kind, Plugin, Settings};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;

const ROUNDS: usize = 31;
const CALLS: u32 = 20_000;
const ROUND_TRIPS: u32 = 500;

/// As long as what the lab asks a process, and about as long as the answer.
const LINE: &[u8] = b"{\"id\":12345,\"op\":\"read\",\"wait_ms\":200}\n";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // `cargo test --all-targets` runs benches too, on a program that is not optimised.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("run by `cargo bench --bench plugins`");
        return;
    }
    let mut loader = PluginLoader::new(PluginsConfig::default(), ".").host([
        env!("CARGO_BIN_EXE_mqtt-lab"),
        "plugin",
        "host",
    ]);
    let library = PluginSource::from(plugin_files::bad_plugin().as_path());
    let in_library = loader.load(&library, None).await.expect("the plugin of the tests");
    let in_process = loader.load(&library, Some(Isolation::Process)).await.expect("the plugin of the tests");
    let folder = TempDir::new().expect("a folder");
    let in_c = match compile(folder.path()) {
        Some(file) => Some(loader.load(&PluginSource::from(file.as_path()), None).await.expect("a plugin")),
        None => None,
    };

    let mut compiled_in = device(&bad_plugin::plugin(), "bad", "{}").await;
    let mut of_library = device(&in_library, "bad", "{}").await;
    let mut of_process = device(&in_process, "bad", "{}").await;
    let mut of_c = match &in_c {
        Some(plugin) => Some(device(plugin, "counter", r#"{"port":1,"quiet":true}"#).await),
        None => None,
    };
    let mut bare = Bare::start();
    let (mut compiled, mut lib, mut c, mut process, mut pipe) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        compiled.push(nanoseconds(&mut *compiled_in, CALLS).await);
        lib.push(nanoseconds(&mut *of_library, CALLS).await);
        if let Some(of_c) = &mut of_c {
            c.push(nanoseconds(&mut **of_c, CALLS).await);
        }
        pipe.push(bare.nanoseconds());
        process.push(nanoseconds(&mut *of_process, ROUND_TRIPS).await);
    }

    println!("{:<54} {:>14} {:>12}", "figure", "measured", "target");
    report("reading of a kind that is compiled in", median(compiled), "ns", 150.0);
    report("reading of a library in Rust", median(lib), "ns", 2000.0);
    if c.is_empty() {
        println!("{:<54} {:>14} {:>12}", "reading of a library in C", "not measured", "no `cc`");
    } else {
        report("reading of a library in C", median(c), "ns", 50.0);
    }
    let (process, pipe) = (median(process), median(pipe));
    println!("{:<54} {:>11.1} µs {:>12}", "bare round trip over the pipes of a process", pipe / 1000.0, "");
    println!("{:<54} {:>11.1} µs {:>12}", "reading of a process", process / 1000.0, "");
    report("  that is so many round trips", process / pipe, "", 2.0);
}

/// The plugin of the tests is well as long as no fault is asked for.
async fn device(plugin: &Plugin, kind: &str, settings: &str) -> Box<dyn Device> {
    let kind = plugin.kinds().iter().find(|offered| offered.name() == kind);
    let kind: &Kind = kind.expect("the plugin has it");
    let settings: Settings = serde_json::from_str(settings).expect("JSON");
    kind.create(settings).await.expect("a device")
}

async fn nanoseconds(device: &mut dyn Device, calls: u32) -> f64 {
    let begin = Instant::now();
    for _ in 0..calls {
        let reading = device.read().await.expect("a reading");
        assert!(!std::hint::black_box(reading).is_empty());
    }
    begin.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

fn report(figure: &str, measured: f64, unit: &str, target: f64) {
    let verdict = if measured <= target { "" } else { "  missed" };
    println!("{figure:<54} {measured:>11.1} {unit:<2} {:>12}{verdict}", format!("{target} {unit}"));
}

fn compile(folder: &Path) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = folder.join("libcounter.so");
    let mut command = Command::new("cc");
    command.args(["-O2", "-shared", "-fPIC", "-I"]).arg(root.join("mqtt-lab-core/include"));
    command.arg("-o").arg(&library).arg(root.join("tests/plugins/c/counter.c"));
    command.status().is_ok_and(|status| status.success()).then_some(library)
}

/// A process that only sends back what it gets, asked without any runtime in between.
struct Bare {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Bare {
    fn start() -> Self {
        let mut cat = Command::new("cat");
        let mut child = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`cat`");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, input, output }
    }

    fn nanoseconds(&mut self) -> f64 {
        let begin = Instant::now();
        let mut line = Vec::new();
        for _ in 0..ROUND_TRIPS {
            self.input.write_all(LINE).expect("it reads");
            line.clear();
            self.output.read_until(b'\n', &mut line).expect("it writes");
            assert_eq!(line.len(), LINE.len());
        }
        begin.elapsed().as_secs_f64() * 1e9 / f64::from(ROUND_TRIPS)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It would end by itself with its input.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
