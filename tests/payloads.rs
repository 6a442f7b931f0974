//! Payloads of foreign clients, through the real program: the rules of `docs/payloads.md` as cases.

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use mqtt_lab_core::link::{Link, Version};
use serde_json::{Value, json};
use support::{Lab, publish};

const CASES: [&str; 2] = [include_str!("payloads/cases.tsv"), include_str!("payloads/more.tsv")];

/// How far a time may be from the one that is expected, in milliseconds: that of the test's own way to the lab.
const NEAR_MS: f64 = 1_000.0;

struct Case {
    described: &'static str,
    device: &'static str,
    channel: &'static str,
    payload: Vec<u8>,
    expected: Vec<(String, String, String)>,
    outcome: Outcome,
    note: &'static str,
    /// The time in the payload, in milliseconds since the Unix epoch.
    time_ms: Option<f64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Values,
    NoReading,
    Refused,
}

fn cases() -> Vec<Case> {
    let lines = CASES.iter().flat_map(|file| file.lines());
    lines.filter(|line| !line.starts_with('#') && !line.is_empty()).map(Case::read).collect()
}

fn now_us() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros()
}

impl Case {
    fn read(line: &'static str) -> Self {
        let columns: Vec<_> = line.split('\t').collect();
        let [described, topic, payload, expected, ..] = columns[..] else {
            panic!("too few columns: {line}")
        };
        let (device, channel) = topic.split_once('/').unwrap_or((topic, ""));
        let now = now_us();
        let fill = |text: &str| {
            let text = text.replace("NOW_MS", &(now / 1_000).to_string()).replace("NOW_US", &now.to_string());
            let text = text.replace("NOW_NS", &(now * 1_000).to_string());
            text.replace("NOW_S", &(now / 1_000_000).to_string())
                .replace("TOMORROW_US", &(now + 86_400_000_000).to_string())
        };
        let outcome = match expected {
            "NONE" => Outcome::NoReading,
            "REFUSED" => Outcome::Refused,
            _ => Outcome::Values,
        };
        Self {
            described,
            device,
            channel,
            payload: unescape(&fill(payload)),
            expected: if outcome == Outcome::Values { values(&fill(expected)) } else { Vec::new() },
            outcome,
            note: columns.get(4).copied().unwrap_or_default(),
            time_ms: time_in(payload, now),
        }
    }

    /// The description of the channel, as its device or a person would give it.
    fn description(&self) -> Option<Value> {
        let (datatype, choices) = self.described.split_once(' ').unwrap_or((self.described, ""));
        let mut description = json!({"datatype": datatype});
        if !choices.is_empty() {
            description["choices"] = choices.split(',').collect();
        }
        (datatype != "-").then_some(description)
    }

    fn name(&self) -> String {
        format!("{}/{} {}", self.device, self.channel, self.payload.escape_ascii())
    }
}

