//! Topics made and read.

use mqtt_lab_wire::{Address, Part, Topic, TopicError};

#[track_caller]
fn reads(topic: &str, expected: Result<(&str, &str, Part<'_>), TopicError>) {
    let read = Topic::parse("lab", topic).map(|t| (t.group, t.device, t.part));
    assert_eq!(read, expected, "{topic}");
}

#[test]
fn every_part_is_read_back() {
    let board = Address::new("lab", "demo", "board").expect("an address");
    let cases = [
        (board.channel("temperature"), Part::Sample("temperature")),
        (board.channel("$interval"), Part::Sample("$interval")),
        (board.set("led"), Part::Set("led")),
        (board.result("led"), Part::Result("led")),
        (board.state(), Part::State),
        (board.info(), Part::Info),
        (board.stats(), Part::Stats),
        (board.error(), Part::Error),
    ];
    for (topic, part) in cases {
        reads(&topic.to_string(), Ok(("demo", "board", part)));
    }
    assert_eq!(board.all_commands().to_string(), "lab/demo/board/+/set");
    assert_eq!(Topic::all("uni/lab").to_string(), "uni/lab/#");
}

#[test]
fn foreign_names_are_accepted_as_they_are() {
    reads("lab/demo/Küche 1/Temp", Ok(("demo", "Küche 1", Part::Sample("Temp"))));
    reads("lab/demo/<b>x</t", Ok(("demo", "<b>x<", Part::Sample("t"))));
    reads("lab/demo/mine/a/b/c", Ok(("demo", "mine", Part::Sample("a/b/c"))));
    reads("lab/demo/mine", Ok(("demo", "mine", Part::Reading)));
    reads("lab/demo/mine/a/b/set", Ok(("demo", "mine", Part::Set("a/b"))));
}

#[test]
fn what_is_no_topic_of_the_lab_is_refused() {
    reads("lab", Err(TopicError::ForeignRoot));
    reads("laboratory/a/b/c", Err(TopicError::ForeignRoot));
    reads("lab/a", Err(TopicError::Levels));
    reads("lab//b", Err(TopicError::Levels));
    reads("lab/a//c", Err(TopicError::Levels));
    reads("lab/a/b/", Err(TopicError::Levels));
    reads("lab/a/b/$secret", Err(TopicError::UnknownPart));
    reads("lab/a/b/$state/set", Err(TopicError::UnknownPart));
    reads(&format!("lab/a/{}/c", "x".repeat(300)), Err(TopicError::TooLong));
}

#[test]
fn own_names_are_words() {
    for wrong in ["", "Demo", "a b", "a+b", "a/b", "$x", &"x".repeat(65)] {
        assert_eq!(Address::new("lab", wrong, "d").map(drop), Err(TopicError::Word), "{wrong}");
    }
    assert!(Address::new("university/lab-3", "a", "b").is_ok());
    assert!(Address::new("university//lab", "a", "b").is_err());
}
