//! Two labs at one broker, and two clients with one client id.

mod support;

use mqtt_lab_core::link::{Link, LinkConfig, Version};
use serde_json::Value;
use std::time::{Duration, Instant};
use support::database::Database;
use support::mosquitto::Mosquitto;
use support::{Lab, PATIENCE, rand_name};

/// What takes longer is not noticed in time.
const NOTICED: Duration = Duration::from_secs(10);

/// The default lab at another broker.
fn default_lab(broker: &str) -> String {
    let default = include_str!("../config/default.toml");
    format!("[mqtt]\nbrokers = [\"{broker}\"]\n{}", default.replace("#:schema lab.schema.json\n", ""))
}

fn device(lab: &Lab, name: &str) -> Value {
    lab.get(&format!("/api/v1/devices/{name}"))
}

fn error_of(lab: &Lab, name: &str) -> String {
    device(lab, name)["error"].as_str().unwrap_or_default().to_owned()
}

/// How long it takes until an error of the device contains `part`.
#[track_caller]
fn noticed(lab: &Lab, name: &str, part: &str) -> Duration {
    let begin = Instant::now();
    lab.poll(&format!("/api/v1/devices/{name}"), |device| {
        device["error"].as_str()?.contains(part).then_some(())
    });
    begin.elapsed()
}

fn stop(lab: Lab) -> Vec<String> {
    let (status, output) = lab.interrupt();
    assert!(status.success(), "{output:#?}");
    output
}

#[test]
fn two_default_labs_report_each_other_and_count_right() {
    let mosquitto = Mosquitto::start("");
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let start =
        |folder: &tempfile::TempDir| Lab::start(folder.path(), Some(&default_lab(&mosquitto.address())));
    let first = start(&folders[0]);
    first.until_state("demo/temperature", "ready");
    let second = start(&folders[1]);
    let begin = Instant::now();
    for lab in [&first, &second] {
        for name in ["demo/temperature", "demo/humidity", "demo/led"] {
            noticed(lab, name, "`[lab] group`");
        }
    }
    assert!(begin.elapsed() < NOTICED, "{:?}", begin.elapsed());
    // A few samples of both, each with its own count.
    for lab in [&first, &second] {
        for name in ["temperature", "humidity", "host"] {
            let two = |boots: &Value| {
                let boots = boots.as_array()?;
                let stored = |boot: &Value| boot["stored"].as_u64().is_some_and(|stored| stored >= 4);
                (boots.len() >= 2 && boots.iter().take(2).all(stored)).then(|| boots.clone())
            };
            for boot in lab.poll(&format!("/api/v1/devices/demo/{name}/boots"), two) {
                let counts = (boot["lost"].as_u64(), boot["duplicate"].as_u64());
                assert_eq!(counts, (Some(0), Some(0)), "{name} in {}: {boot}", lab.web);
            }
        }
    }
    let outputs = [stop(first), stop(second)];
    for output in outputs {
        assert!(output.iter().any(|line| line.contains("`[lab] group`")), "{output:#?}");
        let fights = |line: &&String| line.contains("connection lost") || line.contains("client id");
        assert_eq!(output.iter().filter(fights).collect::<Vec<_>>(), [""; 0]);
    }
}

#[test]
fn similar_names_are_different_clients() {
    let mosquitto = Mosquitto::start("");
    let folder = tempfile::tempdir().expect("a folder");
    let toml = format!(
        "[mqtt]\nbrokers = [\"{}\"]\n\
         [[sensor]]\nkind = \"temperature\"\nid = \"x\"\ngroup = \"demo-a\"\ninterval_s = 0.05\n\
         [[sensor]]\nkind = \"temperature\"\nid = \"a-x\"\ngroup = \"demo\"\ninterval_s = 0.05\n",
        mosquitto.address()
    );
    let lab = Lab::start(folder.path(), Some(&toml));
    for name in ["demo-a/x", "demo/a-x"] {
        lab.poll(&format!("/api/v1/devices/{name}"), |device| {
            (device["counts"]["stored"].as_u64()? > 20).then_some(())
        });
        assert_eq!(
            (device(&lab, name)["state"].as_str(), error_of(&lab, name)),
            (Some("ready"), String::new())
        );
    }
    let output = stop(lab);
    assert!(!output.iter().any(|line| line.contains("connection lost")), "{output:#?}");
}

