//! A message's way to those who want it (MQTT 5.0 sections 3.3.4, 4.3).

use std::sync::Arc;

use mqtt_lab_wire::Qos;

use super::super::filters::{Leaf, Subscription};
use super::super::message::Message;
use super::super::outbox::Delivery;
use super::super::pace::Ticket;
use super::super::wire::Will;
use super::{Handle, State};

/// Who gets a message, by which subscription.
#[derive(Debug)]
pub(super) struct Wanted {
    session: u64,
    subscription: Subscription,
    identifiers: Vec<u32>,
}

impl State {
    /// A message of a client. Whether anybody wants it.
    pub(in super::super) fn publish(&mut self, from: Handle, message: Message) -> bool {
        if let Some(online) = self.sessions.get_mut(&from.session).and_then(|it| it.online.as_mut()) {
            online.messages += 1;
        }
        self.route(Some(from.session), message)
    }

    /// A QoS 2 message: its packet id is remembered until it is released, so that it counts once
    /// (MQTT-4.3.3-10). `None`: it came before.
    pub(in super::super) fn publish_once(&mut self, from: Handle, id: u16, message: Message) -> Option<bool> {
        let (session, journal) = self.session(from)?;
        if !session.received.insert(id) {
            return None;
        }
        journal.record(from.session, session.lasts()).received(id);
        Some(self.publish(from, message))
    }

    /// PUBREL. Whether the packet id was known.
    pub(in super::super) fn release(&mut self, from: Handle, id: u16) -> bool {
        let Some((session, journal)) = self.session(from) else { return false };
        let known = session.received.remove(&id);
        if known {
            journal.record(from.session, session.lasts()).released(id);
        }
        known
    }

    pub(super) fn publish_will(&mut self, mut will: Will) {
        will.message.live(will.life_s);
        self.route(None, will.message);
    }

    fn route(&mut self, from: Option<u64>, message: Message) -> bool {
        let message = Arc::new(message);
        if message.retain && self.retained.keep(&message) {
            let kept = (!message.payload.is_empty()).then_some(&*message);
            self.journal.retain(&message.topic, kept);
        }
        let mut wanted = std::mem::take(&mut self.wanted);
        self.find(from, &message.topic, &mut wanted);
        let any = !wanted.is_empty();
        for one in wanted.drain(..) {
            let subscription = one.subscription;
            let delivery = Delivery {
                message: Arc::clone(&message),
                qos: message.qos.min(subscription.qos),
                retain: message.retain && subscription.retain_as_published,
                identifiers: one.identifiers.into(),
                ticket: self.ticket(from, one.session),
            };
            self.deliver(one.session, delivery);
        }
        self.wanted = wanted;
        any
    }

    /// What slows `from` down while too many of its messages wait for the paced client.
    fn ticket(&self, from: Option<u64>, to: u64) -> Option<Arc<Ticket>> {
        let paced = self.paced.as_ref()?;
        let is_paced = self.sessions.get(&to).is_some_and(|session| *session.client_id == **paced);
        let online = is_paced.then(|| self.sessions.get(&from?)?.online.as_ref()).flatten()?;
        Some(Arc::new(online.pace.ticket()))
    }

    /// Each session once, though several of its filters match: with the highest QoS, and all identifiers
    /// (MQTT-3.3.4-2 to 4).
    fn find(&mut self, from: Option<u64>, topic: &str, wanted: &mut Vec<Wanted>) {
        let sessions = &self.sessions;
        let online = |session: u64| sessions.get(&session).is_some_and(|it| it.online.is_some());
        self.filters.matching(topic, &mut |leaf| {
            let own =
                leaf.own.iter().filter(|(session, it)| !(it.no_local && from == Some(*session))).copied();
            wanted.extend(own.map(Wanted::new));
            wanted.extend(shared(leaf, online).map(Wanted::new));
        });
        if wanted.len() > 1 {
            wanted.sort_by_key(|one| one.session);
            wanted.dedup_by(|later, first| first.session == later.session && first.join(later));
        }
    }

    /// Puts a message into the queue of a session. QoS 0 is not kept for who is away (MQTT-3.1.2-5).
    pub(super) fn deliver(&mut self, number: u64, delivery: Delivery) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        if session.online.is_none() && delivery.qos == Qos::AtMostOnce {
            return;
        }
        let mut record = self.journal.record(number, session.expiry_s > 0);
        if !session.outbox.push(delivery, self.limits.queue, &mut record) {
            let dropped = session.outbox.dropped();
            if dropped.is_power_of_two() {
                let (client_id, waiting) = (&*session.client_id, session.outbox.len());
                tracing::warn!(
                    client_id,
                    waiting,
                    dropped,
                    "a client is too slow: its oldest messages are dropped"
                );
            }
        }
        if let Some(online) = &session.online {
            online.wake.notify_one();
        }
    }
}

impl Wanted {
    fn new((session, subscription): (u64, Subscription)) -> Self {
        Self { session, subscription, identifiers: subscription.identifier.into_iter().collect() }
    }

    fn join(&mut self, other: &mut Self) -> bool {
        self.subscription.qos = self.subscription.qos.max(other.subscription.qos);
        self.subscription.retain_as_published |= other.subscription.retain_as_published;
        self.identifiers.append(&mut other.identifiers);
        true
    }
}

/// One member of each share, in turn; one that is connected if there is any (MQTT-4.8.2-6).
fn shared(leaf: &mut Leaf, online: impl Fn(u64) -> bool) -> impl Iterator<Item = (u64, Subscription)> {
    leaf.shared.iter_mut().filter_map(move |share| {
        let count = share.members.len();
        let from = share.turn;
        share.turn = (from + 1) % count.max(1);
        let member = |offset: usize| share.members.get((from + offset) % count).copied();
        (0..count).filter_map(member).find(|(session, _)| online(*session)).or_else(|| member(0))
    })
}
