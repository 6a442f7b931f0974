//! One cell of the matrix: a device of one version at one broker, seen by a subscriber of its own.

use super::observer::{Observer, Seen};
use crate::support::{Lab, PATIENCE, rand_name};
use mqtt_lab_core::link::{Event, Events, Link, LinkConfig, Publish, Qos, Version, Will};
use std::time::Duration;
use tokio::time::timeout;

/// Where the device says its state, and where its will goes, below the cell's own group.
pub(crate) const STATE: &str = "/device/$state";

/// Whose broker it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brand {
    Embedded,
    Mosquitto,
}

/// A device of one version at one broker. The cells of a matrix share the broker and nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) brand: Brand,
    pub(crate) broker: String,
    pub(crate) version: Version,
    /// The device's group: all topics of the cell begin with it.
    pub(crate) group: String,
}

/// A device made of a link alone.
pub(crate) struct Device {
    pub(crate) link: Link,
    events: Events,
}

impl Device {
    /// Waits until it is connected, once more if it was before.
    pub(crate) async fn connected(&mut self) {
        let connected = async {
            while !matches!(self.events.next().await.expect("the link lives"), Event::Connected { .. }) {}
        };
        timeout(PATIENCE, connected).await.expect("it connects");
    }
}

impl Cell {
    pub(crate) fn new(brand: Brand, broker: &str, version: Version) -> Self {
        Self { brand, broker: broker.to_owned(), version, group: rand_name() }
    }

    pub(crate) async fn observer(&self) -> Observer {
        Observer::start(&self.broker, &format!("lab/{}/#", self.group)).await
    }

    pub(crate) fn topic(&self, end: &str) -> String {
        format!("lab/{}{end}", self.group)
    }

    /// A will with a payload and flags that no default has.
    pub(crate) fn will(&self, delay: Duration) -> Will {
        let (qos, retain) = (Qos::ExactlyOnce, true);
        Will { qos, retain, delay, ..Will::new(self.topic(STATE), "lost") }
    }

    /// A device with keep-alive 1 s that connects again soon, through `broker`.
    pub(crate) fn config(&self, broker: &str, will: Will) -> LinkConfig {
        let mut config = LinkConfig::new(broker, format!("{}-device", self.group));
        config.version = self.version;
        config.keep_alive = Duration::from_secs(1);
        config.will = Some(will);
        config.birth = vec![Publish::new(self.topic(STATE), "ready").retain(true)];
        config
    }

    /// A device that is `ready`.
    pub(crate) async fn device(&self, config: LinkConfig, observer: &mut Observer) -> Device {
        let (link, events) = Link::spawn(config).expect("a valid configuration");
        let device = Device { link, events };
        observer.until(STATE, "ready").await;
        device
    }

    /// The program itself as the device's process, with no more than this one device.
    pub(crate) async fn process(&self, will: &str, more: &str, observer: &mut Observer) -> Process {
        let (broker, group, version) = (&self.broker, &self.group, self.version);
        let toml = format!(
            "[mqtt]\nbrokers = [\"{broker}\"]\n[web]\nenabled = false\n[[sensor]]\nkind = \"temperature\"\n\
             group = \"{group}\"\nid = \"device\"\nversion = \"{version}\"\nwill = {{ {will} }}\n{more}\n"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let lab = tokio::task::block_in_place(|| Lab::start(folder.path(), Some(&toml)));
        observer.until(STATE, "ready").await;
        Process { lab, _folder: folder }
    }

    /// Waits until a will with this delay, of a connection that is lost now, has come: one of an
    /// earlier loss would have come before.
    pub(crate) async fn outlast(&self, delay: Duration, observer: &mut Observer) {
        const SENTINEL: &str = "/sentinel/$state";
        let mut config = LinkConfig::new(&self.broker, format!("{}-sentinel", self.group));
        config.version = self.version;
        config.will = Some(Will { delay, ..Will::new(self.topic(SENTINEL), "lost") });
        let (link, mut events) = Link::spawn(config).expect("a valid configuration");
        let connected = timeout(PATIENCE, events.next()).await;
        assert!(matches!(connected, Ok(Some(Event::Connected { .. }))), "{connected:?}");
        link.abort().await;
        observer.until(SENTINEL, "lost").await;
    }

    /// What the device said and was said of it, when everything has come that was published up to now.
    pub(crate) async fn story(&self, mut observer: Observer) -> Vec<String> {
        observer.catch_up(&self.topic("/end")).await;
        observer.words(STATE).into_iter().map(str::to_owned).collect()
    }
}

/// A device's process.
pub(crate) struct Process {
    pub(crate) lab: Lab,
    _folder: tempfile::TempDir,
}

/// As configured by [`Cell::will`].
#[track_caller]
pub(crate) fn is_as_configured(will: &Seen) {
    assert_eq!((will.payload.as_str(), will.qos, will.retain), ("lost", 2, true));
}
