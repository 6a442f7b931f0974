//! The real program as a child process, its API, and clients of its broker.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod database;
pub(crate) mod disk;
pub(crate) mod ingest;
pub(crate) mod listener;
pub(crate) mod mosquitto;
pub(crate) mod nats;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod qemu;
pub(crate) mod sender;

use mqtt_lab_core::link::{Link, LinkConfig, Publish, Version};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// Long enough for a busy machine; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running `mqtt-lab`.
pub(crate) struct Lab {
    child: Child,
    lines: Receiver<String>,
    pub(crate) web: String,
    pub(crate) broker: String,
    pub(crate) output: Vec<String>,
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-lab"));
    command.env_remove("RUST_LOG");
    command
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str], folder: &Path) -> Output {
    program().args(arguments).current_dir(folder).output().expect("the program starts")
}

/// Runs a line of shell as a student would type it; what it printed.
#[track_caller]
pub(crate) fn typed(folder: &Path, line: &str) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(folder);
    // What this test was started with is not the student's.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_") && name != "CARGO_HOME") {
        shell.env_remove(name);
    }
    let output = shell.output().expect("a shell");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{line}\n{said}");
    said
}

impl Lab {
    /// Starts the default lab, or a file, on free ports, with its data in `folder`.
    pub(crate) fn start(folder: &Path, file: Option<&str>) -> Self {
        let file = file.map(|toml| {
            let path = folder.join(format!("{}.toml", rand_name()));
            std::fs::write(&path, toml).expect("the folder is writable");
            path
        });
        Self::start_with(folder, file.as_deref())
    }

    /// As `start`, with a file that exists.
    pub(crate) fn start_file(folder: &Path, file: &Path) -> Self {
        Self::start_with(folder, Some(file))
    }

    fn start_with(folder: &Path, file: Option<&Path>) -> Self {
        Self::start_at(folder, file, "127.0.0.1:0")
    }

    /// As `start`, with a limit that a line of shell sets.
    pub(crate) fn start_below(folder: &Path, limit: &str, toml: &str) -> Self {
        let file = folder.join("limited.toml");
        std::fs::write(&file, toml).expect("the folder is writable");
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")]).arg(program().get_program());
        shell.env_remove("RUST_LOG");
        Self::start_by(shell, folder, Some(&file), "127.0.0.1:0")
    }

    /// As `start_file`, with the broker on an address that a lab before it had.
    pub(crate) fn start_at(folder: &Path, file: Option<&Path>, broker: &str) -> Self {
        Self::start_by(program(), folder, file, broker)
    }

    /// As `start_at`, of a program with an environment of its own.
    pub(crate) fn start_by(mut command: Command, folder: &Path, file: Option<&Path>, broker: &str) -> Self {
        command.arg("run").args(file);
        command.args(["--web", "127.0.0.1:0", "--broker", broker, "--store"]);
        command.arg(folder.join("lab.sqlite")).current_dir(folder);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let (sender, lines) = sync_channel(10_000);
        let outputs: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("piped")), Box::new(child.stderr.take().expect("piped"))];
        for output in outputs {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let mut lab = Self { child, lines, web: String::new(), broker: String::new(), output: Vec::new() };
        lab.until("  Ctrl-C stops");
        let find = |key: &str| {
            let line = lab.output.iter().find(|line| line.trim_start().starts_with(key));
            line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or_default().to_owned()
        };
        let web = find("dashboard");
        let web = web.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let broker = find("broker");
        (lab.web, lab.broker) = (web, broker);
        lab
    }

    /// Waits for a line of output that contains `part`.
    pub(crate) fn until(&mut self, part: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.output.iter().any(|line| line.contains(part)) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.output.push(line),
                Err(error) => panic!("no `{part}`: {error}; output:\n{}", self.output.join("\n")),
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As Ctrl-C in its terminal.
    pub(crate) fn interrupt(mut self) -> (ExitStatus, Vec<String>) {
        signal("INT", self.pid());
        self.until("stopped");
        (self.child.wait().expect("it ends"), std::mem::take(&mut self.output))
    }

    /// As a power cut.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, body) = self.request("GET", path, None);
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// One HTTP request; status and JSON.
    pub(crate) fn request(&self, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        let (status, body) = self.request_text(method, path, body);
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    pub(crate) fn request_text(&self, method: &str, path: &str, body: Option<&str>) -> (u16, String) {
        http(&self.web, method, path, body).expect("the dashboard answers")
    }

    /// Asks again and again until `wanted` finds what it looks for.
    #[track_caller]
    pub(crate) fn poll<T>(&self, path: &str, wanted: impl Fn(&Value) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (_, body) = self.request("GET", path, None);
            if let Some(found) = wanted(&body) {
                return found;
            }
            assert!(Instant::now() < deadline, "GET {path} never had what was waited for: {body:#}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Waits until a device has `state`; its last state's cause.
    #[track_caller]
    pub(crate) fn until_state(&self, device: &str, state: &str) -> Value {
        self.poll(&format!("/api/v1/devices/{device}"), |found| {
            (found["state"] == state).then(|| found.clone())
        })
    }

    /// A client of the lab's broker.
    pub(crate) async fn client(&self, version: Version) -> Link {
        self.client_at(&self.broker, version).await
    }

    /// A client of another broker.
    pub(crate) async fn client_at(&self, broker: &str, version: Version) -> Link {
        let mut config = LinkConfig::new(broker, rand_name());
        config.version = version;
        let (link, mut events) = Link::spawn(config).expect("a valid configuration");
        // Taken all the time, or the link would stop reading.
        tokio::spawn(async move { while events.next().await.is_some() {} });
        link
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Publishes and waits for the broker's acknowledgement.
pub(crate) async fn publish(link: &Link, topic: &str, payload: impl Into<Vec<u8>>) {
    let delivery = link.publish(Publish::new(topic, payload.into())).await.expect("accepted");
    delivery.await.expect("acknowledged");
}

/// One HTTP request; status and body, `None` where nobody answers.
pub(crate) fn http(host: &str, method: &str, path: &str, body: Option<&str>) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(host).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let body = body.unwrap_or_default();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok())?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Some((status, if chunked { dechunk(body) } else { body.to_owned() }))
}

pub(crate) fn signal(name: &str, pid: u32) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
    assert!(sent.expect("sh").success(), "kill -{name}");
}

fn dechunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || rest.len() < size {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

/// A name that no other test uses.
pub(crate) fn rand_name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("t{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
