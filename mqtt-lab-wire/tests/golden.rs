//! Wire bytes, compared with the files in `tests/golden/` that firmware and browser share.
//!
//! A file is the payload itself, without a line end. To write one anew: delete it and run
//! `MQTT_LAB_WRITE_GOLDEN=1 cargo test -p mqtt-lab-wire`, then look at the difference.

use mqtt_lab_wire::{
    Channel, Command, CommandResult, Info, PayloadForm, PluginForm, PluginInfo, Qos, Role, Sample,
    SampleTime, State, Stats, Text, Trigger, ValueRef, WillInfo,
};
use std::path::PathBuf;

#[track_caller]
fn check(name: &str, written: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("MQTT_LAB_WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, written).expect("the folder is writable");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(written, golden, "{name}");
}

fn json(sample: Sample<'_>) -> String {
    encode(sample, PayloadForm::Json)
}

fn encode(sample: Sample<'_>, form: PayloadForm) -> String {
    let mut payload = String::new();
    sample.encode(form, &mut payload).expect("a String takes everything");
    payload
}

fn numbered(value: ValueRef<'_>) -> Sample<'_> {
    let boot = "k3f9".parse().expect("a boot id");
    Sample::new(value).at(SampleTime::Unix(1_732_375_200_123_456)).numbered(boot, 17)
}

#[test]
fn samples() {
    check("sample_float.json", &json(numbered(ValueRef::Float(21.5))));
    check("sample_int.json", &json(numbered(ValueRef::Int(-3))));
    check("sample_bool.json", &json(numbered(ValueRef::Bool(true))));
    check("sample_text.json", &json(numbered(ValueRef::text("Jürgen \"J\"\n"))));
    check("sample_value_only.json", &json(Sample::new(ValueRef::Float(23.5))));
    let boot = "k3f9".parse().expect("a boot id");
    let board = Sample::new(ValueRef::Float(-0.0625)).at(SampleTime::SinceBoot(61_500)).numbered(boot, 1);
    check("sample_since_boot.json", &json(board));
    check("sample_float.txt", &encode(numbered(ValueRef::Float(21.5)), PayloadForm::Plain));
    check("sample_text.txt", &encode(numbered(ValueRef::text("card 007")), PayloadForm::Plain));
}

#[test]
fn commands_and_results() {
    let write = |command: Command<'_>| {
        let mut payload = String::new();
        command.encode(&mut payload).expect("a String takes everything");
        payload
    };
    check("command.txt", &write(Command::new(ValueRef::Bool(true))));
    let command = Command::new(ValueRef::Float(40.0)).with_id("c1").expiring(1_732_375_200_123_456, 5000);
    check("command.json", &write(command));
    let write = |result: CommandResult<'_>| {
        let mut payload = String::new();
        result.encode(&mut payload).expect("a String takes everything");
        payload
    };
    let applied = CommandResult { id: "c1", value: Some(ValueRef::Float(40.0)), error: None };
    check("result_applied.json", &write(applied));
    let refused =
        CommandResult { id: "c1", value: None, error: Some(Text::new("expected a number from 0 to 100")) };
    check("result_refused.json", &write(refused));
}

#[test]
fn stats() {
    let mut payload = String::new();
    let stats = Stats { boot: "k3f9".parse().expect("a boot id"), sent: 17 };
    stats.encode(&mut payload).expect("a String takes everything");
    check("stats.json", &payload);
}

#[test]
fn states() {
    for state in [State::Init, State::Ready, State::Sleeping, State::Disconnected, State::Lost] {
        check(&format!("state_{state}.txt"), state.as_str());
    }
}

fn full_info() -> Info {
    let mut info = Info::default();
    info.role = Some(Role::Both);
    info.kind = Some("board".into());
    info.label = Some("Window \"west\"".into());
    info.boot = Some("k3f9".parse().expect("a boot id"));
    info.trigger = Some(Trigger::Interval);
    info.payload = Some(PayloadForm::Json);
    info.version = Some(5);
    info.keep_alive_s = Some(30);
    info.qos = Some(Qos::AtLeastOnce);
    info.retain = Some(false);
    info.will = Some(WillInfo {
        topic: "lab/demo/board/$state".into(),
        payload: "lost".into(),
        qos: Qos::AtLeastOnce,
        retain: true,
        delay_s: 0,
    });
    info.channels = vec![
        Channel::float("temperature")
            .unit("°C")
            .quantity("temperature")
            .range(-40.0, 85.0)
            .qos(Qos::ExactlyOnce),
        Channel::bool("led").label("Lamp").settable().retain(true),
        Channel::choice("mode", vec!["eco".into(), "comfort".into()]).settable(),
        Channel::text("note").max_len(64),
        Channel::color("rgb"),
        Channel::int("count").step(2.0),
    ];
    info
}

#[test]
fn description() {
    let mut payload = String::new();
    full_info().encode(&mut payload).expect("a String takes everything");
    check("info.json", &payload);
    assert_eq!(Info::decode(payload.as_bytes()), Ok(full_info()));
}

#[test]
fn description_of_a_device_from_a_plugin() {
    let mut info = Info::default();
    info.role = Some(Role::Sensor);
    info.kind = Some("tank".into());
    let (name, version) = ("tank".into(), "0.1.0".into());
    info.plugin = Some(PluginInfo { name, version, form: PluginForm::Library, loads: 2 });
    info.channels = vec![Channel::float("level").unit("%")];
    let mut payload = String::new();
    info.encode(&mut payload).expect("a String takes everything");
    check("info_plugin.json", &payload);
    assert_eq!(Info::decode(payload.as_bytes()), Ok(info));
}
