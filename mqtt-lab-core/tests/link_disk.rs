//! What was accepted with a spool on disk outlives the process.
#![cfg(feature = "disk-spool")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod link_fake;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use link_fake::{BOTH, Broker, LIMIT, Mirror, soon, spawn};
use mqtt_lab_core::link::{DiskSpool, LinkConfig, LinkError, Properties, Publish, Qos, SpoolPolicy, Version};

const PROMISED: [Qos; 2] = [Qos::AtLeastOnce, Qos::ExactlyOnce];

/// Messages accepted before a process is killed.
const ACCEPTED: usize = 400;

fn config(broker: &str, folder: &Path) -> LinkConfig {
    let mut config = LinkConfig::new(broker, "device");
    config.backoff = (Duration::from_millis(1), Duration::from_millis(20));
    config.disk = Some(DiskSpool::open(folder, false).unwrap());
    config
}

/// The process to be killed: a test in name only. It publishes for ever, and says what was accepted.
#[test]
fn publisher() {
    let Ok(broker) = std::env::var("PUBLISHER_BROKER") else { return };
    let folder = std::env::var("PUBLISHER_FOLDER").unwrap();
    let version =
        if std::env::var("PUBLISHER_VERSION").unwrap() == "5" { Version::V5 } else { Version::V311 };
    let qos = Qos::from_level(std::env::var("PUBLISHER_QOS").unwrap().parse().unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut config = config(&broker, Path::new(&folder));
        config.version = version;
        let (link, _events) = spawn(config);
        for number in 0.. {
            link.publish(Publish::new("t", number.to_string()).qos(qos)).await.unwrap();
            writeln!(std::io::stdout(), "accepted {number}").unwrap();
        }
    });
}

fn start_publisher(broker: &Broker, folder: &Path, version: Version, qos: Qos) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["publisher", "--exact", "--nocapture"]).stdout(Stdio::piped());
    command.env("PUBLISHER_BROKER", broker.address()).env("PUBLISHER_FOLDER", folder);
    command.env("PUBLISHER_VERSION", version.to_string()).env("PUBLISHER_QOS", qos.to_string());
    command.spawn().unwrap()
}

