//! Who watches: a subscriber at QoS 2 that is none of the lab's, and a lab that stores.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use mqtt_lab_core::link::{Event, Link, LinkConfig, Qos, Subscription};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::cell::Stored;
use crate::sender::{LAST, TOPIC};
use crate::support::{Lab, PATIENCE};

/// Longest silence before what has not come is lost: longer than any retry on loopback.
const SILENCE: Duration = Duration::from_secs(3);

pub(crate) struct Witness {
    link: Link,
    messages: mpsc::Receiver<(String, Vec<u8>)>,
}

/// What a witness saw of the samples, in order.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    times: BTreeMap<u32, usize>,
    disordered: usize,
}

impl Witness {
    pub(crate) async fn start(broker: &str) -> Self {
        let mut config = LinkConfig::new(broker, "witness");
        config.subscriptions = [TOPIC, LAST].map(|topic| Subscription::new(topic, Qos::ExactlyOnce)).into();
        config.backoff = (Duration::from_millis(5), Duration::from_millis(50));
        let (link, mut events) = Link::spawn(config).expect("valid");
        let mut watch = link.watch();
        let up = watch.wait_for(|status| status.subscribed);
        drop(timeout(PATIENCE, up).await.expect("subscribed in time"));
        // Taken as they come: more than any cell sends.
        let (sender, messages) = mpsc::channel(100_000);
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Event::Message(message) = event {
                    let _ = sender.send((message.topic.to_string(), message.payload.to_vec())).await;
                    message.ack();
                }
            }
        });
        Self { link, messages }
    }

    /// Once all came, or the last one and then nothing more.
    pub(crate) async fn finish(mut self, expected: u32) -> Seen {
        let (mut seen, mut last, mut highest) = (Seen::default(), false, 0);
        loop {
            let all = last && seen.times.len() == expected as usize;
            let wait = if all { Duration::from_millis(200) } else { SILENCE };
            let Ok(Some((topic, payload))) = timeout(wait, self.messages.recv()).await else { break };
            if topic == LAST {
                last = true;
                continue;
            }
            let sample: Value = serde_json::from_slice(&payload).expect("JSON");
            let number = sample["n"].as_u64().and_then(|n| u32::try_from(n).ok()).expect("a number");
            let times = seen.times.entry(number).or_default();
            *times += 1;
            seen.disordered += usize::from(*times == 1 && number < highest);
            highest = highest.max(number);
        }
        self.link.abort().await;
        seen
    }
}

impl Seen {
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.times.keys().copied()
    }

    pub(crate) fn repeated(&self) -> usize {
        self.times.values().map(|times| times - 1).sum()
    }

    pub(crate) fn disordered(&self) -> usize {
        self.disordered
    }
}

/// A lab without devices that stores what it hears at a broker.
pub(crate) struct Ingest {
    lab: Lab,
    folder: tempfile::TempDir,
}

impl Ingest {
    pub(crate) async fn start(broker: &str) -> Self {
        let toml = format!("[mqtt]\nbrokers = [\"{broker}\"]\n");
        tokio::task::spawn_blocking(move || {
            let folder = tempfile::tempdir().expect("a folder");
            Self { lab: Lab::start(folder.path(), Some(&toml)), folder }
        })
        .await
        .expect("a lab")
    }

    /// Where its database is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Once it has a connection.
    pub(crate) async fn listening(self) -> Self {
        let wait = move || {
            self.lab.poll("/api/v1/lab", |lab| (lab["broker"]["connected"] == true).then_some(()));
            self
        };
        tokio::task::spawn_blocking(wait).await.expect("a lab")
    }

    /// Once it has stored as many, or no more come.
    pub(crate) async fn finish(self, expected: usize, messages: u32) -> Stored {
        let finish = move || {
            let Self { lab, folder } = self;
            let deadline = std::time::Instant::now() + SILENCE * 3;
            loop {
                let stored = stored(&lab);
                // At QoS 0 it may have got others than the witness.
                let known = stored.numbers.len() as u64 + stored.counted_lost.unwrap_or(0);
                let enough = stored.numbers.len() >= expected && known >= u64::from(messages);
                if enough || std::time::Instant::now() > deadline {
                    // Drops, and so kills, the lab before its folder goes.
                    drop(lab);
                    drop(folder);
                    return stored;
                }
                std::thread::park_timeout(Duration::from_millis(50));
            }
        };
        tokio::task::spawn_blocking(finish).await.expect("a lab")
    }
}

fn stored(lab: &Lab) -> Stored {
    let (status, device) = lab.request("GET", "/api/v1/devices/loss/sender", None);
    if status != 200 {
        return Stored::default();
    }
    let counted_lost = device["counts"]["lost"].as_u64();
    let channels = device["channels"].as_array().cloned().unwrap_or_default();
    let Some(series) = channels.iter().find_map(|channel| channel["series"].as_u64()) else {
        return Stored { counted_lost, ..Stored::default() };
    };
    let path = format!("/api/v1/series/{series}/points?from_ms=0&max_points=5000");
    let points = lab.get(&path)["points"].as_array().cloned().unwrap_or_default();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the sender's own numbers")]
    let numbers = points.iter().filter_map(|point| point[1].as_f64()).map(|value| value as u32).collect();
    Stored { numbers, counted_lost }
}
