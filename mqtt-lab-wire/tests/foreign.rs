//! Payloads of foreign clients and what they mean. `tests/payloads.rs` of the program tests them end to end.

#![cfg(feature = "alloc")]

use mqtt_lab_wire::{Channel, Datatype, Members, Message, Note, SampleTime, Value, ValueError, Written};
use proptest::prelude::*;

/// What a bare payload, or the `v` of a sample, means on an undescribed channel: datatype and value.
fn undescribed(payload: &str, present: Option<Datatype>) -> Result<(Datatype, Option<Value>), ValueError> {
    let (datatype, meaning) = written(payload).for_undescribed(present)?;
    Ok((datatype, meaning.value.map(Value::from)))
}

fn written(payload: &str) -> Written<'_> {
    match Message::read(payload.as_bytes()) {
        Ok(Message::Sample(sample)) => sample.value,
        other => panic!("{payload}: {other:?}"),
    }
}

#[track_caller]
fn is(payload: &str, present: Option<Datatype>, datatype: Datatype, value: impl Into<Value>) {
    assert_eq!(undescribed(payload, present), Ok((datatype, Some(value.into()))), "{payload}");
}

#[test]
fn a_first_value_finds_its_datatype() {
    use Datatype::{Bool, Float, Text};
    is("21.5", None, Float, 21.5);
    is("\u{feff} 21,5\r\n", None, Float, 21.5);
    is("21", None, Float, 21.0);
    is("ON", None, Bool, true);
    is("1", None, Float, 1.0);
    is("0123", None, Text, "0123");
    is("-012", None, Text, "-012");
    is("0x1F", None, Text, "0x1F");
    is("[12:30] open", None, Text, "[12:30] open");
    is(r#""21.5""#, None, Float, 21.5);
    is(r#"{"v":"off"}"#, None, Bool, false);
    is(r#"{"v":"89490200001234567890"}"#, None, Text, "89490200001234567890");
    is(r#"{"v":9007199254740993}"#, None, Float, 9_007_199_254_740_992.0);
    assert_eq!(undescribed("1e400", None), Err(ValueError::TooLarge));
    assert_eq!(undescribed("a\u{7}b", None), Err(ValueError::ControlCharacter));
    for nothing in [
        "nan",
        "-Infinity",
        "NULL",
        "unavailable",
        r#""""#,
        r#"{"v":null}"#,
        r#"{"v":NaN}"#,
        r#"{"v":" nan "}"#,
    ] {
        assert_eq!(undescribed(nothing, None).map(|(_, value)| value), Ok(None), "{nothing}");
    }
}

#[test]
fn a_series_keeps_its_datatype() {
    use Datatype::{Bool, Float, Text};
    assert_eq!(undescribed("open", Some(Float)), Err(ValueError::Datatype(Float)));
    assert_eq!(undescribed("on", Some(Float)), Err(ValueError::Datatype(Float)));
    is("1", Some(Bool), Bool, true);
    is("auto", Some(Bool), Text, "auto");
    is("21.5", Some(Bool), Text, "21.5");
    is("21.5", Some(Text), Text, "21.5");
    is("12e45678", Some(Text), Text, "12e45678");
    is("on", Some(Text), Text, "on");
    assert_eq!(undescribed("nan", Some(Text)).map(|(_, value)| value), Ok(None));
}

#[test]
fn a_described_channel_knows_what_it_takes() {
    let on = |channel: &Channel, payload| {
        written(payload).for_channel(channel).map(|meaning| meaning.value.map(Value::from))
    };
    let card = Channel::text("card");
    for text in ["12e45678", "1234e567", "89490200001234567890", "nan", "0123", "true", "a\nb"] {
        assert_eq!(on(&card, text), Ok(Some(text.into())), "{text}");
    }
    assert_eq!(on(&card, r#"{"v":89490200001234567890}"#), Ok(Some("89490200001234567890".into())));
    let lamp = Channel::bool("on");
    assert_eq!(
        [on(&lamp, "1"), on(&lamp, "OFF"), on(&lamp, "nan")],
        [Ok(Some(true.into())), Ok(Some(false.into())), Ok(None)]
    );
    assert_eq!(on(&lamp, "maybe"), Err(ValueError::Datatype(Datatype::Bool)));
    let count = Channel::int("n");
    assert_eq!([on(&count, "21"), on(&count, "0021")], [Ok(Some(Value::Int(21))), Ok(Some(Value::Int(21)))]);
    assert_eq!(on(&count, "21.5"), Err(ValueError::Datatype(Datatype::Int)));
    assert_eq!(on(&count, "9007199254740991.9999"), Err(ValueError::Datatype(Datatype::Int)));
    assert_eq!(
        [on(&count, "21.0"), on(&count, "2.15e1")],
        [Ok(Some(Value::Int(21))), Err(ValueError::Datatype(Datatype::Int))]
    );
    assert_eq!(on(&count, "9007199254740993"), Err(ValueError::IntRange));
    let mode = Channel::choice("mode", vec!["eco".into(), "unknown".into()]);
    assert_eq!(on(&mode, "unknown"), Ok(Some("unknown".into())), "a word of its own");
    assert_eq!(on(&mode, "turbo"), Err(ValueError::NotAChoice));
    assert_eq!(on(&Channel::color("c"), "unknown"), Ok(None));
    assert_eq!(
        on(&Channel::float("p").range(0.0, 1.0), "1,5"),
        Err(ValueError::Range { min: Some(0.0), max: Some(1.0) })
    );
}

#[test]
fn what_is_remarkable_is_noted() {
    let note = |payload| written(payload).for_undescribed(None).expect(payload).1.note;
    assert_eq!(note("21,5"), Some(Note::DecimalComma));
    assert_eq!(note("9007199254740993"), Some(Note::LostDigits));
    assert_eq!([note("21.5 C"), note("21.5°C"), note("40 %")], [Some(Note::NumberWithUnit); 3]);
    assert_eq!([note("21.5"), note("10 of 20 doors open"), note("1.2.3"), note("0123 x")], [None; 4]);
}

/// Name and text of each member, the time, and what was refused in words.
fn members(object: &str, prefix: Option<&str>) -> (Vec<(String, String)>, Option<SampleTime>, Vec<String>) {
    let members = Members::read(object, prefix).unwrap_or_else(|error| panic!("{object}: {error}"));
    let all = members.all.iter().map(|(name, value)| (name.clone(), value.to_string()));
    (all.collect(), members.time, members.refused.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn named(object: &str, prefix: Option<&str>, expected: &[&str]) {
    let names: Vec<_> = members(object, prefix).0.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, expected, "{object}");
}

#[test]
fn each_member_is_a_channel() {
    named(r#"{"temperature":21.5,"update":{"state":"idle"}}"#, None, &["temperature", "update-state"]);
    named(r#"{"power":{"apower":12.3}}"#, Some("power"), &["power-power-apower"]);
    named(r#"{"a":[1,[2,3],{"x":4}]}"#, None, &["a-0", "a-1-0", "a-1-1", "a-2-x"]);
    named(
        r#"{"a b":1,"x/y":2,"x-y":3,"":4,"$s":5,"d$":6,"+#":7}"#,
        None,
        &["a b", "x-y", "x-y-2", "unnamed", "-s", "d$", "--"],
    );
    named(r#"{"a":1,"a":2,"a-2":3}"#, None, &["a", "a-2", "a-2-2"]);
    named(r#"{"v":[1],"b":2,"n":3}"#, None, &["v-0", "b", "n"]);
}

#[test]
fn one_member_may_be_the_time_of_all() {
    let time = |object: &str| members(object, None).1;
    assert_eq!(time(r#"{"a":1,"ts":1732375200.25}"#), Some(SampleTime::Unix(1_732_375_200_250_000)));
    assert_eq!(
        time(r#"{"Time":"2024-11-23T15:20:00Z","a":1}"#),
        Some(SampleTime::Unix(1_732_375_200_000_000))
    );
    assert_eq!(
        time(r#"{"Time":"2024-11-23T15:20:00","ts":1732375200}"#),
        Some(SampleTime::Unix(1_732_375_200_000_000))
    );
    assert_eq!(time(r#"{"Time":"2024-11-23T15:20:00","a":1}"#), Some(SampleTime::NoOffset));
    named(r#"{"t":21.5,"time":"noon","ts":7,"x":{"ts":1732375200}}"#, None, &["t", "time", "ts", "x-ts"]);
    named(r#"{"time":1732375200,"ts":1732375201}"#, None, &["ts"]);
}

#[test]
fn what_is_too_much_is_refused_by_name() {
    let (taken, _, refused) = members(r#"{"a":{"b":{"c":{"d":{"e":1},"f":2}}},"g":3}"#, None);
    assert_eq!(taken, [("a-b-c-f".into(), "2".into()), ("g".into(), "3".into())]);
    assert!(refused[0].contains("`a-b-c-d`"), "{refused:?}");
    let many: Vec<_> = (0..70).map(|n| format!(r#""m{n}":{n}"#)).collect();
    let (taken, _, refused) = members(&format!("{{{}}}", many.join(",")), None);
    assert_eq!((taken.len(), refused.len()), (64, 1), "{refused:?}");
    let (taken, _, refused) = members(r#"{"a":[0,1,2,3,4,5,6,7,8,9]}"#, None);
    assert_eq!((taken.len(), refused.len()), (8, 1), "{refused:?}");
    for nothing in ["{}", r#"{"a":{}}"#, r#"{"a":[]}"#, r#"{"ts":1732375200}"#] {
        assert_eq!(members(nothing, None).2, ["the object holds no value"], "{nothing}");
    }
    let long = format!(r#"{{"{}":1}}"#, "x".repeat(300));
    assert_eq!(members(&long, None).2.len(), 1);
}

#[test]
fn an_error_in_json_has_its_place_in_the_payload() {
    for object in [r#"{"a":{"b":[1,2,{"c":tru}]}}"#, r#"{"a":tru}"#] {
        let error = match Message::read(object.as_bytes()) {
            Ok(Message::Object(object)) => {
                Members::read(object, None).map(|_| ()).expect_err(object).to_string()
            }
            Ok(Message::NoSample(_, malformed)) => malformed.to_string(),
            other => panic!("{object}: {other:?}"),
        };
        let at = object.find("tru").expect("it is there");
        assert!(error.ends_with(&format!("byte {at}")), "{object}: {error}");
    }
    let python = Message::read(b"{'temperature': 21.5}");
    assert!(
        matches!(python, Ok(Message::NoSample(_, malformed)) if malformed.to_string().contains("json.dumps")),
        "{python:?}"
    );
}

fn datatypes() -> impl Strategy<Value = Option<Datatype>> {
    prop::option::of(prop::sample::select(vec![
        Datatype::Float,
        Datatype::Int,
        Datatype::Bool,
        Datatype::Text,
        Datatype::Choice,
        Datatype::Color,
    ]))
}

/// Payloads near the rules' borders.
fn payloads() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "nan",
        "NULL",
        "on",
        "Off",
        "true",
        "21.5",
        "21,5",
        "007",
        "1e400",
        "12e45678",
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "v",
        "t",
        "ts",
        "n",
        "b",
        "\"v\":",
        "\"t\":1732375200",
        "{\"v\":1",
        "{\"a\":{\"b\":",
        "\u{feff}",
        " ",
        "\n",
        "-",
        "null",
        "1",
        "2.",
        "°C",
        "\\u00e4",
        "\\",
        "$",
        "/",
    ]);
    prop_oneof![
        prop::collection::vec(word, 0..12).prop_map(|words| words.concat().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..64),
        any::<String>().prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Nothing panics; what is a value has the datatype of its series, which changes only from truth values to texts.
    #[test]
    fn no_payload_changes_the_datatype_of_a_series(payload in payloads(), present in datatypes()) {
        let values: Vec<Written<'_>> = match Message::read(&payload) {
            Ok(Message::Sample(sample)) => vec![sample.value],
            Ok(Message::Object(object)) => match Members::read(object, Some("x")) {
                Ok(members) => {
                    prop_assert!(!members.all.is_empty() || !members.refused.is_empty(), "silently dropped");
                    members.all.iter().map(|(_, value)| *value).collect()
                }
                Err(_) => vec![],
            },
            Ok(Message::NoSample(text, _)) => vec![Written::Bare(text)],
            Ok(Message::Empty) | Err(_) => vec![],
        };
        for value in values {
            let Ok((datatype, meaning)) = value.for_undescribed(present) else { continue };
            let expected = match (present, datatype) {
                (Some(Datatype::Bool), Datatype::Text) => Datatype::Text,
                (Some(Datatype::Choice | Datatype::Color), _) if meaning.value.is_some() => Datatype::Text,
                (Some(present), _) => present,
                (None, datatype) => datatype,
            };
            prop_assert_eq!(datatype, expected);
            if let Some(value) = meaning.value {
                prop_assert!(Channel::new("", datatype).check(value).is_ok(), "{:?}", value);
            }
        }
    }
}
