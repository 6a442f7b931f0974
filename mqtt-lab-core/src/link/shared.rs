//! What the handles of a link and its task have in common.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit, oneshot, watch};

use super::delivery::{Delivered, Delivery, Reply};
use super::inbox::{Inbox, Ticket};
use super::outgoing::{Done, Outgoing};
use super::queue::EventQueue;
use super::status::{Counters, count};
use super::wire::Message;
use super::{
    DeliveryError, Event, LinkConfig, LinkError, LinkStatus, Plug, Publish, SpoolPolicy, Subscription,
};

/// Downgrades remembered, so that each is logged once.
const MAX_LOGGED: usize = 256;

/// Locks; the data behind every lock here is valid between two statements, so a panic elsewhere
/// does not spoil it.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a link is to end; only ever raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Stop {
    /// It is not.
    No,
    /// After all acknowledgements, with DISCONNECT.
    WhenIdle,
    /// At once, with DISCONNECT.
    Now,
    /// At once, without DISCONNECT: the will fires.
    Abort,
}

/// A call of [`Link::subscribe`](super::Link::subscribe) that the task has to carry out.
#[derive(Debug)]
pub(super) struct SubscribeRequest {
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) reply: oneshot::Sender<Result<(), LinkError>>,
}

/// What every new connection begins with.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) births: Vec<Message>,
    subscriptions: Vec<Subscription>,
    /// A session takes requests.
    connected: bool,
    /// Subscriptions not yet sent on the present connection.
    requests: Vec<SubscribeRequest>,
}

/// The state behind a link. No lock is held across an `.await`, and none of its mutexes while taking
/// another.
pub(super) struct Shared {
    pub(super) max_packet_size: u32,
    pub(super) policy: SpoolPolicy,
    #[cfg(feature = "disk-spool")]
    store: Option<super::disk::Store>,
    pub(super) outgoing: Mutex<Outgoing<Message, Reply>>,
    /// Room in the spool: one permit per message that still fits.
    pub(super) room: Semaphore,
    /// Messages of an earlier process beyond the capacity: they end without making room.
    surplus: AtomicUsize,
    /// Publishers that wait for it.
    waiting: AtomicUsize,
    pub(super) inbox: Mutex<Inbox>,
    pub(super) queue: EventQueue,
    pub(super) opening: Mutex<Opening>,
    /// There is something new for the task, whatever it is.
    pub(super) wake: Notify,
    pub(super) counters: Counters,
    /// Discarded messages that the reader of the events does not know of.
    unreported: AtomicU64,
    pub(super) status: watch::Sender<LinkStatus>,
    /// The present connection is to be exchanged for a new one.
    pub(super) reconnect: AtomicBool,
    /// Downgrades that were logged: they come again with every connection.
    logged: Mutex<BTreeSet<String>>,
    /// Whether it may connect and speak.
    pub(super) plug: watch::Sender<Plug>,
    /// Once the task is over: the messages whose end nobody knows, and how many of them stay in a spool on disk.
    pub(super) ended: watch::Sender<Option<(usize, usize)>>,
    stop: AtomicU8,
}

impl fmt::Debug for Shared {
    /// Little: every link and every received message holds one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// With what an earlier process left, if there is a spool on disk.
    pub(super) fn new(config: &LinkConfig) -> Self {
        #[cfg(feature = "disk-spool")]
        let (store, left) = match &config.disk {
            Some(disk) => {
                let name = config.spool_name.as_deref().unwrap_or(&config.client_id);
                let (store, left) = disk.load(name, config.former_spool_name.as_deref());
                (Some(store), left)
            }
            None => (None, Vec::new()),
        };
        #[cfg(not(feature = "disk-spool"))]
        let left: Vec<(u64, Publish)> = Vec::new();
        let room = config.spool_capacity.saturating_sub(left.len());
        let surplus = left.len().saturating_sub(config.spool_capacity);
        let mut outgoing = Outgoing::new(config.window);
        for (number, publish) in left {
            let message = Message::new(publish);
            outgoing.inherit(Delivery::new(Some(number)).0, message.qos, message);
        }
        let status = LinkStatus { version: config.version, ..LinkStatus::default() };
        Self {
            max_packet_size: config.max_packet_size,
            policy: config.spool_policy,
            #[cfg(feature = "disk-spool")]
            store,
            outgoing: Mutex::new(outgoing),
            room: Semaphore::new(room),
            surplus: AtomicUsize::new(surplus),
            waiting: AtomicUsize::new(0),
            inbox: Mutex::default(),
            queue: EventQueue::new(config.incoming_capacity),
            opening: Mutex::new(Opening {
                births: births(config.birth.clone()),
                subscriptions: config.subscriptions.clone(),
                connected: false,
                requests: Vec::new(),
            }),
            wake: Notify::new(),
            counters: Counters::default(),
            unreported: AtomicU64::new(0),
            status: watch::Sender::new(status),
            reconnect: AtomicBool::new(false),
            logged: Mutex::default(),
            plug: watch::Sender::new(Plug::In),
            ended: watch::Sender::new(None),
            stop: AtomicU8::new(Stop::No as u8),
        }
    }

