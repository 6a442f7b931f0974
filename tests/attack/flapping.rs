//! A client that describes many devices again and again.

#![allow(clippy::print_stdout, reason = "figures for whoever runs it")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mqtt_lab_core::link::{Publish, Qos, Version};

use sqlx::Connection as _;

use crate::support::publish;
use crate::{Lab, memory_mb};

const DEVICES: u64 = 20_000 - 1;
/// How long the honest device publishes during the attack.
const DURATION: Duration = Duration::from_secs(10);

/// Puts the devices into the database: this is about those that exist.
async fn know_all_devices(database: &Path) {
    let mut connection =
        sqlx::SqliteConnection::connect(&database.to_string_lossy()).await.expect("a database");
    let sql = "insert into device (class, name, created) with recursive n(n) as (select 0 union all select n + 1 from n where n < $1 - 1) select 'flapping', 'd' || n, 0 from n";
    let count = i64::try_from(DEVICES).expect("small");
    let done = sqlx::query(sql).bind(count).execute(&mut connection).await.expect("inserted");
    assert_eq!(done.rows_affected(), DEVICES);
    connection.close().await.expect("closed");
}

/// How long it takes until the API shows a value.
async fn shown_after(lab: &Lab, link: &mqtt_lab_core::link::Link, n: u64) -> Duration {
    let begin = Instant::now();
    publish(link, "lab/honest/thermometer/n", n.to_string()).await;
    tokio::task::block_in_place(|| {
        lab.poll("/api/v1/devices/honest/thermometer", |device| {
            (device["channels"][0]["value"] == n as f64).then_some(())
        })
    });
    begin.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn describing_20000_devices_again_and_again_holds_up_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    tokio::task::block_in_place(|| drop(Lab::start(folder.path(), Some("[mqtt]\n")).interrupt()));
    know_all_devices(&folder.path().join("lab.sqlite")).await;
    let lab = tokio::task::block_in_place(|| Lab::start(folder.path(), Some("[mqtt]\n")));
    let (honest, attacker) = (lab.client(Version::V5).await, lab.client(Version::V5).await);
    publish(&honest, "lab/honest/thermometer/n", "0").await;
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let attack = tokio::spawn({
        let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
        async move {
            for n in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let info = format!(
                    r#"{{"schema":1,"label":"{n}","will":{{"topic":"lab/w/{0}/gone","payload":"{n}","qos":0,"retain":false}},"channels":[{{"name":"a","datatype":"float"}}]}}"#,
                    n % DEVICES
                );
                let topic = format!("lab/flapping/d{}/$info", n % DEVICES);
                let delivery = attacker.publish(Publish::new(topic, info).qos(Qos::AtLeastOnce)).await;
                // Not waited for: as fast as the broker takes them.
                drop(delivery.expect("accepted"));
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    // A full round, so that every device has a description that changes.
    tokio::task::block_in_place(|| {
        lab.poll("/api/v1/devices/flapping/d19998", |device| (device["announced"] == true).then_some(()))
    });
    let mut times = Vec::new();
    let (begin, before) = (Instant::now(), sent.load(Ordering::Relaxed));
    while begin.elapsed() < DURATION {
        times.push(shown_after(&lab, &honest, times.len() as u64 + 1).await);
    }
    let rate = (sent.load(Ordering::Relaxed) - before) as f64 / begin.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    attack.await.expect("it ends");
    times.sort();
    println!(
        "{rate:.0} descriptions per second; {} values, median {:?}, longest {:?}; {} MB",
        times.len(),
        times[times.len() / 2],
        times[times.len() - 1],
        memory_mb(&lab)
    );
    assert!(times[times.len() - 1] < Duration::from_secs(1), "{times:?}");
    assert!(memory_mb(&lab) < 200, "{} MB", memory_mb(&lab));
}
