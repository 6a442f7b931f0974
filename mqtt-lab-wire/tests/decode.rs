//! What is read, what is refused, and why.

use mqtt_lab_wire::{
    BootId, Channel, Command, CommandResult, Datatype, DecodeError, Info, MAX_SAMPLE_BYTES, MAX_TEXT_BYTES,
    PayloadForm, PluginForm, Sample, SampleTime, State, Stats, Text, Value, ValueError, ValueRef,
};

#[track_caller]
fn value(payload: &str, expected: Result<ValueRef<'_>, DecodeError>) {
    assert_eq!(Sample::decode(payload.as_bytes()).map(|sample| sample.value), expected, "{payload}");
}

#[test]
fn a_bare_payload_is_what_it_looks_like() {
    value("21.5", Ok(ValueRef::Float(21.5)));
    value(" 21\n", Ok(ValueRef::Int(21)));
    value("-0.5e3", Ok(ValueRef::Float(-500.0)));
    value("true", Ok(ValueRef::Bool(true)));
    value("hello world", Ok(ValueRef::text("hello world")));
    value("\"21\"", Ok(ValueRef::text("21")));
    value("1.2.3", Ok(ValueRef::text("1.2.3")));
    value("NaN", Ok(ValueRef::text("NaN")));
}

#[test]
fn a_bare_payload_that_is_no_value_is_refused() {
    value("", Err(DecodeError::Empty));
    value("  ", Err(DecodeError::Empty));
    value("1e999", Err(DecodeError::NumberRange));
    value("9007199254740993", Err(DecodeError::NumberRange));
    value("a\u{0}b", Err(DecodeError::ControlCharacter));
    assert_eq!(Sample::decode(&[0xff, 0xfe]).map(|s| s.value), Err(DecodeError::NotUtf8));
    let long = "x".repeat(MAX_SAMPLE_BYTES + 1);
    value(&long, Err(DecodeError::TooLong(MAX_SAMPLE_BYTES)));
}

/// The digits of a card are a text, although no number is that large.
#[test]
fn a_text_of_digits_survives_the_plain_form() {
    for text in ["1e999", "9007199254740993", "-98765432109876543210", "0012"] {
        let mut payload = String::new();
        let sample = Sample::new(ValueRef::text(text));
        sample.encode(PayloadForm::Plain, &mut payload).expect("into a string");
        let read = Sample::decode(payload.as_bytes()).expect("readable");
        assert_eq!(read.value_for(Datatype::Text), ValueRef::text(text), "{payload}");
    }
}