    /// Waits for room in the spool. False: the link is closed.
    pub(super) async fn wait_for_room(&self) -> bool {
        if let Ok(permit) = self.room.try_acquire() {
            permit.forget();
            return true;
        }
        let _waiting = Waiting::new(self);
        self.room.acquire().await.map(SemaphorePermit::forget).is_ok()
    }

    /// Somebody waits for room, perhaps the reader of the events: acknowledgements must be read.
    pub(super) fn needs_acknowledgements(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// A message of QoS 0 was discarded.
    pub(super) fn discarded(&self) {
        count(&self.counters.discarded);
        count(&self.unreported);
    }

    /// Reports what was discarded once there is room again. News of it always fit, but must not fill a queue
    /// that nobody empties.
    pub(super) fn report_discarded(&self) {
        if self.unreported.load(Ordering::Relaxed) > 0 && self.queue.has_room() {
            let count = self.unreported.swap(0, Ordering::Relaxed);
            self.queue.push(Event::Discarded { count });
        }
    }

    /// Writes a message to the spool on disk, if there is one and the QoS promises anything, and then has it accepted
    /// under its number. A folder that is brought in line after a failure waits for both.
    pub(super) fn store<T>(&self, publish: Publish, accept: impl FnOnce(Publish, Option<u64>) -> T) -> T {
        #[cfg(feature = "disk-spool")]
        if let Some(store) = self.store.as_ref().filter(|_| publish.qos != super::Qos::AtMostOnce) {
            return store.add(publish, |publish, number| accept(publish, Some(number)));
        }
        accept(publish, None)
    }

    /// Removes what has ended from the spool on disk.
    pub(super) fn unstore(&self, numbers: &[u64]) {
        #[cfg(feature = "disk-spool")]
        if let Some(store) = self.store.as_ref().filter(|_| !numbers.is_empty()) {
            store.remove(numbers);
        }
        let _ = numbers;
    }

    /// Has the spool on disk write everything again after a failure, while the link lives.
    #[cfg(feature = "disk-spool")]
    pub(super) fn attach(self: &Arc<Self>) {
        if let Some(store) = &self.store {
            let link: std::sync::Weak<Self> = Arc::downgrade(self);
            store.spool().attach(link);
        }
    }

    /// Whether a message survives the process, as far as it is known.
    fn is_on_disk(&self, reply: &Reply) -> bool {
        #[cfg(feature = "disk-spool")]
        if !self.store.as_ref().is_some_and(super::disk::Store::works) {
            return false;
        }
        reply.stored.is_some()
    }

    /// Time for DISCONNECT and the broker's answer to it, which is to close.
    pub(super) fn goodbye_limit(&self) -> Duration {
        // A broker that was given up is not worth a wait.
        if self.stopping() >= Stop::Now { Duration::from_millis(500) } else { Duration::from_secs(2) }
    }

    /// Asks the task to end; refuses new messages from now on.
    pub(super) fn stop(&self, how: Stop) {
        self.stop.fetch_max(how as u8, Ordering::SeqCst);
        // An end is spoken, too.
        self.plug.send_replace(Plug::In);
        self.room.close();
        self.wake.notify_one();
    }

    pub(super) fn stopping(&self) -> Stop {
        match self.stop.load(Ordering::SeqCst) {
            0 => Stop::No,
            1 => Stop::WhenIdle,
            2 => Stop::Now,
            _ => Stop::Abort,
        }
    }

    /// Tells the senders of messages how they ended, and makes room.
    pub(super) fn settle(&self, done: &mut Vec<(Reply, Done)>) {
        if done.is_empty() {
            return;
        }
        // One that was dropped left its place to the message that pushed it out.
        self.make_room(done.iter().filter(|(_, end)| *end != Done::Dropped).count());
        let stored: Vec<_> = done.iter().filter_map(|(reply, _)| reply.stored).collect();
        self.unstore(&stored);
        for (reply, end) in done.drain(..) {
            reply.send(self.account(end));
        }
    }

    /// So many messages have ended.
    fn make_room(&self, ended: usize) {
        let take = |surplus: usize| Some(surplus.saturating_sub(ended));
        let (set, fetch) = (Ordering::SeqCst, Ordering::SeqCst);
        // `take` always has an answer.
        let surplus = self.surplus.fetch_update(set, fetch, take).unwrap_or(0);
        self.room.add_permits(ended.saturating_sub(surplus));
    }

    fn account(&self, end: Done) -> Result<Delivered, DeliveryError> {
        match end {
            Done::Sent => {
                count(&self.counters.acked);
                Ok(Delivered::Sent)
            }
            Done::Acked { no_subscribers } => {
                count(&self.counters.acked);
                Ok(Delivered::Acked { no_subscribers })
            }
            Done::Rejected(reason) => {
                count(&self.counters.rejected);
                Err(DeliveryError::Rejected(reason))
            }
            Done::Expired => {
                count(&self.counters.rejected);
                Err(DeliveryError::Expired)
            }
            Done::Dropped => {
                count(&self.counters.dropped);
                Err(DeliveryError::Dropped)
            }
        }
    }

    /// Logs what a broker does not support, once per link.
    pub(super) fn log_downgrade(&self, broker: &str, downgrade: &str) {
        let mut logged = locked(&self.logged);
        if logged.len() < MAX_LOGGED && logged.insert(format!("{broker} {downgrade}")) {
            drop(logged);
            tracing::warn!(broker, downgrade, "the broker does not support everything that is configured");
        }
    }

    /// The status with fresh counters.
    pub(super) fn snapshot(&self) -> LinkStatus {
        let mut status = self.status.borrow().clone();
        self.fill(&mut status);
        status
    }

    /// Changes the status and tells the watchers.
    pub(super) fn update(&self, change: impl FnOnce(&mut LinkStatus)) {
        self.status.send_modify(|status| {
            change(status);
            self.fill(status);
        });
    }

    fn fill(&self, status: &mut LinkStatus) {
        self.counters.fill(status);
        let outgoing = locked(&self.outgoing);
        (status.in_flight, status.spooled) = (outgoing.in_flight(), outgoing.spooled());
    }

    /// Remembers subscriptions, and passes them on if there is a connection.
    pub(super) fn subscribe(&self, request: SubscribeRequest) {
        let mut opening = locked(&self.opening);
        for new in &request.subscriptions {
            opening.subscriptions.retain(|old| old.filter != new.filter);
            opening.subscriptions.push(new.clone());
        }
        if opening.connected {
            opening.requests.push(request);
            self.wake.notify_one();
        }
    }

    /// A connection begins: the births and subscriptions to make on it.
    pub(super) fn open(&self) -> (Vec<Message>, Vec<Subscription>) {
        let mut opening = locked(&self.opening);
        opening.connected = true;
        (opening.births.clone(), opening.subscriptions.clone())
    }

    pub(super) fn subscribe_requests(&self) -> Vec<SubscribeRequest> {
        std::mem::take(&mut locked(&self.opening).requests)
    }

    /// The connection is over.
    pub(super) fn lost(&self) {
        let mut opening = locked(&self.opening);
        opening.connected = false;
        opening.requests.clear();
        drop(opening);
        locked(&self.outgoing).disconnected();
    }

    /// The task is over: nothing waits for it any more.
    pub(super) fn end(&self) {
        self.room.close();
        self.lost();
        // The replies in it tell their senders by being dropped.
        let unfinished = locked(&self.outgoing).close(|reply| self.is_on_disk(reply));
        self.update(|status| {
            (status.connected, status.subscribed) = (false, false);
            status.error.get_or_insert_with(|| "closed".into());
        });
        self.queue.end();
        self.ended.send_replace(Some(unfinished));
    }
}

#[cfg(feature = "disk-spool")]
impl super::disk::Holds for Shared {
    fn bring_in_line(&self, folder: &super::disk::Folder) -> Result<(), String> {
        let Some(store) = &self.store else { return Ok(()) };
        let outgoing = locked(&self.outgoing);
        let held = outgoing.held().filter_map(|(reply, message)| Some((reply.stored?, message.clone())));
        let held = held.collect();
        drop(outgoing);
        store.bring_in_line(folder, held)
    }

