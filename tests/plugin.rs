//! `mqtt-lab plugin`: a plugin on trial. The plugins here are shell scripts that speak the line protocol.
#![cfg(unix)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use support::run;

/// A plugin that answers each question with a fixed line; `read` and `set` are shell code.
fn script(folder: &Path, role: &str, channels: &str, read: &str) {
    let script = format!(
        r#"#!/bin/sh
while read -r line; do
  id=${{line#*\"id\":}}; id=${{id%%[,\}}]*}}
  case "$line" in
    *'"op":"manifest"'*) echo "{{\"id\":$id,\"ok\":{{\"name\":\"odd\",\"version\":\"1.2\",\"kinds\":[{{\"name\":\"odd\",\"role\":\"{role}\"}}]}}}}" ;;
    *'"op":"create"'*'"refuse"'*) echo "{{\"id\":$id,\"error\":\"missing setting \`port\`\",\"setting\":[]}}" ;;
    *'"op":"create"'*) echo '{{"id":'$id',"ok":{{"channels":{channels}}}}}' ;;
    *'"op":"set"'*) echo "{{\"id\":$id,\"ok\":null}}" ;;
    *'"op":"read"'*) {read} ;;
  esac
done
"#
    );
    let file = folder.join("odd");
    std::fs::write(&file, script).expect("writable");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("its mode can be set");
}

const CELSIUS: &str = r#"[{"name":"celsius","datatype":"float","unit":"°C","min":-40,"max":85},{"name":"fan","datatype":"choice","choices":["low","high"],"settable":true}]"#;

/// Runs a plugin; exit code, standard output and error output.
fn tried(role: &str, channels: &str, read: &str, arguments: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    script(folder.path(), role, channels, read);
    let output = run(&[&["plugin"], arguments].concat(), folder.path());
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// Without the times at the beginnings of lines.
fn untimed(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split_once(" s  ").map_or(line, |(_, rest)| rest)).collect()
}

const READ: &str = "echo '{\"id\":'$id',\"ok\":{\"celsius\":21.5}}'";

#[test]
fn check_shows_what_a_plugin_is() {
    let (code, said, errors) = tried("sensor", CELSIUS, READ, &["check", "odd"]);
    assert_eq!(
        said,
        "odd 1.2, a process of its own\n\nkind `odd`, a sensor, asked for by\n  [[sensor]]\n  kind = \"odd\"\n  ## Its \
         plugin does not tell which settings there are.\n\n  channel  datatype  unit  range      settable\n  celsius  \
         float     °C    -40 to 85  no\n  fan      choice          low, high  yes\n  read once per interval\n\neverything \
         is right\n"
    );
    assert_eq!((code, errors.as_str()), (0, ""));
}

#[test]
fn check_says_which_setting_is_missing() {
    let arguments = ["check", "odd", "--set", "mode=refuse"];
    let (code, _, errors) = tried("sensor", CELSIUS, READ, &arguments);
    let expected =
        "error: kind `odd`: `settings.port`: missing setting `port`\n  hint: give it with `--set port=…`\n";
    assert_eq!((code, errors.as_str()), (78, expected));
}

#[test]
fn check_refuses_a_wrong_description() {
    let twice = r#"[{"name":"a","datatype":"float"},{"name":"a","datatype":"float"}]"#;
    let (code, said, errors) = tried("sensor", twice, READ, &["check", "odd"]);
    assert_eq!(code, 78);
    assert!(
        errors.starts_with("error: kind `odd`: describes itself wrongly: ") && errors.contains("`a`"),
        "{errors}"
    );
    assert!(!said.contains("everything is right"));
    let (code, _, errors) = tried("sensor", CELSIUS, READ, &["check", "none.so"]);
    assert_eq!(code, 78);
    assert!(errors.starts_with("error: plugin `none.so`: there is no such file\n  hint: "), "{errors}");
    let (code, _, errors) = tried("sensor", CELSIUS, READ, &["check", "odd", "--kind", "even"]);
    assert_eq!(
        (code, errors.as_str()),
        (78, "error: the plugin has no kind `even`\n  hint: it offers: odd\n")
    );
}

#[test]
fn run_shows_readings_and_sends_commands() {
    let arguments = ["run", "odd", "--count", "2", "--interval", "0.01", "--send", "fan=high"];
    let (code, said, errors) = tried("sensor", CELSIUS, READ, &arguments);
    let expected = [
        "odd 1.2, a process of its own: `odd`, a sensor",
        "sent fan = high; now fan high",
        "celsius 21.5 °C",
        "celsius 21.5 °C",
    ];
    assert_eq!((code, untimed(&said), errors.as_str()), (0, expected.to_vec(), ""));
}

