//! Ten thousand simulated sensors in one process, each with its own connection and last will, at 1 Hz.
//!
//! ```console
//! $ cargo bench --bench sensors
//! ```
//!
//! Needs Debian's mosquitto, and Linux. The broker has a process of its own, which is not counted; nor is the
//! subscriber, which hears every sample and looks whether one is missing. Beside it a bare loop that sends the
//! same packets over as many connections, in the same run.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures for whoever runs it")]

#[path = "../../tests/support/mod.rs"]
mod support;

mod bare;
mod heard;
mod lab;
#[path = "../support/process.rs"]
mod process;

use process::Process;
use support::mosquitto::Mosquitto;

/// Sensors, and connections of the bare loop.
const SENSORS: usize = 10_000;

/// How long is measured, in seconds.
const SECONDS: u64 = 20;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [lab::CHILD, broker] => return lab::run(broker),
        [bare::CHILD, broker] => return bare::run(broker),
        // `cargo test --all-targets` runs benches too, on a program that is not optimised.
        _ if !arguments.iter().any(|argument| argument == "--bench") => {
            return println!("run by `cargo bench --bench sensors`");
        }
        _ => {}
    }
    if let Err(error) = process::allow_files(SENSORS) {
        return println!("{SENSORS} sensors: not measured: {error}");
    }
    println!("{:<58} {:>12} {:>10}", "figure", "measured", "target");
    let broker = Mosquitto::start("max_connections -1\nmax_queued_messages 0\nmax_inflight_messages 0\n");
    let bare = cpu_of(&mut Process::start(&[bare::CHILD, &broker.address()]));
    drop(broker);
    let broker = Mosquitto::start("max_connections -1\nmax_queued_messages 0\nmax_inflight_messages 0\n");
    let listener = heard::Listener::start(&broker.address());
    let mut lab = Process::start(&[lab::CHILD, &broker.address()]);
    let kib = lab.until("memory") / 1024.0;
    let cpu = cpu_of(&mut lab);
    let missing = listener.missing();
    report("memory of a sensor with connection and will", &format!("{kib:.1} KiB"), "24 KiB", kib <= 24.0);
    report("samples that are missing", &missing.to_string(), "0", missing == 0);
    let percent = |cpu: f64| format!("{:.1} %", 100.0 * cpu);
    report("of a processor, 10,000 sensors at 1 Hz, QoS 1", &percent(cpu), "", true);
    report("of a processor, bare loop with the same packets", &percent(bare), "", true);
    report("the former beside the latter", &format!("{:.1}", cpu / bare), "", true);
}

/// The part of one processor that a process needs.
#[allow(clippy::cast_precision_loss, reason = "seconds of a bench")]
fn cpu_of(process: &mut Process) -> f64 {
    process.until("cpu") / SECONDS as f64
}

fn report(figure: &str, measured: &str, target: &str, kept: bool) {
    let missed = if kept { "" } else { "  missed" };
    println!("{figure:<58} {measured:>12} {target:>10}{missed}");
}
