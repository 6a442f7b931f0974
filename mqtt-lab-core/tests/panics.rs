//! A mistake of the runtime itself ends no device: no will fires, nothing is lost.

mod support;

use mqtt_lab_core::config::DeviceConfig;
use mqtt_lab_core::failpoint::{arm, hit};
use mqtt_lab_core::supervisor::{Supervisor, Weight};
use mqtt_lab_core::{Lab, Qos};
use mqtt_lab_wire::Sample;
use std::sync::{Mutex, MutexGuard, PoisonError};
use support::{Observer, broker, plugin};

/// Failpoints belong to the process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Numbers of the samples that arrived, without gap or repetition.
fn assert_complete(observer: &Observer) {
    let own = observer.seen.iter().filter(|seen| seen.topic.starts_with("lab/demo/x/"));
    let mut numbers: Vec<_> =
        own.filter_map(|seen| Sample::decode(seen.payload.as_bytes()).ok()?.number.map(|(_, n)| n)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert!((1..).zip(&numbers).all(|(expected, number)| expected == *number), "{numbers:?}");
}

async fn survives(failpoint: &str, expected: &str) {
    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let supervisor = Supervisor::default();
    let mut device = DeviceConfig::new("counter").id("x");
    device.qos = Some(Qos::ExactlyOnce);
    device.interval_s = 0.02;
    // A socket that is dropped has the will published; with a delay, a link that is back prevents it.
    device.will.delay_s = 30;
    let lab =
        Lab::builder().broker(broker.address()).plugin(&plugin()).device(device).supervisor(&supervisor);
    let lab = lab.identity(&"word".parse().expect("a word"));
    let running = lab.build().expect("valid").start().await.expect("runs");
    running.connected(support::PATIENCE).await;
    let part = supervisor.part("devices", Weight::Essential);
    let count = || part.status().panics;
    for _ in 0..2 {
        observer.on("lab/demo/x/half", "").await;
        let before = count();
        // Other links of this process have the same failpoints.
        let panicked = || {
            count() > before || {
                arm(failpoint);
                false
            }
        };
        support::becomes_true("the panic", panicked).await;
        // It may have been armed once more meanwhile.
        let _ = std::panic::catch_unwind(|| hit(failpoint));
        if failpoint == "device" {
            let error = "internal error: failpoint device; the device was restarted";
            observer.on("lab/demo/x/$error", error).await;
            observer.on("lab/demo/x/$state", "ready").await;
            observer.until("no error", |s| s.topic == "lab/demo/x/$error" && s.payload.is_empty()).await;
        }
    }
    observer.publish("lab/demo/x/step/set", r#"{"v":5,"id":"c"}"#).await;
    observer.on("lab/demo/x/step/result", "\"ok\":true").await;
    support::becomes_true("connected", || running.status("demo/x").expect("runs").connected).await;
    let reconnects = if failpoint == "link" { count() } else { 0 };
    assert_eq!(running.status("demo/x").expect("runs").reconnects, reconnects);
    let status = part.status();
    assert_eq!(
        (status.last_panic.as_deref(), status.cause, status.restarts),
        (Some(expected), None, count())
    );
    assert_eq!(format!("{:?}", running.stop().await), "[]");
    observer.on("lab/demo/x/$state", "disconnected").await;
    observer.catch_up().await;
    assert!(!observer.payloads("lab/demo/x/$state").contains(&"lost"), "no will fired");
    assert_complete(&observer);
}

#[tokio::test]
#[allow(clippy::await_holding_lock, reason = "each test has its own runtime")]
async fn a_device_whose_task_panics_keeps_its_connection() {
    let _alone = alone();
    survives("device", "demo/x: failpoint device").await;
}

#[tokio::test]
#[allow(clippy::await_holding_lock, reason = "each test has its own runtime")]
async fn a_link_whose_task_panics_reconnects_and_loses_nothing() {
    let _alone = alone();
    survives("link", "link of `lab_demo_x_word`: failpoint link").await;
}
