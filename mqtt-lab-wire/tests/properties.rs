//! Encode, then decode, is identity; any bytes never panic.

use mqtt_lab_wire::{
    BootId, Channel, Command, CommandResult, Datatype, Info, PayloadForm, PluginForm, PluginInfo, Qos,
    Sample, SampleTime, State, Stats, Text, Topic, Value, ValueRef,
};
use proptest::prelude::*;

fn values() -> impl Strategy<Value = Value> {
    let float = any::<f64>().prop_filter("finite", |v| v.is_finite());
    prop_oneof![
        float.prop_map(Value::Float),
        (-(1_i64 << 53)..=1 << 53).prop_map(Value::Int),
        any::<bool>().prop_map(Value::Bool),
        any::<String>().prop_map(Value::Text),
    ]
}

fn boots() -> impl Strategy<Value = BootId> {
    any::<u64>().prop_map(BootId::from_random)
}

fn plugins() -> impl Strategy<Value = PluginInfo> {
    let form = prop_oneof![Just(PluginForm::Library), Just(PluginForm::Process)];
    (any::<String>(), any::<String>(), form, any::<u32>()).prop_map(|(name, version, form, loads)| {
        PluginInfo { name: name.into(), version: version.into(), form, loads }
    })
}

/// A float without fraction travels like an integer: the channel's datatype gives it back.
fn same(sent: &Value, received: ValueRef<'_>) -> bool {
    match (sent.as_f64(), received.as_f64()) {
        (Some(sent), Some(received)) => sent == received,
        _ => sent.as_ref() == received,
    }
}

/// A channel that takes every value of its datatype.
fn channel_of(value: &Value) -> Channel {
    let datatype = match value {
        Value::Float(_) => Datatype::Float,
        Value::Int(_) => Datatype::Int,
        Value::Bool(_) => Datatype::Bool,
        Value::Text(_) => Datatype::Text,
    };
    Channel::new("c", datatype)
}

/// Numbers that are times in microseconds; as seconds, milliseconds or nanoseconds they are other ones.
const MICROSECONDS: std::ops::Range<i64> = mqtt_lab_wire::EARLIEST_US..4_102_444_800_000_000;

proptest! {
    #[test]
    fn a_json_sample_comes_back_whole(
        value in values(), boot in boots(), n in 0..u64::MAX >> 1, t in MICROSECONDS, unix in any::<bool>(),
    ) {
        let time = if unix { SampleTime::Unix(t) } else { SampleTime::SinceBoot(t.unsigned_abs()) };
        let sample = Sample::new(value.as_ref()).at(time).numbered(boot, n);
        let mut payload = String::new();
        sample.encode(PayloadForm::Json, &mut payload)?;
        prop_assume!(payload.len() < 16_000);
        let back = Sample::decode(payload.as_bytes()).map_err(|e| TestCaseError::fail(format!("{payload}: {e}")))?;
        prop_assert!(same(&value, back.value), "{payload}");
        prop_assert_eq!((back.time, back.number), (sample.time, sample.number));
    }

    #[test]
    fn a_plain_sample_comes_back_in_its_channels_datatype(value in values()) {
        let mut payload = String::new();
        Sample::new(value.as_ref()).encode(PayloadForm::Plain, &mut payload)?;
        prop_assume!(payload.len() < 16_000);
        let back = Sample::decode(payload.as_bytes()).map_err(|e| TestCaseError::fail(format!("{payload}: {e}")))?;
        let channel = channel_of(&value);
        let checked = channel.check(back.value_for(channel.datatype));
        let checked = checked.map_err(|e| TestCaseError::fail(format!("{payload}: {e}")))?;
        prop_assert!(same(&value, checked), "{payload}");
    }

    #[test]
    fn a_command_comes_back_whole(
        value in values(), id in "[a-z0-9]{1,64}", t in MICROSECONDS, ttl in any::<u32>(),
    ) {
        let mut payload = String::new();
        Command::new(value.as_ref()).with_id(&id).expiring(t, ttl).encode(&mut payload)?;
        prop_assume!(payload.len() < 16_000);
        let back = Command::decode(payload.as_bytes()).map_err(|e| TestCaseError::fail(format!("{payload}: {e}")))?;
        prop_assert!(same(&value, back.value));
        prop_assert_eq!((back.id, back.sent_us, back.ttl_ms), (Some(id.as_str()), Some(t), Some(ttl)));
    }

    #[test]
    fn a_result_comes_back_whole(value in proptest::option::of(values()), error in proptest::option::of(any::<String>())) {
        let result = CommandResult {
            id: "c1", value: value.as_ref().map(Value::as_ref), error: error.as_deref().map(Text::new),
        };
        let mut payload = String::new();
        result.encode(&mut payload)?;
        prop_assume!(payload.len() < 16_000);
        let back = CommandResult::decode(payload.as_bytes()).map_err(|e| TestCaseError::fail(format!("{payload}: {e}")))?;
        prop_assert_eq!(back.error, result.error);
        prop_assert_eq!(back.value.is_some(), value.is_some());
    }

    #[test]
    fn stats_come_back_whole(boot in boots(), sent in 0..u64::MAX >> 1) {
        let stats = Stats { boot, sent };
        let mut payload = String::new();
        stats.encode(&mut payload)?;
        prop_assert_eq!(Stats::decode(payload.as_bytes()), Ok(stats));
    }

    #[test]
    fn a_description_comes_back_whole(
        label in proptest::option::of(any::<String>()), unit in any::<String>(), min in -1e6..1e6_f64, choice in any::<String>(),
        plugin in proptest::option::of(plugins()),
    ) {
        let mut info = Info::default();
        info.label = label.map(Into::into);
        info.plugin = plugin;
        info.channels = vec![
            Channel::float("a").unit(unit).range(min, min + 1.0).qos(Qos::ExactlyOnce),
            Channel::choice("b", vec![choice.into()]).settable(),
        ];
        let mut payload = String::new();
        info.encode(&mut payload)?;
        let back = Info::decode(payload.as_bytes()).map_err(|e| TestCaseError::fail(format!("{payload}: {e}")))?;
        prop_assert_eq!(back, info);
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_as_everything(&bytes);
    }

    #[test]
    fn any_text_that_looks_like_json_never_panics(text in r#"\{("[vtubnidok]{1,3}\\?":?([0-9eE.+\-]{0,6}|"\\?[a-z0-9]{0,6}"|true|null|\[\{)?,?){0,5}\}?"#) {
        read_as_everything(text.as_bytes());
    }

    #[test]
    fn any_topic_never_panics(topic in "(lab|x|[/$#+a-z]{0,4})(/[$a-z#+]{0,6}){0,6}") {
        if let Ok(topic) = Topic::parse("lab", &topic) {
            prop_assert!(!topic.group.is_empty() && !topic.device.is_empty());
        }
    }
}

fn read_as_everything(bytes: &[u8]) {
    if let Ok(sample) = Sample::decode(bytes) {
        let _ = sample.value.to_string();
    }
    let _ = Command::decode(bytes);
    let _ = CommandResult::decode(bytes);
    let _ = Stats::decode(bytes);
    let _ = State::decode(bytes);
    let _ = Info::decode(bytes);
}