#[test]
fn json_needs_only_v_and_ignores_what_it_does_not_know() {
    value(r#"{"v":21.5}"#, Ok(ValueRef::Float(21.5)));
    value(r#" { "x" : [1,{"v":2}] , "v" : "a\u00e4\n" , "y":null } "#, Ok(ValueRef::text("aä\n")));
    value(r#"{"v":"\ud83d\ude00"}"#, Ok(ValueRef::text("😀")));
    value(r#"{"v":"\ud83d"}"#, Ok(ValueRef::text("\u{fffd}")));
    value(r#"{"temperature":21.5}"#, Err(DecodeError::Missing("v")));
    value(r#"{"v":null}"#, Err(DecodeError::Field("v")));
    value(r#"{"v":[1]}"#, Err(DecodeError::Field("v")));
    value(r#"{"v":1"#, Err(DecodeError::NotJson(6)));
    value(r#"{"v":01}"#, Err(DecodeError::NotJson(6)));
    value(r#"{"v":1,}"#, Err(DecodeError::NotJson(7)));
    value(r#"{"v":1} x"#, Err(DecodeError::NotJson(8)));
    value(&format!("{{\"x\":{}", "[".repeat(100)), Err(DecodeError::TooDeep));
}

#[test]
fn time_and_number_come_along_whole_or_not_at_all() {
    let sample = Sample::decode(br#"{"v":1,"t":1732375200123456,"b":"k3f9","n":17}"#).expect("a sample");
    assert_eq!(sample.time, Some(SampleTime::Unix(1_732_375_200_123_456)));
    assert_eq!(sample.number, Some(("k3f9".parse().expect("a boot id"), 17)));
    let half = Sample::decode(br#"{"v":1,"n":17}"#).expect("a sample");
    assert_eq!(half.number, None);
    for wrong in [r#"{"v":1,"u":-1}"#, r#"{"v":1,"n":"x"}"#, r#"{"v":1,"b":"a b"}"#] {
        assert!(matches!(Sample::decode(wrong.as_bytes()), Err(DecodeError::Field(_))), "{wrong}");
    }
}

#[test]
fn a_time_may_have_any_unit_or_be_a_date() {
    let time = |t: &str| Sample::decode(format!(r#"{{"v":1,"t":{t}}}"#).as_bytes()).expect(t).time;
    for t in
        ["1732375200", "1732375200.0", "1732375200000", "1732375200000000000", r#""2024-11-23T15:20:00Z""#]
    {
        assert_eq!(time(t), Some(SampleTime::Unix(1_732_375_200_000_000)), "{t}");
    }
    assert_eq!(time("1000"), Some(SampleTime::Unix(1_000)), "in no window: microseconds");
    assert_eq!(time("null"), None);
    assert_eq!(time(r#""yesterday""#), Some(SampleTime::Unreadable));
}

#[test]
fn a_truth_value_and_a_number_may_be_printed_in_other_ways() {
    let command = |payload: &'static str, datatype| {
        Command::decode(payload.as_bytes()).expect("a command").value_for(datatype)
    };
    assert_eq!(command("ON", Datatype::Bool), ValueRef::Bool(true));
    assert_eq!(command(r#"{"v":"off"}"#, Datatype::Bool), ValueRef::Bool(false));
    assert_eq!(command("21,5", Datatype::Float), ValueRef::Float(21.5));
    assert_eq!(command("ON", Datatype::Text), ValueRef::text("ON"));
}

#[test]
fn a_bare_number_is_a_text_where_texts_are_declared() {
    let card = Sample::decode(b"4711").expect("a sample");
    assert_eq!(card.value, ValueRef::Int(4711));
    assert_eq!(card.value_for(Datatype::Text), ValueRef::text("4711"));
    value("007", Ok(ValueRef::text("007")));
}

#[test]
fn a_command_may_be_a_bare_value() {
    let command = Command::decode(b"true").expect("a command");
    assert_eq!((command.value, command.id), (ValueRef::Bool(true), None));
    assert!(!command.is_expired(i64::MAX));
    assert_eq!(Command::decode(b"42").expect("a command").value_for(Datatype::Text), ValueRef::text("42"));
}

#[test]
fn a_command_dies_after_its_life() {
    let sent_us = 1_732_375_200_000_000;
    let at = |t: &str| format!(r#"{{"v":1,"id":"c1","t":{t},"ttl_ms":5000}}"#);
    for t in ["1732375200", "1732375200000", "1732375200000000"] {
        let payload = at(t);
        let command = Command::decode(payload.as_bytes()).expect("a command");
        assert!(!command.is_expired(sent_us + 5_000_000), "{t}");
        assert!(command.is_expired(sent_us + 5_000_001), "{t}");
    }
    for wrong in ["1000", "1832375200"] {
        let payload = at(wrong);
        let command = Command::decode(payload.as_bytes()).expect("a command");
        assert!(!command.is_expired(sent_us), "the clock of its sender tells nothing: {wrong}");
        assert_eq!(command.plausibly_sent_us(sent_us), None, "{wrong}");
    }
}

#[test]
fn a_result_says_ok_or_why_not() {
    let refused = CommandResult::decode(br#"{"id":"c1","ok":false,"error":"no"}"#).expect("a result");
    assert_eq!(refused.error, Some(Text::new("no")));
    let silent = CommandResult::decode(br#"{"id":"c1","ok":false}"#).expect("a result");
    assert_eq!(silent.error, Some(Text::new("")));
    assert_eq!(CommandResult::decode(br#"{"id":"c1"}"#), Err(DecodeError::Missing("ok")));
}

#[test]
fn states_and_stats_are_exact() {
    assert_eq!(State::decode(b"lost"), Ok(State::Lost));
    assert_eq!(State::decode(b"LOST"), Err(DecodeError::UnknownWord));
    assert_eq!(Stats::decode(br#"{"b":"x"}"#), Err(DecodeError::Missing("sent")));
}

#[test]
fn an_error_in_a_description_names_the_member() {
    let long =
        format!(r#"{{"schema":1,"channels":[{}]}}"#, vec![r#"{"name":"a","datatype":"int"}"#; 300].join(","));
    for (payload, expected) in [
        (r#"{"schema":2}"#, "in the description, `schema`: unknown schema 2, expected 1"),
        (r#"{"kind":"x"}"#, "the description: missing field `schema`"),
        (
            r#"{"schema":1,"channels":[{"name":"a","datatype":"int"},{"name":"a","datatype":"int"}]}"#,
            "in the description, `channels[1].name`: `a` is described twice",
        ),
        (
            r#"{"schema":1,"channels":[{"name":"a/set","datatype":"int"}]}"#,
            "in the description, `channels[0].name`: `a/set` cannot be a channel's name: it is a level of its topic",
        ),
        (
            r#"{"schema":1,"channels":[{"name":"a","datatype":"flaot"}]}"#,
            "in the description, `channels[0].datatype`: unknown variant `flaot`, expected one of `float`, `int`, `bool`, `text`, `choice`, `color`",
        ),
        (
            r#"{"schema":1,"channels":[{"name":"a"}]}"#,
            "in the description, `channels[0]`: missing field `datatype`",
        ),
        (
            r#"{"schema":1,"keep_alive_s":"long"}"#,
            "in the description, `keep_alive_s`: invalid type: string \"long\", expected a whole number from 0 to 65535",
        ),
        (
            r##"{"schema":1,"will":{"topic":"#","payload":"x","qos":0,"retain":false}}"##,
            "in the description, `will.topic`: `#`, expected a topic without wildcards that does not begin with `$`",
        ),
        (&long, "in the description, `channels`: 300 channels, expected at most 256"),
    ] {
        assert_eq!(Info::decode(payload.as_bytes()).expect_err(payload).to_string(), expected);
    }
    let broken = Info::decode(b"{\"schema\":1,}").expect_err("no JSON").to_string();
    assert!(broken.contains("line 1 column 13"), "{broken}");
    assert!(Info::decode(b"[]").is_err());
    assert!(
        Info::decode("\u{feff}{\"schema\":1,\"later\":{\"x\":1}}\r\n".as_bytes()).is_ok(),
        "unknown fields are ignored"
    );
}

#[test]
fn a_plugin_that_cannot_be_read_hides_no_description() {
    let decode = |plugin: &str| {
        let payload = format!(r#"{{"schema":1,"kind":"tank","plugin":{plugin},"channels":[]}}"#);
        let info = Info::decode(payload.as_bytes()).unwrap_or_else(|error| panic!("{payload}: {error}"));
        assert_eq!(info.kind.as_deref(), Some("tank"));
        info.plugin
    };
    let known = decode(r#"{"name":"tank","version":"0.1.0","form":"process","loads":1,"later":[{"x":1}]}"#);
    let known = known.map(|plugin| (plugin.name, plugin.form, plugin.loads));
    assert_eq!(known, Some(("tank".into(), PluginForm::Process, 1)), "unknown fields are ignored");
    for unreadable in [
        r#"{"name":"tank","version":"0.1.0","form":"wasm","loads":1}"#,
        r#"{"name":"tank","version":"0.1.0","form":"library","loads":-1}"#,
        r#"{"name":"tank"}"#,
        r#""tank""#,
        "[]",
        "null",
    ] {
        assert_eq!(decode(unreadable), None, "{unreadable}");
    }
}

#[track_caller]
fn fits(channel: &Channel, value: ValueRef<'_>, expected: Result<ValueRef<'_>, ValueError>) {
    assert_eq!(channel.check(value), expected, "{value}");
}

#[test]
fn a_channel_takes_its_datatype_and_range() {
    let percent = Channel::float("p").range(0.0, 100.0);
    fits(&percent, ValueRef::Int(40), Ok(ValueRef::Float(40.0)));
    fits(&percent, ValueRef::Float(f64::NAN), Err(ValueError::NotFinite));
    fits(&percent, ValueRef::Float(100.5), Err(ValueError::Range { min: Some(0.0), max: Some(100.0) }));
    fits(&percent, ValueRef::text("40"), Err(ValueError::Datatype(Datatype::Float)));
    let count = Channel::int("n");
    fits(&count, ValueRef::Float(3.0), Ok(ValueRef::Int(3)));
    fits(&count, ValueRef::Float(3.5), Err(ValueError::Datatype(Datatype::Int)));
    fits(&count, ValueRef::Float(1e300), Err(ValueError::IntRange));
    fits(&Channel::bool("b"), ValueRef::Int(1), Ok(ValueRef::Bool(true)));
    fits(&Channel::bool("b"), ValueRef::Int(2), Err(ValueError::Datatype(Datatype::Bool)));
    fits(&Channel::color("c"), ValueRef::text("#00ff7F"), Ok(ValueRef::text("#00ff7F")));
    fits(&Channel::color("c"), ValueRef::text("red"), Err(ValueError::NotAColor));
    let mode = Channel::choice("m", vec!["eco".into()]);
    fits(&mode, ValueRef::text("eco"), Ok(ValueRef::text("eco")));
    fits(&mode, ValueRef::text("max"), Err(ValueError::NotAChoice));
    fits(&Channel::text("t").max_len(2), ValueRef::text("abc"), Err(ValueError::TooLong(2)));
}

/// Each byte takes six in JSON; a device may send it, so everybody has to take it.
#[test]
fn the_longest_text_of_control_characters_is_a_sample() {
    let text = "\u{1}".repeat(MAX_TEXT_BYTES as usize);
    let sample = Sample::new(ValueRef::text(&text))
        .at(SampleTime::Unix(1 << 53))
        .numbered(BootId::from_random(7), 1 << 53);
    let mut payload = String::new();
    sample.encode(PayloadForm::Json, &mut payload).expect("a String takes it");
    let again = Sample::decode(payload.as_bytes()).expect("it fits");
    assert_eq!(Value::from(again.value), Value::from(sample.value));
}