/// Kills the process when it has accepted enough; all that it had.
fn killed(mut child: Child) -> usize {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut accepted = 0;
    let said =
        |line: &str| line.split_once("accepted ").map(|(_, number)| number.parse::<usize>().unwrap() + 1);
    while accepted < ACCEPTED {
        accepted = said(&lines.next().unwrap().unwrap()).unwrap_or(accepted);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said before its end; a line that is cut off was not said.
    let rest: Vec<_> = lines.map_while(Result::ok).filter(|line| line.starts_with("accepted ")).collect();
    rest.iter().rev().nth(1).and_then(|line| said(line)).unwrap_or(accepted).max(accepted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_that_was_accepted() {
    for version in BOTH {
        for qos in PROMISED {
            let folder = tempfile::tempdir().unwrap();
            let broker = Broker::start().await;
            let child = start_publisher(&broker, folder.path(), version, qos);
            // The broker takes a few and then says nothing more: the rest stays in the spool.
            let mut mirror = Mirror::default();
            let mut client = broker.welcome(false).await;
            mirror.serve(&mut client, 100).await;
            let accepted = tokio::task::spawn_blocking(|| killed(child)).await.unwrap();
            drop(client);
            let first = mirror.received.len();
            assert!(first < accepted, "the kill hit messages in flight");

            let mut config = config(&broker.address(), folder.path());
            config.version = version;
            config.birth = vec![Publish::new("$state", "ready")];
            let (link, _events) = spawn(config);
            link.publish(Publish::new("t", "new").qos(qos)).await.unwrap();
            let server = tokio::spawn(async move {
                // The other process is gone, and so is its session.
                let mut mirror = Mirror::default();
                let mut client = broker.welcome(false).await;
                assert!(mirror.serve(&mut client, 100_000).await);
                mirror.received
            });
            link.close(LIMIT).await.unwrap();
            let again = soon("the end", server).await.unwrap();
            let both: Vec<_> = mirror.received.iter().chain(&again).collect();
            for number in 0..accepted {
                assert!(both.contains(&&format!("t {number} {qos}")), "lost {number} of {accepted}");
            }
            let tail = [format!("$state ready {}", Qos::AtLeastOnce), format!("t new {qos}")];
            assert_eq!(again[again.len() - 2..], tail, "births after what is old, new after births");
            let mut ordered = again[..again.len() - 2].to_vec();
            ordered.sort_by_key(|line| line.split(' ').nth(1).unwrap().parse::<usize>().unwrap());
            assert_eq!(ordered, again[..again.len() - 2], "in the order of acceptance");
        }
    }
}

#[tokio::test]
async fn what_the_broker_has_is_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let broker = Broker::start().await;
        let (link, events) = spawn(config(&broker.address(), folder.path()));
        for number in 0..20 {
            link.publish(Publish::new("t", number.to_string())).await.unwrap();
        }
        link.publish(Publish::new("t", "zero").qos(Qos::AtMostOnce)).await.unwrap();
        let server = tokio::spawn(async move {
            let mut mirror = Mirror::default();
            let mut client = broker.welcome(false).await;
            assert!(mirror.serve(&mut client, 1000).await);
            mirror.received.len()
        });
        link.close(LIMIT).await.unwrap();
        assert_eq!(server.await.unwrap(), 21, "round {round}");
        // The folder is opened again.
        drop((link, events));
    }
}

/// Fills a spool without a broker; the folder can be opened again afterwards.
async fn leave(folder: &Path, messages: Vec<Publish>) {
    let (link, events) = spawn(config("127.0.0.1:1", folder));
    for message in messages {
        link.publish(message).await.unwrap();
    }
    link.abort().await;
    drop((link, events));
}

#[tokio::test]
async fn all_of_a_message_is_kept_but_not_beyond_its_life() {
    let folder = tempfile::tempdir().unwrap();
    let properties = Properties {
        response_topic: Some("answer".into()),
        correlation_data: Some(vec![0, 255].into()),
        content_type: Some("text/plain".into()),
        user_properties: vec![("a".into(), "b".into())],
        ..Properties::default()
    };
    let short = Properties { message_expiry: Some(Duration::ZERO), ..Properties::default() };
    let kept = Publish::new("t/ü", vec![0, 159]).qos(Qos::ExactlyOnce).retain(true);
    let messages = vec![Publish::new("t", "old").properties(short), kept.properties(properties)];
    leave(folder.path(), messages).await;

    let broker = Broker::start().await;
    let (_link, _events) = spawn(config(&broker.address(), folder.path()));
    let mut client = broker.welcome(false).await;
    let packet = client.publish().await;
    assert_eq!((packet.topic.as_str(), packet.qos, packet.retain, packet.dup), ("t/ü", 2, true, false));
    let expected = b"\x03\x00\x0atext/plain\x08\x00\x06answer\x09\x00\x02\x00\xff\x26\x00\x01a\x00\x01b";
    let mut found = packet.properties.clone();
    let mut wanted = expected.to_vec();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "the same properties, in whatever order");
}

#[tokio::test]
async fn births_wait_through_cuts_for_what_is_old() {
    let folder = tempfile::tempdir().unwrap();
    leave(folder.path(), vec![Publish::new("$state", "lost"), Publish::new("t", "b")]).await;
    let broker = Broker::start().await;
    let mut config = config(&broker.address(), folder.path());
    config.birth = vec![Publish::new("$state", "ready")];
    let (_link, _events) = spawn(config);
    let mut client = broker.welcome(false).await;
    assert_eq!(client.publish().await.short(), "$state lost 1");
    assert_eq!(client.publish().await.short(), "t b 1");
    drop(client);
    let mut client = broker.welcome(true).await;
    let (first, second) = (client.publish().await, client.publish().await);
    assert_eq!((first.short(), second.short()), ("D $state lost 1".into(), "D t b 1".into()));
    client.acknowledge(0x40, first.id).await;
    client.acknowledge(0x40, second.id).await;
    assert_eq!(client.publish().await.short(), "$state ready 1");
}

