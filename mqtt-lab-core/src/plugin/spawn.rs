//! Starts plugin processes so that none outlives this program, even if it is killed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;
use tokio::process::{Child, Command};
use tokio::runtime::{Builder, Handle, Runtime};
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

type Job = (Command, oneshot::Sender<io::Result<(Child, Handle)>>);

impl Launch {
    /// Starts the process. Jobs wait in a queue of 64; one that finds it full waits for room. Also returns
    /// the runtime in which the process is read and waited for: it outlives the caller's.
    pub(crate) async fn spawn(&self) -> io::Result<(Child, Handle)> {
        let (started, child) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts plugin processes is gone");
        spawner().send((self.command(), started)).await.map_err(|_| gone())?;
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

/// The thread from which all processes are started, and in whose runtime they are read and waited for. It
/// lives as long as the program: on Linux a child dies with the thread that started it, and a process
/// gets its time to end also when the runtime of its lab is gone.
fn spawner() -> &'static mpsc::Sender<Job> {
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    SPAWNER.get_or_init(|| {
        let (jobs, queue) = mpsc::channel(64);
        let thread = std::thread::Builder::new().name("plugin-spawner".into());
        let runtime = Builder::new_current_thread().enable_all().build();
        let started = runtime.and_then(|runtime| thread.spawn(move || start_all(&runtime, queue)));
        if let Err(error) = started {
            tracing::error!(%error, "no thread for starting plugin processes");
        }
        jobs
    })
}

fn start_all(runtime: &Runtime, mut queue: mpsc::Receiver<Job>) {
    runtime.block_on(async {
        while let Some((mut command, started)) = queue.recv().await {
            let child = command.spawn().map(|child| (child, Handle::current()));
            // If nobody waits any more, the child is dropped, which kills it.
            let _ = started.send(child);
        }
    });
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
