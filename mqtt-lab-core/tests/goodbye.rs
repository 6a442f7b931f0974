//! A lab that stops waits as long as the broker makes progress, and not much longer.
#![allow(clippy::unwrap_used, reason = "a test")]

mod link_fake;
#[path = "support/mod.rs"]
mod support;

use link_fake::{Broker, Client, Packet, soon};
use mqtt_lab_core::config::DeviceConfig;
use mqtt_lab_core::link::DiskSpool;
use mqtt_lab_core::{Lab, LabBuilder, RunningLab, Undelivered};
use std::time::{Duration, Instant};

/// Three seconds are promised; the rest is for a busy machine. What was waited for before is longer.
const PROMPT: Duration = Duration::from_secs(6);

fn lamp() -> DeviceConfig {
    DeviceConfig::new("lamp").id("x")
}

fn lab(address: String) -> LabBuilder {
    Lab::builder().broker(address).plugin(&support::plugin())
}

async fn stopped(running: RunningLab) -> (Vec<Undelivered>, Duration) {
    let begun = Instant::now();
    let undelivered = soon("the end", running.stop()).await;
    (undelivered, begun.elapsed())
}

/// Grants subscriptions and acknowledges, with a pause before each acknowledgement, until `count` messages came.
async fn serve(client: &mut Client, count: usize, pause: Duration) {
    let mut left = count;
    while left > 0 {
        match client.read().await {
            Packet::Subscribe { id, filters } => {
                let [high, low] = id.to_be_bytes();
                let mut suback = vec![0x90, u8::try_from(3 + filters.len()).unwrap(), high, low, 0];
                suback.extend(filters.iter().map(|_| 1));
                client.send(suback).await;
            }
            Packet::Publish(publish) => {
                tokio::time::sleep(pause).await;
                client.acknowledge(0x40, publish.id).await;
                left -= 1;
            }
            Packet::Disconnect | Packet::End => return,
            _ => {}
        }
    }
}

/// `$info`, `$state`, `$error` and the two channels of a lamp.
const BIRTH: usize = 5;

#[tokio::test]
async fn without_a_broker_a_stop_is_prompt_and_tells_what_is_lost() {
    let broker = Broker::start().await;
    let address = broker.address();
    drop(broker);
    let running = lab(address).device(lamp()).build().unwrap().start().await.unwrap();
    let (undelivered, took) = stopped(running).await;
    // `$stats` and `$state`.
    assert_eq!(
        undelivered.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["demo/x: 2 messages are lost"]
    );
    assert!(took < PROMPT, "{took:?}");
}

#[tokio::test]
async fn a_broker_that_is_frozen_does_not_hold_up_a_stop() {
    let broker = Broker::start().await;
    let running = lab(broker.address()).device(lamp()).build().unwrap().start().await.unwrap();
    let mut client = broker.welcome(false).await;
    serve(&mut client, BIRTH, Duration::ZERO).await;
    // It reads nothing more, and keeps the connection.
    let (undelivered, took) = stopped(running).await;
    assert_eq!((undelivered[0].lost, undelivered[0].kept), (2, 0));
    assert!(took < PROMPT, "{took:?}");
    drop(client);
}

#[tokio::test]
async fn what_stays_in_a_spool_on_disk_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let spool = DiskSpool::open(folder.path(), false).unwrap();
    let broker = Broker::start().await;
    let lab = lab(broker.address()).disk_spool(spool).device(lamp());
    let running = lab.build().unwrap().start().await.unwrap();
    let mut client = broker.welcome(false).await;
    serve(&mut client, BIRTH, Duration::ZERO).await;
    let (undelivered, took) = stopped(running).await;
    assert_eq!(undelivered[0].to_string(), "demo/x: 2 messages stay in the spool");
    assert!(took < PROMPT, "{took:?}");
}

#[tokio::test]
async fn a_slow_broker_gets_everything() {
    let broker = Broker::start().await;
    let running = lab(broker.address()).device(lamp()).build().unwrap().start().await.unwrap();
    let mut client = broker.welcome(false).await;
    // Longer than a broker may be silent, all in all: the stop begins before the first acknowledgement.
    let serving = tokio::spawn(async move {
        serve(&mut client, BIRTH + 2, Duration::from_millis(600)).await;
        client.ended_in_order().await
    });
    let (undelivered, took) = stopped(running).await;
    assert_eq!(format!("{undelivered:?}"), "[]");
    assert!(took > Duration::from_secs(2), "{took:?}");
    assert!(serving.await.unwrap());
}

#[tokio::test]
async fn a_device_that_hangs_in_a_command_does_not_hold_up_a_stop() {
    let broker = support::broker().await;
    let mut observer = support::Observer::connect(&broker).await;
    let mut hangs = DeviceConfig::new("bad-actuator").id("x").setting("fault", "hang_in_apply");
    hangs.read_timeout_s = 3600.0;
    let running = support::lab(&broker).device(hangs).build().unwrap().start().await.unwrap();
    running.connected(support::PATIENCE).await;
    observer.publish("lab/demo/x/on/set", "true").await;
    observer.catch_up().await;
    let (undelivered, took) = stopped(running).await;
    assert_eq!(format!("{undelivered:?}"), "[]");
    assert!(took < PROMPT, "{took:?}");
    observer.on("lab/demo/x/$state", "disconnected").await;
}

/// A plugin of another language that takes its time when its input ends.
#[cfg(unix)]
const SLOW_TO_END: &str = r#"
import json, os, sys, time
for line in sys.stdin:
    request = json.loads(line)
    ok = {
        "manifest": {"name": "slow", "version": "1", "kinds": [{"name": "slow", "role": "sensor", "settings": {}}]},
        "create": {"channels": [{"name": "value", "datatype": "int"}]},
        "read": {"value": 1},
    }.get(request["op"])
    if request["op"] == "create":
        created = True
    print(json.dumps({"id": request["id"], "ok": ok}), flush=True)
if "created" in globals():
    time.sleep(1)
    open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "ended"), "w").close()
"#;

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_of_a_plugin_gets_time_to_end_by_itself() {
    use mqtt_lab_core::config::PluginsConfig;
    use mqtt_lab_core::plugin::{PluginLoader, PluginSource};

    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("slow.py");
    std::fs::write(&script, SLOW_TO_END).unwrap();
    let broker = support::broker().await;
    let mut observer = support::Observer::connect(&broker).await;
    let mut device = DeviceConfig::new("slow").id("x");
    device.plugin = Some(PluginSource::from(script.as_path()));
    let mut loader = PluginLoader::new(PluginsConfig::default(), ".");
    let lab = support::lab(&broker).device(device).load_plugins(&mut loader).await.unwrap();
    let running = lab.build().unwrap().start().await.unwrap();
    observer.on("lab/demo/x/value", "").await;
    let (undelivered, _) = stopped(running).await;
    assert_eq!(format!("{undelivered:?}"), "[]");
    assert!(folder.path().join("ended").exists(), "it was killed");
}
