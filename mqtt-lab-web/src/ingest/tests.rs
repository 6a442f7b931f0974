//! Messages in, what is known and stored out.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mqtt_lab_core::link::Publish;
use mqtt_lab_core::supervisor::Work as _;
use mqtt_lab_wire::Value;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use super::*;
use crate::bus::{Outlet, OutletStatus};
use crate::commands::{Commands, Wish};
use crate::health::Health;
use crate::live::Hub;
use crate::registry::{Limits, Registry};
use crate::store::sqlite::SqliteStore;
use crate::store::{ChannelSettings, CommandState, Outcome, Store, WriteReport};

const NOON: i64 = 1_795_435_200_000_000;
const SECOND: i64 = 1_000_000;

/// Takes every message for delivered.
#[derive(Default)]
struct Sent(Mutex<Vec<Publish>>);

#[async_trait]
impl Outlet for Sent {
    async fn deliver(&self, message: Publish) -> Result<(), String> {
        self.0.lock().unwrap().push(message);
        Ok(())
    }
    fn listen(&self, _: &str) {}
    async fn broker_listens(&self) -> bool {
        false
    }
    fn status(&self) -> OutletStatus {
        OutletStatus { connected: true, ..OutletStatus::default() }
    }
    async fn close(&self, _: Duration) {}
}

struct Bench {
    intake: Intake,
    registry: Arc<Registry>,
    commands: Arc<Commands>,
    store: Arc<dyn Store>,
    health: Arc<Health>,
    sent: Arc<Sent>,
    now_us: i64,
    _stop: watch::Sender<bool>,
    folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap(), Limits::default(), NOON).await
    }

    async fn at(folder: tempfile::TempDir, limits: Limits, now_us: i64) -> Self {
        let path = folder.path().join("lab.sqlite");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(path.to_str().unwrap()).await.unwrap());
        let snapshot = store.load(now_us).await.unwrap();
        let registry = Registry::new("lab".to_owned(), None, Hub::new(), snapshot).with_limits(limits);
        let registry = Arc::new(registry);
        let commands = Commands::new(Arc::clone(&registry), Arc::clone(&store), Arc::new(Sent::default()));
        let (health, (stop, stopped)) = (Arc::new(Health::default()), watch::channel(false));
        let sent = Arc::new(Sent::default());
        let intake = Intake::new(
            Arc::clone(&registry),
            Arc::clone(&commands),
            Arc::clone(&store),
            Arc::clone(&health),
            Arc::clone(&sent) as Arc<dyn Outlet>,
            Arc::default(),
            stopped,
        );
        Self { intake, registry, commands, store, health, sent, now_us, _stop: stop, folder }
    }

    async fn restart(self) -> Self {
        let Self { store, folder, intake, registry, commands, now_us, .. } = self;
        store.close().await;
        drop((store, intake, registry, commands));
        Self::at(folder, Limits::default(), now_us).await
    }

    /// Takes a message and writes what it means.
    async fn take(&mut self, message: Incoming) -> WriteReport {
        self.now_us += SECOND;
        let writes = self.intake.take(&message, self.now_us).await.unwrap();
        let report = self.store.write(&writes).await.unwrap();
        self.registry.set_counts(&report.counts);
        report
    }

    async fn live(&mut self, topic: &str, payload: &str) -> WriteReport {
        self.take(Incoming::detached(topic, payload.to_owned())).await
    }

    async fn retained(&mut self, topic: &str, payload: &str) -> WriteReport {
        let mut message = Incoming::detached(topic, payload.to_owned());
        message.retain = true;
        self.take(message).await
    }

    fn connected(&mut self, session_present: bool) {
        self.intake.connected(session_present, self.now_us);
    }

    /// The marker that was sent on this connection, as it comes back.
    async fn marker(&self) -> Incoming {
        loop {
            if let Some(marker) = self.sent.0.lock().unwrap().pop() {
                return Incoming::detached(marker.topic, marker.payload);
            }
            tokio::task::yield_now().await;
        }
    }

    fn device(&self, name: &str) -> Json {
        serde_json::to_value(self.registry.view("demo", name)).unwrap()
    }

    async fn states(&self, name: &str) -> Vec<(&'static str, &'static str)> {
        let id = self.registry.device_id("demo", name).unwrap();
        let states = self.store.states(id, 100).await.unwrap();
        states.iter().rev().map(|change| (change.state.as_str(), change.cause.as_str())).collect()
    }
}

const INFO: &str = r#"{"schema":1,"role":"actuator","kind":"lamp","qos":1,"channels":[
    {"name":"on","datatype":"bool","settable":true},{"name":"level","datatype":"int","min":0,"max":100}]}"#;

#[tokio::test]
async fn a_foreign_device_appears_with_its_first_sample() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.live("lab/demo/x/t", "21.5").await.stored(), 1);
    let device = bench.device("x");
    assert_eq!(device["announced"], false);
    assert_eq!(device["state"], "unknown");
    assert_eq!(device["last_seen_ms"], (NOON + SECOND) / 1_000);
    assert_eq!(
        device["counts"],
        json!({"received": 1, "stored": 1, "duplicate": null, "refused": 0, "lost": null, "no_reading": 0, "wrong_clock": 0})
    );
    let channel = &device["channels"][0];
    assert_eq!((&channel["value"], &channel["datatype"]), (&json!(21.5), &json!("float")));
    assert_eq!((&channel["series"], &channel["bytes"]), (&json!(1), &json!(4)));
}