#[tokio::test]
async fn links_share_a_folder_and_not_their_messages() {
    let folder = tempfile::tempdir().unwrap();
    let disk = DiskSpool::open(folder.path(), true).unwrap();
    let link = |client: &str, broker: &str| {
        let mut config = LinkConfig::new(broker, client);
        config.disk = Some(disk.clone());
        spawn(config)
    };
    for client in ["a", "aa"] {
        let (link, _events) = link(client, "127.0.0.1:1");
        link.publish(Publish::new("t", client.to_owned())).await.unwrap();
        link.abort().await;
    }
    for client in ["a", "aa"] {
        let broker = Broker::start().await;
        let (_link, _events) = link(client, &broker.address());
        assert_eq!(broker.welcome(false).await.publish().await.short(), format!("t {client} 1"));
    }
}

#[tokio::test]
async fn what_is_left_counts_against_the_capacity() {
    let folder = tempfile::tempdir().unwrap();
    leave(folder.path(), vec![Publish::new("t", "a"), Publish::new("t", "b")]).await;
    let mut config = config("127.0.0.1:1", folder.path());
    (config.spool_capacity, config.spool_policy) = (2, SpoolPolicy::DropOldest);
    let (link, events) = spawn(config);
    link.publish(Publish::new("t", "c")).await.unwrap();
    assert_eq!((link.status().dropped, link.status().spooled), (1, 2));
    link.abort().await;
    drop((link, events));
    let broker = Broker::start().await;
    let (_link, _events) = spawn(self::config(&broker.address(), folder.path()));
    let mut client = broker.welcome(false).await;
    assert_eq!(client.publish().await.short(), "t b 1");
    assert_eq!(client.publish().await.short(), "t c 1");
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let _open = DiskSpool::open(folder.path(), false).unwrap();
    let error = DiskSpool::open(folder.path(), false).unwrap_err();
    let path = folder.path().display();
    assert_eq!(
        error.to_string(),
        format!("spool on disk: cannot open `{path}`: another process has it open")
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    let below = file.path().join("spool");
    let error = DiskSpool::open(&below, false).unwrap_err();
    assert!(matches!(error, LinkError::Spool { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("spool on disk: cannot open `{}`: Not a directory", below.display())),
        "{text}"
    );
}

/// What an earlier version left under another name is sent once, in its order, before anything new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_left_under_a_former_name_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = "127.0.0.1:1";
    let left = config(nowhere, folder.path());
    let disk = left.disk.clone();
    let (link, events) = spawn(left);
    for number in 0..1_500 {
        link.publish(Publish::new("t", number.to_string()).qos(Qos::AtLeastOnce)).await.unwrap();
    }
    drop((link.abort(), events));
    for _ in 0..2 {
        // Nobody takes them at the first start.
        let mut renamed = LinkConfig::new(nowhere, "another");
        (renamed.disk, renamed.spool_name) = (disk.clone(), Some("lab/demo/x".into()));
        renamed.former_spool_name = Some("device".into());
        let (link, events) = spawn(renamed);
        assert_eq!(link.status().spooled, 1_500);
        drop((link.abort(), events));
    }
    let broker = Broker::start().await;
    let mut renamed = LinkConfig::new(broker.address(), "another");
    (renamed.disk, renamed.spool_name) = (disk, Some("lab/demo/x".into()));
    let (link, _events) = spawn(renamed);
    link.publish(Publish::new("t", "new").qos(Qos::AtLeastOnce)).await.unwrap();
    let mut client = broker.welcome(false).await;
    let mut mirror = Mirror::default();
    while mirror.received.len() < 1_501 {
        mirror.serve(&mut client, 1).await;
    }
    let expected: Vec<_> = (0..1_500).map(|n| format!("t {n} 1")).chain(["t new 1".to_owned()]).collect();
    assert!(mirror.received == expected, "out of order: {:?}", &mirror.received[1_490..]);
}
