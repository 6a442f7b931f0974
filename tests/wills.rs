//! When a last will fires: every way in which a device can go, in both versions, at both brokers.
//!
//! Feature `system-tests`; needs Debian's `mosquitto`.

#[path = "wills/cell.rs"]
mod cell;
#[path = "wills/history.rs"]
mod history;
#[path = "wills/observer.rs"]
mod observer;
#[path = "wills/restart.rs"]
mod restart;
mod support;

use cell::{Brand, Cell, STATE, is_as_configured};
use mqtt_lab_core::broker::{Broker, BrokerConfig};
use mqtt_lab_core::link::{Qos, Version, Will};
use observer::Observer;
use std::time::Duration;
use support::mosquitto::Mosquitto;
use support::proxy::Proxy;
use support::signal;
use tokio::task::JoinSet;
use tokio::time::Instant;

const NO_DELAY: Duration = Duration::ZERO;
/// Seconds, because MQTT has no finer delay; long enough to come back in on a busy machine.
const DELAY: Duration = Duration::from_secs(6);
/// What `Cell::will` is in a configuration file.
const WILL: &str = "qos = 2, retain = true";

async fn kill_of_the_process(cell: Cell) {
    let mut observer = cell.observer().await;
    let device = cell.process(WILL, "", &mut observer).await;
    device.lab.kill();
    is_as_configured(&observer.until(STATE, "lost").await);
    assert_eq!(cell.story(observer).await, ["ready", "lost"]);
}

async fn kill_of_the_process_with_a_delay(cell: Cell) {
    let mut observer = cell.observer().await;
    let device = cell.process(&format!("{WILL}, delay_s = 2"), "", &mut observer).await;
    let killed = Instant::now();
    device.lab.kill();
    let will = observer.until(STATE, "lost").await;
    is_as_configured(&will);
    assert!(will.at - killed >= Duration::from_secs(2), "too early: {:?}", will.at - killed);
    assert_eq!(cell.story(observer).await, ["ready", "lost"]);
}

async fn abort_of_the_task(cell: Cell) {
    let mut observer = cell.observer().await;
    let device = cell.device(cell.config(&cell.broker, cell.will(NO_DELAY)), &mut observer).await;
    device.link.abort().await;
    is_as_configured(&observer.until(STATE, "lost").await);
    assert_eq!(cell.story(observer).await, ["ready", "lost"]);
}

/// Topic, payload, QoS and retain as the client asked for them; the broker keeps what is retained.
async fn every_qos_and_retain(cell: Cell) {
    let mut observer = cell.observer().await;
    let all = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce].map(|qos| [(qos, false), (qos, true)]);
    let mut expected = Vec::new();
    for (qos, retain) in all.into_iter().flatten() {
        let (end, payload) = (format!("/alarm/{qos}-{retain}"), format!("gone {qos} {retain}"));
        let will = Will { qos, retain, ..Will::new(cell.topic(&end), payload.clone()) };
        let device = cell.device(cell.config(&cell.broker, will), &mut observer).await;
        device.link.abort().await;
        let seen = observer.until(&end, &payload).await;
        assert_eq!((seen.qos, seen.retain), (qos.level(), retain), "{payload}");
        expected.push(payload);
    }
    observer.catch_up(&cell.topic("/end")).await;
    let fired = |observer: &Observer| {
        let alarms = observer.seen.iter().filter(|seen| seen.topic.contains("/alarm/"));
        let mut alarms: Vec<_> = alarms.map(|seen| seen.payload.clone()).collect();
        alarms.sort();
        alarms
    };
    assert_eq!(fired(&observer), expected);
    expected.retain(|payload| payload.ends_with("true"));
    let mut late = cell.observer().await;
    // At QoS 0 it may come behind the marker.
    while fired(&late).len() < expected.len() {
        late.next().await;
    }
    late.catch_up(&cell.topic("/end")).await;
    assert_eq!(fired(&late), expected);
}

async fn cut(cell: Cell) {
    let mut observer = cell.observer().await;
    let proxy = Proxy::start(cell.broker.parse().expect("an address")).await;
    let config = cell.config(&proxy.address().to_string(), cell.will(NO_DELAY));
    let _device = cell.device(config, &mut observer).await;
    proxy.cut();
    is_as_configured(&observer.until(STATE, "lost").await);
    observer.until(STATE, "ready").await;
    assert_eq!(cell.story(observer).await, ["ready", "lost", "ready"]);
}

/// MQTT-3.1.3-9: back within the delay, no will.
async fn cut_with_a_delay(cell: Cell) {
    let mut observer = cell.observer().await;
    let proxy = Proxy::start(cell.broker.parse().expect("an address")).await;
    let config = cell.config(&proxy.address().to_string(), cell.will(DELAY));
    let _device = cell.device(config, &mut observer).await;
    proxy.cut();
    observer.until(STATE, "ready").await;
    cell.outlast(DELAY, &mut observer).await;
    assert_eq!(cell.story(observer).await, ["ready", "ready"]);
}

