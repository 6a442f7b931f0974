//! The host of a plugin's process: runs one device of a library and speaks the line protocol.
//!
//! `mqtt-lab plugin host FILE` is this; it is what `isolation = "process"` starts for a library.

use super::child::FAREWELL;
use super::library::{Library, LibraryDevice};
use super::line_protocol::{Answer, MAX_LINE, Op, Request};
use super::{LoadError, log};
use crate::device::Interrupt;
use crate::panicked::caught;
use crate::{CreateError, Device as _, Error, Reading, Result, Value};
use mqtt_lab_wire::Trigger;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::Poll;

/// Wait for the next request before the plugin's background work goes on.
const EAGER: Timespec = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };

/// Serves one device of a library over standard input and output, until the input ends.
///
/// What the plugin itself prints goes to the error output. The process exits soon after its input was
/// closed, also while the plugin blocks: it never outlives who started it.
///
/// # Errors
///
/// When input or output is closed from the start.
pub fn host(file: &Path) -> io::Result<()> {
    let input = File::from(rustix::stdio::stdin().try_clone_to_owned()?);
    let output = File::from(rustix::stdio::stdout().try_clone_to_owned()?);
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    log::to_lines(output);
    exit_with_input(input.try_clone()?);
    let watch = Arc::new(Watch::default());
    watch_input(input.try_clone()?, Arc::clone(&watch));
    let library = Library::load(file).map_err(|error| reason(&error, file));
    Server { input: BufReader::new(input), library, device: None, watch }.serve()
}

/// Ends the process when nobody is left who could ask.
fn exit_with_input(input: File) {
    std::thread::spawn(move || {
        wait_for(&input, PollFlags::empty(), None);
        std::thread::park_timeout(FAREWELL);
        std::process::exit(0);
    });
}

/// Waits until there is input of a kind, or the other end is closed; false: the time is over.
fn wait_for(input: &File, what: PollFlags, limit: Option<&Timespec>) -> bool {
    loop {
        match poll(&mut [PollFd::new(&input.as_fd(), what)], limit) {
            Ok(ready) => return ready > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return true,
        }
    }
}

/// While armed, input interrupts what the plugin is waiting in.
#[derive(Default)]
struct Watch {
    armed: Mutex<Option<Interrupt>>,
    changed: Condvar,
}

impl Watch {
    fn arm(&self, interrupt: Option<Interrupt>) {
        *self.armed.lock().unwrap_or_else(PoisonError::into_inner) = interrupt;
        self.changed.notify_one();
    }

    fn until_armed(&self) {
        let armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(armed, |armed| armed.is_none()));
    }

    fn interrupt(&self) {
        if let Some(interrupt) = self.armed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            interrupt();
        }
    }
}

fn watch_input(input: File, watch: Arc<Watch>) {
    std::thread::spawn(move || {
        loop {
            watch.until_armed();
            wait_for(&input, PollFlags::IN, None);
            watch.interrupt();
        }
    });
}

/// Why the library cannot be loaded; the lab knows which one it is.
fn reason(error: &LoadError, file: &Path) -> Error {
    let text = Error::with_causes(error).to_string();
    let prefix = format!("plugin `{}`: ", file.display());
    Error::new(text.strip_prefix(&prefix).unwrap_or(&text)).fatal()
}

struct Server {
    input: BufReader<File>,
    library: Result<Library>,
    device: Option<LibraryDevice>,
    watch: Arc<Watch>,
}

impl Server {
    fn serve(&mut self) -> io::Result<()> {
        while let Some(line) = self.next_line()? {
            let Ok(Request { id, op }) = serde_json::from_str(&line) else {
                let line: String = line.chars().take(120).collect();
                log::forward(1, "plugin host", &format!("a request cannot be read: {line}"), "", 0);
                continue;
            };
            let answer = caught(|| self.answer(op)).unwrap_or_else(panicked);
            log::write_line(&Answer { id: Some(id), ..answer })?;
        }
        Ok(())
    }

    /// The next line of input; meanwhile the plugin's background work goes on. None at the end.
    fn next_line(&mut self) -> io::Result<Option<String>> {
        while self.input.buffer().is_empty() && !wait_for(self.input.get_ref(), PollFlags::IN, Some(&EAGER)) {
            let Some(device) = &self.device else { break };
            self.watch.arm(device.interrupt());
            let idle = caught(|| device.idle(device.wait_ms()));
            self.watch.arm(None);
            if !matches!(idle, Ok(true)) {
                // It has no background work: the input alone is waited for.
                break;
            }
        }
        let mut line = Vec::new();
        let read = (&mut self.input).take(MAX_LINE as u64).read_until(b'\n', &mut line)?;
        Ok((read > 0).then(|| String::from_utf8_lossy(&line).into_owned()))
    }

    fn answer(&mut self, op: Op) -> Answer {
        let library = match &self.library {
            Ok(library) => library,
            Err(error) => return failure(error),
        };
        match op {
            Op::Manifest => Answer { ok: serde_json::to_value(&library.manifest).ok(), ..Answer::default() },
            Op::Create { kind, settings } => match library.create(&kind, settings) {
                Ok(device) => {
                    let ok = serde_json::to_value(device.describe()).ok();
                    self.device = Some(device);
                    Answer { ok, ..Answer::default() }
                }
                Err(CreateError::Setting { path, message }) => {
                    Answer { error: Some(message), setting: Some(path), ..Answer::default() }
                }
                Err(CreateError::Refused(error)) => failure(&error),
            },
            Op::Read { wait_ms } => self.read(wait_ms),
            Op::Set { channel, value } => self.set(&channel, value),
        }
    }

    fn read(&mut self, wait_ms: u32) -> Answer {
        let Some(device) = &mut self.device else { return no_device() };
        let event = device.description().trigger() == Trigger::Event;
        if event {
            // A command interrupts the wait for an event.
            self.watch.arm(device.interrupt());
        }
        let reading = device.read_for(wait_ms);
        if event {
            self.watch.arm(None);
        }
        match reading {
            Poll::Pending => Answer { pending: true, ..Answer::default() },
            Poll::Ready(Ok(reading)) => fitting(device, &reading),
            Poll::Ready(Err(error)) => failure(&error),
        }
    }

    fn set(&mut self, channel: &str, value: serde_json::Value) -> Answer {
        let Some(device) = &mut self.device else { return no_device() };
        let value: Result<Reading> = Answer { ok: Some(value), ..Answer::default() }.reading();
        let value = value.map(|value| value.get(channel).cloned().unwrap_or(Value::Bool(false)));
        match value.and_then(|value| device.set_now(channel, value)) {
            Ok(state) => fitting(device, &state),
            Err(error) => failure(&error),
        }
    }
}

/// What JSON cannot carry, NaN for one, does not fit any channel either.
fn fitting(device: &LibraryDevice, reading: &Reading) -> Answer {
    match device.description().check_reading(reading) {
        Ok(_) => Answer::of(reading),
        Err(wrong) => failure(&Error::new(wrong)),
    }
}

fn failure(error: &Error) -> Answer {
    Answer { error: Some(error.to_string()), fatal: error.is_fatal(), ..Answer::default() }
}

fn panicked(text: String) -> Answer {
    Answer { error: Some(text), panicked: true, ..Answer::default() }
}

fn no_device() -> Answer {
    failure(&Error::new("no device was created"))
}
