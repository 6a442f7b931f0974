//! The test bench for students: time under control, and failures that say what to do.

use mqtt_lab_core::prelude::*;
use mqtt_lab_core::testing::Bench;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Counts seconds in the background, and may lie about them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Seconds {
    /// Reports this much more than it counted.
    #[serde(default)]
    lie: u32,
    #[serde(skip)]
    counted: Option<Arc<AtomicU32>>,
}

#[async_trait]
impl Sensor for Seconds {
    fn describe(&self) -> Description {
        Description::sensor().channel(Channel::int("seconds").range(0.0, 100.0))
    }

    async fn read(&mut self) -> Result<Reading> {
        let counted = self.counted.get_or_insert_with(|| {
            let counted = Arc::new(AtomicU32::new(0));
            let counting = Arc::clone(&counted);
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    counting.fetch_add(1, Ordering::Relaxed);
                }
            });
            counted
        });
        Ok((counted.load(Ordering::Relaxed) + self.lie).into())
    }
}

export_plugin! { sensor "seconds" => Seconds }

#[test]
fn time_goes_by_without_waiting() {
    let mut bench = Bench::new(&plugin(), "seconds", ());
    bench.read();
    bench.advance(Duration::from_millis(60_500));
    assert_eq!(bench.read().get("seconds"), Some(&Value::Int(60)));
    assert_eq!(bench.elapsed().as_secs(), 60);
}

#[track_caller]
fn panics(what: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(what).expect_err("it panics");
    panic.downcast_ref::<String>().cloned().expect("a message")
}

#[test]
fn failures_say_what_was_tried_and_what_there_is() {
    assert_eq!(
        panics(|| drop(Bench::new(&plugin(), "second", ()))),
        "second: no kind `second`; the plugin offers: seconds"
    );
    assert_eq!(
        panics(|| drop(Bench::new(&plugin(), "seconds", [("lies", 1)]))),
        "seconds: unknown field `lies`, expected `lie`"
    );
    assert_eq!(
        panics(|| drop(Bench::new(&plugin(), "seconds", [("lie", "often")]))),
        "seconds: `lie`: expected a whole number from 0 to 4294967295, found the text \"often\""
    );
    assert_eq!(
        panics(|| drop(Bench::new(&plugin(), "seconds", [("lie", 101)]).read())),
        "read: channel `seconds` does not take `101`: expected a number from 0 to 100"
    );
    assert_eq!(
        panics(|| drop(Bench::new(&plugin(), "seconds", ()).set("seconds", 3))),
        "set `seconds`: `seconds` takes no commands, nor does any other channel of this device"
    );
}
