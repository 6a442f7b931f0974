//! One plugin process: requests out, answers in, log of both its outputs.

use super::group::Group;
use super::line_protocol::{Answer, MAX_LINE, Op, Request};
use super::lines::Lines;
use super::log::{Limited, level_of};
use super::spawn::Launch;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What Rust says of backtraces, after what is to be told.
const ABOUT_BACKTRACES: [&str; 2] = ["note: ", "skipping backtrace printing"];

/// Time to end by itself after its input was closed.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// Time to say its last words after it has ended.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// A running plugin process. Dropping it closes its input, and kills it when that does not end it. Nobody
/// waits for that: it happens in the runtime of the thread that starts processes.
pub(crate) struct Child {
    /// None once the farewell has begun.
    input: Option<tokio::sync::Mutex<ChildStdin>>,
    waiting: Arc<Waiting>,
    next: AtomicU64,
    ended: watch::Receiver<Option<String>>,
    /// Dropped to begin the farewell.
    farewell: Option<oneshot::Sender<()>>,
    /// Closed when nothing is left of the process.
    gone: Option<oneshot::Receiver<()>>,
}

/// Requests without an answer yet: one reading and one command at most, as the device is asked by one.
#[derive(Default)]
struct Waiting(Mutex<BTreeMap<u64, oneshot::Sender<Answer>>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Answer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Child {
    /// Starts a process.
    pub(crate) async fn start(launch: &Launch) -> Result<Self> {
        let words: Vec<_> = launch.command.iter().map(|word| word.to_string_lossy()).collect();
        let command = words.join(" ");
        let cannot =
            |error: &dyn std::fmt::Display| Error::new(format_args!("cannot start `{command}`: {error}"));
        let (mut child, runtime) = launch.spawn().await.map_err(|error| cannot(&error))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else { return Err(cannot(&"no pipes")) };
        let name =
            words.last().map(|word| word.rsplit('/').next().unwrap_or(word).to_owned()).unwrap_or_default();
        let waiting = Arc::new(Waiting::default());
        let (end, ended) = watch::channel(None);
        let (farewell, told) = oneshot::channel();
        let (remains, gone) = oneshot::channel();
        let (deaf, mute) = watch::channel(false);
        let answers = answers(output, Arc::clone(&waiting), name.clone(), deaf);
        let outputs = runtime.spawn(async { tokio::join!(answers, last_words(errors, name)).1 });
        let held = Arc::clone(&waiting);
        let life = Life { group: Group::new(child.id()), child, outputs, told, mute };
        let memory_mb = launch.memory_mb;
        runtime.spawn(async move {
            let (how, words) = life.run().await;
            let _ = end.send(Some(epitaph(how, &words, memory_mb)));
            held.lock().clear();
            drop(remains);
        });
        let input = Some(tokio::sync::Mutex::new(input));
        let (farewell, gone) = (Some(farewell), Some(gone));
        Ok(Self { input, waiting, next: AtomicU64::new(1), ended, farewell, gone })
    }

    /// Resolves when the process and all that it started have ended. `None` after the first call.
    pub(crate) fn gone(&mut self) -> Option<oneshot::Receiver<()>> {
        self.gone.take()
    }

    /// Sends a request; its answer, or a closed channel when the process ended.
    pub(crate) async fn send(&self, op: Op) -> Result<oneshot::Receiver<Answer>> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answered, answer) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock();
            // Those whose answer nobody wants any more.
            waiting.retain(|_, asked| !asked.is_closed());
            waiting.insert(id, answered);
        }
        let mut line = serde_json::to_string(&Request { id, op })?;
        line.push('\n');
        let written = match &self.input {
            Some(input) => input.lock().await.write_all(line.as_bytes()).await,
            None => Ok(()),
        };
        if written.is_err() {
            let end = tokio::time::timeout(2 * LAST_WORDS, self.end()).await;
            return Err(end.unwrap_or_else(|_| Error::new("its process has closed its input").fatal()));
        }
        // After its end nobody would drop what waits.
        if self.ended.borrow().is_some() {
            return Err(self.end().await);
        }
        Ok(answer)
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn ask(&self, op: Op) -> Result<Answer> {
        match self.send(op).await?.await {
            Ok(answer) => Ok(answer),
            Err(_) => Err(self.end().await),
        }
    }

    /// Why the process ended.
    pub(crate) async fn end(&self) -> Error {
        let mut ended = self.ended.clone();
        let why = ended.wait_for(Option::is_some).await;
        let why = why.ok().and_then(|why| why.clone());
        Error::new(why.unwrap_or_else(|| "its process ended".into())).fatal()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // In this order: when the process ends by its closed input, the farewell has begun.
        self.farewell = None;
        self.input = None;
        self.waiting.lock().clear();
    }
}

