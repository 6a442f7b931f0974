//! A lab with the data of version 0.1.0: nothing is lost, nothing stored twice, and the former sessions are ended.
//! `tests/fixtures/upgrade` says how the data was made.

mod support;

use mqtt_lab_core::Qos;
use mqtt_lab_core::link::{Link, LinkConfig, Subscription, Version};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use support::database::Database;
use support::mosquitto::Mosquitto;
use support::{Lab, PATIENCE, publish};

/// The samples that wait in the spool at least, of both devices together.
const SPOOLED: u64 = 1_000;

/// A copy of the data.
fn unpacked() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/upgrade/data.tar.gz");
    let unpacked = Command::new("tar").arg("-xzf").arg(data).arg("-C").arg(folder.path()).status();
    assert!(unpacked.expect("tar").success());
    folder
}

/// The devices of the fixture. The sensors measure once.
fn devices() -> &'static str {
    "[spool]\nfolder = \"spool\"\n\
     [[actuator]]\nkind = \"led\"\nwill.delay_s = 3600\n\
     [[sensor]]\nkind = \"temperature\"\nqos = 1\ninterval_s = 3600\n\
     [[sensor]]\nkind = \"humidity\"\nqos = 2\ninterval_s = 3600\n"
}

fn counts(lab: &Lab, device: &str) -> Value {
    lab.get(&format!("/api/v1/devices/demo/{device}"))["counts"].clone()
}

fn until_stored(lab: &Lab, device: &str, count: u64) {
    lab.poll(&format!("/api/v1/devices/demo/{device}"), |found| {
        (found["counts"]["stored"].as_u64()? >= count).then_some(())
    });
}