    fn count(&self) -> usize {
        locked(&self.outgoing).unfinished()
    }
}

/// Counts a publisher that waits for room in the spool.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        shared.wake.notify_one();
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Births in the form in which they are sent: see [`LinkConfig::birth`].
pub(super) fn births(publishes: Vec<Publish>) -> Vec<Message> {
    let at_least_once = |publish: Publish| {
        let qos = publish.qos.min(super::Qos::AtLeastOnce);
        Message::new(publish.qos(qos))
    };
    publishes.into_iter().map(at_least_once).collect()
}

/// The way of an acknowledgement back into the link. Dropped unused, the message is to come again.
#[derive(Debug)]
pub(super) struct Acknowledger {
    shared: Arc<Shared>,
    ticket: Option<Ticket>,
}

impl Acknowledger {
    pub(super) fn new(shared: &Arc<Shared>, ticket: Ticket) -> Self {
        Self { shared: Arc::clone(shared), ticket: Some(ticket) }
    }

    /// Whether everything before the message on its connection was acknowledged.
    pub(super) fn is_oldest(&self) -> bool {
        self.ticket.is_some_and(|ticket| locked(&self.shared.inbox).is_oldest(ticket))
    }

    /// All those of one link in a row wake it once.
    pub(super) fn ack_all(all: impl Iterator<Item = Self>) {
        let mut last: Option<Arc<Shared>> = None;
        for mut acknowledger in all {
            let Some(ticket) = acknowledger.ticket.take() else { continue };
            let shared = &acknowledger.shared;
            if !locked(&shared.inbox).ack(ticket)
                || last.as_ref().is_some_and(|last| Arc::ptr_eq(last, shared))
            {
                continue;
            }
            if let Some(other) = last.replace(Arc::clone(shared)) {
                other.wake.notify_one();
            }
        }
        if let Some(last) = last {
            last.wake.notify_one();
        }
    }
}

impl Drop for Acknowledger {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            locked(&self.shared.inbox).forget(ticket);
        }
    }
}
