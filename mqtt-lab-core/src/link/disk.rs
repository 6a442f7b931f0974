//! A spool that survives the process.
//!
//! When the folder does not take a message (a full disk, a quota, a read-only or deleted folder), the message waits in
//! memory like those of a link without a spool, and the part `spool` reports why. A thread opens the folder again
//! until it works, and then brings it in line with what the links hold.

mod folder;
mod rename;
mod store;
mod stored;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::Duration;

use super::LinkError;
use crate::failpoint;
use crate::supervisor::{Part, Supervisor, Weight};
pub(super) use folder::Folder;
pub(super) use store::{Holds, Store};

/// How often the folder is looked after.
const LOOK: Duration = Duration::from_millis(500);

/// A folder for the messages of any number of links: what [`Link::publish`](super::Link::publish)
/// accepted at QoS 1 or 2 is written before it returns, and removed when its end is known.
///
/// The next link with the same [`spool_name`](super::LinkConfig::spool_name) sends what was left, before its births and before anything
/// new. So a kill of the process (`kill -9`) loses nothing; with `sync` neither does a power cut.
/// Across processes a message may arrive twice, at QoS 2 as well: nobody knows what the broker had.
///
/// One process at a time opens a folder; clones share it. Each link still holds its messages in
/// memory too, at most [`spool_capacity`](super::LinkConfig::spool_capacity).
///
/// # Failures
///
/// While the folder takes nothing, messages wait in memory alone, and are written as soon as it works again: no
/// message is refused, but a kill of the process loses them. The part `spool` of the supervisor has the cause. A
/// message that cannot be read any more is set aside and listed; the others are sent.
///
/// ```no_run
/// use mqtt_lab_core::link::{DiskSpool, Link, LinkConfig};
///
/// # async fn run() -> Result<(), mqtt_lab_core::link::LinkError> {
/// let mut config = LinkConfig::new("127.0.0.1:1883", "thermometer");
/// config.disk = Some(DiskSpool::open("spool", false)?);
/// let (link, _events) = Link::spawn(config)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DiskSpool(Arc<Inner>);

struct Inner {
    sync: bool,
    /// None while it does not work.
    folder: RwLock<Option<Folder>>,
    /// A write failed: the folder has to be opened again.
    failed: AtomicBool,
    /// The last look found no folder.
    deleted: AtomicBool,
    path: std::path::PathBuf,
    /// The links whose messages are in the folder.
    links: Mutex<Vec<Weak<dyn Holds>>>,
    part: Part,
    supervisor: Supervisor,
}

impl fmt::Debug for DiskSpool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskSpool").field("sync", &self.0.sync).finish_non_exhaustive()
    }
}

impl DiskSpool {
    /// Opens a folder, or makes it.
    ///
    /// `sync`: every message is forced to the disk before it counts as accepted (milliseconds each);
    /// otherwise it is handed to the operating system (microseconds).
    ///
    /// # Errors
    ///
    /// [`LinkError::Spool`] if the folder cannot be used, or another process has it open.
    pub fn open(path: impl AsRef<Path>, sync: bool) -> Result<Self, LinkError> {
        Self::open_supervised(path, sync, &Supervisor::default())
    }

    /// As [`open`](Self::open), in a program with a supervisor, which knows whether the folder works.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_supervised(
        path: impl AsRef<Path>,
        sync: bool,
        supervisor: &Supervisor,
    ) -> Result<Self, LinkError> {
        let path = path.as_ref().to_owned();
        let failed = |reason: String| LinkError::Spool {
            reason: format!("cannot open `{}`: {reason}", path.display()),
        };
        let folder = Folder::open(&path).map_err(failed)?;
        let part = supervisor.part("spool", Weight::Essential);
        let (supervisor, links) = (supervisor.clone(), Mutex::default());
        let inner = Inner {
            sync,
            folder: RwLock::new(Some(folder)),
            failed: AtomicBool::new(false),
            deleted: AtomicBool::new(false),
            path: path.clone(),
            links,
            part,
            supervisor,
        };
        let spool = Self(Arc::new(inner));
        let watched = Arc::downgrade(&spool.0);
        let thread = std::thread::Builder::new().name("mqtt-spool".into());
        thread.spawn(move || look_after(&watched)).map_err(|error| failed(error.to_string()))?;
        Ok(spool)
    }

    /// Registers a link, whose messages are written again after a failure.
    pub(super) fn attach(&self, link: Weak<dyn Holds>) {
        let mut links = self.0.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|link| link.strong_count() > 0);
        links.push(link);
    }
}

impl Inner {
    fn folder(&self) -> RwLockReadGuard<'_, Option<Folder>> {
        self.folder.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write failed. What it was for is in memory.
    fn fails(&self, cause: String) {
        self.failed.store(true, Ordering::SeqCst);
        self.part.fails(cause);
    }

    fn links(&self) -> Vec<Arc<dyn Holds>> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.iter().filter_map(Weak::upgrade).collect()
    }

    /// One look: whether the folder is still there, and if it does not work, whether it does now.
    fn look(&self) {
        failpoint::hit("spool");
        if self.folder().as_ref().is_some_and(|folder| !folder.is_there()) {
            let noticed = self.deleted.swap(true, Ordering::SeqCst);
            self.part.fails("the folder was deleted");
            // Made again by the next look: who deletes it may be about to end this program.
            if !noticed {
                return;
            }
            self.failed.store(true, Ordering::SeqCst);
        } else if !self.failed.load(Ordering::SeqCst) && self.deleted.swap(false, Ordering::SeqCst) {
            // Moved away, and back.
            self.part.works();
        }
        if !self.failed.load(Ordering::SeqCst) {
            return;
        }
        let mut folder = self.folder.write().unwrap_or_else(PoisonError::into_inner);
        // Closed first: it holds the lock of the folder.
        *folder = None;
        let links = self.links();
        let opened = Folder::open(&self.path).and_then(|opened| {
            for link in &links {
                link.bring_in_line(&opened)?;
            }
            Ok(opened)
        });
        match opened {
            Ok(opened) => {
                *folder = Some(opened);
                self.failed.store(false, Ordering::SeqCst);
                self.deleted.store(false, Ordering::SeqCst);
                self.part.works();
            }
            Err(cause) => {
                self.part.fails(cause);
                self.part.waiting(links.iter().map(|link| link.count()).sum());
            }
        }
    }
}

/// Looks after a spool until its last clone is gone.
fn look_after(spool: &Weak<Inner>) {
    while let Some(spool) = spool.upgrade() {
        let (supervisor, part) = (spool.supervisor.clone(), spool.part.clone());
        supervisor.keep_thread(&part, || {
            spool.look();
            Ok(())
        });
        drop(spool);
        std::thread::park_timeout(LOOK);
    }
}