#[tokio::test]
async fn the_first_value_gives_the_datatype_and_others_are_refused() {
    let mut bench = Bench::new().await;
    for (channel, first, good, bad) in
        [("f", "1", "2.5", "off"), ("n", "1", "0", "1e400"), ("t", "open", "42", "\u{1}")]
    {
        let topic = format!("lab/demo/x/{channel}");
        assert_eq!(bench.live(&topic, first).await.stored(), 1);
        assert_eq!(bench.live(&topic, good).await.stored(), 1);
        assert_eq!(bench.live(&topic, bad).await.stored(), 0, "{channel}");
    }
    let device = bench.device("x");
    assert_eq!(device["counts"]["refused"], 3);
    let reasons =
        ["expected a number, not `off`", "the number is out of range", "the text holds a control character"];
    for (refusal, reason) in device["refusals"].as_array().unwrap().iter().zip(reasons) {
        assert!(refusal["reason"].as_str().unwrap().starts_with(reason), "{refusal}");
        assert_eq!((&refusal["count"], &refusal["present"]), (&json!(1), &json!(true)));
    }
    assert_eq!(device["channels"][2]["value"], "42");
}

#[tokio::test]
async fn values_are_checked_against_the_description() {
    let mut bench = Bench::new().await;
    bench.retained("lab/demo/lamp/$info", INFO).await;
    assert_eq!(bench.live("lab/demo/lamp/level", "50").await.stored(), 1);
    assert_eq!(bench.live("lab/demo/lamp/level", "101").await.stored(), 0);
    let device = bench.device("lamp");
    assert_eq!(device["refusal"], "expected a number from 0 to 100, not `101`");
    assert_eq!(device["channels"][1]["value"], 50);
    assert_eq!(device["channels"][0]["series"], Json::Null);
    assert_eq!(device["will"]["topic"], "lab/demo/lamp/$state");
}

