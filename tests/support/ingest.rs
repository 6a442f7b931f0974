//! What ingest promises, told once for every broker.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use mqtt_lab_core::link::{Qos, Version};
use serde_json::Value;

use super::database::Database;
use super::listener::Listener;
use super::proxy::{Proxy, Way};
use super::sender::Sender;
use super::{Lab, PATIENCE};

/// A lab that only stores, and reaches the broker through a proxy.
struct Setup {
    lab: Lab,
    proxy: Proxy,
    database: Database,
    broker: SocketAddr,
    folder: tempfile::TempDir,
}

impl Setup {
    async fn start(broker: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let proxy = Proxy::start(broker).await;
        let lab = lab(folder.path(), proxy.address());
        let database = Database::of(folder.path()).await;
        Self { lab, proxy, database, broker, folder }
    }

    /// Nothing leads to the broker any more, and the connections end.
    fn cut_off(&self) {
        self.lead_nowhere();
        self.proxy.cut();
    }

    /// New connections lead to a port on which nobody listens.
    fn lead_nowhere(&self) {
        let nowhere = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        self.proxy.lead_to(nowhere.expect("a free port"));
    }

    /// As a power cut; then the same again with the same data.
    fn kill_and_start(self) -> Self {
        let Self { lab: old, proxy, database, broker, folder } = self;
        tokio::task::block_in_place(|| old.kill());
        proxy.lead_to(broker);
        let lab = lab(folder.path(), proxy.address());
        Self { lab, proxy, database, broker, folder }
    }

    #[track_caller]
    fn counts(&self, device: &str) -> Value {
        self.lab.poll(&format!("/api/v1/devices/demo/{device}"), |found| {
            found["counts"].is_object().then(|| found["counts"].clone())
        })
    }

    /// Waits until so many samples are stored.
    #[track_caller]
    fn until_stored(&self, device: &str, count: u64) {
        self.lab.poll(&format!("/api/v1/devices/demo/{device}"), |found| {
            (found["counts"]["stored"].as_u64()? >= count).then_some(())
        });
    }

    async fn stop(self) -> Vec<String> {
        tokio::task::block_in_place(|| self.lab.interrupt()).1
    }
}

fn lab(folder: &Path, broker: SocketAddr) -> Lab {
    let toml = format!("[mqtt]\nbrokers = [\"{broker}\"]\nkeep_alive_s = 5\n");
    tokio::task::block_in_place(|| Lab::start(folder, Some(&toml)))
}

/// The database stands still while `count` messages come, fewer than the broker keeps for a subscriber:
/// pings go on, and then everything is stored.
pub(crate) async fn a_stopped_database_loses_nothing(broker: SocketAddr, count: u64) {
    let mut setup = Setup::start(broker).await;
    let mut sender = Sender::connect(broker, "below");
    sender.send(10, Qos::AtLeastOnce).await;
    setup.until_stored("below", 10);
    setup.database.stop().await;
    sender.send(count, Qos::AtLeastOnce).await;
    let deadline = Instant::now() + PATIENCE;
    let mut answered = 0;
    let mut before = setup.proxy.bytes(Way::ToClient);
    while answered < 2 {
        assert!(Instant::now() < deadline, "{answered} pings were answered");
        tokio::time::sleep(Duration::from_millis(10)).await;
        let bytes = setup.proxy.bytes(Way::ToClient);
        // A PINGRESP has two bytes, and nothing else is as small.
        answered += u32::from(bytes == before + 2);
        before = bytes;
    }
    let lab = setup.lab.get("/api/v1/lab");
    assert_eq!(lab["broker"]["connected"], true, "{lab:#}");
    assert!(lab["store"]["error"].is_string(), "the page tells of it: {lab:#}");
    assert_eq!(setup.counts("below")["stored"], 10);
    setup.database.go_on().await;
    setup.until_stored("below", count + 10);
    let counts = setup.counts("below");
    assert_eq!((&counts["lost"], &counts["duplicate"]), (&Value::from(0), &Value::from(0)));
    assert_eq!(setup.database.samples("below").await, (count + 10, count + 10));
    setup.lab.poll("/api/v1/lab", |lab| lab["store"]["error"].is_null().then_some(()));
    let output = setup.stop().await;
    assert!(!output.iter().any(|line| line.contains("connection lost")), "{output:#?}");
}

