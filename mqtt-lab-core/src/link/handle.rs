//! The sending half of a link, and how one begins and ends.

use std::sync::Arc;
use std::sync::atomic::Ordering::{self, Relaxed};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{TryAcquireError, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use super::delivery::Delivery;
use super::shared::{self, Shared, Stop, SubscribeRequest, locked};
use super::status::count;
use super::wire::Message;
use super::{
    Events, LinkConfig, LinkError, LinkStatus, Plug, Publish, PublishError, SpoolPolicy, Subscription,
};
use super::{task, validate};

/// The sending half of one MQTT connection that survives faults; cheap to clone.
///
/// A message is *accepted* when [`publish`](Link::publish) returns: it is in the spool, and at QoS 1
/// and 2 it stays there until the broker acknowledged it, through any number of connections. When
/// the last clone is dropped, the link delivers what it accepted and disconnects; to know that it
/// did, [`close`](Link::close) it.
///
/// # Example
///
/// ```no_run
/// use mqtt_lab_core::link::{Link, LinkConfig, Publish};
/// use std::time::Duration;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let (link, _events) = Link::spawn(LinkConfig::new("127.0.0.1:1883", "thermometer"))?;
/// let delivery = link.publish(Publish::new("lab/demo/thermometer/temperature", "21.5")).await?;
/// delivery.await?; // the broker has it
/// link.close(Duration::from_secs(5)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Link {
    shared: Arc<Shared>,
    _last: Arc<LastClone>,
}

/// Ends the link when its last clone is dropped.
#[derive(Debug)]
struct LastClone(Arc<Shared>);

impl Drop for LastClone {
    fn drop(&mut self) {
        self.0.stop(Stop::WhenIdle);
    }
}

impl Link {
    /// Starts a link on the current tokio runtime. It connects, and reconnects, by itself.
    ///
    /// # Errors
    ///
    /// [`LinkError::InvalidConfig`] if a setting breaks a rule of MQTT or of the link,
    /// [`LinkError::NoRuntime`] outside of a runtime, [`LinkError::Spool`] if a spool on disk cannot be
    /// read.
    pub fn spawn(mut config: LinkConfig) -> Result<(Self, Events), LinkError> {
        validate::config(&config)?;
        let runtime = Handle::try_current().map_err(LinkError::NoRuntime)?;
        let shared = Arc::new(Shared::new(&config));
        #[cfg(feature = "disk-spool")]
        shared.attach();
        // `shared` has it, and there are thousands of links.
        config.birth = Vec::new();
        runtime.spawn(task::run(task::Running(Arc::clone(&shared)), config));
        let last = Arc::new(LastClone(Arc::clone(&shared)));
        Ok((Self { shared: Arc::clone(&shared), _last: last }, Events::new(shared)))
    }

    /// Ends the session that the first broker of `config` keeps for its client id, whatever waits in it; a connection
    /// of another client with this id is ended, too. Neither will nor subscriptions of `config` are used.
    ///
    /// # Errors
    ///
    /// Why the broker could not be asked to, in words.
    pub async fn end_session(config: LinkConfig) -> Result<(), String> {
        validate::config(&config).map_err(|error| error.to_string())?;
        super::handshake::end_session(&config).await.map_err(|failure| {
            let broker = config.brokers.first().map_or("", String::as_str);
            failure.describe(broker, &config)
        })
    }

    /// Accepts a message into the spool; with [`SpoolPolicy::Block`] waits while that is full.
    ///
    /// Messages leave in the order in which they were accepted. Dropped at the `.await`, the message
    /// was not accepted.
    ///
    /// # Errors
    ///
    /// [`PublishError::InvalidTopic`], [`PublishError::InvalidProperty`] and
    /// [`PublishError::TooLarge`] if no broker could take it, [`PublishError::Full`] with
    /// [`SpoolPolicy::Error`], [`PublishError::Closed`] once [`close`](Link::close) was called.
    pub async fn publish(&self, publish: Publish) -> Result<Delivery, PublishError> {
        if self.shared.policy != SpoolPolicy::Block {
            return self.try_publish(publish);
        }
        validate::publish(&publish, self.shared.max_packet_size)?;
        if !self.shared.wait_for_room().await {
            return Err(PublishError::Closed);
        }
        self.accept(publish)
    }

    /// Accepts a message into the spool without waiting.
    ///
    /// # Errors
    ///
    /// Those of [`publish`](Link::publish); [`PublishError::Full`] also with [`SpoolPolicy::Block`],
    /// and with [`SpoolPolicy::DropOldest`] when all that the spool holds has been sent.
    pub fn try_publish(&self, publish: Publish) -> Result<Delivery, PublishError> {
        validate::publish(&publish, self.shared.max_packet_size)?;
        match self.shared.room.try_acquire() {
            Ok(permit) => permit.forget(),
            Err(TryAcquireError::Closed) => return Err(PublishError::Closed),
            Err(TryAcquireError::NoPermits) => self.make_room()?,
        }
        self.accept(publish)
    }

    /// Takes over the place of the oldest message, if the policy says so.
    fn make_room(&self) -> Result<(), PublishError> {
        let mut done = Vec::new();
        if self.shared.policy == SpoolPolicy::DropOldest {
            let mut outgoing = locked(&self.shared.outgoing);
            if outgoing.drop_oldest() {
                outgoing.take_done(&mut done);
                drop(outgoing);
                self.shared.settle(&mut done);
                return Ok(());
            }
        }
        if self.shared.policy != SpoolPolicy::Block {
            count(&self.shared.counters.dropped);
        }
        Err(PublishError::Full)
    }

