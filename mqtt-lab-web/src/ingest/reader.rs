//! The task that reads messages.

use std::sync::Arc;

use async_trait::async_trait;
use mqtt_lab_core::failpoint;
use mqtt_lab_core::link::{Event, Incoming};
use mqtt_lab_core::supervisor::Work;
use tokio::sync::{mpsc, watch};

use super::{Entry, Intake};
use crate::bus::Source;
use crate::clock::now_us;
use crate::health::Health;
use crate::registry::Registry;
use crate::stop::stopped;

/// Panics that one message may cause before it is left out.
const MAX_TRIES: u32 = 3;

/// Reads messages until the link ends or the web stops.
pub(crate) struct Reader {
    source: Box<dyn Source>,
    intake: Intake,
    queue: mpsc::Sender<Entry>,
    registry: Arc<Registry>,
    health: Arc<Health>,
    stop: watch::Receiver<bool>,
    /// The message under way: a panic does not lose it.
    in_hand: Option<InHand>,
}

struct InHand {
    message: Incoming,
    arrived_us: i64,
    tries: u32,
}

impl Reader {
    pub(crate) fn new(
        source: Box<dyn Source>,
        intake: Intake,
        queue: mpsc::Sender<Entry>,
        registry: Arc<Registry>,
        health: Arc<Health>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { source, intake, queue, registry, health, stop, in_hand: None }
    }

    /// Takes the message in hand; false: the web stops.
    async fn take(&mut self) -> bool {
        let Some(hand) = &mut self.in_hand else { return true };
        hand.tries += 1;
        let generation = self.registry.generation();
        let writes = if hand.tries > MAX_TRIES {
            let what = hand.message.topic.escape_debug().to_string();
            self.health.set_aside(&self.health.ingest, what, "the ingest panicked on it".to_owned());
            Vec::new()
        } else {
            failpoint::hit("ingest");
            match self.intake.take(&hand.message, hand.arrived_us).await {
                Ok(writes) => writes,
                Err(_) => return false,
            }
        };
        let Some(InHand { message, .. }) = self.in_hand.take() else { return true };
        self.hand_over(Entry { writes, message, generation }).await
    }

    async fn hand_over(&mut self, entry: Entry) -> bool {
        tokio::select! {
            // Without a writer there is nobody to acknowledge.
            sent = self.queue.send(entry) => sent.is_ok(),
            () = stopped(&mut self.stop) => false,
        }
    }
}

#[async_trait]
impl Work for Reader {
    async fn run(&mut self) -> Result<(), String> {
        loop {
            if !self.take().await {
                return Ok(());
            }
            let event = tokio::select! {
                biased;
                () = stopped(&mut self.stop) => return Ok(()),
                event = self.source.next() => event,
            };
            match event {
                Some(Event::Message(message)) => {
                    self.in_hand = Some(InHand { message, arrived_us: now_us(), tries: 0 });
                }
                Some(Event::Connected { session_present, .. }) => {
                    self.intake.connected(session_present, now_us());
                }
                Some(Event::ClientIdContested { reason }) => self.health.ingest.fails(reason),
                Some(Event::ClientIdFree) => self.health.ingest.works(),
                Some(Event::Disconnected { .. }) => self.intake.disconnected(now_us()).await,
                Some(_) => {}
                None => return Err("the connection to the broker has ended for good".to_owned()),
            }
        }
    }
}
