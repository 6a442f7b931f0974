//! What the state history says of it: a will, a goodbye, a restart of the broker, or nothing at all.

use super::embedded;
use super::observer::Observer;
use super::restart::PERSISTENT;
use crate::support::mosquitto::Mosquitto;
use crate::support::proxy::Proxy;
use crate::support::{Lab, PATIENCE, rand_name};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// A lab without devices of its own.
fn ingest(folder: &Path, broker: &str) -> Lab {
    Lab::start(folder, Some(&format!("[mqtt]\nbrokers = [\"{broker}\"]\n")))
}

/// A device `demo/far` in a process of its own, which measures often; `more` belongs to its table.
fn far(folder: &Path, broker: &str, more: &str) -> Lab {
    let toml = format!(
        "[mqtt]\nbrokers = [\"{broker}\"]\n[web]\nenabled = false\n[[sensor]]\nkind = \"temperature\"\n\
         id = \"far\"\ninterval_s = 0.1\nqos = 1\n{more}\n"
    );
    Lab::start(folder, Some(&toml))
}

/// State and cause of a device from the beginning; nothing while it is unknown.
fn story(lab: &Lab, device: &str) -> Vec<String> {
    let (_, states) = lab.request("GET", &format!("/api/v1/devices/{device}/states"), None);
    let states = states.as_array().into_iter().flatten().rev();
    let word = |entry: &Value, key: &str| entry[key].as_str().expect("a word").to_owned();
    states.map(|entry| format!("{} {}", word(entry, "state"), word(entry, "cause"))).collect()
}

/// Waits until this is the story of a device.
#[track_caller]
fn tells(lab: &Lab, device: &str, expected: &[&str]) {
    tells_one_of(lab, device, &[expected]);
}

