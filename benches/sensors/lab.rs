//! The lab: ten thousand thermometers.

use crate::process::{cpu_seconds, resident_bytes};
use crate::{SECONDS, SENSORS};
use mqtt_lab_core::Lab;
use mqtt_lab_core::config::DeviceConfig;
use std::time::Duration;
use tokio::time::sleep;

pub(crate) const CHILD: &str = "--lab";

/// Runs the sensors, and tells memory and processor time.
pub(crate) fn run(broker: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    runtime.block_on(async {
        let before = resident_bytes();
        let mut sensors = DeviceConfig::new("temperature").id("s");
        sensors.count = u32::try_from(SENSORS).expect("small");
        let lab = Lab::builder().broker(broker).plugin(&mqtt_lab_plugins::plugin()).device(sensors);
        let running = lab.build().expect("valid").start().await.expect("runs");
        assert!(running.connected(Duration::from_secs(60)).await.is_empty(), "all connect");
        // Every sensor has measured some times.
        sleep(Duration::from_secs(5)).await;
        println!("memory {}", (resident_bytes() - before) / SENSORS);
        let cpu = cpu_seconds();
        sleep(Duration::from_secs(SECONDS)).await;
        println!("cpu {}", cpu_seconds() - cpu);
        std::future::pending::<()>().await;
    });
}