/// Debian's mosquitto closes the connection without a reason.
#[test]
fn a_client_id_that_two_labs_use_is_reported_by_both() {
    let mosquitto = Mosquitto::start("");
    let client_id = rand_name();
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let toml = |group: &str| {
        format!(
            "[lab]\ngroup = \"{group}\"\n[mqtt]\nbrokers = [\"{}\"]\n\
             [[sensor]]\nkind = \"temperature\"\nclient_id = \"{client_id}\"\ninterval_s = 0.1\n",
            mosquitto.address()
        )
    };
    let mut first = Lab::start(folders[0].path(), Some(&toml("one")));
    first.until_state("one/temperature", "ready");
    let begin = Instant::now();
    let mut second = Lab::start(folders[1].path(), Some(&toml("two")));
    let part =
        format!("the client id `{client_id}` within seconds, and no other: another client uses it, too");
    first.until(&part);
    second.until(&part);
    assert!(begin.elapsed() < NOTICED, "{:?}", begin.elapsed());
    noticed(&first, "one/temperature", &part);
    noticed(&second, "two/temperature", &part);
    first.kill();
    second.kill();
}

/// The lab's own broker says why, and names both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_with_the_client_id_of_a_device_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let toml = "[[sensor]]\nkind = \"temperature\"\nclient_id = \"board\"\n";
    let mut lab = tokio::task::block_in_place(|| Lab::start(folder.path(), Some(toml)));
    lab.until_state("demo/temperature", "ready");
    let mut config = LinkConfig::new(&lab.broker, "board");
    config.version = Version::V5;
    let (link, _events) = Link::spawn(config).expect("valid");
    let part = "another client uses the client id `board`";
    let took = tokio::task::block_in_place(|| noticed(&lab, "demo/temperature", part));
    assert!(took < NOTICED, "{took:?}");
    let contested = async { drop(link.watch().wait_for(|status| status.contested.is_some()).await) };
    tokio::time::timeout(PATIENCE, contested).await.expect("the stranger is told, too");
    tokio::task::block_in_place(|| lab.until("two clients use one client id and disconnect each other"));
    tokio::task::block_in_place(|| {
        lab.poll("/api/v1/parts", |parts| {
            let ids = parts.as_array()?.iter().find(|part| part["part"] == "client-ids")?;
            ids["error"].as_str()?.ends_with(": board").then_some(())
        });
    });
    let line = lab.output.iter().find(|line| line.contains("two clients use one client id")).expect("a line");
    assert!(line.contains("client_id=\"board\"") && line.matches("127.0.0.1:").count() == 2, "{line}");
    drop(link);
    tokio::task::block_in_place(|| lab.interrupt());
}

/// The storage cannot be left out: the lab is not ready.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_with_the_client_id_of_the_storage_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let toml = "[[sensor]]\nkind = \"temperature\"\n";
    let lab = tokio::task::block_in_place(|| Lab::start(folder.path(), Some(toml)));
    let word = Database::of(folder.path()).await.identity().await;
    let client_id = format!("lab__ingest_{word}");
    let (link, _events) = Link::spawn(LinkConfig::new(&lab.broker, &client_id)).expect("valid");
    let part = format!("another client uses the client id `{client_id}`");
    let begin = Instant::now();
    tokio::task::block_in_place(|| {
        lab.poll("/readyz", |ready| ready["detail"].as_str()?.contains(&part).then_some(()));
    });
    assert!(begin.elapsed() < NOTICED, "{:?}", begin.elapsed());
    drop(link);
    tokio::task::block_in_place(|| lab.interrupt());
}
