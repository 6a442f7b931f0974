//! The real program, started in any way, with what it says over HTTP.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{PATIENCE, http, signal};

/// A running program.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) web: SocketAddr,
    /// What it says to HTTP.
    pub(crate) folder: PathBuf,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// The program with the file `lab.toml` in `folder`, whose dashboard is at the address.
pub(crate) fn command(folder: &Path, toml: &str) -> (Command, SocketAddr) {
    let web = free_port();
    let text = format!("[web]\nbind = \"{web}\"\n[store]\nurl = \"sqlite:lab.sqlite\"\n{toml}");
    std::fs::write(folder.join("lab.toml"), text).expect("the folder is writable");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-lab"));
    command.args(["run", "lab.toml"]).current_dir(folder).env_remove("RUST_LOG");
    (command, web)
}

impl Program {
    /// Starts a command that [`command`] made, perhaps wrapped into another one, and waits until it answers.
    pub(crate) fn start(folder: &Path, mut command: Command, web: SocketAddr) -> Self {
        let child = command.spawn().expect("the program starts");
        let program = Self { child, web, folder: folder.to_owned() };
        program.until("it is ready", |program| program.status("/readyz") == Some(200));
        program
    }

    /// The status of an answer; `None`: there is none.
    pub(crate) fn status(&self, path: &str) -> Option<u16> {
        http(&self.web.to_string(), "GET", path, None).map(|(status, _)| status)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let (_, body) = http(&self.web.to_string(), "GET", path, None).expect("it answers");
        serde_json::from_str(&body).unwrap_or(Value::String(body))
    }

    /// What `/readyz` names as not working.
    pub(crate) fn failing(&self) -> Vec<String> {
        let answer = self.get("/readyz");
        let parts = answer["values"]["parts"].as_array().cloned().unwrap_or_default();
        parts.iter().filter_map(|part| part.as_str().map(str::to_owned)).collect()
    }

    /// One part, as the page is told.
    pub(crate) fn part(&self, name: &str) -> Value {
        let parts = self.get("/api/v1/parts");
        let mut parts = parts.as_array().cloned().unwrap_or_default();
        parts.retain(|part| part["part"] == name);
        parts.pop().unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        self.within(what, PATIENCE, done);
    }

    /// How long it took.
    #[track_caller]
    pub(crate) fn within(&self, what: &str, limit: Duration, done: impl Fn(&Self) -> bool) -> Duration {
        let begin = Instant::now();
        while !done(self) {
            assert!(begin.elapsed() < limit, "never: {what}; {:#}", self.last_word());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        begin.elapsed()
    }

    fn last_word(&self) -> Value {
        match http(&self.web.to_string(), "GET", "/api/v1/lab", None) {
            Some((_, body)) => serde_json::from_str(&body).unwrap_or_default(),
            None => "it does not answer".into(),
        }
    }

    /// Sends a signal to the program, and waits for its end.
    pub(crate) fn stop(mut self, name: &str) -> ExitStatus {
        signal(name, self.child.id());
        self.ended()
    }

    /// Waits for the end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