/// What waited in the spool was stored once, each sample of it.
fn spool_arrived(lab: &Lab) {
    let mut stored = 0;
    for device in ["temperature", "humidity"] {
        let path = format!("/api/v1/devices/demo/{device}/boots");
        // The boots of the fixture and of this program.
        let boots = lab.poll(&path, |boots| boots.as_array().filter(|boots| boots.len() == 2).cloned());
        let former = boots.iter().max_by_key(|boot| boot["stored"].as_u64());
        let former = former.expect("two");
        assert_eq!((&former["lost"], &former["duplicate"]), (&0.into(), &0.into()), "{device}: {boots:#?}");
        stored += former["stored"].as_u64().expect("a number");
        assert_eq!(counts(lab, device)["duplicate"], 0, "{device}");
    }
    assert!(stored >= SPOOLED, "{stored}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_own_brokers_storage_and_the_spool_are_taken_over() {
    let folder = unpacked();
    let toml = format!("[broker]\nstorage = \"broker\"\n{}", devices());
    let mut lab = tokio::task::block_in_place(|| Lab::start(folder.path(), Some(&toml)));
    let mut database = Database::of(folder.path()).await;
    tokio::task::block_in_place(|| {
        until_stored(&lab, "numbered", 300);
        until_stored(&lab, "plain", 200);
        lab.until("stored what the broker kept for the former client id, and ended its session");
    });
    spool_arrived(&lab);
    let numbered = counts(&lab, "numbered");
    assert_eq!(
        (&numbered["stored"], &numbered["lost"], &numbered["duplicate"]),
        (&300.into(), &0.into(), &0.into())
    );
    assert_eq!(database.samples("plain").await, (200, 200));
    // The led of version 0.1.0 was killed, and its will had an hour to wait.
    lab.until_state("demo/led", "ready");
    let ids: Vec<String> = lab.poll("/api/v1/clients", |found| {
        let clients = found["clients"].as_array()?;
        Some(clients.iter().filter_map(|client| Some(client["id"].as_str()?.to_owned())).collect())
    });
    let former = |id: &&String| id.starts_with("lab-");
    assert_eq!(ids.iter().filter(former).collect::<Vec<_>>(), [""; 0], "{ids:?}");
    assert!(ids.iter().any(|id| id.starts_with("lab_demo_led_")), "{ids:?}");
    assert!(tokio::task::block_in_place(|| lab.interrupt()).0.success());

    // Once: the next start looks for no former session.
    let mut again = tokio::task::block_in_place(|| Lab::start(folder.path(), Some(&toml)));
    tokio::task::block_in_place(|| again.until_state("demo/led", "ready"));
    assert_eq!(counts(&again, "numbered")["duplicate"], 0);
    let (_, output) = tokio::task::block_in_place(|| {
        again.until("Ctrl-C stops");
        again.interrupt()
    });
    assert!(!output.iter().any(|line| line.contains("former client id")), "{output:#?}");
}

/// What mosquitto queued for the ingest of version 0.1.0, while others publish.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_external_brokers_session_is_taken_over_while_others_publish() {
    for version in [Version::V5, Version::V311] {
        let folder = unpacked();
        let mosquitto = Mosquitto::start("persistence true\nmax_queued_messages 0\nmax_inflight_messages 20");
        let mut database = Database::of(folder.path()).await;
        let word = database.identity().await;
        let former = format!("lab-ingest-{word}");
        let mut config = LinkConfig::new(mosquitto.address(), &former);
        (config.version, config.keep_session) = (version, true);
        config.session_expiry = Duration::from_secs(3_600);
        config.subscriptions = vec![Subscription::new("lab/#", Qos::AtLeastOnce)];
        let (link, events) = Link::spawn(config).expect("valid");
        let subscribed = async { drop(link.watch().wait_for(|status| status.subscribed).await) };
        tokio::time::timeout(PATIENCE, subscribed).await.expect("in time");
        link.close(PATIENCE).await.expect("closed");
        drop(events);

        let mut config = LinkConfig::new(mosquitto.address(), "publisher");
        config.version = version;
        let (publisher, _events) = Link::spawn(config).expect("valid");
        for n in 1..=500 {
            publish(&publisher, "lab/demo/numbered/value", format!(r#"{{"v":{n},"b":"b1","n":{n}}}"#)).await;
            publish(&publisher, "lab/demo/plain/value", n.to_string()).await;
        }
        let version = if version == Version::V5 { "5" } else { "3.1.1" };
        let toml = format!("[mqtt]\nbrokers = [\"{}\"]\nversion = \"{version}\"\n", mosquitto.address());
        let start = tokio::task::spawn_blocking({
            let folder = folder.path().to_owned();
            move || Lab::start(&folder, Some(&toml))
        });
        // They go on while the one session is left and the other one begun.
        let mut last: u64 = 500;
        while last < 1_500 || !start.is_finished() {
            last += 1;
            let numbered = format!(r#"{{"v":{last},"b":"b1","n":{last}}}"#);
            publish(&publisher, "lab/demo/numbered/value", numbered).await;
            publish(&publisher, "lab/demo/plain/value", last.to_string()).await;
        }
        let mut lab = start.await.expect("it starts");
        tokio::task::block_in_place(|| {
            until_stored(&lab, "numbered", last);
            until_stored(&lab, "plain", last);
            lab.until("stored what the broker kept for the former client id, and ended its session");
        });
        let numbered = counts(&lab, "numbered");
        assert_eq!((numbered["lost"].as_u64(), numbered["duplicate"].as_u64()), (Some(0), Some(0)));
        assert_eq!(database.samples("numbered").await, (last, last));
        assert_eq!(database.samples("plain").await, (last, last));
        // The broker knows no session of the former id any more.
        let mut config = LinkConfig::new(mosquitto.address(), &former);
        config.keep_session = true;
        let (link, mut events) = Link::spawn(config).expect("valid");
        let connected = tokio::time::timeout(PATIENCE, events.next()).await.expect("in time");
        assert!(format!("{connected:?}").contains("session_present: false"), "{connected:?}");
        drop(link);
        tokio::task::block_in_place(|| lab.interrupt());
    }
}
