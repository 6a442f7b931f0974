//! What is measured, what is told, and what is not.

use super::*;
use crate::Readings;
use crate::memory::Memory;
use crate::part::Channels;
use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

/// Samples that have room.
const ROOM: usize = 16;

/// A thermometer and lamp that does as the test tells.
#[derive(Debug)]
struct Probe {
    reads: Result<f64, Fault>,
    on: bool,
}

impl Part for Probe {
    fn describe(&self, channels: &mut Channels) {
        channels.add(Channel::float("temperature").range(-40.0, 85.0));
        channels.add(Channel::bool("lamp").settable());
    }

    fn read(&mut self, readings: &mut Readings<'_>) -> Result<(), Fault> {
        readings.add("lamp", ValueRef::Bool(self.on))?;
        readings.add("temperature", ValueRef::Float(self.reads?))
    }

    fn apply(&mut self, _: &str, value: ValueRef<'_>) -> Result<ValueRef<'static>, Fault> {
        self.on = value == ValueRef::Bool(true);
        Ok(ValueRef::Bool(self.on))
    }
}

fn shared(probe: Probe) -> Shared<'static, ROOM> {
    let parts: &mut [&mut dyn Part] = Box::leak(Box::new([Box::leak(Box::new(probe)) as &mut dyn Part]));
    let mut channels = Channels::default();
    parts[0].describe(&mut channels);
    let channels: &Channels = Box::leak(Box::new(channels));
    let Memory { ring, notes, .. } = Box::leak(Box::new(Memory::<ROOM>::new()));
    let owners = heapless::Vec::from_slice(&[0, 0]).expect("two");
    Shared::new(&Settings::new("probe", "test", 1), parts, channels.as_slice(), owners, ring, notes)
}

/// What would be sent now: channel numbers and values.
fn samples(shared: &mut Shared<'_, ROOM>) -> Vec<(u8, ValueRef<'static>)> {
    core::iter::from_fn(|| match shared.take_next()? {
        Next::Sample(entry) => {
            shared.sent(Next::Sample(entry), None);
            Some(Some((entry.channel, entry.value)))
        }
        _ => Some(None),
    })
    .flatten()
    .collect()
}

fn error(shared: &Shared<'_, ROOM>) -> String {
    let mut text = String::new();
    shared.write_error(&mut text).expect("a String takes everything");
    text
}

#[test]
fn a_state_is_sent_when_it_changes_and_a_measurement_always() {
    let mut shared = shared(Probe { reads: Ok(21.5), on: false });
    shared.read(false, 0);
    shared.read(false, 1000);
    let temperature = (0, ValueRef::Float(21.5));
    assert_eq!(samples(&mut shared), [(1, ValueRef::Bool(false)), temperature, temperature]);
    assert_eq!(shared.apply(1, ValueRef::Bool(true), 1500), Ok(Some(ValueRef::Bool(true))));
    shared.read(false, 2000);
    assert_eq!(samples(&mut shared), [(1, ValueRef::Bool(true)), temperature]);
}

#[test]
fn a_fault_is_reported_until_it_is_over_and_never_a_value() {
    for fault in [Fault::NoAnswer, Fault::Bus, Fault::Checksum] {
        let mut shared = shared(Probe { reads: Err(fault), on: false });
        shared.read(false, 0);
        assert_eq!(samples(&mut shared), [(1, ValueRef::Bool(false))]);
        let text = error(&shared);
        assert!(text.starts_with("temperature: ") && text.ends_with(&std::format!("{fault}")), "{text}");
    }
}

#[test]
fn a_value_out_of_range_or_not_finite_is_a_fault() {
    for value in [f64::NAN, f64::INFINITY, 85.1, -40.1] {
        let mut shared = shared(Probe { reads: Ok(value), on: false });
        shared.read(false, 0);
        assert_eq!(samples(&mut shared), [(1, ValueRef::Bool(false))], "{value}");
        assert!(error(&shared).starts_with("temperature: it gave a wrong value"));
    }
}

#[test]
fn an_error_is_told_once_and_taken_back_once() {
    let mut shared = shared(Probe { reads: Err(Fault::NoAnswer), on: false });
    let tells = |shared: &mut Shared<'_, ROOM>, fault: Option<Fault>| {
        shared.note_fault(0, fault);
        core::mem::take(&mut shared.error_due)
    };
    assert!(tells(&mut shared, Some(Fault::NoAnswer)));
    assert!(!tells(&mut shared, Some(Fault::NoAnswer)));
    assert!(tells(&mut shared, Some(Fault::Bus)));
    assert!(tells(&mut shared, None));
    assert_eq!(error(&shared), "");
    assert!(!tells(&mut shared, None));
}

#[test]
fn what_cannot_be_sent_now_is_due_again_and_nothing_newer_is_undone() {
    let mut shared = shared(Probe { reads: Ok(1.0), on: false });
    shared.info_due = true;
    shared.state_due = Some(State::Ready);
    let Some(info @ Next::Info) = shared.take_next() else { panic!("the description comes first") };
    shared.not_sent(info);
    assert!(matches!(shared.take_next(), Some(Next::Info)));
    let Some(ready @ Next::State(State::Ready)) = shared.take_next() else { panic!("then the state") };
    shared.state_due = Some(State::Disconnected);
    shared.not_sent(ready);
    assert!(matches!(shared.take_next(), Some(Next::State(State::Disconnected))));
}

#[test]
fn the_last_word_is_that_the_device_is_disconnected() {
    let mut shared = shared(Probe { reads: Err(Fault::Bus), on: false });
    shared.error_due = true;
    shared.stats_due = true;
    shared.state_due = Some(State::Disconnected);
    assert!(matches!(shared.take_next(), Some(Next::Stats)));
    assert!(matches!(shared.take_next(), Some(Next::State(State::Disconnected))));
}

#[test]
fn numbers_go_on_where_a_sample_was_pushed_out() {
    let mut shared = shared(Probe { reads: Ok(1.0), on: false });
    (0..20).for_each(|second| shared.read(false, second * 1000));
    let mut numbers = Vec::new();
    while let Some(Next::Sample(entry)) = shared.take_next() {
        numbers.push(entry.number);
        shared.sent(Next::Sample(entry), None);
    }
    // 21 were measured, the state and twenty temperatures; 16 have room; the state stays.
    assert_eq!(numbers[..3], [1, 7, 8]);
    assert_eq!((numbers.len(), numbers.last()), (ROOM, Some(&21)));
}
