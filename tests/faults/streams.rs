//! Standard streams that are closed, full, or read by nobody.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use mqtt_lab_core::link::Qos;

use crate::stopping::{WithMosquitto, devices};
use crate::support::program::{Program, command};
use crate::support::sender::Sender;
use crate::support::signal;

/// Something that is worth a line in the log, and then samples: all of them arrive.
async fn goes_on(lab: &WithMosquitto, program: &Program) {
    let mut sender = Sender::connect(lab.broker.address().parse().expect("an address"), "outside");
    sender.describe().await;
    for payload in ["{\"value\":", "\u{1}"] {
        crate::support::publish(&sender.link, "lab/demo/odd/t", payload).await;
    }
    sender.send(200, Qos::AtLeastOnce).await;
    tokio::task::block_in_place(|| {
        program.until("all is stored", |program| {
            program.get("/api/v1/devices/demo/outside")["counts"]["stored"] == sender.sent
        });
        assert_eq!(program.status("/readyz"), Some(200));
        assert!(program.get("/api/v1/lab")["counts"]["refused"].as_u64() >= Some(2));
    });
}

async fn started(lab: &WithMosquitto, folder: &Path, wire: impl FnOnce(Command) -> Command) -> Program {
    let (command, web) = command(folder, &lab.toml(&devices()));
    crate::stopping::started(folder, wire(command), web)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_without_a_reader_changes_nothing() {
    let (mut lab, folder) = (WithMosquitto::start().await, tempfile::tempdir().expect("a folder"));
    let mut program = started(&lab, folder.path(), |mut command| {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    })
    .await;
    // As `| head -1`.
    let mut output = BufReader::new(program.child.stdout.take().expect("piped"));
    output.read_line(&mut String::new()).expect("a line");
    drop((output, program.child.stderr.take()));
    goes_on(&lab, &program).await;
    lab.expect_orderly_end(program, "INT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pipe_changes_nothing() {
    let (mut lab, folder) = (WithMosquitto::start().await, tempfile::tempdir().expect("a folder"));
    let program = started(&lab, folder.path(), |mut command| {
        // Far more than the 64 KiB that a pipe holds.
        command.env("RUST_LOG", "trace").stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    })
    .await;
    goes_on(&lab, &program).await;
    lab.expect_orderly_end(program, "INT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_log_changes_nothing() {
    let (mut lab, folder) = (WithMosquitto::start().await, tempfile::tempdir().expect("a folder"));
    let program = started(&lab, folder.path(), |mut command| {
        let full = || std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
        command.stdout(full()).stderr(full());
        command
    })
    .await;
    goes_on(&lab, &program).await;
    lab.expect_orderly_end(program, "INT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_closed_from_the_start_change_nothing() {
    let (mut lab, folder) = (WithMosquitto::start().await, tempfile::tempdir().expect("a folder"));
    let program = started(&lab, folder.path(), |command| {
        let mut shell = Command::new("sh");
        let program = Path::new(command.get_program()).display();
        shell.args(["-c", &format!("exec '{program}' run lab.toml <&- >&- 2>&-")]).current_dir(folder.path());
        shell
    })
    .await;
    goes_on(&lab, &program).await;
    lab.expect_orderly_end(program, "TERM").await;
}

/// `mqtt-lab | tee log`, and Ctrl-C: the signal ends `tee` as well, before the lab has said what it does.
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_beside_tee_is_an_orderly_stop() {
    use std::os::unix::process::CommandExt as _;
    let (mut lab, folder) = (WithMosquitto::start().await, tempfile::tempdir().expect("a folder"));
    let mut program = started(&lab, folder.path(), |command| {
        let mut shell = Command::new("sh");
        let program = Path::new(command.get_program()).display();
        shell.args(["-c", &format!("'{program}' run lab.toml 2>&1 | tee log")]).current_dir(folder.path());
        shell.process_group(0);
        shell
    })
    .await;
    signal("INT", program.child.id());
    crate::support::typed(folder.path(), &format!("kill -INT -{}", program.child.id()));
    program.ended();
    program.within("the lab itself ends", crate::support::PATIENCE, |program| {
        program.status("/healthz").is_none()
    });
    lab.expect_no_will().await;
    let log = std::fs::read_to_string(folder.path().join("log")).expect("tee wrote it");
    assert!(!log.contains("panicked"), "{log}");
}

/// Every command that prints and ends.
fn short_commands(folder: &Path) -> Vec<Vec<String>> {
    let (_, _) = command(folder, "[broker]\nbind = \"127.0.0.1:0\"\n");
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let lines = [
        "kinds",
        "kinds temperature",
        "schema",
        "options",
        "config",
        "config lab.toml",
        "check lab.toml",
        "--help",
        "--version",
        "kinds nonsense",
        "new sensor probe --lang python",
    ];
    lines.iter().map(|line| words(line)).collect()
}

#[test]
fn no_command_minds_a_reader_that_has_seen_enough() {
    let folder = tempfile::tempdir().expect("a folder");
    for words in short_commands(folder.path()) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-lab"));
        command.args(&words).current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
        let status = child.wait().expect("it ends");
        assert!(!said.contains("panicked"), "{words:?}: {said}");
        let refused = words.join(" ") == "kinds nonsense";
        assert_eq!(status.success(), !refused, "{words:?}: {status}; {said}");
    }
}

#[test]
fn no_command_minds_a_closed_standard_error() {
    let folder = tempfile::tempdir().expect("a folder");
    for words in short_commands(folder.path()) {
        let line = format!("'{}' {} >/dev/full 2>&-", env!("CARGO_BIN_EXE_mqtt-lab"), words.join(" "));
        let status = Command::new("sh").args(["-c", &line]).current_dir(folder.path()).status().expect("sh");
        let code = status.code();
        // 101 is a panic; no code is a signal.
        assert!(code.is_some_and(|code| code != 101), "{words:?}: {status}");
    }
}

#[test]
fn a_command_says_when_its_output_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = format!("'{}' schema >/dev/full", env!("CARGO_BIN_EXE_mqtt-lab"));
    let output = Command::new("sh").args(["-c", &line]).current_dir(folder.path()).output().expect("sh");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.starts_with("error: cannot write to standard output: No space left"), "{said}");
}
