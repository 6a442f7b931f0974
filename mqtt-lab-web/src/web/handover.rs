//! From the session of an earlier version at the broker to that of this one: nothing is lost, nothing stored twice.
//!
//! Both sessions have the same subscription. A marker that is published once both have it divides their messages:
//! what comes before it is taken from the former session, what comes after it from the new one. The former session
//! is ended when everything that was taken from it is stored.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mqtt_lab_core::link::{Event, Events, Incoming, Link, LinkConfig, LinkError, Publish};
use mqtt_lab_wire::{Address, CommandResult};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::bus::Source;
use crate::store::Store;

/// How often the end of the former session looks whether everything is stored.
const LOOK: Duration = Duration::from_millis(50);
/// Time between two attempts to end it.
const RETRY: Duration = Duration::from_secs(5);
/// Time for the orderly end of a connection.
const CLOSE: Duration = Duration::from_secs(2);

/// The events of two sessions as those of one.
pub(super) struct Handover {
    phase: Phase,
    events: Events,
    link: Link,
    store: Arc<dyn Store>,
    marker: Publish,
    /// The marker was handed to the new session.
    marked: bool,
    /// The new session was connected once.
    connected: bool,
}

enum Phase {
    /// Messages come from the former session.
    Former(Box<Former>),
    /// Those of the new one are left out until the marker comes.
    Skipping,
    /// They are taken.
    New,
}

struct Former {
    config: LinkConfig,
    link: Link,
    events: Events,
}

impl Handover {
    /// Connects to the former session, that of `client_id`. `config` is that of the new session's `link`.
    pub(super) fn begin(
        client_id: String,
        mut config: LinkConfig,
        (link, events): (Link, Events),
        root: &str,
        store: Arc<dyn Store>,
    ) -> Result<Self, LinkError> {
        config.client_id = client_id;
        // If there is no session, none shall begin; one that there is has its subscriptions.
        config.subscriptions = Vec::new();
        let (former, former_events) = Link::spawn(config.clone())?;
        let former = Former { config, link: former, events: former_events };
        let (marker, marked, connected) = (marker(root), false, false);
        Ok(Self { phase: Phase::Former(Box::new(former)), events, link, store, marker, marked, connected })
    }

    fn is_marker(&self, message: &Incoming) -> bool {
        message.topic == self.marker.topic && message.payload == self.marker.payload
    }

    /// Publishes the marker as soon as the new session has its subscription.
    fn mark(&mut self) {
        if std::mem::replace(&mut self.marked, true) {
            return;
        }
        let (link, marker) = (self.link.clone(), self.marker.clone());
        tokio::spawn(async move {
            let subscribed = link.watch().wait_for(|status| status.subscribed).await.is_ok();
            if subscribed && let Err(error) = link.publish(marker).await {
                tracing::warn!(%error, "cannot mark the end of the former session");
            }
        });
    }

    /// An event of the former session; `None`: it is not for the reader.
    fn former(&mut self, event: Option<Event>) -> Option<Event> {
        match event {
            Some(Event::Connected { session_present: false, .. }) => {
                let client_id = self.former_client_id();
                tracing::info!(client_id, "the broker keeps no session of the former client id");
                self.leave(Phase::New, None);
                None
            }
            Some(Event::Connected { broker, .. }) => {
                let client_id = self.former_client_id();
                tracing::info!(client_id, "taking over what the broker keeps for the former client id");
                self.mark();
                Some(Event::Connected { session_present: true, broker })
            }
            Some(Event::Message(message)) if self.is_marker(&message) => {
                self.leave(Phase::Skipping, Some(message));
                None
            }
            Some(event) => Some(event),
            None => {
                self.leave(Phase::New, None);
                None
            }
        }
    }

    fn former_client_id(&self) -> String {
        match &self.phase {
            Phase::Former(former) => former.config.client_id.clone(),
            Phase::Skipping | Phase::New => String::new(),
        }
    }

    /// Nothing more is taken from the former session.
    fn leave(&mut self, next: Phase, marker: Option<Incoming>) {
        if let Phase::Former(former) = std::mem::replace(&mut self.phase, next) {
            tokio::spawn(former.end(marker, self.marker.clone(), Arc::clone(&self.store)));
        }
    }

    /// An event of the new session; `None`: it is not for the reader.
    fn new_one(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Connected { session_present, broker } if matches!(self.phase, Phase::Skipping) => {
                // The former session was there all the time.
                let first = !std::mem::replace(&mut self.connected, true);
                if !first && !session_present {
                    // The broker has forgotten this session, and with it the marker.
                    self.phase = Phase::New;
                }
                Some(Event::Connected { session_present: session_present || first, broker })
            }
            Event::Message(message) if matches!(self.phase, Phase::Skipping) => {
                if self.is_marker(&message) {
                    self.phase = Phase::New;
                } else if message.retain {
                    return Some(Event::Message(message));
                }
                // It was taken from the former session.
                message.ack();
                None
            }
            event => Some(event),
        }
    }
}

#[async_trait]
impl Source for Handover {
    async fn next(&mut self) -> Option<Event> {
        loop {
            let event = match &mut self.phase {
                Phase::Former(former) => {
                    let event = former.events.next().await;
                    self.former(event)
                }
                Phase::Skipping | Phase::New => {
                    let event = self.events.next().await?;
                    self.new_one(event)
                }
            };
            if event.is_some() {
                return event;
            }
        }
    }
}

impl Former {
    /// Ends the session once everything before `marker` is acknowledged, which means stored. `None`: there was none.
    async fn end(mut self, marker: Option<Incoming>, same: Publish, store: Arc<dyn Store>) {
        let drained = marker.is_some();
        if let Some(marker) = marker
            && !self.everything_is_stored(marker, &same).await
        {
            // The next start goes on with it.
            return;
        }
        let broker = self.link.status().broker;
        let client_id = self.config.client_id.clone();
        // What is left came by the new session, too.
        let ended = self.link.close(CLOSE).await;
        tracing::debug!(?ended, "closed the connection of the former client id");
        self.config.brokers = vec![broker];
        while let Err(error) = Link::end_session(self.config.clone()).await {
            tracing::warn!(client_id, error, "cannot end the session of the former client id yet");
            sleep(RETRY).await;
        }
        if drained {
            tracing::info!(
                client_id,
                "stored what the broker kept for the former client id, and ended its session"
            );
        }
        if let Err(error) = store.former_session_ended().await {
            tracing::warn!(%error, "the next start looks for the former session again");
        }
    }

    /// False: the link has ended before.
    async fn everything_is_stored(&mut self, mut marker: Incoming, same: &Publish) -> bool {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.events.next() => match event {
                    // After a reconnect it is delivered again, behind what was not acknowledged.
                    Some(Event::Message(message)) if message.topic == same.topic && message.payload == same.payload => {
                        marker = message;
                    }
                    // Neither stored nor acknowledged: the new session has it.
                    Some(_) => {}
                    None => return false,
                },
                _ = looks.tick() => if marker.is_oldest_unacknowledged() { return true },
            }
        }
    }
}

/// Like the answer to a command that nobody gave.
fn marker(root: &str) -> Publish {
    let id = format!("handover-{:016x}", rand::random::<u64>());
    let mut payload = String::new();
    // Writing to a `String` cannot fail.
    let _ = CommandResult { id: &id, value: None, error: None }.encode(&mut payload);
    Publish::new(Address::of_foreign(root, "mqtt-lab", "ingest").result("marker").to_string(), payload)
}