#[tokio::test]
async fn rubbish_shows_the_device_with_the_reason() {
    let mut bench = Bench::new().await;
    bench.live("lab/demo/x/t", r#"{"value":1"#).await;
    let device = bench.device("x");
    let reason = json!("the payload is not valid JSON at byte 10");
    assert_eq!((&device["refusal"], &device["channels"]), (&reason, &json!([])));
    let refusal = json!([{"channel": "t", "payload": "{\"value\":1", "reason": reason, "count": 1,
        "last_ms": (NOON + SECOND) / 1_000, "present": true}]);
    assert_eq!(device["refusals"], refusal);
    assert_eq!(bench.health.refused.get(), 1);
}

#[tokio::test]
async fn a_retained_sample_is_not_stored_again_on_each_subscription() {
    let mut bench = Bench::new().await;
    let numbered = r#"{"v":1,"t":1795435200000000,"b":"k3f9","n":1}"#;
    assert_eq!(bench.retained("lab/demo/x/a", numbered).await.stored(), 1);
    assert_eq!(bench.retained("lab/demo/x/b", "on").await.stored(), 1);
    for _ in 0..3 {
        bench.connected(true);
        assert!(bench.retained("lab/demo/x/a", numbered).await.outcomes.is_empty());
        assert!(bench.retained("lab/demo/x/b", "on").await.outcomes.is_empty());
    }
    bench = bench.restart().await;
    assert!(bench.retained("lab/demo/x/a", numbered).await.outcomes.is_empty());
    assert!(bench.retained("lab/demo/x/b", "on").await.outcomes.is_empty());
    // A live one is new, and so is a changed one.
    assert_eq!(bench.retained("lab/demo/x/b", "on").await.stored(), 1);
    bench.connected(true);
    assert_eq!(bench.retained("lab/demo/x/b", "off").await.stored(), 1);
    // What was published while the lab was away comes twice: from its session, and because it subscribes.
    bench.connected(true);
    assert_eq!(bench.live("lab/demo/x/b", "on").await.stored(), 1);
    assert!(bench.retained("lab/demo/x/b", "on").await.outcomes.is_empty());
    // Numbers from before this lab listened begin no count.
    assert_eq!(bench.device("x")["counts"]["duplicate"], Json::Null);
    let next = r#"{"v":2,"t":1795435201000000,"b":"k3f9","n":9}"#;
    assert_eq!(bench.live("lab/demo/x/a", next).await.stored(), 1);
    let counts = &bench.device("x")["counts"];
    assert_eq!((&counts["duplicate"], &counts["lost"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn a_redelivery_is_a_duplicate_and_not_shown() {
    let mut bench = Bench::new().await;
    let sample = |n: u64, v: u64| format!(r#"{{"v":{v},"t":{},"b":"k3f9","n":{n}}}"#, NOON as u64 + n);
    bench.live("lab/demo/x/t", &sample(1, 1)).await;
    bench.live("lab/demo/x/t", &sample(2, 2)).await;
    let again = bench.live("lab/demo/x/t", &sample(1, 1)).await;
    assert_eq!(again.outcomes, [Outcome::Duplicate]);
    let device = bench.device("x");
    assert_eq!(device["channels"][0]["value"], 2.0);
    assert_eq!(
        device["counts"],
        json!({"received": 3, "stored": 2, "duplicate": 1, "refused": 0, "lost": 0, "no_reading": 0, "wrong_clock": 0})
    );
    bench.live("lab/demo/x/$stats", r#"{"b":"k3f9","sent":5}"#).await;
    assert_eq!(bench.device("x")["counts"]["lost"], 3);
}

/// `$info` of a device that numbers its samples.
fn numbering(boot: &str) -> String {
    format!(r#"{{"schema":1,"boot":"{boot}","payload":"json","channels":[]}}"#)
}

#[tokio::test]
async fn what_is_lost_before_the_first_sample_counts_only_where_ingest_was_listening() {
    let mut bench = Bench::new().await;
    let third = |boot: &str| format!(r#"{{"v":1,"t":{NOON},"b":"{boot}","n":3}}"#);
    // A broker without our session repeats what it retains; then the marker comes back.
    bench.connected(false);
    bench.retained("lab/demo/older/$info", &numbering("aaa")).await;
    let marker = bench.marker().await;
    bench.take(marker).await;
    bench.retained("lab/demo/younger/$info", &numbering("bbb")).await;
    for (device, boot, lost) in [("older", "aaa", 0), ("younger", "bbb", 2), ("foreign", "ccc", 0)] {
        bench.live(&format!("lab/demo/{device}/t"), &third(boot)).await;
        assert_eq!(bench.device(device)["counts"]["lost"], lost, "{device}");
    }
    // What rebooted while ingest was away, but not its session.
    bench.connected(true);
    bench.retained("lab/demo/older/$info", &numbering("ddd")).await;
    bench.live("lab/demo/older/t", &third("ddd")).await;
    assert_eq!(bench.device("older")["counts"]["lost"], 2);
    // Said again it changes nothing.
    bench.retained("lab/demo/foreign/$info", &numbering("ccc")).await;
    assert_eq!(bench.device("foreign")["counts"]["lost"], 0);
}

#[tokio::test]
async fn a_device_that_sends_plain_values_loses_nothing_that_could_be_counted() {
    let mut bench = Bench::new().await;
    bench.connected(true);
    bench.retained("lab/demo/x/$info", &numbering("aaa").replace("json", "plain")).await;
    bench.live("lab/demo/x/t", "1").await;
    bench.live("lab/demo/x/$stats", r#"{"b":"aaa","sent":5}"#).await;
    assert_eq!(bench.device("x")["counts"]["lost"], Json::Null);
}

#[tokio::test]
async fn a_refused_sample_is_not_lost() {
    let mut bench = Bench::new().await;
    bench.retained("lab/demo/lamp/$info", INFO).await;
    for (n, level) in [(1, 5), (2, 500), (3, 7)] {
        let sample = format!(r#"{{"v":{level},"t":{},"b":"k3f9","n":{n}}}"#, NOON + n);
        bench.live("lab/demo/lamp/level", &sample).await;
    }
    let counts = json!({"received": 2, "stored": 2, "duplicate": 0, "refused": 1, "lost": 0, "no_reading": 0, "wrong_clock": 0});
    assert_eq!(bench.device("lamp")["counts"], counts);
}

#[tokio::test]
async fn arrival_times_increase_strictly() {
    let mut bench = Bench::new().await;
    let message = || Incoming::detached("lab/demo/x/t", "1");
    let mut times = Vec::new();
    for now_us in [NOON, NOON, NOON - SECOND, NOON + 1] {
        let writes = bench.intake.take(&message(), now_us).await.unwrap();
        let report = bench.store.write(&writes).await.unwrap();
        times.extend(report.outcomes);
    }
    assert_eq!(times, [NOON, NOON + 1, NOON + 2, NOON + 3].map(Outcome::Stored));
}

#[tokio::test]
async fn states_have_causes_and_are_not_repeated() {
    let mut bench = Bench::new().await;
    for word in ["init", "ready", "ready", "lost", "lost", "ready", "disconnected"] {
        bench.live("lab/demo/x/$state", word).await;
    }
    bench.connected(true);
    bench.retained("lab/demo/x/$state", "disconnected").await;
    bench = bench.restart().await;
    bench.retained("lab/demo/x/$state", "disconnected").await;
    let expected = [
        ("init", "announced"),
        ("ready", "announced"),
        ("lost", "will"),
        ("ready", "announced"),
        ("disconnected", "orderly"),
    ];
    assert_eq!(bench.states("x").await, expected);
    bench.live("lab/demo/x/$state", "rubbish").await;
    assert_eq!(bench.device("x")["counts"]["refused"], 1);
}

#[tokio::test]
async fn a_will_on_another_topic_means_lost() {
    let mut bench = Bench::new().await;
    let info = r#"{"schema":1,"channels":[],"will":{"topic":"lab/demo/x/gone","payload":"bye","qos":1,"retain":true}}"#;
    bench.live("lab/demo/x/$info", info).await;
    bench.live("lab/demo/x/$state", "ready").await;
    bench.live("lab/demo/x/gone", "hello").await;
    assert_eq!(bench.device("x")["state"], "ready");
    bench.live("lab/demo/x/gone", "bye").await;
    assert_eq!(bench.device("x")["state"], "lost");
    // On the next subscription the old `ready` comes again; it is older than the will.
    bench.connected(true);
    bench.retained("lab/demo/x/$state", "ready").await;
    assert_eq!(bench.device("x")["state"], "lost");
    // Really back.
    bench.live("lab/demo/x/$state", "ready").await;
    // And now the will is what is old.
    bench.connected(true);
    bench.retained("lab/demo/x/gone", "bye").await;
    assert_eq!(bench.states("x").await, [("ready", "announced"), ("lost", "will"), ("ready", "announced")]);
}

#[tokio::test]
async fn a_will_of_own_words_on_the_state_topic_means_lost() {
    let mut bench = Bench::new().await;
    let info = r#"{"schema":1,"channels":[],"will":{"topic":"lab/demo/x/$state","payload":"bye","qos":1,"retain":true}}"#;
    bench.live("lab/demo/x/$info", info).await;
    bench.live("lab/demo/x/$state", "ready").await;
    // It fired while ingest was away, and stands until the device is back; said again it is no news.
    for _ in 0..2 {
        bench.connected(true);
        bench.retained("lab/demo/x/$state", "bye").await;
        assert_eq!(bench.device("x")["state"], "lost");
    }
    assert_eq!(bench.device("x")["counts"]["refused"], 0);
    bench.live("lab/demo/x/$state", "ready").await;
    assert_eq!(bench.states("x").await, [("ready", "announced"), ("lost", "will"), ("ready", "announced")]);
}

#[tokio::test]
async fn words_that_are_sent_again_after_our_own_cut_are_no_news() {
    let mut bench = Bench::new().await;
    bench.connected(false);
    for duplicate in [false, true] {
        for (id, word) in (1..).zip(["ready", "lost", "ready"]) {
            let mut message = Incoming::detached("lab/demo/x/$state", word);
            (message.packet_id, message.duplicate) = (Some(id), duplicate);
            bench.take(message).await;
        }
        bench.connected(true);
    }
    assert_eq!(bench.states("x").await, [("ready", "announced"), ("lost", "will"), ("ready", "announced")]);
}

#[tokio::test]
async fn a_restart_of_the_broker_is_told_from_a_will() {
    const STATE: &str = "lab/demo/x/$state";
    let mut bench = Bench::new().await;
    bench.connected(false);
    bench.live(STATE, "ready").await;
    let told = [("ready", "announced")];
    assert_eq!(bench.states("x").await, told);
    // Killed: it publishes no will.
    bench.intake.disconnected(bench.now_us).await;
    bench.connected(true);
    bench.retained(STATE, "ready").await;
    assert_eq!(bench.states("x").await, told, "the device is not back yet");
    bench.live(STATE, "ready").await;
    let told = [told[0], ("ready", "broker_restart")];
    assert_eq!(bench.states("x").await, told);
    // Stopped in order: it publishes them all, and then ends.
    bench.live(STATE, "lost").await;
    bench.intake.disconnected(bench.now_us).await;
    bench.connected(true);
    bench.live(STATE, "ready").await;
    let told = [told[0], told[1], ("lost", "will"), ("ready", "broker_restart")];
    assert_eq!(bench.states("x").await, told);
    // The device was away already.
    bench.live(STATE, "lost").await;
    bench.now_us += 60 * SECOND;
    bench.intake.disconnected(bench.now_us).await;
    bench.connected(false);
    bench.live(STATE, "ready").await;
    let told = [told[0], told[1], told[2], told[3], ("lost", "will"), ("ready", "announced")];
    assert_eq!(bench.states("x").await, told);
}

#[tokio::test]
async fn an_empty_description_removes_the_device_until_it_speaks() {
    let mut bench = Bench::new().await;
    bench.retained("lab/demo/lamp/$info", INFO).await;
    bench.retained("lab/demo/lamp/on", "true").await;
    bench.live("lab/demo/lamp/$error", &"x".repeat(600)).await;
    assert_eq!(bench.device("lamp")["error"].as_str().unwrap().len(), 512);
    bench.retained("lab/demo/lamp/$info", "").await;
    assert_eq!(bench.device("lamp"), Json::Null);
    bench = bench.restart().await;
    assert_eq!(bench.device("lamp"), Json::Null);
    // What the broker still retains does not bring it back, its own voice does.
    bench.retained("lab/demo/lamp/on", "true").await;
    bench.retained("lab/demo/lamp/$state", "lost").await;
    assert_eq!(bench.device("lamp"), Json::Null);
    bench.live("lab/demo/lamp/on", "false").await;
    let device = bench.device("lamp");
    assert_eq!((&device["announced"], &device["error"]), (&json!(false), &Json::Null));
    assert_eq!(device["channels"][0]["value"], false);
}

#[tokio::test]
async fn clearing_a_retained_value_says_nothing() {
    let mut bench = Bench::new().await;
    bench.retained("lab/demo/x/t", "").await;
    bench.retained("lab/demo/x/$state", "").await;
    assert_eq!(bench.device("x"), Json::Null);
    assert_eq!(bench.health.refused.get(), 0);
}

#[tokio::test]
async fn a_message_without_a_value_is_counted_and_fixes_no_datatype() {
    let mut bench = Bench::new().await;
    bench.live("lab/demo/dht/temperature", "nan").await;
    bench.live("lab/demo/dht/temperature", "").await;
    let device = bench.device("dht");
    assert_eq!((&device["counts"]["no_reading"], &device["channels"]), (&json!(2), &json!([])));
    assert_eq!(device["no_readings"][0]["channel"], "temperature");
    bench.live("lab/demo/dht/temperature", "21.5").await;
    bench.live("lab/demo/dht/temperature", r#"{"v":null,"b":"k3f9","n":7}"#).await;
    let device = bench.device("dht");
    let channel = &device["channels"][0];
    assert_eq!((&channel["datatype"], &channel["value"]), (&json!("float"), &json!(21.5)));
    assert_eq!((&channel["no_reading"], &device["counts"]["no_reading"]), (&json!(true), &json!(3)));
    assert_eq!(device["counts"]["lost"], 0, "number 7 arrived");
    bench.live("lab/demo/dht/temperature", "22").await;
    assert_eq!(bench.device("dht")["channels"][0]["no_reading"], false);
}

/// Each channel by itself; and after a restart they are shown, but not counted again.
#[tokio::test]
async fn retained_messages_without_a_usable_value_are_counted_once() {
    let mut bench = Bench::new().await;
    let all = [("a", "nan"), ("b", "null"), ("c", "1e400"), ("d", "1e400")];
    for restarts in 0..2 {
        for _ in 0..2 {
            for (channel, payload) in all {
                bench.retained(&format!("lab/demo/x/{channel}"), payload).await;
            }
            bench.connected(true);
        }
        let device = bench.device("x");
        let counts = &device["counts"];
        assert_eq!(
            (&counts["no_reading"], &counts["refused"]),
            (&json!(2), &json!(2)),
            "{restarts} restarts"
        );
        for list in ["no_readings", "refusals"] {
            assert_eq!(device[list].as_array().unwrap().len(), 2, "{list} after {restarts} restarts");
        }
        bench = bench.restart().await;
    }
}

#[tokio::test]
async fn an_object_has_a_channel_for_each_member() {
    let mut bench = Bench::new().await;
    let report = bench
        .live("lab/demo/e", r#"{"temperature":21.5,"contact":true,"update":{"state":"idle"},"x":null}"#)
        .await;
    assert_eq!(report.stored(), 3);
    let device = bench.device("e");
    let shown =
        |channel: &Json| (channel["name"].clone(), channel["datatype"].clone(), channel["value"].clone());
    let channels: Vec<_> = device["channels"].as_array().unwrap().iter().map(shown).collect();
    let expected = [
        ("contact", "bool", json!(true)),
        ("temperature", "float", json!(21.5)),
        ("update-state", "text", json!("idle")),
    ];
    assert_eq!(channels, expected.map(|(name, datatype, value)| (json!(name), json!(datatype), value)));
    assert_eq!(device["counts"]["no_reading"], 1);
    assert_eq!(bench.live("lab/demo/e", "21.5").await.stored(), 0);
    assert!(bench.device("e")["refusal"].as_str().unwrap().contains("on a channel"));
    assert_eq!(bench.device("e")["refusals"][0]["present"], true);
    bench.live("lab/demo/e", r#"{"temperature":22}"#).await;
    assert_eq!(bench.device("e")["refusals"][0]["present"], false);
}

#[tokio::test]
async fn a_word_that_is_no_truth_value_begins_a_series_of_texts_that_stays() {
    let mut bench = Bench::new().await;
    for payload in ["on", "off", "auto", "on"] {
        assert_eq!(bench.live("lab/demo/x/mode", payload).await.stored(), 1, "{payload}");
    }
    let texts = |bench: &Bench| {
        let device = bench.device("x");
        let channel = &device["channels"][0];
        assert_eq!(
            (&channel["datatype"], &channel["earlier"][0]["datatype"]),
            (&json!("text"), &json!("bool"))
        );
        channel["value"].clone()
    };
    assert_eq!(texts(&bench), "on");
    let bench = bench.restart().await;
    assert_eq!(texts(&bench), "on");
}

#[tokio::test]
async fn numbers_on_a_channel_of_texts_are_proposed_and_a_person_decides() {
    let mut bench = Bench::new().await;
    for payload in ["starting", "21.5", "nan", "21,6"] {
        bench.live("lab/demo/x/t", payload).await;
        assert_eq!(bench.device("x")["channels"][0]["proposal"], Json::Null, "{payload}");
    }
    bench.live("lab/demo/x/t", "21.7").await;
    let device = bench.device("x");
    let channel = &device["channels"][0];
    assert_eq!((&channel["datatype"], &channel["proposal"]), (&json!("text"), &json!("float")));
    let id = bench.registry.listed_id("demo", "x").unwrap();
    let settings = ChannelSettings {
        datatype: Some(mqtt_lab_wire::Datatype::Float),
        unit: Some("°C".to_owned()),
        ..ChannelSettings::default()
    };
    bench.store.set_channel(id, "t", &settings).await.unwrap();
    bench.registry.set_channel("demo", "x", "t", settings);
    bench.live("lab/demo/x/t", "21.8").await;
    let bench = bench.restart().await;
    let device = bench.device("x");
    let channel = &device["channels"][0];
    assert_eq!(
        (&channel["datatype"], &channel["value"], &channel["unit"]),
        (&json!("float"), &json!(21.8), &json!("°C"))
    );
    assert_eq!(
        (&channel["described_by"], &channel["earlier"][0]["datatype"]),
        (&json!("person"), &json!("text"))
    );
}

#[tokio::test]
async fn a_time_that_cannot_be_right_is_that_of_the_arrival() {
    let mut bench = Bench::new().await;
    for (t, problem) in [(NOON + 86_400 * SECOND, "ahead"), (1_000, "never_set")] {
        bench.live("lab/demo/x/t", &format!(r#"{{"v":1,"t":{t}}}"#)).await;
        let device = bench.device("x");
        assert_eq!(device["clock"]["problem"], problem);
        assert_eq!(device["channels"][0]["time_ms"], bench.now_us / 1_000);
    }
    assert_eq!(bench.device("x")["counts"]["wrong_clock"], 2);
    bench.live("lab/demo/x/t", &format!(r#"{{"v":1,"t":{}}}"#, bench.now_us / 1_000_000)).await;
    assert_eq!(bench.device("x")["clock"], Json::Null);
    // With a number, its clock is corrected by the same step for all its samples.
    let ahead = bench.now_us + 7_200 * SECOND;
    for (n, after) in [(1, 0), (2, 1), (3, 10)] {
        bench
            .live(
                "lab/demo/y/t",
                &format!(r#"{{"v":{n},"t":{},"b":"k3f9","n":{n}}}"#, ahead + after * SECOND),
            )
            .await;
    }
    let first = bench.now_us - 2 * SECOND;
    assert_eq!(bench.device("y")["channels"][0]["time_ms"], (first + 10 * SECOND) / 1_000);
}

#[tokio::test]
async fn several_clocks_that_agree_make_the_labs_own_suspicious() {
    let mut bench = Bench::new().await;
    for device in ["a", "b"] {
        assert_eq!(bench.registry.suspicion(bench.now_us), None);
        let t = bench.now_us + 3_600 * SECOND;
        bench.live(&format!("lab/demo/{device}/t"), &format!(r#"{{"v":1,"t":{t}}}"#)).await;
    }
    assert_eq!(bench.registry.suspicion(bench.now_us).map(|found| found.senders), Some(2));
    bench.live("lab/demo/a/t", &format!(r#"{{"v":1,"t":{}}}"#, bench.now_us)).await;
    assert_eq!(bench.registry.suspicion(bench.now_us), None);
}

#[tokio::test]
async fn the_last_value_is_the_newest_one_that_is_not_of_the_future() {
    let mut bench = Bench::new().await;
    let sample = |t_us: i64, n: u64| format!(r#"{{"v":{n},"t":{t_us},"b":"k3f9","n":{n}}}"#);
    let value = |bench: &Bench| bench.device("x")["channels"][0]["value"].clone();
    bench.now_us += 100 * SECOND;
    for (t_us, n, shown) in
        [(NOON + 50 * SECOND, 1, 1.0), (NOON + 30 * SECOND, 2, 1.0), (NOON + 55 * SECOND, 3, 3.0)]
    {
        bench.live("lab/demo/x/t", &sample(t_us, n)).await;
        assert_eq!(value(&bench), shown);
    }
    // The lab's own clock is set back, a little and much.
    for (n, by_s) in [(5, 20), (7, 3_600)] {
        let before = bench.now_us;
        bench.live("lab/demo/x/t", &sample(before, n - 1)).await;
        bench.now_us -= by_s * SECOND;
        let set_back = bench.now_us;
        bench.live("lab/demo/x/t", &sample(set_back, n)).await;
        assert_eq!(value(&bench), json!(n as f64), "by {by_s} s");
    }
}

#[tokio::test]
async fn too_many_devices_and_series_are_refused() {
    let limits = Limits { devices: 2, series_of_device: 2, series: 3, ..Limits::default() };
    let mut bench = Bench::at(tempfile::tempdir().unwrap(), limits, NOON).await;
    for (topic, stored) in
        [("a/1", 1), ("a/2", 1), ("a/3", 0), ("b/1", 1), ("b/2", 0), ("c/1", 0), ("a/1", 1)]
    {
        assert_eq!(bench.live(&format!("lab/demo/{topic}"), "1").await.stored(), stored, "{topic}");
    }
    assert_eq!(bench.health.refused.get(), 3);
    assert_eq!(bench.device("c"), Json::Null);
}

#[tokio::test]
async fn a_channel_that_is_declared_anew_gets_a_series_of_its_own() {
    let mut bench = Bench::new().await;
    bench.live("lab/demo/lamp/on", "1").await;
    bench.retained("lab/demo/lamp/$info", INFO).await;
    bench.live("lab/demo/lamp/on", "true").await;
    let channel = bench.device("lamp")["channels"][0].clone();
    assert_eq!((&channel["series"], &channel["value"]), (&json!(2), &json!(true)));
    bench = bench.restart().await;
    assert_eq!(bench.device("lamp")["channels"][0]["series"], 2);
}

fn wish(value: impl Into<Value>) -> Wish<'static> {
    Wish { group: "demo", device: "lamp", channel: "on", value: value.into(), ttl_ms: 5_000 }
}

#[tokio::test]
async fn a_command_ends_with_the_devices_answer() {
    let mut bench = Bench::new().await;
    bench.retained("lab/demo/lamp/$info", INFO).await;
    let (yes, no) =
        (bench.commands.send(wish(true)).await.unwrap(), bench.commands.send(wish(1)).await.unwrap());
    bench.live("lab/demo/lamp/on/result", &format!(r#"{{"id":"{}","ok":true,"v":true}}"#, yes.id)).await;
    let refused = format!(r#"{{"id":"{}","ok":false,"error":"too hot"}}"#, no.id);
    bench.live("lab/demo/lamp/on/result", &refused).await;
    bench.live("lab/demo/lamp/on/result", r#"{"id":"someone-elses","ok":true}"#).await;
    for (id, state, error) in
        [(yes.id, CommandState::Confirmed, None), (no.id, CommandState::Refused, Some("too hot"))]
    {
        let kept = bench.store.command(&id).await.unwrap().unwrap();
        assert_eq!((kept.state, kept.error.as_deref()), (state, error));
        assert_eq!(bench.commands.get(&id), Some(kept));
    }
}

#[tokio::test]
async fn a_device_without_description_answers_with_its_value() {
    let mut bench = Bench::new().await;
    bench.live("lab/demo/lamp/on", "false").await;
    let command = bench.commands.send(wish(true)).await.unwrap();
    bench.live("lab/demo/lamp/on", "false").await;
    assert_eq!(bench.commands.get(&command.id).unwrap().state, CommandState::Pending);
    bench.live("lab/demo/lamp/on", "true").await;
    assert_eq!(bench.store.command(&command.id).await.unwrap().unwrap().state, CommandState::Confirmed);
}

/// A store that fails for as long as it is told to.
struct Moody(Arc<dyn Store>, AtomicBool);

macro_rules! pass_on {
    ($($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)+) => {
        #[async_trait]
        impl Store for Moody {
            fn engine(&self) -> &'static str { self.0.engine() }
            fn identity(&self) -> &str { self.0.identity() }
            async fn close(&self) { self.0.close().await }
            fn place(&self) -> String { self.0.place() }
            fn generation(&self) -> u64 { self.0.generation() }
            async fn write_for(
                &self,
                generation: u64,
                batch: &[Write],
            ) -> Result<WriteReport, crate::store::StoreError> {
                if self.1.load(Ordering::SeqCst) {
                    let source = sqlx::Error::PoolTimedOut;
                    return Err(crate::store::StoreError::Query { what: "write", source });
                }
                self.0.write_for(generation, batch).await
            }
            $(async fn $name(&self, $($arg: $type),*) -> Result<$result, crate::store::StoreError> {
                self.0.$name($($arg),*).await
            })+
        }
    };
}

pass_on! {
    load(now_us: i64) -> crate::store::Snapshot;
    open_device(group: &str, device: &str, now_us: i64) -> crate::store::DeviceId;
    open_series(new: &crate::store::NewSeries) -> crate::store::SavedSeries;
    set_shown(id: crate::store::DeviceId, name: Option<&str>, hidden: bool) -> ();
    set_channel(id: crate::store::DeviceId, channel: &str, settings: &crate::store::ChannelSettings) -> ();
    lives(id: crate::store::DeviceId) -> Vec<crate::store::LifeCounts>;
    states(id: crate::store::DeviceId, limit: u32) -> Vec<crate::store::StateChange>;
    commands(id: crate::store::DeviceId, limit: u32) -> Vec<crate::store::Command>;
    command(id: &str) -> Option<crate::store::Command>;
    insert_command(device: crate::store::DeviceId, command: &crate::store::Command) -> ();
    end_command(id: &str, state: CommandState, error: Option<&str>, ended_us: i64) -> ();
    series(id: crate::store::SeriesId) -> Option<crate::store::SavedSeries>;
    points(series: &crate::store::SavedSeries, range: std::ops::Range<i64>, max_points: usize) -> Vec<crate::store::Point>;
    variables() -> Vec<crate::store::SavedVariable>;
    define_variable(group: &str, name: &str, definition: &str) -> ();
    keep_variable(group: &str, name: &str, value: &Value) -> ();
    forget_variable(group: &str, name: &str) -> ();
    check() -> ();
    probe() -> ();
    heal() -> crate::store::Healed;
}

#[tokio::test]
async fn a_failing_store_loses_nothing_and_is_reported() {
    let mut bench = Bench::new().await;
    let moody = Arc::new(Moody(Arc::clone(&bench.store), AtomicBool::new(true)));
    let (_abandon, abandoned) = watch::channel(false);
    let health = Arc::clone(&bench.health);
    let (sender, receiver) = queue();
    let writer =
        Writer::new(moody.clone(), Arc::clone(&bench.registry), Arc::clone(&health), abandoned, receiver);
    let writing = health.supervisor.spawn(&health.writer, writer);
    for i in 0..50 {
        let message = Incoming::detached("lab/demo/x/t", i.to_string());
        let writes = bench.intake.take(&message, NOON + i).await.unwrap();
        sender.send(Entry { writes, message, generation: 0 }).await.unwrap();
    }
    while health.database.is_working() {
        tokio::task::yield_now().await;
    }
    assert_eq!(health.stored.get(), 0);
    moody.1.store(false, Ordering::SeqCst);
    drop(sender);
    writing.await.unwrap();
    assert_eq!((health.stored.get(), health.database.is_working()), (50, true));
}

#[tokio::test]
async fn what_comes_in_while_the_store_fails_is_counted_as_waiting() {
    let mut bench = Bench::new().await;
    let moody = Arc::new(Moody(Arc::clone(&bench.store), AtomicBool::new(true)));
    let (_abandon, abandoned) = watch::channel(false);
    let health = Arc::clone(&bench.health);
    let (sender, receiver) = queue();
    let writer =
        Writer::new(moody.clone(), Arc::clone(&bench.registry), Arc::clone(&health), abandoned, receiver);
    let writing = health.supervisor.spawn(&health.writer, writer);
    for i in 0..10 {
        let message = Incoming::detached("lab/demo/x/t", i.to_string());
        let writes = bench.intake.take(&message, NOON + i).await.unwrap();
        sender.send(Entry { writes, message, generation: 0 }).await.unwrap();
        while health.database.is_working() {
            tokio::task::yield_now().await;
        }
    }
    let counted = async {
        while health.database.status().waiting < 10 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), counted).await.expect("all ten are counted");
    moody.1.store(false, Ordering::SeqCst);
    drop(sender);
    writing.await.unwrap();
    assert_eq!((health.stored.get(), health.database.status().waiting), (10, 0));
}

#[tokio::test]
async fn a_store_that_stays_broken_does_not_keep_the_web_from_stopping() {
    let bench = Bench::new().await;
    let moody = Arc::new(Moody(Arc::clone(&bench.store), AtomicBool::new(true)));
    let (abandon, abandoned) = watch::channel(false);
    let (sender, receiver) = queue();
    let health = Arc::clone(&bench.health);
    let writer = Writer::new(moody, Arc::clone(&bench.registry), Arc::clone(&health), abandoned, receiver);
    let unstored = writer.unstored();
    let device = bench.store.open_device("demo", "x", NOON).await.unwrap();
    let writes = vec![Write::Refused { device, reason: String::new(), number: None, arrived_us: NOON }];
    sender.send(Entry { writes, message: Incoming::detached("t", ""), generation: 0 }).await.unwrap();
    let writing = health.supervisor.spawn(&health.writer, writer);
    abandon.send_replace(true);
    writing.await.unwrap();
    assert_eq!(unstored.kept.load(Ordering::SeqCst), 1, "counted: the broker has it");
}

#[tokio::test]
async fn one_row_that_the_database_refuses_does_not_stop_the_others() {
    let mut bench = Bench::new().await;
    let (_abandon, abandoned) = watch::channel(false);
    let health = Arc::clone(&bench.health);
    let (sender, receiver) = queue();
    let (store, registry) = (Arc::clone(&bench.store), Arc::clone(&bench.registry));
    let mut writer = Writer::new(store, registry, Arc::clone(&health), abandoned, receiver);
    let unknown = crate::store::DeviceId(4_711);
    let bad = Write::Refused { device: unknown, reason: String::new(), number: None, arrived_us: NOON };
    for i in 0..3 {
        let message = Incoming::detached("lab/demo/x/t", i.to_string());
        let mut writes = bench.intake.take(&message, NOON + i).await.unwrap();
        writes.push(bad.clone());
        sender.send(Entry { writes, message, generation: 0 }).await.unwrap();
    }
    drop(sender);
    writer.run().await.unwrap();
    assert_eq!((health.stored.get(), health.supervisor.set_aside_total()), (3, 3));
    let (total, last) = health.supervisor.all_set_aside();
    assert_eq!(
        (total, last[0].part, last[0].what.as_str()),
        (3, "database", "an unknown device: a refused message")
    );
}

fn topic() -> impl Strategy<Value = String> {
    let level = prop_oneof![
        Just("x".to_owned()),
        Just("set".to_owned()),
        Just("result".to_owned()),
        Just("$state".to_owned()),
        Just("$info".to_owned()),
        Just("$stats".to_owned()),
        Just("$error".to_owned()),
        Just("$interval".to_owned()),
        "[^+#\u{0}]{0,8}",
        Just("y".repeat(300)),
    ];
    prop::collection::vec(level, 0..5).prop_map(|levels| format!("lab/{}", levels.join("/")))
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "ready",
        "lost",
        "true",
        "-1e308",
        "1e999",
        "{\"v\":1,\"t\":9223372036854775807}",
        "\"\\ud800\"",
        INFO,
    ];
    let samples = (any::<f64>(), any::<i64>(), any::<u64>(), "[a-z]{1,3}")
        .prop_map(|(v, t, n, b)| format!(r#"{{"v":{v:e},"t":{t},"u":{n},"n":{n},"b":"{b}"}}"#).into_bytes());
    let boots = (any::<i32>(), 0_u64..1 << 63, "[a-z]{1,2}")
        .prop_map(|(v, u, b)| format!(r#"{{"v":{v},"u":{u},"n":{u},"b":"{b}"}}"#).into_bytes());
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        ".{0,40}".prop_map(String::into_bytes),
        prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        samples,
        boots,
        Just(vec![b'7'; 70_000]),
    ]
}

/// Payloads that a foreign client may send on a channel.
fn foreign() -> impl Strategy<Value = Vec<u8>> {
    let parts = [
        "21.5",
        "nan",
        "ON",
        "",
        "0123",
        "auto",
        "21,5",
        "null",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"v\"",
        "\"t\"",
        "\"a\"",
        "1",
        "1e400",
        "1732375200",
        " ",
        "\n",
        "\u{feff}",
        "\"2026-11-30T10:00:00Z\"",
        "{\"a\":1,\"b\":{\"c\":true}}",
    ];
    prop_oneof![
        prop::collection::vec(prop::sample::select(parts.to_vec()), 0..8)
            .prop_map(|parts| parts.concat().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..20),
        payload(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each live message on a channel's or a device's topic is counted as something, and the series that were there stay
    /// what they are.
    #[test]
    fn no_payload_is_dropped_in_silence_or_changes_a_series(
        messages in prop::collection::vec((prop::sample::select(vec!["lab/g/d", "lab/g/d/a", "lab/g/d/b"]), foreign()), 0..80)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bench = Bench::new().await;
            let mut series = std::collections::BTreeMap::new();
            let mut counted = 0;
            for (topic, payload) in messages {
                bench.take(Incoming::detached(topic, payload.clone())).await;
                let device = serde_json::to_value(bench.registry.view("g", "d")).unwrap();
                let counts = &device["counts"];
                let count = |name: &str| counts[name].as_u64().unwrap_or(0);
                let now = count("received") + count("refused") + count("no_reading") + count("duplicate");
                assert!(now > counted, "{}: {device:#}", String::from_utf8_lossy(&payload));
                counted = now;
                for known in bench.registry.series() {
                    let datatype = *series.entry(known.id).or_insert(known.datatype);
                    assert_eq!(datatype, known.datatype);
                }
            }
        });
    }

    #[test]
    fn no_message_whatsoever_stops_ingest(
        messages in prop::collection::vec((topic(), payload(), any::<bool>()), 0..120)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bench = Bench::new().await;
            for (topic, payload, retain) in messages {
                let mut message = Incoming::detached(topic, payload);
                message.retain = retain;
                bench.take(message).await;
                bench.connected(true);
            }
            // What is known can be shown, and what is stored can be read again.
            serde_json::to_string(&bench.registry.views()).unwrap();
            let before = bench.registry.views().len();
            let bench = bench.restart().await;
            assert_eq!(bench.registry.views().len(), before);
        });
    }
}
