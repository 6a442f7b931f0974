//! A process of its own, which measures itself and tells.

#![allow(dead_code, reason = "each bench uses a part of it")]

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

/// This program as a child.
pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines }
    }

    /// Waits until it says a word, and returns the number behind it; 0 where there is none.
    pub(crate) fn until(&mut self, word: &str) -> f64 {
        loop {
            let line = self.lines.next().expect("it lives").expect("text");
            match line.strip_prefix(word).map(str::trim) {
                None => {}
                Some("") => return 0.0,
                Some(number) => return number.parse().expect("a number"),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A descriptor for each connection; children and mosquitto inherit the limit.
pub(crate) fn allow_files(connections: usize) -> Result<(), String> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let needed = (connections + 1_000) as u64;
    if limit.maximum.is_some_and(|most| most < needed) {
        return Err(format!("this user may have {:?} open files, {needed} are needed", limit.maximum));
    }
    limit.current = Some(limit.current.unwrap_or(0).max(needed));
    setrlimit(Resource::Nofile, limit).map_err(|error| error.to_string())
}

/// What this process has in memory, in bytes.
pub(crate) fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * rustix::param::page_size()
}

/// What this process has used of the processors, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    // Behind the name in brackets: fields 14 and 15 are user and system time in ticks (proc(5)).
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    #[allow(clippy::cast_precision_loss, reason = "100")]
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    (ticks(11) + ticks(12)) / per_second
}
