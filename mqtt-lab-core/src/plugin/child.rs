//! One plugin process: requests out, answers in, log of both its outputs.

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

/// What Rust says of backtraces, after what is to be told.
const ABOUT_BACKTRACES: [&str; 2] = ["note: ", "skipping backtrace printing"];

/// Time to end by itself after its input was closed.
const FAREWELL: Duration = Duration::from_secs(2);

/// Time to say its last words after it has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A running plugin process. Dropping it closes its input, and kills it when that does not end it.
pub(crate) struct Child {
    /// None once the farewell has begun.
    input: Option<tokio::sync::Mutex<ChildStdin>>,
    waiting: Arc<Waiting>,
    next: AtomicU64,
    ended: watch::Receiver<Option<String>>,
    /// Dropped to begin the farewell.
    farewell: Option<oneshot::Sender<()>>,
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
        let mut child = launch.spawn().await.map_err(|error| cannot(&error))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else { return Err(cannot(&"no pipes")) };
        let name =
            words.last().map(|word| word.rsplit('/').next().unwrap_or(word).to_owned()).unwrap_or_default();
        let waiting = Arc::new(Waiting::default());
        let (end, ended) = watch::channel(None);
        let (farewell, told) = oneshot::channel();
        let (deaf, mut mute) = watch::channel(false);
        let mut output = tokio::spawn(answers(output, Arc::clone(&waiting), name.clone(), deaf));
        let mut errors = tokio::spawn(last_words(errors, name));
        let held = Arc::clone(&waiting);
        let memory_mb = launch.memory_mb;
        tokio::spawn(async move {
            let how = wait(&mut child, told, &mut mute).await;
            // Its outputs may be held open by processes that it started.
            let _ = tokio::time::timeout(LAST_WORDS, &mut output).await;
            let words = tokio::time::timeout(LAST_WORDS, &mut errors).await.ok().and_then(Result::ok);
            output.abort();
            errors.abort();
            let _ = end.send(Some(epitaph(how, &words.unwrap_or_default(), memory_mb)));
            held.lock().clear();
        });
        let input = Some(tokio::sync::Mutex::new(input));
        Ok(Self { input, waiting, next: AtomicU64::new(1), ended, farewell: Some(farewell) })
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

    /// Closes its input and waits until the process has ended, by itself or by force.
    pub(crate) async fn leave(&mut self) {
        (self.input, self.farewell) = (None, None);
        let _ = self.ended.wait_for(Option::is_some).await;
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
        self.input = None;
        self.farewell = None;
        self.waiting.lock().clear();
    }
}

/// Waits for the end, and hastens it once the farewell has begun or it can answer no more; how it ended.
async fn wait(
    child: &mut tokio::process::Child,
    told: oneshot::Receiver<()>,
    mute: &mut watch::Receiver<bool>,
) -> String {
    let closed = tokio::select! {
        status = child.wait() => return how(status),
        _ = told => false,
        // An error means the same: who reads the output has ended.
        _ = mute.wait_for(|mute| *mute) => true,
    };
    if let Ok(status) = tokio::time::timeout(FAREWELL, child.wait()).await {
        return how(status);
    }
    let status = kill(child).await;
    if closed { "its process has closed its output".into() } else { how(status) }
}

async fn kill(child: &mut tokio::process::Child) -> std::io::Result<ExitStatus> {
    #[cfg(unix)]
    if let Some(group) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?)) {
        // With what it started itself. An error means that it has ended meanwhile.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    child.kill().await?;
    child.wait().await
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
