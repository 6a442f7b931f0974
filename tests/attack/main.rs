//! The page while somebody attacks it: guesses, idle and slow connections, long texts, devices that describe themselves
//! again and again, from one address and from many. The real program, over real sockets.
//!
//! Attackers come from 127.0.0.2 and up: only 127.0.0.1 is the lab's own computer.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod connections;
mod flapping;
mod guessing;
mod honest;
mod visitor;

use std::time::Duration;

use support::Lab;

/// An attack needs more open files than most systems allow a program by default.
pub(crate) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("the soft limit may be raised");
}

/// A lab without devices, whose page needs the token `geheim-7`.
pub(crate) fn guarded(folder: &std::path::Path) -> Lab {
    Lab::start(folder, Some("[web]\ntoken = \"geheim-7\"\n"))
}

/// The largest resident memory of the lab until now, in MB.
pub(crate) fn memory_mb(lab: &Lab) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", lab.pid())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux says so");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("a number") / 1_024
}

/// Waits for a little while between two looks at something.
pub(crate) async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