/// As above with more than the broker keeps: each message that it drops is counted.
pub(crate) async fn what_a_broker_drops_is_counted(broker: SocketAddr, count: u64) {
    let mut setup = Setup::start(broker).await;
    let mut sender = Sender::connect(broker, "above");
    sender.send(10, Qos::AtLeastOnce).await;
    setup.until_stored("above", 10);
    setup.database.stop().await;
    sender.send(count, Qos::AtLeastOnce).await;
    setup.database.go_on().await;
    // Once a later one is stored, all before it are stored or gone. The broker may drop that, too.
    let deadline = Instant::now() + PATIENCE;
    loop {
        sender.send(1, Qos::AtLeastOnce).await;
        if newest(&setup.lab.get("/api/v1/devices/demo/above")) > Some(count + 10) {
            break;
        }
        assert!(Instant::now() < deadline, "the last ones are stored");
    }
    sender.tell().await;
    let counts = setup.lab.poll("/api/v1/devices/demo/above", |found| {
        let counts = &found["counts"];
        let known = counts["stored"].as_u64()? + counts["lost"].as_u64()?;
        (known == sender.sent && newest(found) == Some(sender.sent)).then(|| counts.clone())
    });
    let (rows, values) = setup.database.samples("above").await;
    assert_eq!((rows, values), (counts["stored"].as_u64().expect("a count"), rows));
    assert!(counts["lost"].as_u64() > Some(0), "the test is about losses: {counts}");
    setup.stop().await;
}

/// The number of the newest sample.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
fn newest(device: &Value) -> Option<u64> {
    device["channels"][0]["value"].as_f64().map(|value| value as u64)
}

