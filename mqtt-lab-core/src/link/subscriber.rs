//! The subscriptions of one connection: which are to be sent, and what the broker said.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot;

use super::shared::SubscribeRequest;
use super::{LinkError, Subscription};
use crate::reason;

/// Filters in one SUBSCRIBE.
const CHUNK: usize = 32;

type Reply = oneshot::Sender<Result<(), LinkError>>;

/// Subscriptions that travel in one SUBSCRIBE.
#[derive(Debug)]
struct Batch {
    subscriptions: Vec<Subscription>,
    /// Whoever waits for the answer.
    reply: Option<Reply>,
}

#[derive(Debug)]
pub(super) struct Subscriber {
    waiting: VecDeque<Batch>,
    /// By packet id.
    sent: BTreeMap<u16, Batch>,
}

impl Subscriber {
    /// What every connection begins with.
    pub(super) fn new(subscriptions: &[Subscription]) -> Self {
        let batch = |chunk: &[Subscription]| Batch { subscriptions: chunk.to_vec(), reply: None };
        Self { waiting: subscriptions.chunks(CHUNK).map(batch).collect(), sent: BTreeMap::new() }
    }

    /// Nothing is to be sent or answered.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.sent.is_empty()
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn request(&mut self, request: SubscribeRequest) {
        let SubscribeRequest { subscriptions, reply } = request;
        if subscriptions.is_empty() {
            // Nobody is there to miss the answer.
            let _ = reply.send(Ok(()));
        } else {
            self.waiting.push_back(Batch { subscriptions, reply: Some(reply) });
        }
    }

    /// The next filters to send, under the packet id given.
    pub(super) fn next(&mut self, id: u16) -> Option<&[Subscription]> {
        let batch = self.waiting.pop_front()?;
        self.sent.insert(id, batch);
        self.sent.get(&id).map(|batch| batch.subscriptions.as_slice())
    }

    /// SUBACK. Returns in words what the broker does not grant; `None` for an id that was not asked.
    pub(super) fn answer(&mut self, id: u16, codes: &[u8]) -> Option<Vec<String>> {
        let Batch { subscriptions, reply } = self.sent.remove(&id)?;
        // A code that is missing (MQTT-3.8.4-6 forbids it) is taken for a failure.
        let codes = codes.iter().copied().chain(std::iter::repeat(reason::FAILURE));
        let answers: Vec<_> = subscriptions.into_iter().zip(codes).collect();
        if let Some(reply) = reply {
            let refused = answers.iter().find(|(_, code)| *code >= reason::FAILURE);
            let result = refused.map_or(Ok(()), |(Subscription { filter, .. }, code)| {
                let (filter, reason) = (filter.clone(), reason::text(*code));
                Err(LinkError::SubscriptionRefused { filter, reason })
            });
            // Whoever asked need not wait.
            let _ = reply.send(result);
        }
        Some(answers.iter().filter_map(|(subscription, code)| downgrade(subscription, *code)).collect())
    }
}

fn downgrade(Subscription { filter, qos, .. }: &Subscription, code: u8) -> Option<String> {
    if code >= reason::FAILURE {
        Some(format!("no subscription `{filter}`: {}", reason::text(code)))
    } else if code < qos.level() {
        Some(format!("subscription `{filter}` at QoS {code} instead of {qos}"))
    } else {
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::link::Qos;

    #[test]
    fn a_lower_qos_is_a_downgrade_and_a_failure_is_an_error() {
        let mut subscriber = Subscriber::new(&[]);
        let (reply, mut answer) = oneshot::channel();
        let subscriptions =
            vec![Subscription::new("a", Qos::ExactlyOnce), Subscription::new("b", Qos::AtMostOnce)];
        subscriber.request(SubscribeRequest { subscriptions, reply });
        assert_eq!(subscriber.next(7).map(<[_]>::len), Some(2));
        assert_eq!(subscriber.answer(8, &[0]), None);
        let words = subscriber.answer(7, &[1, 0x87]).unwrap();
        assert_eq!(words, ["subscription `a` at QoS 1 instead of 2", "no subscription `b`: not authorized"]);
        assert!(
            matches!(answer.try_recv(), Ok(Err(LinkError::SubscriptionRefused { filter, .. })) if filter == "b")
        );
        assert!(subscriber.is_idle());
    }

    #[test]
    fn many_filters_travel_in_several_packets() {
        let many: Vec<_> = (0..70).map(|n| Subscription::new(format!("t/{n}"), Qos::AtLeastOnce)).collect();
        let mut subscriber = Subscriber::new(&many);
        let sizes: Vec<_> = (1..).map_while(|id| subscriber.next(id).map(<[_]>::len)).collect();
        assert_eq!(sizes, [32, 32, 6]);
    }
}
