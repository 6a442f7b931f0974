//! Standard output and standard error, in a way that can neither end nor stop the lab.
//!
//! A terminal closes, a pipe loses its reader or fills up, a disk under a log file is full: the printing macros panic
//! then, or wait for ever. The short commands print with [`print()`]; a running lab has a [`Printer`], whose thread
//! alone waits.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::failure::Failure;

/// Bytes that wait for a terminal that does not take them; what comes above is dropped and counted.
const MAX_BYTES: usize = 1024 * 1024;

/// Prints the result of a command. A reader that has seen enough is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write to standard output: {error}"), None))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// As [`print()`], with the end of the line.
pub(crate) fn print_line(text: &str) -> Result<(), Failure> {
    print(&format!("{text}\n"))
}

/// Prints to standard error. Nothing can be said if that is gone.
pub(crate) fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Whether colours are wanted on standard error.
pub(crate) fn has_colors() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints in the background, in the order of the calls. Clones share one thread.
#[derive(Clone)]
pub(crate) struct Printer(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<(Stream, Vec<u8>)>,
    bytes: usize,
    dropped: u64,
    /// The thread is printing what it took.
    busy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Output,
    Error,
}

impl Printer {
    /// Starts the thread that prints.
    pub(crate) fn start() -> io::Result<Self> {
        let inner = Arc::new(Inner { state: Mutex::default(), changed: Condvar::new() });
        let printing = Arc::clone(&inner);
        let print = move || printing.run(|stream, text| drop(stream.write(text)));
        std::thread::Builder::new().name("terminal".into()).spawn(print)?;
        Ok(Self(inner))
    }

    /// Prints a line to standard output.
    pub(crate) fn say(&self, text: &str) {
        self.0.push(Stream::Output, format!("{text}\n").into_bytes());
    }

    /// Where the log goes.
    pub(crate) fn log(&self) -> Log {
        Log(self.clone())
    }

    /// Waits until all is printed, at most for `limit`.
    pub(crate) fn flush(&self, limit: Duration) {
        let state = self.0.lock();
        let waits = |state: &mut State| state.busy || !state.chunks.is_empty();
        drop(self.0.changed.wait_timeout_while(state, limit, waits));
    }
}

/// One end of a [`Printer`] that takes the log.
pub(crate) struct Log(Printer);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.push(Stream::Error, bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, stream: Stream, text: Vec<u8>) {
        let mut state = self.lock();
        if state.bytes + text.len() > MAX_BYTES {
            state.dropped += 1;
            return;
        }
        state.bytes += text.len();
        state.chunks.push_back((stream, text));
        drop(state);
        self.changed.notify_all();
    }

    fn run(&self, print: impl Fn(Stream, &[u8])) -> ! {
        loop {
            let mut state = self.lock();
            state.busy = false;
            self.changed.notify_all();
            while state.chunks.is_empty() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let chunks = std::mem::take(&mut state.chunks);
            let dropped = std::mem::take(&mut state.dropped);
            (state.bytes, state.busy) = (0, true);
            drop(state);
            for (stream, text) in chunks {
                print(stream, &text);
            }
            if dropped > 0 {
                print(
                    Stream::Error,
                    format!("{dropped} lines were not printed: nobody took them in time\n").as_bytes(),
                );
            }
        }
    }
}

impl Stream {
    fn write(self, text: &[u8]) -> io::Result<()> {
        match self {
            Self::Output => {
                let mut output = io::stdout().lock();
                output.write_all(text)?;
                output.flush()
            }
            Self::Error => io::stderr().lock().write_all(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn who_prints_does_not_wait_for_a_terminal_that_takes_nothing() {
        let inner = Arc::new(Inner { state: Mutex::default(), changed: Condvar::new() });
        let printer = Printer(Arc::clone(&inner));
        let (open, opened) = sync_channel::<()>(0);
        let (seen, lines) = sync_channel(100_000);
        let (begin, begun) = sync_channel(1);
        std::thread::spawn(move || {
            inner.run(|_, text| {
                let _ = begin.try_send(());
                // Blocked until the test has printed everything.
                let _ = opened.recv();
                let _ = seen.send(String::from_utf8_lossy(text).into_owned());
            })
        });
        let line = "x".repeat(1_023);
        printer.say(&line);
        // Otherwise lines could be dropped before the first one makes room for another.
        begun.recv().expect("the thread prints");
        for _ in 1..5_000 {
            printer.say(&line);
        }
        drop(open);
        printer.flush(Duration::from_secs(60));
        let printed: Vec<_> = lines.try_iter().collect();
        let (whole, last) = printed.split_at(printed.len() - 1);
        assert!(whole.iter().all(|text| text.len() == 1_024));
        let dropped = 5_000 - whole.len();
        assert!(whole.len() >= 1_024 && dropped > 0, "{}", whole.len());
        assert_eq!(last[0], format!("{dropped} lines were not printed: nobody took them in time\n"));
    }
}
