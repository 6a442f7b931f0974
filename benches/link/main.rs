//! What a link costs, beside others on the same broker in the same run.
//!
//! ```console
//! $ cargo bench --bench link
//! ```
//!
//! Needs Debian's mosquitto and its clients, and Linux. Takes about five minutes; figures count as ratios of
//! one run, on a machine that does nothing else.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures for whoever runs it")]

#[path = "../../tests/support/mod.rs"]
mod support;

mod many;
#[path = "../support/process.rs"]
mod process;
mod raw;
mod throughput;

use std::time::Duration;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == many::CHILD) {
        return many::child(&arguments[at + 1..]);
    }
    // `cargo test --all-targets` runs benches too, on a program that is not optimised.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("run by `cargo bench --bench link`");
        return;
    }
    println!("{:<54} {:>14} {:>12}", "figure", "measured", "target");
    throughput::measure();
    many::measure();
}

/// One line of the report.
fn report(figure: &str, measured: &str, target: &str, kept: bool) {
    let missed = if kept { "" } else { "  missed" };
    println!("{figure:<54} {measured:>14} {target:>12}{missed}");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