    fn accept(&self, publish: Publish) -> Result<Delivery, PublishError> {
        let (delivery, stored, behind_others, accepted) = self.shared.store(publish, |publish, stored| {
            let (reply, delivery) = Delivery::new(stored);
            let message = Message::new(publish);
            let mut outgoing = locked(&self.shared.outgoing);
            let behind_others = outgoing.has_waiting();
            (delivery, stored, behind_others, outgoing.publish(reply, message.qos, message))
        });
        if !accepted {
            self.shared.unstore(stored.as_slice());
            return Err(PublishError::Closed);
        }
        count(&self.shared.counters.accepted);
        if !behind_others {
            self.shared.wake.notify_one();
        }
        Ok(delivery)
    }

    /// Adds subscriptions to those made on every connection; the same filter replaces the older.
    ///
    /// While connected, waits for the broker's answer. Without a connection it returns at once, and
    /// refusals appear in [`LinkStatus::downgrades`].
    ///
    /// # Errors
    ///
    /// [`LinkError::InvalidConfig`] for a malformed filter, [`LinkError::SubscriptionRefused`] if
    /// the broker refuses one (it is tried again on the next connection), [`LinkError::Closed`].
    pub async fn subscribe(&self, subscriptions: Vec<Subscription>) -> Result<(), LinkError> {
        validate::subscriptions(&subscriptions)?;
        if self.shared.stopping() != Stop::No {
            return Err(LinkError::Closed);
        }
        let (reply, answer) = oneshot::channel();
        self.shared.subscribe(SubscribeRequest { subscriptions, reply });
        // Dropped without an answer: the connection is gone, the next one subscribes again.
        answer.await.unwrap_or(Ok(()))
    }

    /// Replaces the messages that begin every connection, from the next one on; see
    /// [`LinkConfig::birth`].
    ///
    /// # Errors
    ///
    /// [`LinkError::InvalidConfig`] if one of them could not be published or they are more than
    /// 1,000.
    pub fn set_birth(&self, birth: Vec<Publish>) -> Result<(), LinkError> {
        validate::births(&birth, self.shared.max_packet_size)?;
        locked(&self.shared.opening).births = shared::births(birth);
        Ok(())
    }

    /// A snapshot with fresh counters.
    #[must_use]
    pub fn status(&self) -> LinkStatus {
        self.shared.snapshot()
    }

    /// Whether there is a connection at present.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared.status.borrow().connected
    }

    /// Reports changes of the connection (not of the counters).
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<LinkStatus> {
        self.shared.status.subscribe()
    }

    /// Closes the link in order: accepts nothing more, waits up to `limit` until the broker
    /// acknowledged everything accepted, sends DISCONNECT and reads to the end, so that the will
    /// never fires (MQTT-3.14.4-3). Returns at most about half a second after `limit`.
    ///
    /// Messages received meanwhile, for which [`Events`] has no room, are left unacknowledged.
    ///
    /// # Errors
    ///
    /// [`LinkError::Unacknowledged`] if `limit` was over first; what remains is lost, or may be.
    pub async fn close(&self, limit: Duration) -> Result<(), LinkError> {
        self.shared.stop(Stop::WhenIdle);
        if timeout(limit, self.ended()).await.is_err() {
            self.shared.stop(Stop::Now);
        }
        match self.ended().await {
            (0, _) => Ok(()),
            (remaining, kept) => Err(LinkError::Unacknowledged { remaining, kept }),
        }
    }

    /// Closes the connection and makes it again in the same session, so that the broker sends again what was not
    /// acknowledged.
    pub fn reconnect(&self) {
        self.shared.reconnect.store(true, Ordering::SeqCst);
        self.shared.wake.notify_one();
    }

    /// Pulls the plug of the link, or puts it in again: what is published meanwhile waits in the spool.
    ///
    /// For lessons and tests. A link that is closed or ends is plugged in for that.
    pub fn plug(&self, plug: Plug) {
        self.shared.plug.send_replace(plug);
        self.shared.wake.notify_one();
    }

    /// Whether the link is plugged in.
    #[must_use]
    pub fn plugged(&self) -> Plug {
        *self.shared.plug.borrow()
    }

    /// Ends the link as a pulled cable would: no DISCONNECT, so the broker publishes the will. What
    /// was not acknowledged is lost. It ends even if the future is dropped, which only waits for the end.
    pub fn abort(&self) -> impl Future<Output = ()> + '_ {
        self.shared.stop(Stop::Abort);
        async {
            self.ended().await;
        }
    }

    /// Waits until the broker has acknowledged nothing, and has accepted no connection, for `limit`.
    pub(crate) async fn stalled(&self, limit: Duration) {
        let counters = &self.shared.counters;
        let progress = || [&counters.acked, &counters.answers, &counters.connects].map(|n| n.load(Relaxed));
        let (mut last, mut since) = (progress(), Instant::now());
        while since.elapsed() < limit {
            sleep(limit / 20).await;
            let now = progress();
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
    }

    /// Waits for the end of the task; the number of messages whose end nobody knows, and how many of them stay in
    /// a spool on disk.
    async fn ended(&self) -> (usize, usize) {
        let mut ended = self.shared.ended.subscribe();
        // The sender lives in `shared`, so there is no error.
        ended.wait_for(Option::is_some).await.ok().and_then(|remaining| *remaining).unwrap_or_default()
    }
}