/// The time in a payload of second or finer resolution.
#[allow(clippy::cast_precision_loss, reason = "milliseconds")]
fn time_in(payload: &str, now_us: u128) -> Option<f64> {
    let second = (now_us / 1_000_000 * 1_000) as f64;
    if payload.contains("\"x\":") {
        None
    } else if payload.contains("2026-11-30T10:00:00+01:00") {
        // As soon as the machine's clock is past it.
        (now_us > 1_796_029_200_000_000).then_some(1_796_029_200_000.0)
    } else if payload.contains("NOW_S.25") {
        Some(second + 250.0)
    } else if payload.contains("NOW_S") {
        Some(second)
    } else {
        payload.contains("NOW_").then_some(now_us as f64 / 1_000.0)
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = if text == "EMPTY" { "" } else { text };
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (byte, length) = match after.as_bytes().first() {
            Some(b'x') => (u8::from_str_radix(&after[1..3], 16).expect("two digits"), 3),
            Some(b'n') => (b'\n', 1),
            Some(b'r') => (b'\r', 1),
            Some(b't') => (b'\t', 1),
            other => panic!("unknown escape {other:?} in {text}"),
        };
        bytes.push(byte);
        rest = &after[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// `a=1:float "b c"=x y:text` as channel, value and datatype.
fn values(text: &str) -> Vec<(String, String, String)> {
    let mut found: Vec<(String, String, String)> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once("\"=").expect("a name in quotes"),
            None => rest.split_once('=').expect("a name"),
        };
        // The next one begins with a word and `=` behind a space.
        let next = after.match_indices(' ').map(|(at, _)| at).find(|at| {
            let word: String = after[at + 1..].chars().take_while(|c| *c != ' ').collect();
            word.contains('=') && !word.starts_with('=')
        });
        let (value, left) = next.map_or((after, ""), |at| (&after[..at], &after[at + 1..]));
        let (value, datatype) = value.rsplit_once(':').expect("a datatype");
        found.push((name.to_owned(), value.to_owned(), datatype.to_owned()));
        rest = left;
    }
    found
}

fn same(shown: &Value, expected: &str) -> bool {
    match shown {
        Value::Number(number) => {
            expected.parse().is_ok_and(|expected: f64| number.as_f64() == Some(expected))
        }
        Value::Bool(truth) => truth.to_string() == expected,
        Value::String(text) => text == expected,
        _ => false,
    }
}

/// How many messages of the device have been dealt with.
fn handled(device: &Value) -> u64 {
    let count = |name: &str| device["counts"][name].as_u64().unwrap_or(0);
    count("stored") + count("refused") + count("no_reading")
}

/// Publishes the payload and checks what is shown then. `prefix`: the devices of this way to describe them.
async fn check(lab: &Lab, client: &Link, case: &Case, prefix: &str) {
    let name = format!("{prefix}{}", case.device);
    let path = format!("/api/v1/devices/q/{name}");
    let before = lab.request("GET", &path, None).1;
    let topic = format!("lab/q/{name}/{}", case.channel);
    publish(client, topic.trim_end_matches('/'), case.payload.clone()).await;
    let device = lab.poll(&path, |device| (handled(device) > handled(&before)).then(|| device.clone()));
    #[allow(clippy::cast_precision_loss, reason = "milliseconds")]
    let arrived_ms = now_us() as f64 / 1_000.0;
    let what = format!("{} ({})\n{device:#}", case.name(), case.note);
    let grew = |count: &str| {
        let count = |device: &Value| device["counts"][count].as_u64().unwrap_or(0);
        count(&device) - count(&before)
    };
    match case.outcome {
        Outcome::NoReading => {
            assert_eq!((grew("no_reading"), grew("stored"), grew("refused")), (1, 0, 0), "{what}");
            let last = device["no_readings"].as_array().and_then(|all| all.last()).expect(&what);
            assert_eq!((&last["channel"], &last["present"]), (&json!(case.channel), &json!(true)), "{what}");
        }
        Outcome::Refused => {
            assert_eq!((grew("refused"), grew("stored"), grew("no_reading")), (1, 0, 0), "{what}");
            let reason = device["refusal"].as_str().expect(&what);
            assert!(reason.len() > 10, "{what}");
            for (note, word) in [
                ("choices", "`eco`, `boost`"),
                ("position", "byte 1"),
                ("deeper than 4", "4 levels"),
                ("reason shown", "array"),
                ("out of range", "out of range"),
            ] {
                assert!(!case.note.contains(note) || reason.contains(word), "{word}: {what}");
            }
            if let Some(words) = case.note.strip_prefix("says ") {
                assert!(reason.contains(words), "{what}");
            }
        }
        Outcome::Values => {
            let stored = u64::try_from(case.expected.len()).expect("few");
            assert_eq!(grew("stored"), stored, "{what}");
            for (channel, value, datatype) in &case.expected {
                let all = device["channels"].as_array().expect("an array");
                let shown = all.iter().find(|shown| shown["name"] == **channel).expect(&what);
                assert!(same(&shown["value"], value), "{channel}: {what}");
                assert_eq!(shown["datatype"], **datatype, "{channel}: {what}");
                let time_ms = shown["time_ms"].as_f64().expect(&what);
                let expected_ms = case.time_ms.unwrap_or(arrived_ms);
                assert!((time_ms - expected_ms).abs() < NEAR_MS, "{channel} at {expected_ms}: {what}");
            }
            let with_value = |channel: &&Value| !channel["value"].is_null();
            let shown = device["channels"].as_array().expect("an array").iter().filter(with_value).count();
            assert!(shown <= case.expected.len(), "more channels than expected: {what}");
            let counted = u64::from(case.note.contains("counted"));
            assert_eq!(grew("wrong_clock"), counted, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_is_shown_as_it_was_meant() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = Lab::start(folder.path(), Some(""));
    let client = lab.client(Version::V5).await;
    let cases = cases();
    assert!(cases.len() >= 2 * 72, "{}", cases.len());
    for case in &cases {
        let Some(description) = case.description() else {
            check(&lab, &client, case, "").await;
            continue;
        };
        // Described by the device itself ...
        let mut channel = description.clone();
        channel["name"] = case.channel.into();
        let info = json!({"schema": 1, "channels": [channel]});
        publish(&client, &format!("lab/q/{}/$info", case.device), info.to_string()).await;
        lab.poll(&format!("/api/v1/devices/q/{}", case.device), |device| {
            (device["announced"] == true).then_some(())
        });
        check(&lab, &client, case, "").await;
        // ... and by a person, once the device is known.
        let person = format!("/api/v1/devices/q/person-{}", case.device);
        publish(&client, &format!("lab/q/person-{}/$state", case.device), "ready").await;
        lab.poll(&person, |device| (device["state"] == "ready").then_some(()));
        let change = format!("{person}/channels/{}", case.channel);
        let (status, said) = lab.request("PATCH", &change, Some(&description.to_string()));
        assert_eq!(status, 200, "{}: {said}", case.name());
        check(&lab, &client, case, "person-").await;
    }
    let (status, output) = lab.interrupt();
    assert!(status.success(), "{output:?}");
}

#[test]
fn the_cases_are_read_as_they_are_written() {
    assert_eq!(unescape(r"\xef\xbb\xbf21.5\r\n"), b"\xef\xbb\xbf21.5\r\n");
    assert_eq!(unescape("EMPTY"), b"");
    let found = values(r#""a b"=1:float v=21.5 C:text card={"a":1}:text"#);
    let expected = [("a b", "1", "float"), ("v", "21.5 C", "text"), ("card", r#"{"a":1}"#, "text")];
    assert_eq!(found, expected.map(|(name, value, datatype)| (name.into(), value.into(), datatype.into())));
}
