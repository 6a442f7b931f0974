//! Topics and payloads that anybody may publish: read without a panic, and what was read can be written and
//! read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mqtt_lab_wire::{
    Command, CommandResult, Datatype, Info, MAX_TEXT_BYTES, Members, Message, PayloadForm, Sample, SampleTime, State, Stats,
    Topic, Value, ValueRef,
};

/// A text that no channel allows may become too long when it is written as JSON.
fn allowed(value: ValueRef<'_>) -> bool {
    !matches!(value, ValueRef::Text(text) if text.to_string().len() > MAX_TEXT_BYTES as usize)
}

/// A number may become whole, a text may lose its escapes.
fn same(a: ValueRef<'_>, b: ValueRef<'_>, text: &str) {
    match (a.as_f64(), b.as_f64()) {
        (None, None) => assert_eq!(Value::from(a), Value::from(b), "{text}"),
        numbers => assert_eq!(numbers.0, numbers.1, "{text}"),
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(sample) = Sample::decode(bytes).ok().filter(|sample| allowed(sample.value)) {
        let mut text = String::new();
        // What is not finite cannot come in, so it can always go out.
        sample.encode(PayloadForm::Json, &mut text).expect("what was read can be written");
        let again = Sample::decode(text.as_bytes()).expect("what was written can be read");
        same(sample.value, again.value, &text);
        let time = sample.time.filter(|time| !matches!(time, SampleTime::NoOffset | SampleTime::Unreadable));
        assert_eq!((time, sample.number), (again.time, again.number), "{text}");
    }
    if let Some(command) = Command::decode(bytes).ok().filter(|command| allowed(command.value)) {
        let mut text = String::new();
        command.encode(&mut text).expect("what was read can be written");
        let again = Command::decode(text.as_bytes()).expect("what was written can be read");
        // A bare payload means what its channel declares.
        let meant = if let ValueRef::Text(_) = command.value { Datatype::Text } else { Datatype::Float };
        same(command.value, again.value_for(meant), &text);
        assert_eq!((command.sent_us, command.ttl_ms), (again.sent_us, again.ttl_ms), "{text}");
    }
    if let Ok(info) = Info::decode(bytes) {
        let mut text = String::new();
        info.encode(&mut text).expect("what was read can be written");
        assert_eq!(Info::decode(text.as_bytes()), Ok(info), "{text}");
    }
    match Message::read(bytes) {
        Ok(Message::Sample(sample)) => drop(sample.value.for_undescribed(None)),
        Ok(Message::Object(object)) => drop(Members::read(object, None)),
        _ => {}
    }
    let _ = (CommandResult::decode(bytes), State::decode(bytes), Stats::decode(bytes));
    if let Ok(topic) = std::str::from_utf8(bytes) {
        let _ = Topic::parse("lab", topic);
    }
});
