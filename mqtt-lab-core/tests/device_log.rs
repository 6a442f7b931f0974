//! A device that fails a thousand times logs two lines.

mod support;

use mqtt_lab_core::config::DeviceConfig;
use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, Once};
use support::changing::{Bench, device};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Collects the lines of a terminal.
struct Lines;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES.lock().expect("whole").push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Starts a device with an input, and collects what it logs.
async fn started(id: &str, config: DeviceConfig) -> Bench {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Lines).expect("the only one"));
    let mut x = DeviceConfig { id: Some(id.to_owned()), ..config };
    x.inputs.insert("step".into(), "demo/leader/level".into());
    Bench::start(support::plugin(), vec![x]).await
}

fn lines(id: &str) -> Vec<String> {
    let device = format!("demo/{id}\"");
    LINES.lock().expect("whole").iter().filter(|line| line.contains(&device)).cloned().collect()
}

#[tokio::test]
async fn repeated_errors_are_one_line_when_they_begin_and_one_when_they_end() {
    let mut bench = started("quiet", DeviceConfig { interval_s: 3600.0, ..device("counter", "quiet") }).await;
    for n in 0..300 {
        bench.observer.publish("lab/demo/leader/level", &format!("warm {n}")).await;
        bench
            .observer
            .publish("lab/demo/quiet/step/set", &format!("{{\"v\":{},\"id\":\"{n}\"}}", 101 + n))
            .await;
        bench.observer.publish(&format!("lab/demo/quiet/no-{n}/set"), "1").await;
    }
    bench.observer.on("lab/demo/quiet/step/result", "\"299\"").await;
    bench.observer.publish("lab/demo/leader/level", "5").await;
    bench.observer.on("lab/demo/quiet/step", "\"v\":5,").await;
    bench.observer.publish("lab/demo/quiet/step/set", r#"{"v":6,"id":"ok"}"#).await;
    bench.observer.on("lab/demo/quiet/step/result", "\"ok\"").await;
    let lines = lines("quiet");
    let count = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
    let input = "input `step` from `demo/leader/level`";
    assert_eq!(count(&format!("{input} refused")), 1, "{lines:#?}");
    assert_eq!(count(&format!("{input} works again; the error was repeated 299 times")), 1, "{lines:#?}");
    assert_eq!(count("command to `step` refused"), 1, "{lines:#?}");
    assert_eq!(count("`step` works again; the error was repeated 299 times"), 1, "{lines:#?}");
    assert_eq!(count("command to `no-0` refused"), 1, "{lines:#?}");
    assert_eq!(lines.len(), 5, "{lines:#?}");
    bench.stop().await;
}