/// Bytes of the client arrive no more: the broker waits for one and a half times the keep-alive.
async fn expiry_of_the_keep_alive(cell: Cell) {
    let mut observer = cell.observer().await;
    let proxy = Proxy::start(cell.broker.parse().expect("an address")).await;
    let config = cell.config(&proxy.address().to_string(), cell.will(NO_DELAY));
    let keep_alive = config.keep_alive;
    let _device = cell.device(config, &mut observer).await;
    let silent = Instant::now();
    proxy.silence(true);
    let will = observer.until(STATE, "lost").await;
    is_as_configured(&will);
    // The last ping may be as old as three quarters of the keep-alive.
    assert!(will.at - silent >= keep_alive * 3 / 4, "too early: {:?}", will.at - silent);
    proxy.silence(false);
    observer.until(STATE, "ready").await;
    assert_eq!(cell.story(observer).await, ["ready", "lost", "ready"]);
}

async fn frozen_process(cell: Cell) {
    let mut observer = cell.observer().await;
    let device = cell.process(WILL, "keep_alive_s = 5", &mut observer).await;
    signal("STOP", device.lab.pid());
    is_as_configured(&observer.until(STATE, "lost").await);
    signal("CONT", device.lab.pid());
    observer.until(STATE, "ready").await;
    assert_eq!(cell.story(observer).await, ["ready", "lost", "ready"]);
}

async fn orderly_stop_of_the_process(cell: Cell) {
    let mut observer = cell.observer().await;
    let delay = if cell.version == Version::V5 { Duration::from_secs(1) } else { NO_DELAY };
    let will = format!("{WILL}, delay_s = {}", delay.as_secs());
    let device = cell.process(&will, "", &mut observer).await;
    tokio::task::block_in_place(|| device.lab.interrupt());
    observer.until(STATE, "disconnected").await;
    cell.outlast(delay, &mut observer).await;
    assert_eq!(cell.story(observer).await, ["ready", "disconnected"]);
}

async fn orderly_close_of_the_link(cell: Cell) {
    let mut observer = cell.observer().await;
    let device = cell.device(cell.config(&cell.broker, cell.will(NO_DELAY)), &mut observer).await;
    device.link.close(support::PATIENCE).await.expect("delivered");
    cell.outlast(NO_DELAY, &mut observer).await;
    assert_eq!(cell.story(observer).await, ["ready"]);
}

/// Clients with the same id, one after the other; `anew`: each with a session of its own.
async fn take_over(cell: Cell, anew: bool, delay: Duration) {
    let mut observer = cell.observer().await;
    let mut config = cell.config(&cell.broker, cell.will(delay));
    // None of them fights back.
    config.backoff = (Duration::from_secs(600), Duration::from_secs(600));
    config.keep_session = !anew;
    let mut devices = Vec::new();
    for _ in 0..5 {
        devices.push(cell.device(config.clone(), &mut observer).await);
    }
    cell.outlast(delay, &mut observer).await;
    let fires = match cell.brand {
        // A new connection prevents a delayed will (MQTT-3.1.3-9), unless the session ends (MQTT-3.1.2-8).
        Brand::Embedded => anew || delay.is_zero(),
        // mosquitto takes the old client for the new one as long as it goes on with the session, and prevents a
        // delayed will always.
        Brand::Mosquitto => anew && delay.is_zero(),
    };
    let story = cell.story(observer).await;
    match fires {
        // The end of the old connection is told before the new one speaks.
        true => {
            assert_eq!(story, ["ready", "lost", "ready", "lost", "ready", "lost", "ready", "lost", "ready"])
        }
        false => assert_eq!(story, ["ready"; 5]),
    }
}

/// Every row for one broker. The cells run side by side, because most of them wait.
async fn matrix(brand: Brand, broker: &str) {
    let mut cells = JoinSet::new();
    for version in [Version::V311, Version::V5] {
        let cell = || Cell::new(brand, broker, version);
        cells.spawn(kill_of_the_process(cell()));
        cells.spawn(abort_of_the_task(cell()));
        cells.spawn(every_qos_and_retain(cell()));
        cells.spawn(cut(cell()));
        cells.spawn(expiry_of_the_keep_alive(cell()));
        cells.spawn(frozen_process(cell()));
        cells.spawn(orderly_stop_of_the_process(cell()));
        cells.spawn(orderly_close_of_the_link(cell()));
        cells.spawn(take_over(cell(), true, NO_DELAY));
        cells.spawn(take_over(cell(), false, NO_DELAY));
    }
    let cell = || Cell::new(brand, broker, Version::V5);
    cells.spawn(kill_of_the_process_with_a_delay(cell()));
    cells.spawn(cut_with_a_delay(cell()));
    cells.spawn(take_over(cell(), true, DELAY));
    cells.spawn(take_over(cell(), false, DELAY));
    all(cells).await;
}

/// Waits for all cells; the first that fails ends the test.
async fn all(mut cells: JoinSet<()>) {
    while let Some(ended) = cells.join_next().await {
        if let Err(error) = ended {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// The embedded broker, on a free port.
async fn embedded() -> Broker {
    let config = BrokerConfig { bind: ([127, 0, 0, 1], 0).into(), ..BrokerConfig::default() };
    Broker::start(&config).await.expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn wills_at_the_embedded_broker() {
    let broker = embedded().await;
    matrix(Brand::Embedded, &broker.address().to_string()).await;
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wills_at_mosquitto() {
    let broker = Mosquitto::start("");
    matrix(Brand::Mosquitto, &broker.address()).await;
}
