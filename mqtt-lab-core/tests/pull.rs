//! The plug of a device: how it is pulled, what its last will does, and how the device comes back.

mod support;

use mqtt_lab_core::config::DeviceConfig;
use mqtt_lab_core::{NoSuchDevice, Pull};
use support::changing::{Bench, device};

async fn bench() -> Bench {
    let frail = DeviceConfig { keep_alive_s: Some(5), ..device("counter", "x") };
    Bench::start(support::plugin(), vec![frail]).await
}

/// Pulls the plug and waits for the will, plugs in and waits for the device; whether it is the same life.
async fn lost_and_back(bench: &mut Bench, how: Pull) -> bool {
    let before = bench.boot("x").await;
    bench.running.pull("demo/x", how).expect("it runs");
    assert_eq!(bench.running.pulled("demo/x"), Ok(Some(how)));
    bench.comes("x/$state", "lost").await;
    bench.observer.seen.clear();
    bench.running.plug_in("demo/x").expect("it is known");
    bench.comes("x/$state", "ready").await;
    assert_eq!(bench.running.pulled("demo/x"), Ok(None));
    bench.boot("x").await == before
}

#[tokio::test]
async fn a_cut_device_is_lost_and_goes_on_with_its_life() {
    let mut bench = bench().await;
    assert!(lost_and_back(&mut bench, Pull::Cut).await);
    assert!(lost_and_back(&mut bench, Pull::Cut).await, "and again");
    bench.stop().await;
}

#[tokio::test]
async fn a_frozen_device_is_lost_after_its_keep_alive_and_thaws() {
    let mut bench = bench().await;
    assert!(lost_and_back(&mut bench, Pull::Freeze).await);
    bench.stop().await;
}

#[tokio::test]
async fn a_killed_device_is_lost_and_begins_a_new_life() {
    let mut bench = bench().await;
    assert!(!lost_and_back(&mut bench, Pull::Kill).await);
    bench.stop().await;
}

#[tokio::test]
async fn a_device_that_is_switched_off_leaves_no_will() {
    let mut bench = bench().await;
    bench.running.pull("demo/x", Pull::Stop).expect("it runs");
    bench.comes("x/$state", "disconnected").await;
    bench.running.plug_in("demo/x").expect("it is known");
    bench.comes("x/$state", "ready").await;
    assert!(!bench.states("x").contains(&"lost"), "{:?}", bench.states("x"));
    bench.stop().await;
}

#[tokio::test]
async fn a_pulled_device_stops_with_the_lab() {
    for how in [Pull::Cut, Pull::Freeze, Pull::Kill, Pull::Stop] {
        let mut bench = bench().await;
        bench.running.pull("demo/x", how).expect("it runs");
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_device_that_is_not_there_cannot_be_pulled() {
    let mut bench = bench().await;
    assert_eq!(bench.running.pull("demo/y", Pull::Cut), Err(NoSuchDevice));
    assert_eq!(
        (bench.running.plug_in("demo/y"), bench.running.pulled("demo/y")),
        (Err(NoSuchDevice), Err(NoSuchDevice))
    );
    bench.stop().await;
}
