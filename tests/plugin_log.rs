//! A log that panics, as one does whose output is closed, ends neither a plugin nor the lab.

#[path = "support/plugin_files.rs"]
mod plugin_files;

use mqtt_lab_core::config::{Isolation, PluginsConfig};
use mqtt_lab_core::plugin::{PluginLoader, PluginSource};
use mqtt_lab_core::{Device, Settings};
use plugin_files::bad_plugin;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::{Event, Metadata, Subscriber, span};

/// Events that panicked.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// A subscriber that panics at each event of a plugin.
struct Panics;

impl Subscriber for Panics {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("mqtt_lab_core::plugin")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {
        PANICS.fetch_add(1, Ordering::Relaxed);
        panic!("the log cannot be written");
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// A device of the bad plugin, under a log that panics.
async fn device(isolation: Isolation, fault: &str, at: &str) -> Box<dyn Device> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Panics).expect("the first one"));
    let host = [env!("CARGO_BIN_EXE_mqtt-lab"), "plugin", "host"];
    let mut loader = PluginLoader::new(PluginsConfig::default(), ".").host(host);
    let plugin = loader.load(&PluginSource::from(bad_plugin().as_path()), Some(isolation)).await;
    let plugin = plugin.expect("loads");
    let kind = plugin.kinds().iter().find(|kind| kind.name() == "bad").expect("a kind");
    let settings: Settings = [("fault".into(), fault.into()), ("at".into(), at.into())].into_iter().collect();
    kind.create(settings).await.expect("created")
}

async fn goes_on(isolation: Isolation) {
    let before = PANICS.load(Ordering::Relaxed);
    // A panic in a plugin is logged.
    let mut device = device(isolation, "panic", "set").await;
    let panics = tokio::spawn(async move {
        let _ = device.set("level", 1.into()).await;
    });
    let text = panics.await.expect_err("it panicked").into_panic();
    let text = text.downcast_ref::<String>().expect("a text");
    assert!(text.starts_with("no wire, at tests/plugins/bad/src/lib.rs:"), "{text}");
    assert!(PANICS.load(Ordering::Relaxed) > before, "it was logged");
}

#[tokio::test]
async fn a_library_whose_log_fails_goes_on() {
    goes_on(Isolation::None).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_whose_log_fails_goes_on() {
    goes_on(Isolation::Process).await;
    let mut device = device(Isolation::Process, "none", "read").await;
    for _ in 0..3 {
        assert!(device.read().await.is_ok());
    }
}

#[tokio::test]
async fn a_destructor_that_panics_with_such_a_payload_ends_nobody() {
    drop(device(Isolation::None, "payload", "drop").await);
    let mut device = device(Isolation::None, "none", "read").await;
    assert!(device.read().await.is_ok());
}
