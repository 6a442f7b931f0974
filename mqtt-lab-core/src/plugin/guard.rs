//! Kills the process groups of plugins when the lab was killed and cannot do so itself.
//!
//! On Linux a plugin's process dies with the lab, but what it started does not, and other systems have no
//! such rule. A shell, one per program, knows the groups and waits for the end of a pipe that only the lab
//! holds.

use rustix::process::Pid;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Reads `begun GROUP` and `ended GROUP` until the pipe is closed; kills the groups that have not ended.
const SCRIPT: &str = r#"
groups=" "
while read -r change group; do
  case $change in
    begun) groups="$groups$group " ;;
    ended) groups="${groups%% $group *} ${groups#* $group }" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
"#;

/// The pipe to the shell, which is started with the first group.
static PIPE: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// A group of processes exists from now on.
pub(super) fn begun(group: Pid) {
    let mut pipe = PIPE.lock().unwrap_or_else(PoisonError::into_inner);
    if pipe.is_none() {
        match start() {
            Ok(started) => *pipe = Some(started),
            Err(error) => tracing::warn!(%error, "no guard: what plugins start may outlive a killed lab"),
        }
    }
    tell(&mut pipe, "begun", group);
}

/// A group of processes has ended.
pub(super) fn ended(group: Pid) {
    tell(&mut PIPE.lock().unwrap_or_else(PoisonError::into_inner), "ended", group);
}

fn tell(pipe: &mut Option<ChildStdin>, change: &str, group: Pid) {
    let line = format!("{change} {}\n", group.as_raw_nonzero());
    if pipe.as_mut().is_some_and(|pipe| pipe.write_all(line.as_bytes()).is_err()) {
        // Somebody has ended or stopped the shell: the next group gets a new one.
        *pipe = None;
    }
}

fn start() -> std::io::Result<ChildStdin> {
    let mut command = Command::new("/bin/sh");
    // In its own group, so that Ctrl-C does not end it, and without the lab's variables.
    command.args(["-c", SCRIPT, "mqtt-lab-guard"]).env_clear().current_dir("/").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let pipe = command.spawn()?.stdin.take().ok_or_else(|| std::io::Error::other("no pipe"))?;
    // A shell that was stopped must not stop the lab.
    rustix::io::ioctl_fionbio(&pipe, true)?;
    Ok(pipe)
}
