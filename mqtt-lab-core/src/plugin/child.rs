//! One plugin process: requests out, answers in, log of both its outputs.

use super::line_protocol::{Answer, MAX_LINE, Op, Request};
use super::lines::Lines;
use super::log::Limited;
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
        let output = tokio::spawn(answers(output, Arc::clone(&waiting), name.clone()));
        let errors = tokio::spawn(last_words(errors, name));
        let held = Arc::clone(&waiting);
        tokio::spawn(async move {
            let status = wait(&mut child, told).await;
            // Its outputs may be held open by processes that it started.
            let _ = tokio::time::timeout(LAST_WORDS, output).await;
            let words = tokio::time::timeout(LAST_WORDS, errors).await.ok().and_then(Result::ok);
            let _ = end.send(Some(epitaph(status, &words.unwrap_or_default())));
            held.lock().clear();
        });
        let input = Some(tokio::sync::Mutex::new(input));
        Ok(Self { input, waiting, next: AtomicU64::new(1), ended, farewell: Some(farewell) })
    }

    /// Sends a request; its answer, or a closed channel when the process ended.
    pub(crate) async fn send(&self, op: Op) -> Result<oneshot::Receiver<Answer>> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answered, answer) = oneshot::channel();
        self.waiting.lock().insert(id, answered);
        let mut line = serde_json::to_string(&Request { id, op })?;
        line.push('\n');
        let written = match &self.input {
            Some(input) => input.lock().await.write_all(line.as_bytes()).await,
            None => Ok(()),
        };
        // After its end nobody would drop what waits.
        if written.is_err() || self.ended.borrow().is_some() {
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
        self.input = None;
        self.farewell = None;
        self.waiting.lock().clear();
    }
}

/// Waits for the end, and hastens it once the farewell has begun.
async fn wait(child: &mut tokio::process::Child, told: oneshot::Receiver<()>) -> std::io::Result<ExitStatus> {
    tokio::select! {
        status = child.wait() => return status,
        _ = told => {}
    }
    if let Ok(status) = tokio::time::timeout(FAREWELL, child.wait()).await {
        return status;
    }
    #[cfg(unix)]
    if let Some(group) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?)) {
        // With what it started itself. An error means that it has ended meanwhile.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    child.kill().await?;
    child.wait().await
}

/// Reads answers until the output ends. What is no JSON object is log: a `print` of the student.
async fn answers(output: ChildStdout, waiting: Arc<Waiting>, name: String) {
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
}

/// Logs what the process writes to its error output; returns the last line.
async fn last_words(errors: ChildStderr, name: String) -> String {
    let mut lines = Lines::new(errors, MAX_LINE);
    let mut log = Limited::new(&name);
    let mut last = String::new();
    while let Some(line) = lines.next().await {
        log.line(2, &line);
        if !line.trim().is_empty() {
            last = line.trim().chars().take(200).collect();
        }
    }
    last
}

fn level_of(word: &str) -> u32 {
    match word {
        "error" => 1,
        "warn" => 2,
        "debug" => 4,
        "trace" => 5,
        _ => 3,
    }
}

/// How it ended, in words, with its last line.
fn epitaph(status: std::io::Result<ExitStatus>, last_words: &str) -> String {
    let how = match status {
        Ok(status) => how(status),
        Err(error) => format!("its process is lost: {error}"),
    };
    if last_words.is_empty() { how } else { format!("{how}: {last_words}") }
}

fn how(status: ExitStatus) -> String {
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
