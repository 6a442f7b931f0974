//! SUBSCRIBE and UNSUBSCRIBE (MQTT 5.0 sections 3.8 and 3.10).

use super::super::filters::{Filter, MOST_LEVELS, RetainedOn, Subscription};
use super::super::outbox::Delivery;
use super::super::wire::Wrong;
use super::{Handle, State};
use crate::reason;
use crate::text::topic_filter;

/// Filters that one session may have.
const MOST_FILTERS: usize = 10_000;

impl State {
    /// Adds subscriptions; the answer to each.
    pub(in super::super) fn subscribe(
        &mut self,
        handle: Handle,
        filters: Vec<(String, Subscription)>,
    ) -> Result<Vec<u8>, Wrong> {
        let add = |(filter, subscription)| self.subscribe_one(handle, filter, subscription);
        filters.into_iter().map(add).collect()
    }

    fn subscribe_one(
        &mut self,
        handle: Handle,
        text: String,
        subscription: Subscription,
    ) -> Result<u8, Wrong> {
        let levels = text.bytes().filter(|byte| *byte == b'/').count() + 1;
        let parsed = Filter::parse(&text).filter(|filter| topic_filter(filter.levels).is_ok());
        let Some(filter) = parsed.filter(|_| levels <= MOST_LEVELS) else {
            return Ok(reason::TOPIC_FILTER);
        };
        if filter.share.is_some() && subscription.no_local {
            // MQTT-3.8.3-4
            return Err(Wrong::new(reason::PROTOCOL_ERROR, "a shared subscription with `no local`"));
        }
        let Some((session, journal)) = self.session(handle) else { return Ok(reason::FAILURE) };
        let known = session.subscriptions.contains_key(text.as_str());
        if !known && session.subscriptions.len() >= MOST_FILTERS {
            return Ok(reason::QUOTA_EXCEEDED);
        }
        journal.record(handle.session, session.lasts()).subscribe(&text, subscription);
        session.subscriptions.insert(text.as_str().into(), subscription);
        self.filters.insert(filter, handle.session, subscription);
        let wants_retained = match subscription.retained {
            RetainedOn::EverySubscribe => true,
            RetainedOn::NewSubscription => !known,
            RetainedOn::Never => false,
        };
        if wants_retained && filter.share.is_none() {
            self.deliver_retained(handle.session, filter.levels, subscription);
        }
        Ok(subscription.qos.level())
    }

    fn deliver_retained(&mut self, session: u64, filter: &str, subscription: Subscription) {
        for message in self.retained.matching(filter) {
            let delivery = Delivery {
                qos: message.qos.min(subscription.qos),
                message,
                retain: true,
                identifiers: subscription.identifier.into_iter().collect(),
                ticket: None,
            };
            self.deliver(session, delivery);
        }
    }

    /// Takes subscriptions away; the answer to each.
    pub(in super::super) fn unsubscribe(&mut self, handle: Handle, filters: &[String]) -> Vec<u8> {
        filters.iter().map(|filter| self.unsubscribe_one(handle, filter)).collect()
    }

    fn unsubscribe_one(&mut self, handle: Handle, text: &str) -> u8 {
        let Some((session, journal)) = self.session(handle) else { return reason::FAILURE };
        if session.subscriptions.remove(text).is_none() {
            return reason::NO_SUBSCRIPTION;
        }
        journal.record(handle.session, session.lasts()).unsubscribe(text);
        if let Some(filter) = Filter::parse(text) {
            self.filters.remove(filter, handle.session);
        }
        0
    }
}
