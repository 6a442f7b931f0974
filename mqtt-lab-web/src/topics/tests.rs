#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mqtt_lab_core::link::{Properties, Qos};
use serde_json::{Value as Json, json};

use super::*;
use crate::config::Seen;

fn say(topics: &Topics, topic: &str, payload: impl Into<Vec<u8>>) {
    topics.note(&Incoming::detached(topic, payload.into()), 1_000_000);
}

fn names(list: &TopicList) -> Vec<String> {
    let rows = serde_json::to_value(list).unwrap();
    rows["topics"].as_array().unwrap().iter().map(|row| row["topic"].as_str().unwrap().to_owned()).collect()
}

fn message(topics: &Topics, topic: &str) -> Json {
    serde_json::to_value(topics.message(topic, Version::V5).unwrap()).unwrap()
}

#[test]
fn topics_are_listed_in_order_by_prefix_and_up_to_a_limit() {
    let topics = Topics::new(None);
    for topic in ["lab/b/x", "lab/a/x", "lab/ab/x", "other"] {
        say(&topics, topic, "1");
    }
    assert_eq!(names(&topics.list("", 0, 100)), ["lab/a/x", "lab/ab/x", "lab/b/x", "other"]);
    assert_eq!(names(&topics.list("lab/a/", 0, 100)), ["lab/a/x"]);
    let first = topics.list("lab/", 0, 2);
    assert_eq!((names(&first).len(), first.left_out, first.total), (2, 1, 3));
    assert!(topics.list("lab/c", 0, 2).topics.is_empty());
}

#[test]
fn only_what_changed_since_is_listed() {
    let topics = Topics::new(None);
    say(&topics, "lab/a/x", "1");
    say(&topics, "lab/b/x", "1");
    let seen = topics.list("", 0, 100).next;
    assert!(topics.list("", seen, 100).topics.is_empty());
    say(&topics, "lab/b/x", "2");
    let changed = topics.list("", seen, 100);
    assert_eq!((names(&changed), changed.total), (vec!["lab/b/x".to_owned()], 2));
}

#[test]
fn a_number_of_an_earlier_lab_is_below_all_of_this_one() {
    let earlier = Topics::new(None).list("", 0, 1).next;
    std::thread::yield_now();
    let topics = Topics::new(None);
    say(&topics, "lab/a/x", "1");
    assert_eq!(topics.list("", earlier, 100).topics.len(), 1);
}

#[test]
fn what_is_beyond_the_bounds_is_counted_and_not_kept() {
    let topics = Topics::with_limit(None, 2);
    for topic in ["a", "b", "c", "c"] {
        say(&topics, topic, "1");
    }
    say(&topics, "a", "2");
    let list = topics.list("", 0, 100);
    assert_eq!((names(&list), list.unkept), (vec!["a".to_owned(), "b".to_owned()], 2));
    let topics = Topics::new(None);
    say(&topics, &"t".repeat(MAX_TOPIC_BYTES + 1), "1");
    assert_eq!(topics.list("", 0, 100).unkept, 1);
}

#[test]
fn a_long_payload_is_cut_between_characters_and_its_length_is_true() {
    let topics = Topics::new(None);
    let long = format!("x{}", "ä".repeat(3_000));
    say(&topics, "t", long.clone());
    let shown = message(&topics, "t");
    let text = shown["text"].as_str().unwrap();
    assert!(long.starts_with(text) && text.len() == 4_095, "{}", text.len());
    assert_eq!((&shown["truncated"], &shown["packet"]["payload"]), (&json!(true), &json!(6_001)));
    say(&topics, "t", "1");
    let shown = message(&topics, "t");
    assert_eq!(
        (&shown["text"], &shown["truncated"], &shown["count"]),
        (&json!("1"), &json!(false), &json!(2))
    );
}

#[test]
fn bytes_that_are_no_text_are_shown_as_digits() {
    let topics = Topics::new(None);
    say(&topics, "t", [0xff, 0x00, 0x1f]);
    let shown = message(&topics, "t");
    assert_eq!((&shown["text"], &shown["hex"]), (&Json::Null, &json!("ff001f")));
    let list = serde_json::to_value(topics.list("", 0, 1)).unwrap();
    assert_eq!((&list["topics"][0]["preview"], &list["topics"][0]["bytes"]), (&Json::Null, &json!(3)));
}

#[test]
fn how_it_was_published_is_told_by_the_broker_or_not_at_all() {
    let log: PublishLog =
        Arc::new(|topic| (topic == "known").then_some(Seen { qos: Qos::ExactlyOnce, retain: true }));
    let topics = Topics::new(Some(log));
    say(&topics, "known", "1");
    say(&topics, "unknown", "1");
    let known = message(&topics, "known");
    assert_eq!(
        (&known["qos"], &known["retained"], &known["packet"]["qos"]),
        (&json!(2), &json!(true), &json!(2))
    );
    let unknown = message(&topics, "unknown");
    assert_eq!((&unknown["qos"], &unknown["retained"]), (&Json::Null, &Json::Null));
    assert_eq!((&unknown["delivered_qos"], &unknown["packet"]["qos"]), (&json!(1), &json!(1)));
    say(&topics, "known", "");
    assert_eq!(message(&topics, "known")["retained"], json!(false), "an empty message is never kept");
    let mut kept = Incoming::detached("unknown", "1");
    kept.retain = true;
    topics.note(&kept, 0);
    assert_eq!(message(&topics, "unknown")["retained"], json!(true), "the broker had it when we came");
}

#[test]
fn an_older_message_that_the_broker_keeps_is_told_until_it_is_replaced_or_removed() {
    let retain = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&retain);
    let log: PublishLog =
        Arc::new(move |_| Some(Seen { qos: Qos::AtLeastOnce, retain: flag.load(Ordering::Relaxed) }));
    let topics = Topics::new(Some(log));
    let say = |payload: &str, retained: bool| {
        retain.store(retained, Ordering::Relaxed);
        say(&topics, "t", payload);
        message(&topics, "t")["kept"]["text"].clone()
    };
    assert_eq!(say("old", true), Json::Null, "the last message is the one it keeps");
    assert_eq!(say("new", false), json!("old"));
    assert_eq!(say("newer", false), json!("old"));
    let row = serde_json::to_value(topics.list("", 0, 1)).unwrap()["topics"][0].clone();
    assert_eq!((&row["retained"], &row["keeps_older"]), (&json!(false), &json!(true)));
    assert_eq!(say("next", true), Json::Null);
    assert_eq!(say("new", false), json!("next"));
    assert_eq!(say("", true), Json::Null, "an empty one takes it back");
    assert_eq!(say("new", false), Json::Null);
}

#[test]
fn without_a_log_nobody_knows_whether_a_newer_message_is_kept_instead() {
    let topics = Topics::new(None);
    let mut kept = Incoming::detached("t", "old");
    kept.retain = true;
    topics.note(&kept, 0);
    say(&topics, "t", "new");
    assert_eq!(message(&topics, "t")["kept"], Json::Null);
}

#[test]
fn properties_count() {
    let topics = Topics::new(None);
    let mut heard = Incoming::detached("lab/a/x", "21.5");
    let expiry = Some(Duration::from_secs(5));
    heard.properties = Some(Box::new(Properties { message_expiry: expiry, ..Properties::default() }));
    topics.note(&heard, 0);
    let packet = message(&topics, "lab/a/x")["packet"].clone();
    let expected = json!({"version": 5, "qos": 1, "fixed_header": 2, "topic": 9, "packet_id": 2,
        "properties": 6, "payload": 4, "total": 23});
    assert_eq!(packet, expected);
}
