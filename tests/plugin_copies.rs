//! Libraries are loaded from copies, of which no file is left behind, however the program ends.

#![cfg(target_os = "linux")]

#[path = "support/plugin_files.rs"]
mod plugin_files;

use plugin_files::Patched;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Long enough for a busy machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// `mqtt-lab plugin check` of a variant of the raw plugin, with a folder for temporary files of its own.
fn check(variant: u8, temporary: &Path) -> (Child, Patched) {
    let raw = Patched::raw(variant);
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-lab"));
    command.args(["plugin", "check"]).arg(&raw.file).env("TMPDIR", temporary);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    (command.spawn().expect("the program starts"), raw)
}

#[track_caller]
fn nothing_is_left(folder: &Path) {
    let left: Vec<_> = std::fs::read_dir(folder).expect("a folder").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[track_caller]
fn ends(variant: u8, code: Option<i32>) {
    let temporary = tempfile::tempdir().expect("a folder");
    let (mut child, _raw) = check(variant, temporary.path());
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), code, "{status}");
    nothing_is_left(temporary.path());
}

#[test]
fn a_library_that_works_leaves_no_copy() {
    // Its kind `setting` refuses its settings.
    ends(b'0', Some(78));
}

#[test]
fn a_library_that_exits_while_it_is_loaded_leaves_no_copy() {
    ends(b'8', Some(3));
}

#[test]
fn a_library_that_aborts_while_it_is_loaded_leaves_no_copy() {
    ends(b'9', None);
}

#[test]
fn a_program_that_is_killed_while_a_library_is_loaded_leaves_no_copy() {
    let temporary = tempfile::tempdir().expect("a folder");
    let (mut child, _raw) = check(b'7', temporary.path());
    let maps = format!("/proc/{}/maps", child.id());
    let folder = temporary.path().display().to_string();
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(&maps).is_ok_and(|maps| maps.contains(&folder)) {
        assert!(Instant::now() < deadline, "the library is never loaded");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    nothing_is_left(temporary.path());
}
