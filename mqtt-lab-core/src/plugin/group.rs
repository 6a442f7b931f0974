//! The process group of a plugin: the process itself and whatever it starts. It ends with the process,
//! and with the lab, also when the lab is killed.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The groups of this program that have not ended.
static ALIVE: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

fn alive() -> MutexGuard<'static, usize> {
    ALIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until every plugin process of this program has ended with all that it started, at most for `limit`.
pub(crate) fn wait_for_all(limit: Duration) {
    let deadline = Instant::now() + limit;
    let mut alive = alive();
    while *alive > 0 {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        alive = ENDED.wait_timeout(alive, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// A process group. Dropping it kills whatever is left of it.
#[derive(Debug)]
pub(crate) struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    /// The group of which the process `leader` is the first.
    pub(crate) fn new(leader: Option<u32>) -> Self {
        *alive() += 1;
        #[cfg(unix)]
        {
            let leader = leader.and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?));
            if let Some(leader) = leader {
                super::guard::begun(leader);
            }
            Self { leader }
        }
        #[cfg(not(unix))]
        {
            let _ = leader;
            Self {}
        }
    }

    /// Kills every process that is left of it.
    pub(crate) fn kill(&self) {
        #[cfg(unix)]
        if let Some(leader) = self.leader {
            // An error means that all have ended.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        #[cfg(unix)]
        if let Some(leader) = self.leader {
            super::guard::ended(leader);
        }
        *alive() -= 1;
        ENDED.notify_all();
    }
}
