//! A broker that ends and comes back: what it does with the wills of devices that it had to let go.

use super::cell::{Brand, Cell, Device, STATE};
use super::observer::Observer;
use crate::support::mosquitto::Mosquitto;
use crate::support::{Lab, publish};
use mqtt_lab_core::link::Version;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::JoinSet;

/// How the broker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Kill,
    Orderly,
}

/// The embedded broker in a process of its own, which can be killed.
struct Embedded {
    lab: Option<Lab>,
    file: PathBuf,
    address: String,
    folder: tempfile::TempDir,
}

impl Embedded {
    fn start(persistent: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = if persistent { "storage = \"broker\"" } else { "" };
        let file = folder.path().join("broker.toml");
        std::fs::write(&file, format!("[web]\nenabled = false\n[broker]\n{storage}\n")).expect("writable");
        let lab = Lab::start_file(folder.path(), &file);
        let address = lab.broker.clone();
        Self { lab: Some(lab), file, address, folder }
    }

    fn end(&mut self, end: End) {
        let lab = self.lab.take().expect("it runs");
        match end {
            End::Kill => lab.kill(),
            End::Orderly => drop(lab.interrupt()),
        }
    }

    fn start_again(&mut self) {
        let folder: &Path = self.folder.path();
        self.lab = Some(Lab::start_at(folder, Some(&self.file), &self.address));
    }
}

/// A device of each version, and who looks at it.
async fn devices(brand: Brand, broker: &str) -> Vec<(Cell, Observer, Device)> {
    let mut devices = Vec::new();
    for version in [Version::V311, Version::V5] {
        let cell = Cell::new(brand, broker, version);
        let mut observer = cell.observer().await;
        let mut device = cell.device(cell.config(broker, cell.will(Duration::ZERO)), &mut observer).await;
        device.connected().await;
        devices.push((cell, observer, device));
    }
    devices
}

/// In the end every device is `ready`, for those who listened and for those who begin to.
async fn all_are_ready(end: End, devices: Vec<(Cell, Observer, Device)>) {
    for (cell, mut observer, mut device) in devices {
        device.connected().await;
        // Perhaps the broker has forgotten who listens; what a device says on connecting is out before all else.
        observer.catch_up(&cell.topic("/end")).await;
        publish(&device.link, &cell.topic("/device/back"), "back").await;
        observer.until("/device/back", "back").await;
        let story = cell.story(observer).await;
        assert_eq!(story.last().map(String::as_str), Some("ready"), "{story:?}");
        // Nobody is left to publish a will. In order, a broker may do it at once or never (MQTT 5, 3.1.2.5).
        assert!(end == End::Orderly || !story.iter().any(|word| word == "lost"), "{story:?}");
        let mut late = cell.observer().await;
        late.until(STATE, "ready").await;
        assert_eq!(cell.story(late).await, ["ready"]);
    }
}

async fn at_mosquitto(end: End, options: &str) {
    let mut broker = Mosquitto::start(options);
    let devices = devices(Brand::Mosquitto, &broker.address()).await;
    tokio::task::block_in_place(|| {
        match end {
            End::Kill => broker.kill(),
            End::Orderly => broker.stop(),
        }
        broker.start_again();
    });
    all_are_ready(end, devices).await;
}

async fn at_the_embedded_broker(end: End, persistent: bool) {
    let mut broker = tokio::task::block_in_place(|| Embedded::start(persistent));
    let devices = devices(Brand::Embedded, &broker.address).await;
    tokio::task::block_in_place(|| {
        broker.end(end);
        broker.start_again();
    });
    all_are_ready(end, devices).await;
    tokio::task::block_in_place(|| broker.end(End::Orderly));
}

/// Everything is kept as soon as it changes, so that a kill finds it on disk.
pub(crate) const PERSISTENT: &str = "persistence true\nautosave_on_changes true\nautosave_interval 1";

#[tokio::test(flavor = "multi_thread")]
async fn no_device_stays_lost_after_a_restart_of_the_broker() {
    let mut cells = JoinSet::new();
    for end in [End::Kill, End::Orderly] {
        cells.spawn(at_mosquitto(end, ""));
        cells.spawn(at_mosquitto(end, PERSISTENT));
        cells.spawn(at_the_embedded_broker(end, false));
        cells.spawn(at_the_embedded_broker(end, true));
    }
    super::all(cells).await;
}