#[test]
fn run_checks_what_a_device_says() {
    let hot = "echo '{\"id\":'$id',\"ok\":{\"celsius\":100}}'";
    let arguments = ["run", "odd", "--count", "1", "--send", "fan=off", "--send", "heater=1"];
    let (code, said, errors) = tried("sensor", CELSIUS, hot, &arguments);
    let expected = [
        "sent fan = off; error: channel `fan` does not take `off`: expected one of the channel's choices",
        "sent heater = 1; error: `heater` takes no commands; these channels do: fan",
        "error: channel `celsius` does not take `100 °C`: expected a number from -40 to 85",
    ];
    assert_eq!(untimed(&said)[1..], expected);
    assert_eq!((code, errors.as_str()), (1, "error: 3 answers above are errors\n"));
}

#[test]
fn run_ends_with_a_device_that_ends() {
    let (code, said, errors) = tried("sensor", CELSIUS, "echo 'no more paper' >&2; exit 3", &["run", "odd"]);
    assert_eq!((code, untimed(&said)[1]), (1, "the end: its process ended with exit code 3: no more paper"));
    let end = "error: the device is gone: its process ended with exit code 3: no more paper\n  hint: a lab shows this";
    assert!(errors.contains(end), "{errors}");
}

#[test]
fn run_gives_an_actuator_its_commands_and_ends() {
    let on = r#"[{"name":"on","datatype":"bool","settable":true}]"#;
    let (code, said, _) = tried("actuator", on, READ, &["run", "odd", "--send", "on=true", "--send", "on=0"]);
    assert_eq!(
        (code, &untimed(&said)[1..]),
        (0, &["sent on = true; now on true", "sent on = 0; now on false"][..])
    );
    let (code, said, _) = tried("actuator", on, READ, &["run", "odd"]);
    assert_eq!(code, 0);
    let shown = "  on       bool                   yes\n  has no readings\ngive it a command with `--send CHANNEL=VALUE`\n";
    assert!(said.ends_with(shown), "{said}");
}

#[test]
fn output_that_nobody_reads_is_no_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    script(folder.path(), "sensor", CELSIUS, READ);
    for arguments in [&["check", "odd"][..], &["run", "odd"]] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mqtt-lab"));
        command.arg("plugin").args(arguments).current_dir(folder.path());
        let (read, write) = std::io::pipe().expect("a pipe");
        drop(read);
        let output = command.stdout(write).output().expect("the program starts");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""));
    }
}

#[test]
fn wrong_arguments_are_told() {
    for (arguments, expected) in [
        (&["run", "odd", "--set", "port"][..], "there is no `=` in it"),
        (&["run", "odd", "--interval", "0"][..], "must be from 0.001 to 604800"),
        (&["check"][..], "<FILE>..."),
    ] {
        let (code, _, errors) = tried("sensor", CELSIUS, READ, arguments);
        assert_eq!(code, 2);
        assert!(errors.contains(expected), "{errors}");
    }
}

/// Runs a plugin that hangs somewhere; it must be over in the ten seconds that an answer may take, and the two
/// that its process has to end.
fn hangs(hung: &str, arguments: &[&str], code: i32, message: &str) {
    let hanging = "case \"$line\" in *'\"op\":\"HUNG\"'*) while :; do read -r line || sleep 60; done ;; esac";
    let folder = tempfile::tempdir().expect("a folder");
    script(folder.path(), "sensor", CELSIUS, READ);
    let file = folder.path().join("odd");
    let text = std::fs::read_to_string(&file).expect("written");
    let text = text.replace("do\n", &format!("do\n  {}\n", hanging.replace("HUNG", hung)));
    std::fs::write(&file, text).expect("writable");
    let start = std::time::Instant::now();
    let output = run(&[&["plugin"], arguments].concat(), folder.path());
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.starts_with(message) && errors.contains("\n  hint: "), "{errors}");
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(start.elapsed().as_secs() < 40, "{:?}", start.elapsed());
}

#[test]
fn a_plugin_that_hangs_is_reported_and_ended() {
    let start = "error: plugin `odd`: did not list its kinds within 10 s\n";
    let create = "error: kind `odd`: did not answer within 10s\n";
    let asked = "error: the device is gone: did not answer within 10s\n";
    let cases: [(&str, &[&str], i32, &str); 4] = [
        ("manifest", &["check", "odd"], 78, start),
        ("create", &["check", "odd"], 78, create),
        ("read", &["run", "odd"], 1, asked),
        ("set", &["run", "odd", "--send", "fan=low"], 1, asked),
    ];
    std::thread::scope(|threads| {
        for (hung, arguments, code, message) in cases {
            threads.spawn(move || hangs(hung, arguments, code, message));
        }
    });
}
