//! The end of a lab at any time and by any signal. No last will fires.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures for whoever runs it")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mqtt_lab_core::link::{Publish, Version};

use crate::support::disk::Shim;
use crate::support::listener::Listener;
use crate::support::mosquitto::Mosquitto;
use crate::support::program::{Program, command, free_port};
use crate::support::{rand_name, signal};

/// Longest stop without a broker: five seconds are promised, a busy machine gets more.
const WITHOUT_BROKER: Duration = Duration::from_secs(12);

/// Debian's broker, and somebody who sees every word on `$state`.
pub(crate) struct WithMosquitto {
    pub(crate) broker: Mosquitto,
    states: Listener,
}

/// Three devices with wills, at each QoS one.
pub(crate) fn devices() -> String {
    let device = |qos: u8| {
        format!("[[sensor]]\nkind = \"temperature\"\nid = \"t{qos}\"\ninterval_s = 0.05\nqos = {qos}\n")
    };
    (0..3).map(device).collect()
}

impl WithMosquitto {
    pub(crate) async fn start() -> Self {
        let broker = tokio::task::block_in_place(|| Mosquitto::start("max_queued_messages 0"));
        let states = Listener::start(&broker.address(), Version::V5, "lab/demo/+/$state").await;
        Self { broker, states }
    }

    pub(crate) fn toml(&self, devices: &str) -> String {
        format!("[mqtt]\nbrokers = [\"{}\"]\n{devices}", self.broker.address())
    }

    /// Everything that was said on `$state` up to now holds no will.
    pub(crate) async fn expect_no_will(&mut self) {
        let (topic, word) = ("lab/demo/end/$state", rand_name());
        self.states.publish(Publish::new(topic, word.clone())).await;
        self.states.until(|_, payload| payload == word).await;
        let wills = self.states.seen.iter().filter(|(_, payload)| payload == "lost").count();
        assert_eq!(wills, 0, "{:#?}", self.states.seen);
    }

    /// Stops the program by a signal: it ends well, its devices disconnected, and no will fired.
    pub(crate) async fn expect_orderly_end(&mut self, program: Program, name: &str) {
        let status = tokio::task::block_in_place(|| program.stop(name));
        assert!(status.success(), "{status}");
        self.expect_no_will().await;
        let gone = self.states.seen.iter().filter(|(_, payload)| payload == "disconnected").count();
        assert_eq!(gone, 3, "{:#?}", self.states.seen);
    }
}

fn start(folder: &Path, toml: &str) -> Program {
    let (command, web) = command(folder, toml);
    started(folder, command, web)
}

