//! The lab with Debian's mosquitto: its clients at our broker, and our lab at its broker.
//!
//! Feature `system-tests`; needs `mosquitto`, `mosquitto_pub` and `mosquitto_sub`.

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use support::Lab;
use support::mosquitto::{Mosquitto, tool};

fn host_port(address: &str) -> [String; 4] {
    let (host, port) = address.rsplit_once(':').expect("host:port");
    ["-h".into(), host.into(), "-p".into(), port.into()]
}

fn publish(broker: &str, arguments: &[&str]) {
    let done = Command::new(tool("mosquitto_pub")).args(host_port(broker)).args(arguments).status();
    assert!(done.expect("mosquitto_pub runs").success(), "{arguments:?}");
}

/// `mosquitto_sub`, printing `topic qos retain payload`.
struct Subscriber {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    seen: Vec<String>,
}

impl Subscriber {
    fn start(broker: &str, version: &str, filter: &str) -> Self {
        let mut command = Command::new(tool("mosquitto_sub"));
        command.args(host_port(broker)).args(["-V", version, "-q", "2", "-F", "%t %q %r %p", "-t", filter]);
        if version == "5" {
            command.args(["--retain-as-published"]);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().expect("mosquitto_sub runs");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits for a line that begins so; the test's own time limit ends a wait in vain.
    fn until(&mut self, begin: &str) -> String {
        loop {
            let line = self.lines.next().expect("mosquitto_sub lives").expect("text");
            self.seen.push(line.clone());
            if line.starts_with(begin) {
                return line;
            }
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const QOS: &str = "[[sensor]]\nkind = \"temperature\"\nid = \"zero\"\nqos = 0\ninterval_s = 0.2\n\
    [[sensor]]\nkind = \"temperature\"\nid = \"one\"\nqos = 1\nretain = true\ninterval_s = 0.2\n\
    [[sensor]]\nkind = \"temperature\"\nid = \"two\"\nqos = 2\ninterval_s = 0.2\npayload = \"plain\"\n\
    [[sensor]]\nkind = \"temperature\"\nid = \"old\"\nversion = \"3.1.1\"\nqos = 2\ninterval_s = 0.2\n\
    [[actuator]]\nkind = \"led\"\n";

fn qos_retain_and_will_are_as_configured(lab: &Lab, broker: &str, folder: &Path) {
    let mut seen = Subscriber::start(broker, "5", "#");
    seen.until("lab/demo/zero/temperature 0 0 {\"v\":");
    seen.until("lab/demo/one/temperature 1 1 {\"v\":");
    let plain = seen.until("lab/demo/two/temperature 2 0 ");
    assert!(plain.rsplit(' ').next().is_some_and(|value| value.parse::<f64>().is_ok()), "{plain}");
    seen.until("lab/demo/old/temperature 2 0 {\"v\":");
    let far = format!(
        "[mqtt]\nbrokers = [\"{broker}\"]\n[web]\nenabled = false\n[[sensor]]\nkind = \"temperature\"\nid = \"far\"\n\
         will = {{ topic = \"alarm/far\", payload = \"help\", qos = 2, retain = false }}\n"
    );
    let far = Lab::start(folder, Some(&far));
    lab.until_state("demo/far", "ready");
    far.kill();
    seen.until("alarm/far 2 0 help");
    // A second subscriber, of 3.1.1, gets what is retained, marked so.
    let mut late = Subscriber::start(broker, "311", "lab/demo/one/#");
    // In any order.
    let mut wanted = vec!["lab/demo/one/$state 1 1 ready", "lab/demo/one/temperature 1 1 {\"v\":"];
    while !wanted.is_empty() {
        let line = late.until("lab/demo/one/");
        wanted.retain(|begin| !line.starts_with(begin));
    }
}

fn foreign_clients_appear_and_command(lab: &Lab, broker: &str) {
    publish(broker, &["-V", "311", "-t", "lab/demo/mine/temperature", "-m", "21.5"]);
    publish(broker, &["-V", "5", "-t", "lab/demo/yours/temperature", "-m", "22.5", "-q", "2"]);
    for (device, value) in [("mine", 21.5), ("yours", 22.5)] {
        lab.poll(&format!("/api/v1/devices/demo/{device}"), |device| {
            (device["channels"][0]["value"] == value).then_some(())
        });
    }
    let mut answers = Subscriber::start(broker, "5", "lab/demo/led/on/#");
    answers.until("lab/demo/led/on ");
    publish(broker, &["-q", "1", "-t", "lab/demo/led/on/set", "-m", r#"{"v":true,"id":"hand"}"#]);
    let mut wanted = vec![r#"{"id":"hand","ok":true,"v":true}"#, r#"{"v":true,"#];
    while !wanted.is_empty() {
        let line = answers.until("lab/demo/led/on");
        wanted.retain(|part| !line.contains(part));
    }
}

#[test]
fn mosquittos_clients_at_the_embedded_broker() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = Lab::start(folder.path(), Some(QOS));
    qos_retain_and_will_are_as_configured(&lab, &lab.broker, folder.path());
    foreign_clients_appear_and_command(&lab, &lab.broker);
    lab.interrupt();
}

#[test]
fn the_lab_at_mosquitto() {
    let folder = tempfile::tempdir().expect("a folder");
    let mosquitto = Mosquitto::start("max_queued_messages 0");
    let toml = format!("[mqtt]\nbrokers = [\"{}\"]\n{QOS}", mosquitto.address());
    let lab = Lab::start(folder.path(), Some(&toml));
    qos_retain_and_will_are_as_configured(&lab, &mosquitto.address(), folder.path());
    foreign_clients_appear_and_command(&lab, &mosquitto.address());
    let mut states = Subscriber::start(&mosquitto.address(), "5", "lab/demo/one/$state");
    states.until("lab/demo/one/$state 1 1 ready");
    lab.interrupt();
    states.until("lab/demo/one/$state 1 1 disconnected");
    publish(&mosquitto.address(), &["-t", "lab/demo/one/$state", "-m", "end of test"]);
    states.until("lab/demo/one/$state 0 0 end of test");
    assert!(!states.seen.iter().any(|line| line.ends_with("lost")), "{:?}", states.seen);
}

/// The page says what the broker cannot do.
#[test]
fn a_broker_that_can_do_less_is_shown_with_the_device() {
    let folder = tempfile::tempdir().expect("a folder");
    let mosquitto = Mosquitto::start("max_qos 1");
    let toml = format!("[mqtt]\nbrokers = [\"{}\"]\n{QOS}", mosquitto.address());
    let lab = Lab::start(folder.path(), Some(&toml));
    for device in ["two", "old"] {
        lab.poll(&format!("/api/v1/devices/demo/{device}"), |device| {
            (device["downgrades"] == "at most QoS 1: the broker's maximum").then_some(())
        });
    }
    lab.interrupt();
}