/// A process from its start to the end of all that it started.
struct Life {
    child: tokio::process::Child,
    group: Group,
    /// Reads both outputs; yields the last line of the errors.
    outputs: JoinHandle<String>,
    /// Dropped at the other end when the farewell begins.
    told: oneshot::Receiver<()>,
    /// Whether its output is closed.
    mute: watch::Receiver<bool>,
}

impl Life {
    /// Waits for the end of the process, then ends its group; how it ended, and its last words.
    async fn run(mut self) -> (String, String) {
        let (how, deadline) = self.end().await;
        // What it started may hold its outputs open; it gets the same time to end.
        let mut words = tokio::time::timeout_at(deadline, &mut self.outputs).await;
        self.group.kill();
        if words.is_err() {
            words = tokio::time::timeout(LAST_WORDS, &mut self.outputs).await;
        }
        self.outputs.abort();
        (how, words.ok().and_then(Result::ok).unwrap_or_default())
    }

    /// Waits for the end, and kills the process when it does not end in time once the farewell has begun or
    /// it can answer no more. Returns how it ended, and until when its outputs are read.
    async fn end(&mut self) -> (String, Instant) {
        let closed = tokio::select! {
            biased;
            _ = &mut self.told => false,
            status = self.child.wait() => return (how(status), Instant::now() + LAST_WORDS),
            // An error means the same: who reads the output has ended.
            _ = self.mute.wait_for(|mute| *mute) => true,
        };
        let deadline = Instant::now() + FAREWELL;
        if let Ok(status) = tokio::time::timeout_at(deadline, self.child.wait()).await {
            return (how(status), deadline);
        }
        // Before its process is waited for, which is when its number may be given to another.
        self.group.kill();
        let status = match self.child.kill().await {
            Ok(()) => self.child.wait().await,
            Err(error) => Err(error),
        };
        let how = if closed { "its process has closed its output".into() } else { how(status) };
        (how, Instant::now() + LAST_WORDS)
    }
}

/// Reads answers until the output ends. What is no JSON object is log: a `print` of the student.
async fn answers(output: ChildStdout, waiting: Arc<Waiting>, name: String, end: watch::Sender<bool>) {
    let mut lines = Lines::new(output, MAX_LINE);
    let mut log = Limited::new(&name);
    while let Some(line) = lines.next().await {
        match serde_json::from_str::<Answer>(&line) {
            Ok(answer) if answer.id.is_some() => {
                let asked = answer.id.and_then(|id| waiting.lock().remove(&id));
                // Nobody waits for it any more, or nobody asked.
                if let Some(asked) = asked {
                    drop(asked.send(answer));
                }
            }
            Ok(Answer { log: Some(level), message, .. }) => {
                log.line(level_of(&level), &message.unwrap_or_default());
            }
            Err(error) if line.starts_with('{') => {
                // The oldest request cannot get its answer any more.
                let line: String = line.chars().take(120).collect();
                let answer = Answer {
                    error: Some(format!("its answer is no JSON ({error}): {line}")),
                    ..Answer::default()
                };
                let oldest = waiting.lock().pop_first();
                if let Some((_, asked)) = oldest {
                    drop(asked.send(answer));
                }
            }
            Ok(_) | Err(_) => log.line(3, &line),
        }
    }
    let _ = end.send(true);
}

/// Logs what the process writes to its error output; returns the last line.
async fn last_words(errors: ChildStderr, name: String) -> String {
    let mut lines = Lines::new(errors, MAX_LINE);
    let mut log = Limited::new(&name);
    let mut last = String::new();
    while let Some(line) = lines.next().await {
        log.line(2, &line);
        if !line.trim().is_empty() && !ABOUT_BACKTRACES.iter().any(|about| line.starts_with(about)) {
            last = line.trim().chars().take(200).collect();
        }
    }
    last
}

/// How it ended, in words, with its last line.
fn epitaph(how: String, last_words: &str, memory_mb: u32) -> String {
    if last_words.is_empty() {
        return how;
    }
    // What Rust says; other languages have words of their own.
    let limit = if last_words.starts_with("memory allocation of ") {
        format!(" (`plugins.memory_mb` is {memory_mb})")
    } else {
        String::new()
    };
    format!("{how}: {last_words}{limit}")
}

fn how(status: std::io::Result<ExitStatus>) -> String {
    let status = match status {
        Ok(status) => status,
        Err(error) => return format!("its process is lost: {error}"),
    };
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = match signal {
            4 => " (illegal instruction)",
            6 => " (abort)",
            7 | 10 => " (bus error)",
            8 => " (arithmetic error)",
            9 => " (killed)",
            11 => " (segmentation fault)",
            _ => "",
        };
        return format!("its process was ended by signal {signal}{name}");
    }
    match status.code() {
        Some(code) => format!("its process ended with exit code {code}"),
        None => "its process ended".into(),
    }
}
