//! Starts plugin processes so that none outlives this program, even if it is killed.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

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
    /// Starts the process. Jobs wait in a queue of 64; one that finds it full is refused.
    pub(crate) async fn spawn(&self) -> io::Result<Child> {
        let (started, child) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts plugin processes is busy or gone");
        let job = (self.command(), tokio::runtime::Handle::current(), started);
        spawner().try_send(job).map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }

    fn command(&self) -> Command {
        let mut words = self.command.iter();
        let mut command = Command::new(words.next().cloned().unwrap_or_default());
        command.args(words).current_dir(&self.folder).env("PYTHONUNBUFFERED", "1").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        confine(&mut command, self.memory_mb);
        command
    }
}

/// The thread from which all processes are started. On Linux a child can be told to die with the thread
/// that started it, and this one lives as long as the program.
fn spawner() -> &'static SyncSender<Job> {
    static SPAWNER: OnceLock<SyncSender<Job>> = OnceLock::new();
    SPAWNER.get_or_init(|| {
        let (jobs, queue) = sync_channel::<Job>(64);
        let start = move || {
            for (mut command, runtime, started) in queue {
                let _inside = runtime.enter();
                let _ = started.send(command.spawn());
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
    use rustix::process::{Resource, Rlimit, setrlimit};
    command.process_group(0);
    let limit = u64::from(memory_mb) * 1024 * 1024;
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
                return Err(io::Error::other("the lab ended meanwhile"));
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
    unsafe { command.pre_exec(before_exec) };
}
