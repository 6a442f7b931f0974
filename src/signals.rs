//! What ends a running lab from outside: Ctrl-C, a service manager, a terminal that is closed.

use std::time::Duration;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A write beyond the limit of a file's size is an error like a full disk. By default the signal ends the program.
#[cfg(unix)]
const FILE_SIZE: i32 = 25;

/// Signals within this time are one request.
const ONE_REQUEST: Duration = Duration::from_millis(500);

/// The signals that ask the lab to stop.
pub(crate) struct Signals {
    #[cfg(unix)]
    stop: Vec<Signal>,
    #[cfg(unix)]
    _file_size: Option<Signal>,
}

impl Signals {
    /// Listens from now on. A hang-up that was ignored at the start stays ignored: that is what `nohup` asks for.
    #[cfg(unix)]
    pub(crate) fn listen() -> std::io::Result<Self> {
        let mut stop = vec![signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        if !ignores_hang_up() {
            stop.push(signal(SignalKind::hangup())?);
        }
        Ok(Self { stop, _file_size: signal(SignalKind::from_raw(FILE_SIZE)).ok() })
    }

    #[cfg(not(unix))]
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next one.
    #[cfg(unix)]
    pub(crate) async fn received(&mut self) {
        std::future::poll_fn(|cx| {
            let ready = self.stop.iter_mut().any(|signal| signal.poll_recv(cx).is_ready());
            if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }

    /// Waits for one that is meant as a second one: a closing terminal and a service manager may send several at once.
    pub(crate) async fn received_again(&mut self) {
        let _ = tokio::time::timeout(ONE_REQUEST, async {
            loop {
                self.received().await;
            }
        })
        .await;
        self.received().await;
    }

    #[cfg(not(unix))]
    pub(crate) async fn received(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Whether SIGHUP is ignored, where the system says so without further ado (Linux).
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| is_ignored(&status))
}

#[cfg(unix)]
fn is_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Signal 1 is the lowest bit.
    mask.is_some_and(|mask| mask & 1 != 0)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        assert!(is_ignored("Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"));
        assert!(!is_ignored("SigIgn:\t0000000000001000\n"));
        assert!(!is_ignored(""));
    }
}
