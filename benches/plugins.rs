//! What a reading costs in each form of a plugin, each beside its target.
//!
//! ```console
//! $ cargo bench --bench plugins
//! ```
//!
//! A reading is one `Device::read` of a counter, on the thread that asks: what the runtime adds (the hop
//! from the device's thread, the message) is the same for all forms. The forms take turns, and the median of
//! the rounds counts. A missed target is printed as `missed` and is no failure: machines differ.

#[path = "../tests/support/plugin_files.rs"]
mod plugin_files;

use mqtt_lab_core::config::{Isolation, PluginsConfig};
use mqtt_lab_core::plugin::{PluginLoader, PluginSource};
use mqtt_lab_core::{Device, Kind, Plugin, Settings};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

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

    let mut compiled_in = counter(&bad_plugin::plugin()).await;
    let mut of_library = counter(&in_library).await;
    let mut of_process = counter(&in_process).await;
    let mut of_c = match &in_c {
        Some(plugin) => Some(counter(plugin).await),
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
        pipe.push(bare.nanoseconds().await);
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

async fn counter(plugin: &Plugin) -> Box<dyn Device> {
    let kind = plugin.kinds().iter().find(|kind| kind.name() == "counter");
    let kind: &Kind = kind.expect("the plugin has a counter");
    kind.create(Settings::new()).await.expect("a counter")
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

/// A process that only sends back what it gets.
struct Bare {
    _child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Bare {
    fn start() -> Self {
        let mut cat = tokio::process::Command::new("cat");
        let cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = cat.spawn().expect("`cat`");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { _child: child, input, output }
    }

    async fn nanoseconds(&mut self) -> f64 {
        let begin = Instant::now();
        let mut line = Vec::new();
        for _ in 0..ROUND_TRIPS {
            self.input.write_all(LINE).await.expect("it reads");
            line.clear();
            self.output.read_until(b'\n', &mut line).await.expect("it writes");
            assert_eq!(line.len(), LINE.len());
        }
        begin.elapsed().as_secs_f64() * 1e9 / f64::from(ROUND_TRIPS)
    }
}
