//! Starts plugin processes so that none outlives this program, even if it is killed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

/// How the lab's own environment variables begin. They may hold passwords and tokens.
const OWN_VARIABLES: &str = "MQTT_LAB_";

/// How a plugin's process is started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// Program and arguments.
    pub(crate) command: Vec<OsString>,
    /// Its working folder.
    pub(crate) folder: PathBuf,
    /// Most memory that it may take, in MiB.
    pub(crate) memory_mb: u32,
}

type Job = (Command, tokio::runtime::Handle, oneshot::Sender<io::Result<Child>>);

impl Launch {
    /// Starts the process. Jobs wait in a queue of 64; one that finds it full waits for room.
    pub(crate) async fn spawn(&self) -> io::Result<Child> {
        let (started, child) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts plugin processes is gone");
        let job = (self.command(), tokio::runtime::Handle::current(), started);
        spawner().send(job).await.map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }

    fn command(&self) -> Command {
        let mut words = self.command.iter();
        let mut command = Command::new(words.next().cloned().unwrap_or_default());
        command.args(words).current_dir(&self.folder).env("PYTHONUNBUFFERED", "1").kill_on_drop(true);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_own(name)) {
            command.env_remove(name);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        confine(&mut command, self.memory_mb);
        command
    }
}

/// Whether a variable is one of the lab's own; Windows does not distinguish upper and lower case.
fn is_own(name: &OsStr) -> bool {
    name.to_string_lossy().to_ascii_uppercase().starts_with(OWN_VARIABLES)
}

/// The thread from which all processes are started. On Linux a child can be told to die with the thread
/// that started it, and this one lives as long as the program.
fn spawner() -> &'static mpsc::Sender<Job> {
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    SPAWNER.get_or_init(|| {
        let (jobs, mut queue) = mpsc::channel::<Job>(64);
        let start = move || {
            while let Some((mut command, runtime, started)) = queue.blocking_recv() {
                // In a runtime that ended meanwhile, or without I/O, tokio panics: that lab's problem only.
                let _ = catch_unwind(AssertUnwindSafe(|| {
                    let _inside = runtime.enter();
                    let _ = started.send(command.spawn());
                }));
            }
        };
        if let Err(error) = std::thread::Builder::new().name("plugin-spawner".into()).spawn(start) {
            tracing::error!(%error, "no thread for starting plugin processes");
        }
        jobs
    })
}

/// A process group of its own (Ctrl-C is for the lab), a memory limit, and on Linux death with the lab.
#[cfg(unix)]
fn confine(command: &mut Command, memory_mb: u32) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    command.process_group(0);
    let limit = u64::from(memory_mb) * 1024 * 1024;
    // Above its own limit a process cannot set any.
    let limit = getrlimit(Resource::Data).maximum.map_or(limit, |most| limit.min(most));
    let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
    #[cfg(target_os = "linux")]
    let parent = rustix::process::getpid();
    let before_exec = move || {
        // What is mapped for data: address space as such costs nothing.
        setrlimit(Resource::Data, limit)?;
        #[cfg(target_os = "linux")]
        {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
            if rustix::process::getppid() != Some(parent) {
                // The lab ended meanwhile.
                return Err(rustix::io::Errno::SRCH.into());
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
    unsafe { command.pre_exec(before_exec) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labs_own_variables_are_recognised() {
        for (name, own) in [
            ("MQTT_LAB_WEB__TOKEN", true),
            ("mqtt_lab_broker__users", true),
            ("MQTT_LAB", false),
            ("MY_MQTT_LAB_TOKEN", false),
            ("RUST_LOG", false),
            ("PATH", false),
        ] {
            assert_eq!(is_own(OsStr::new(name)), own, "{name}");
        }
    }
}