/// Killed after the commit and before the acknowledgement; again and again while samples come.
pub(crate) async fn a_killed_ingest_stores_nothing_twice(broker: SocketAddr) {
    let mut setup = Setup::start(broker).await;
    let mut sender = Sender::connect(broker, "killed");
    sender.send(10, Qos::AtLeastOnce).await;
    setup.until_stored("killed", 10);
    for _ in 0..3 {
        let cuts = setup.proxy.cuts();
        // The first byte of an acknowledgement ends the connection, and there is no other: something is
        // committed of which the broker does not know.
        setup.proxy.cut_after(Way::ToBroker, setup.proxy.bytes(Way::ToBroker) + 1);
        setup.lead_nowhere();
        sender.send(100, Qos::AtLeastOnce).await;
        let deadline = Instant::now() + PATIENCE;
        while setup.proxy.cuts() == cuts {
            assert!(Instant::now() < deadline, "an acknowledgement is sent");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        setup = setup.kill_and_start();
        setup.until_stored("killed", sender.sent);
    }
    let counts = setup.counts("killed");
    assert!(counts["duplicate"].as_u64() >= Some(3), "they came again: {counts}");
    assert_eq!(counts["lost"], 0);
    assert_eq!(setup.database.samples("killed").await, (sender.sent, sender.sent));
    setup.stop().await;
}

/// Connections that end in the middle of anything.
pub(crate) async fn cut_connections_store_everything_once(broker: SocketAddr) {
    let mut setup = Setup::start(broker).await;
    let mut sender = Sender::connect(broker, "cut");
    sender.send(10, Qos::AtLeastOnce).await;
    setup.until_stored("cut", 10);
    for (way, step) in [(Way::ToClient, 20_011), (Way::ToBroker, 301)] {
        let begin = setup.proxy.bytes(way);
        for cut in 1..=5 {
            setup.proxy.cut_after(way, begin + cut * step);
        }
        // One planned cut after the other: the first ones are of the other way.
        sender.send(2_000, Qos::AtLeastOnce).await;
        setup.until_stored("cut", sender.sent);
    }
    assert!(setup.proxy.cuts() >= 5, "{}", setup.proxy.cuts());
    assert_eq!(setup.counts("cut")["lost"], 0);
    assert_eq!(setup.database.samples("cut").await, (sender.sent, sender.sent));
    setup.stop().await;
}

/// At QoS 0 the first ones, some in the middle and the last ones never reach the broker.
pub(crate) async fn what_qos_0_loses_is_counted_to_the_last(broker: SocketAddr) {
    let mut setup = Setup::start(broker).await;
    let network = Proxy::start(broker).await;
    let mut sender = Sender::connect(network.address(), "zero");
    sender.describe().await;
    let mut arrived = 0;
    for (lost, kept) in [(20, 100), (30, 50), (40, 0)] {
        network.silence(true);
        sender.send(lost, Qos::AtMostOnce).await;
        // What the network has taken is gone with the connection.
        let mut watch = sender.link.watch();
        network.cut();
        let gone = watch.wait_for(|status| !status.connected);
        tokio::time::timeout(PATIENCE, gone).await.expect("in time").expect("the link lives");
        network.silence(false);
        sender.send(kept, Qos::AtMostOnce).await;
        arrived += kept;
        if kept > 0 {
            setup.until_stored("zero", arrived);
        }
    }
    sender.tell().await;
    let expected = serde_json::json!({"received": 150, "stored": 150, "duplicate": 0, "refused": 0, "lost": 90,
        "no_reading": 0, "wrong_clock": 0});
    setup.lab.poll("/api/v1/devices/demo/zero", |found| (found["counts"] == expected).then_some(()));
    let boots = setup.lab.get("/api/v1/devices/demo/zero/boots");
    assert_eq!((boots.as_array().map(Vec::len), &boots[0]["lost"]), (Some(1), &Value::from(90)), "{boots:#}");
    assert_eq!(setup.database.samples("zero").await, (150, 150));
    setup.stop().await;
}

/// Our own sensor at QoS 0 over a network that is cut, up to its orderly end.
pub(crate) async fn a_sensor_at_qos_0_is_counted_to_its_end(broker: SocketAddr) {
    let mut setup = Setup::start(broker).await;
    let network = Proxy::start(broker).await;
    let mut stats = Listener::start(&broker.to_string(), Version::V5, "lab/demo/far/$stats").await;
    let far = far(setup.folder.path(), network.address());
    let deadline = Instant::now() + PATIENCE;
    let lost = || setup.lab.request("GET", "/api/v1/devices/demo/far", None).1["counts"]["lost"].as_u64();
    while lost() < Some(20) {
        assert!(Instant::now() < deadline, "a cut loses something");
        network.silence(true);
        tokio::time::sleep(Duration::from_millis(30)).await;
        network.cut();
        network.silence(false);
        setup.lab.until_state("demo/far", "ready");
    }
    tokio::task::block_in_place(|| far.interrupt());
    setup.lab.until_state("demo/far", "disconnected");
    let (said, _) = stats.until(|_, _| true).await;
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let sent = said["sent"].as_u64().expect("a count");
    let lost = setup.lab.poll("/api/v1/devices/demo/far", |found| {
        let counts = &found["counts"];
        (counts["stored"].as_u64()? + counts["lost"].as_u64()? == sent).then(|| counts["lost"].as_u64())
    });
    let rows = setup.database.samples("far").await.0 + setup.database.texts("far").await;
    assert_eq!(Some(sent - rows), lost);
    setup.stop().await;
}

/// A sensor in another process.
fn far(folder: &Path, broker: SocketAddr) -> Lab {
    let toml = format!(
        "[mqtt]\nbrokers = [\"{broker}\"]\n[web]\nenabled = false\n\
         [[sensor]]\nkind = \"temperature\"\nid = \"far\"\nqos = 0\ninterval_s = 0.005\n"
    );
    tokio::task::block_in_place(|| Lab::start(folder, Some(&toml)))
}

/// A store that comes later than a device counts nothing of what was before; one that was only away
/// counts what it missed at QoS 0.
pub(crate) async fn losses_begin_with_the_subscription(broker: SocketAddr) {
    let mut first = Sender::connect(broker, "early");
    first.describe().await;
    first.send(100, Qos::AtLeastOnce).await;
    let mut setup = Setup::start(broker).await;
    first.send(5, Qos::AtLeastOnce).await;
    setup.until_stored("early", 5);
    assert_eq!(setup.counts("early")["lost"], 0, "before the store");
    // It goes, and the device begins a new life.
    let Setup { lab: old, proxy, database, folder, .. } = setup;
    tokio::task::block_in_place(|| old.interrupt());
    let mut second = Sender::connect(broker, "early");
    second.describe().await;
    second.send(30, Qos::AtMostOnce).await;
    // QoS 0 is on its way when `send` returns; this is behind it.
    second.tell().await;
    let lab = lab(folder.path(), proxy.address());
    setup = Setup { lab, proxy, database, broker, folder };
    second.send(5, Qos::AtLeastOnce).await;
    setup.until_stored("early", 10);
    let counts = setup.counts("early");
    assert_eq!(counts["lost"], 30, "while it was away: {counts}");
    assert_eq!(setup.database.samples("early").await.0, 10);
    setup.stop().await;
}
