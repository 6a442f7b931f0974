//! Who sends: our link or rumqttc's client, in this process or in one that can be killed.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mqtt_lab_core::link::{DiskSpool, Link, LinkConfig, Publish, Qos, Version};
use tokio::task::JoinSet;

use crate::cell::Cell;
use crate::fault::Fault;
use crate::rumqttc_client;
use crate::support::PATIENCE;

pub(crate) const TOPIC: &str = "lab/loss/sender/value";
/// What a sender says in the end: how many it has sent.
pub(crate) const LAST: &str = "lab/loss/sender/$stats";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Link,
    Rumqttc,
}

/// What the sender knows of its messages.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) acked: HashSet<u32>,
    pub(crate) reconnects: u64,
}

/// All that a sender is told.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) client: Client,
    pub(crate) brokers: Vec<String>,
    pub(crate) version: Version,
    pub(crate) qos: Qos,
    pub(crate) numbers: std::ops::RangeInclusive<u32>,
}

pub(crate) fn sample(number: u32) -> String {
    format!(r#"{{"v":{number},"b":"boot1","n":{number}}}"#)
}

pub(crate) fn stats(sent: u32) -> String {
    format!(r#"{{"b":"boot1","sent":{sent}}}"#)
}

/// Sends them all, and waits until the client knows of nothing more to wait for.
pub(crate) async fn send(cell: &Cell, client: Client, brokers: &[String], messages: u32) -> Sent {
    let order = Order {
        client,
        brokers: brokers.to_vec(),
        version: cell.version,
        qos: cell.qos,
        numbers: 1..=messages,
    };
    if cell.fault == Fault::SenderKill {
        return tokio::task::spawn_blocking(move || killed(&order)).await.expect("a child");
    }
    match client {
        Client::Link => by_link(&order, None, |_| {}).await,
        Client::Rumqttc => rumqttc_client::send(&order, |_| {}).await,
    }
}

async fn by_link(order: &Order, disk: Option<DiskSpool>, accepted: impl Fn(u32)) -> Sent {
    let mut config = LinkConfig::new(&order.brokers[0], "sender");
    config.brokers.clone_from(&order.brokers);
    (config.version, config.spool_capacity, config.disk) = (order.version, 500, disk);
    config.keep_alive = Duration::from_secs(1);
    config.backoff = (Duration::from_millis(5), Duration::from_millis(50));
    let (link, mut events) = Link::spawn(config).expect("valid");
    tokio::spawn(async move { while events.next().await.is_some() {} });
    let mut deliveries = JoinSet::new();
    for number in order.numbers.clone() {
        let message = Publish::new(TOPIC, sample(number)).qos(order.qos);
        let delivery = link.publish(message).await.expect("accepted");
        deliveries.spawn(async move { (number, delivery.await.is_ok()) });
        accepted(number);
        pace(order.qos, number).await;
    }
    let last = Publish::new(LAST, stats(*order.numbers.end())).qos(Qos::AtLeastOnce);
    link.publish(last).await.expect("accepted");
    if let Err(error) = link.close(PATIENCE).await {
        println!("    a link could not deliver everything: {error}");
    }
    let ended = deliveries.join_all().await.into_iter();
    Sent {
        acked: ended.filter_map(|(number, acked)| acked.then_some(number)).collect(),
        reconnects: link.status().reconnects,
    }
}

/// At QoS 0 nothing slows a sender down, and all would be gone before the fault.
pub(crate) async fn pace(qos: Qos, number: u32) {
    if qos == Qos::AtMostOnce && number.is_multiple_of(20) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Describes the sender, as a device does before its first sample: what a lab that listens does not get from
/// then on is lost, also before the first that it gets.
pub(crate) async fn announce(broker: &str) {
    let info = r#"{"schema":1,"boot":"boot1","payload":"json","channels":[]}"#;
    say(broker, Publish::new("lab/loss/sender/$info", info).retain(true)).await;
}

/// Says once more how many were sent, as a device does now and then: a lab that was away while the sender
/// ended, at a broker that forgot it, could not know otherwise.
pub(crate) async fn say_again(broker: &str, messages: u32) {
    say(broker, Publish::new(LAST, stats(messages))).await;
}

async fn say(broker: &str, message: Publish) {
    let (link, events) = Link::spawn(LinkConfig::new(broker, "announcer")).expect("valid");
    drop(events);
    link.publish(message.qos(Qos::AtLeastOnce)).await.expect("accepted");
    link.close(PATIENCE).await.expect("the broker takes it");
}

const CHILD: &str = "LOSS_MATRIX_SENDER";

/// A process that is killed when a third of the messages were accepted, and another one that goes on.
fn killed(order: &Order) -> Sent {
    let folder = tempfile::tempdir().expect("a folder");
    let start = |from: u32| {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let client = if order.client == Client::Link { "link" } else { "rumqttc" };
        let version = order.version.to_string();
        let numbers = format!("{from} {}", order.numbers.end());
        let order = format!("{client} {} {version} {} {numbers}", order.brokers[0], order.qos);
        command.env(CHILD, order).current_dir(folder.path()).stdout(Stdio::piped());
        command.spawn().expect("a child")
    };
    let third = order.numbers.end() / 3;
    let last = listen(start(*order.numbers.start()), |accepted| accepted == third);
    listen(start(last + 1), |_| false);
    Sent { acked: HashSet::new(), reconnects: 1 }
}

/// The last number that the child says it has accepted; it is killed at once when `enough`.
fn listen(mut child: Child, enough: impl Fn(u32) -> bool) -> u32 {
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut last = 0;
    for line in lines {
        // The last line of a killed process may be cut off; an end mark tells.
        let Some(number) = line.strip_suffix(" accepted").and_then(|number| number.parse().ok()) else {
            continue;
        };
        last = number;
        if enough(number) {
            child.kill().expect("it runs");
        }
    }
    child.wait().expect("it ends");
    last
}

pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// What the child does.
pub(crate) fn child() {
    let order = std::env::var(CHILD).expect("asked for");
    let words: Vec<_> = order.split(' ').collect();
    let [client, broker, version, qos, from, to] = words[..] else { panic!("{order}") };
    let order = Order {
        client: if client == "link" { Client::Link } else { Client::Rumqttc },
        brokers: vec![broker.to_owned()],
        version: if version == "5" { Version::V5 } else { Version::V311 },
        qos: qos.parse().ok().and_then(Qos::from_level).expect("a QoS"),
        numbers: from.parse().expect("a number")..=to.parse().expect("a number"),
    };
    let say = |number| writeln!(std::io::stdout(), "{number} accepted").expect("the parent listens");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("threads").block_on(async {
        match order.client {
            Client::Link => {
                let disk = DiskSpool::open("spool", false).expect("a folder");
                by_link(&order, Some(disk), say).await;
            }
            Client::Rumqttc => drop(rumqttc_client::send(&order, say).await),
        }
    });
}