/// Waits until one of these is the story of a device; which.
#[track_caller]
fn tells_one_of<'a>(lab: &Lab, device: &str, expected: &[&'a [&'a str]]) -> &'a [&'a str] {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let story = story(lab, device);
        if let Some(found) = expected.iter().find(|expected| story == **expected) {
            return found;
        }
        assert!(Instant::now() < deadline, "{device}: {story:?} instead of {expected:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Waits until samples arrive that the device measures from now on; what came before them is known, too.
fn hears_of_now(lab: &Lab) {
    let last = |far: &Value| far["channels"][0]["time_ms"].as_f64();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    lab.poll("/api/v1/devices/demo/far", |far| (last(far)? > now.as_secs_f64() * 1000.0).then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_not_lost_while_only_the_storage_is_away() {
    let mosquitto = Mosquitto::start("max_queued_messages 0");
    only_the_storage_is_away(&mosquitto.address()).await;
    only_the_storage_is_away(&embedded().await.address().to_string()).await;
}

async fn only_the_storage_is_away(broker: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let proxy = Proxy::start(broker.parse().expect("an address")).await;
    let way = proxy.address().to_string();
    // Its will has fired before, on a topic where nothing takes it back.
    let will = "will = { topic = \"lab/demo/far/gone\", payload = \"bye\" }";
    let mut observer = Observer::start(broker, "#").await;
    let before = far(folder.path(), broker, will);
    observer.until("/$state", "ready").await;
    before.kill();
    observer.until("/gone", "bye").await;
    let _far = far(folder.path(), broker, will);
    let lab = ingest(folder.path(), &way);
    lab.until_state("demo/far", "ready");
    proxy.cut();
    hears_of_now(&lab);
    lab.interrupt();
    let lab = ingest(folder.path(), &way);
    hears_of_now(&lab);
    lab.kill();
    let lab = ingest(folder.path(), &way);
    hears_of_now(&lab);
    assert_eq!(story(&lab, "demo/far"), ["ready announced"]);
    lab.interrupt();
}

/// The will, in words of the table; where it goes; what it says.
const WILLS: [[&str; 3]; 4] = [
    ["", "/$state", "lost"],
    ["will = { payload = \"farewell\" }", "/$state", "farewell"],
    ["will = { topic = \"lab/demo/far/gone\", payload = \"bye\" }", "/gone", "bye"],
    ["will = { topic = \"alarm/far\", payload = \"help\" }", "alarm/far", "help"],
];

#[tokio::test(flavor = "multi_thread")]
async fn a_will_that_fired_while_the_storage_was_away_is_in_the_history() {
    for will in WILLS {
        let mosquitto = Mosquitto::start("max_queued_messages 0");
        will_while_the_storage_is_away(&mosquitto.address(), will).await;
        will_while_the_storage_is_away(&embedded().await.address().to_string(), will).await;
    }
}

async fn will_while_the_storage_is_away(address: &str, [will, topic, payload]: [&str; 3]) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut observer = Observer::start(address, "#").await;
    let device = far(folder.path(), address, will);
    let lab = ingest(folder.path(), address);
    // Some samples after the description the storage listens where the will goes.
    hears_of_now(&lab);
    lab.interrupt();
    device.kill();
    observer.until(topic, payload).await;

    let lab = ingest(folder.path(), address);
    tells(&lab, "demo/far", &["ready announced", "lost will"]);
    lab.kill();
    let device = far(folder.path(), address, will);
    let lab = ingest(folder.path(), address);
    tells(&lab, "demo/far", &["ready announced", "lost will", "ready announced"]);

    // Lost and back, all of it while the storage is away; the old will stays retained.
    lab.interrupt();
    device.kill();
    observer.until(topic, payload).await;
    let device = far(folder.path(), address, will);
    let lab = ingest(folder.path(), address);
    let five = ["ready announced", "lost will", "ready announced", "lost will", "ready announced"];
    tells(&lab, "demo/far", &five);
    hears_of_now(&lab);
    // In order.
    device.interrupt();
    tells(&lab, "demo/far", &[&five[..], &["disconnected orderly"]].concat());
    lab.interrupt();
}

/// Devices of the lab itself, one of each version.
const DEVICES: &str = "[[sensor]]\nkind = \"temperature\"\nid = \"new\"\nwill = { delay_s = 1 }\n\
    [[sensor]]\nkind = \"temperature\"\nid = \"old\"\nversion = \"3.1.1\"\n[[actuator]]\nkind = \"led\"\n";
const NAMES: [&str; 4] = ["demo/new", "demo/old", "demo/led", "demo/far"];

/// The broker ends and comes back under a lab with devices of its own and one elsewhere.
fn restart_of_mosquitto(orderly: bool, options: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut broker = Mosquitto::start(options);
    let address = broker.address();
    let lab = Lab::start(folder.path(), Some(&format!("[mqtt]\nbrokers = [\"{address}\"]\n{DEVICES}")));
    let device = far(folder.path(), &address, "");
    NAMES.iter().for_each(|name| tells(&lab, name, &["ready announced"]));
    match orderly {
        true => broker.stop(),
        false => broker.kill(),
    }
    lab.poll("/api/v1/lab", |lab| lab["broker"]["error"].as_str()?.contains("refused").then_some(()));
    broker.start_again();
    // A mosquitto that is stopped in order publishes every will before it ends, delay or not. If it closes
    // the connection in the middle of what we send, the system drops what we had not read: then only one
    // that keeps the message for us tells it, after the restart.
    let silent: &[&str] = &["ready announced", "ready broker_restart"];
    let wills: &[&str] = &["ready announced", "lost will", "ready broker_restart"];
    let told: &[&[&str]] = match (orderly, options) {
        (false, _) => &[silent],
        (true, PERSISTENT) => &[wills],
        (true, _) => &[silent, wills],
    };
    let [.., told] = NAMES.map(|name| tells_one_of(&lab, name, told));
    // Of the one elsewhere: a will is still a will, and a goodbye a goodbye.
    device.kill();
    let told = [told, &["lost will"]].concat();
    tells(&lab, "demo/far", &told);
    let device = far(folder.path(), &address, "");
    let told = [&told[..], &["ready announced"]].concat();
    tells(&lab, "demo/far", &told);
    device.interrupt();
    tells(&lab, "demo/far", &[&told[..], &["disconnected orderly"]].concat());
    NAMES[..3].iter().for_each(|name| assert_eq!(lab.until_state(name, "ready")["state"], "ready"));
    lab.interrupt();
}

#[test]
fn a_killed_broker_is_told_from_a_will() {
    restart_of_mosquitto(false, "");
    restart_of_mosquitto(false, PERSISTENT);
}

#[test]
fn a_broker_that_stopped_is_told_from_a_will() {
    restart_of_mosquitto(true, "");
    restart_of_mosquitto(true, PERSISTENT);
}

/// The broker inside a lab ends with it; a device elsewhere stays.
#[test]
fn a_lab_that_is_restarted_with_its_broker_tells_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(format!("{}.toml", rand_name()));
    std::fs::write(&file, DEVICES).expect("writable");
    let lab = Lab::start_file(folder.path(), &file);
    let address = lab.broker.clone();
    let _far = far(folder.path(), &address, "");
    NAMES.iter().for_each(|name| tells(&lab, name, &["ready announced"]));
    lab.kill();
    let lab = Lab::start_at(folder.path(), Some(&file), &address);
    NAMES.iter().for_each(|name| tells(&lab, name, &["ready announced", "ready broker_restart"]));
    lab.interrupt();
    let lab = Lab::start_at(folder.path(), Some(&file), &address);
    let orderly = ["ready announced", "ready broker_restart", "disconnected orderly", "ready announced"];
    NAMES[..3].iter().for_each(|name| tells(&lab, name, &orderly));
    let far = ["ready announced", "ready broker_restart", "ready broker_restart"];
    tells(&lab, "demo/far", &far);
    lab.interrupt();
}
