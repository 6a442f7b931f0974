//! A running lab that takes changed configurations.

use super::{Observer, PATIENCE, broker};
use mqtt_lab_core::broker::Broker;
use mqtt_lab_core::config::DeviceConfig;
use mqtt_lab_core::prelude::*;
use mqtt_lab_core::{Changes, Lab, LabBuilder, RunningLab};
use mqtt_lab_wire::{BootId, Info};
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// A lab on a broker, with an observer, and the plugin that all of its configurations share.
pub(crate) struct Bench {
    pub(crate) broker: Broker,
    pub(crate) observer: Observer,
    pub(crate) plugin: Plugin,
    pub(crate) running: RunningLab,
}

impl Bench {
    pub(crate) async fn start(plugin: Plugin, devices: Vec<DeviceConfig>) -> Self {
        let broker = broker().await;
        let observer = Observer::connect(&broker).await;
        let running = lab(&broker, &plugin).devices(devices).build().expect("valid").start().await;
        let bench = Self { broker, observer, plugin, running: running.expect("runs") };
        assert_eq!(bench.running.connected(PATIENCE).await, Vec::<&str>::new());
        bench
    }

    pub(crate) fn lab(&self, devices: Vec<DeviceConfig>) -> Lab {
        lab(&self.broker, &self.plugin).devices(devices).build().expect("valid")
    }

    pub(crate) async fn apply(&mut self, devices: Vec<DeviceConfig>) -> Changes {
        let lab = self.lab(devices);
        let changes = self.running.apply(lab).await.expect("applied");
        assert_eq!(self.running.connected(PATIENCE).await, Vec::<&str>::new());
        self.observer.catch_up().await;
        changes
    }

    /// The boot id that a device announced last.
    pub(crate) async fn boot(&mut self, device: &str) -> BootId {
        let topic = format!("lab/demo/{device}/$info");
        if self.observer.last(&topic).is_none() {
            self.observer.on(&topic, "").await;
        }
        let info = self.observer.last(&topic).expect("announced");
        Info::decode(info.payload.as_bytes()).expect("a description").boot.expect("a boot id")
    }

    /// Waits until `part` is the last thing said on a topic of a device.
    pub(crate) async fn comes(&mut self, topic: &str, part: &str) {
        let topic = format!("lab/demo/{topic}");
        if !self.observer.last(&topic).is_some_and(|seen| seen.payload.contains(part)) {
            self.observer.on(&topic, part).await;
        }
    }

    /// The states that a device said.
    pub(crate) fn states(&self, device: &str) -> Vec<&str> {
        self.observer.payloads(&format!("lab/demo/{device}/$state"))
    }

    /// The topics on which a new subscriber is told something of a device, sorted.
    pub(crate) async fn retained(&self, device: &str) -> Vec<String> {
        let mut fresh = Observer::connect(&self.broker).await;
        fresh.catch_up().await;
        let own = format!("lab/demo/{device}/");
        let own = fresh.seen.iter().filter(|seen| seen.topic.starts_with(&own) && seen.retain);
        own.map(|seen| seen.topic.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(crate) async fn stop(self) {
        assert_eq!(format!("{:?}", self.running.stop().await), "[]", "everything was delivered");
    }
}

pub(crate) fn lab(broker: &Broker, plugin: &Plugin) -> LabBuilder {
    Lab::builder().broker(broker.address()).plugin(plugin)
}

/// A device that is read twenty times a second.
pub(crate) fn device(kind: &str, id: &str) -> DeviceConfig {
    let mut device = DeviceConfig::new(kind).id(id);
    device.interval_s = 0.05;
    device
}

pub(crate) fn words(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Drops a future that is still pending after so many wake-ups.
pub(crate) async fn give_up_after(wakes: u32, future: impl Future + Send) {
    let mut future = pin!(future);
    let mut left = wakes;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Pending if left > 0 => {
            left -= 1;
            Poll::Pending
        }
        _ => Poll::Ready(()),
    })
    .await;
}