/// Starts a lab with the three devices, and waits until they are connected.
pub(crate) fn started(folder: &Path, command: Command, web: SocketAddr) -> Program {
    tokio::task::block_in_place(|| {
        let program = Program::start(folder, command, web);
        program.until("its devices are ready", |program| {
            let metrics = program.get("/metrics");
            metrics.as_str().is_some_and(|text| text.contains("mqtt_lab_devices{state=\"ready\"} 3\n"))
        });
        program
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_is_an_orderly_stop() {
    for name in ["HUP", "TERM", "INT"] {
        let (mut lab, folder) = (WithMosquitto::start().await, tempfile::tempdir().expect("a folder"));
        let program = start(folder.path(), &lab.toml(&devices()));
        lab.expect_orderly_end(program, name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nohup_survives_the_hang_up() {
    let (mut lab, folder) = (WithMosquitto::start().await, tempfile::tempdir().expect("a folder"));
    let (command, web) = command(folder.path(), &lab.toml(&devices()));
    let mut nohup = Command::new("nohup");
    nohup.arg(command.get_program()).args(["run", "lab.toml"]).current_dir(folder.path());
    nohup.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let program = started(folder.path(), nohup, web);
    signal("HUP", program.child.id());
    // It measures on.
    let stored = |program: &Program| program.get("/api/v1/lab")["counts"]["stored"].as_u64().unwrap_or(0);
    let before = stored(&program);
    tokio::task::block_in_place(|| {
        program.until("samples after it", |program| stored(program) > before + 20)
    });
    lab.expect_orderly_end(program, "TERM").await;
}

/// Signals that come close together, as from a terminal that is closed and a service manager, are one request.
#[tokio::test(flavor = "multi_thread")]
async fn two_signals_at_once_are_one_request() {
    let (mut lab, folder) = (WithMosquitto::start().await, tempfile::tempdir().expect("a folder"));
    let program = start(folder.path(), &lab.toml(&devices()));
    let pid = program.child.id();
    signal("HUP", pid);
    signal("TERM", pid);
    lab.expect_orderly_end(program, "INT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_during_the_start_is_an_orderly_one() {
    let (mut lab, folder) = (WithMosquitto::start().await, tempfile::tempdir().expect("a folder"));
    let toml = lab.toml(&devices());
    for round in 0..12 {
        let (mut command, _) = command(folder.path(), &toml);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("it starts");
        // Somewhere between the first instruction and the last device.
        tokio::time::sleep(Duration::from_millis(round * 40)).await;
        signal("INT", child.id());
        let status = tokio::task::block_in_place(|| child.wait()).expect("it ends");
        // Before it listens for signals, the system ends it.
        let early = std::os::unix::process::ExitStatusExt::signal(&status) == Some(2);
        assert!(status.success() || early && round < 3, "round {round}: {status}");
        lab.expect_no_will().await;
    }
}

/// A device whose constructor never returns.
fn hanging() -> String {
    format!(
        "[[sensor]]\nkind = \"bad\"\nid = \"hangs\"\nplugin = {:?}\nread_timeout_s = 600\n\
         settings = {{ fault = \"sleep\", at = \"new\" }}\n",
        crate::plugin_files::bad_plugin()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_a_constructor_hangs_at_the_start_is_an_orderly_one() {
    let (mut lab, folder) = (WithMosquitto::start().await, tempfile::tempdir().expect("a folder"));
    let (command, web) = command(folder.path(), &lab.toml(&format!("{}{}", devices(), hanging())));
    let mut command = command;
    let child = command.spawn().expect("it starts");
    let mut program = Program { child, web, folder: folder.path().to_owned() };
    // The web is there before the devices are constructed.
    tokio::task::block_in_place(|| {
        program.until("it serves", |program| program.status("/healthz") == Some(200))
    });
    let begin = Instant::now();
    signal("INT", program.child.id());
    let status = tokio::task::block_in_place(|| program.ended());
    assert!(status.success() && begin.elapsed() < WITHOUT_BROKER, "{status} after {:?}", begin.elapsed());
    lab.expect_no_will().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_a_changed_configuration_hangs_is_an_orderly_one() {
    let (mut lab, folder) = (WithMosquitto::start().await, tempfile::tempdir().expect("a folder"));
    let program = start(folder.path(), &lab.toml(&devices()));
    let file = folder.path().join("lab.toml");
    let toml = std::fs::read_to_string(&file).expect("it is there");
    std::fs::write(&file, format!("{toml}{}", hanging())).expect("writable");
    // Its thread shows that the constructor was called.
    let constructing = |program: &Program| {
        let threads =
            std::fs::read_dir(format!("/proc/{}/task", program.child.id())).expect("it runs").flatten();
        threads
            .filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok())
            .any(|name| name.trim() == "device")
    };
    tokio::task::block_in_place(|| program.until("the constructor hangs", constructing));
    lab.expect_orderly_end(program, "INT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_a_stop_is_quick_and_says_what_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let toml = format!("[mqtt]\nbrokers = [\"{}\"]\n{}", free_port(), devices());
    let said = stopped_without_broker(folder.path(), &toml, |_| {}).await;
    for device in ["demo/t1", "demo/t2"] {
        assert!(said.lines().any(|line| line.starts_with("lost: ") && line.contains(device)), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_a_stop_says_what_stays_in_the_spool() {
    let folder = tempfile::tempdir().expect("a folder");
    let toml = format!("[mqtt]\nbrokers = [\"{}\"]\n[spool]\nfolder = \"spool\"\n{}", free_port(), devices());
    let said = stopped_without_broker(folder.path(), &toml, |_| {}).await;
    for device in ["demo/t1", "demo/t2"] {
        assert!(said.lines().any(|line| line.contains(device) && line.contains("spool")), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_freezes_does_not_hold_up_a_stop() {
    let (lab, folder) = (WithMosquitto::start().await, tempfile::tempdir().expect("a folder"));
    let said = stopped_without_broker(folder.path(), &lab.toml(&devices()), |_| lab.broker.freeze()).await;
    lab.broker.thaw();
    assert!(said.contains("demo/t1"), "{said}");
}

/// Starts, harms, waits for samples that nobody takes, and stops: quickly. What was printed.
async fn stopped_without_broker(folder: &Path, toml: &str, harm: impl FnOnce(&Program)) -> String {
    let (mut command, web) = command(folder, toml);
    let log = std::fs::File::create(folder.join("log")).expect("writable");
    command.stdout(log.try_clone().expect("a second handle")).stderr(log);
    let child = command.spawn().expect("it starts");
    let mut program = Program { child, web, folder: folder.to_owned() };
    tokio::task::block_in_place(|| {
        let log = folder.join("log");
        program.until("it has started", |_| {
            std::fs::read_to_string(&log).is_ok_and(|log| log.contains("Ctrl-C stops"))
        });
        harm(&program);
        // Samples that wait for the broker.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(500) {
            std::thread::park_timeout(Duration::from_millis(50));
        }
        let begin = Instant::now();
        signal("INT", program.child.id());
        let status = program.ended();
        eprintln!("stopped after {:.1} s", begin.elapsed().as_secs_f64());
        assert!(status.success() && begin.elapsed() < WITHOUT_BROKER, "{status} after {:?}", begin.elapsed());
    });
    std::fs::read_to_string(folder.join("log")).expect("a log")
}

/// The data's file system hangs: devices disconnect cleanly all the same, and the program ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_that_hangs_does_not_keep_a_lab_from_stopping() {
    let (mut lab, folder) = (WithMosquitto::start().await, tempfile::tempdir().expect("a folder"));
    let (shim, data) = (Shim::build(), tempfile::tempdir().expect("a folder"));
    let (mut command, web) = command(folder.path(), &lab.toml(&devices()));
    let toml = std::fs::read_to_string(folder.path().join("lab.toml")).expect("just written");
    let toml = toml.replace("sqlite:lab.sqlite", &format!("sqlite:{}/lab.sqlite", data.path().display()));
    std::fs::write(folder.path().join("lab.toml"), toml).expect("writable");
    shim.preload(&mut command, data.path());
    let mut program = started(folder.path(), command, web);
    shim.set(-1);
    let begin = Instant::now();
    signal("INT", program.child.id());
    tokio::task::block_in_place(|| program.ended());
    eprintln!("stopped after {:.1} s", begin.elapsed().as_secs_f64());
    lab.expect_no_will().await;
}
