//! What is remarkable about a device's messages: refused ones, those without a value, times that cannot be right.

use mqtt_lab_wire::{SampleTime, is_plausible_time};
use serde::Serialize;

use crate::clock::Millis;

/// Different remarks of one kind that are remembered for a device: as many as one message can have.
const MAX_REMARKS: usize = 64;
/// 2100-01-01, in microseconds since the Unix epoch: no clock shows a later time.
const LAST_US: i64 = 4_102_444_800_000_000;
/// Longest part of a payload that is shown, in characters.
const MAX_CHARS: usize = 60;

/// Messages of the same kind on the same channel.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Remark {
    /// The channel; empty: the device's own topic.
    channel: String,
    /// What came, or its beginning.
    payload: String,
    /// Why it is remarkable, in words; for one without a value nothing need be said.
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    count: u64,
    last_ms: Millis,
    /// Whether the channel's last message was of this kind.
    present: bool,
}

/// The last remarks of one kind, newest last.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Remarks(Vec<Remark>);

impl Remarks {
    /// Notes a message.
    pub(super) fn add(&mut self, channel: &str, payload: &str, reason: &str, now_us: i64) {
        let payload = shortened(payload);
        let known = self.0.iter().position(|known| known.channel == channel && known.reason == reason);
        let mut remark = match known {
            Some(at) => self.0.remove(at),
            None => Remark {
                channel: channel.to_owned(),
                payload: String::new(),
                reason: reason.to_owned(),
                count: 0,
                last_ms: Millis(now_us),
                present: true,
            },
        };
        (remark.payload, remark.last_ms, remark.present) = (payload, Millis(now_us), true);
        remark.count += 1;
        if self.0.len() == MAX_REMARKS {
            self.0.remove(0);
        }
        self.0.push(remark);
    }

    /// The channel has a usable value again.
    pub(super) fn is_over(&mut self, channel: &str) -> bool {
        let mut changed = false;
        for remark in self.0.iter_mut().filter(|remark| remark.present && remark.channel == channel) {
            (remark.present, changed) = (false, true);
        }
        changed
    }

    /// Whether the channel's last message was one of these.
    pub(super) fn is_present(&self, channel: &str) -> bool {
        self.0.iter().any(|remark| remark.present && remark.channel == channel)
    }

    /// Whether this very remark is already known: an old retained message comes again with every connection.
    pub(super) fn knows(&self, channel: &str, reason: &str) -> bool {
        self.0.iter().any(|known| known.channel == channel && known.reason == reason)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The beginning of a payload, as one line.
fn shortened(payload: &str) -> String {
    let mut shown: String =
        payload.chars().take(MAX_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if payload.chars().nth(MAX_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// What is wrong with a sender's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WrongTime {
    /// More than a minute ahead of the lab's clock.
    Ahead,
    /// Before the year 2000: its clock was never set, or it sends the time since its start.
    NeverSet,
    /// A date without an offset from UTC.
    NoOffset,
    /// No time at all.
    Unreadable,
}

/// The last time of a sender that cannot be right.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct WrongClock {
    problem: WrongTime,
    /// How far it was ahead, in milliseconds.
    ahead_ms: Option<i64>,
    last_ms: Millis,
}

impl WrongClock {
    /// Of a time that came at `now_us` (µs since the Unix epoch); `None`: it can be right.
    pub(super) fn of(time: SampleTime, now_us: i64) -> Option<Self> {
        let (problem, ahead_us) = match time {
            SampleTime::Unix(t_us) if is_plausible_time(t_us, now_us) => return None,
            SampleTime::Unix(t_us) if t_us >= LAST_US => (WrongTime::Unreadable, None),
            SampleTime::Unix(t_us) if t_us > now_us => (WrongTime::Ahead, Some(t_us - now_us)),
            SampleTime::Unix(_) => (WrongTime::NeverSet, None),
            SampleTime::NoOffset => (WrongTime::NoOffset, None),
            SampleTime::Unreadable => (WrongTime::Unreadable, None),
            SampleTime::SinceBoot(_) => return None,
        };
        Some(Self { problem, ahead_ms: ahead_us.map(|us| us / 1_000), last_ms: Millis(now_us) })
    }

    /// Whether it is counted: a date without an offset says nothing about a clock.
    pub(super) fn counts(&self) -> bool {
        self.problem != WrongTime::NoOffset
    }

    /// How far it was ahead, in microseconds.
    pub(super) fn ahead_us(&self) -> Option<i64> {
        self.ahead_ms.map(|ms| ms.saturating_mul(1_000))
    }
}

#[cfg(test)]
mod tests {
    use mqtt_lab_wire::{Channel, Message, Refused, Written};

    use super::*;

    #[test]
    fn equal_remarks_are_one_and_the_oldest_goes() {
        let mut remarks = Remarks::default();
        for n in 0..100 {
            remarks.add("a", "nan", "", n);
            remarks.add(&format!("c{n}"), &"x".repeat(100), "too long", n);
        }
        assert_eq!(remarks.0.len(), MAX_REMARKS);
        let nan = remarks.0.iter().find(|remark| remark.channel == "a").expect("still there");
        assert_eq!((nan.count, nan.last_ms), (100, Millis(99)));
        assert!(remarks.0.iter().all(|remark| remark.payload.chars().count() <= MAX_CHARS + 1));
        assert!(
            remarks.is_present("a")
                && remarks.is_over("a")
                && !remarks.is_present("a")
                && !remarks.is_over("a")
        );
    }

    #[test]
    fn what_is_wrong_with_a_time_is_told_apart() {
        let now_us = 1_795_435_200_000_000;
        let problem = |time| WrongClock::of(time, now_us).map(|wrong| wrong.problem);
        assert_eq!(problem(SampleTime::Unix(now_us + 60_000_000)), None);
        assert_eq!(problem(SampleTime::Unix(now_us + 60_000_001)), Some(WrongTime::Ahead));
        assert_eq!(problem(SampleTime::Unix(1_000)), Some(WrongTime::NeverSet));
        assert_eq!(problem(SampleTime::Unix(i64::MIN)), Some(WrongTime::NeverSet));
        assert_eq!(problem(SampleTime::Unix(i64::MAX)), Some(WrongTime::Unreadable));
        assert_eq!(problem(SampleTime::Unreadable), Some(WrongTime::Unreadable));
        assert_eq!(problem(SampleTime::SinceBoot(1)), None);
    }

    /// A reason as the page looks its German words up: quoted words and numbers are gaps (`problem.js`).
    fn key(reason: &str) -> String {
        let (mut key, mut rest, mut gaps) = (String::from("refusal."), reason, 0);
        while let Some(first) = rest.chars().next() {
            let gap = variable(rest);
            if gap > 0 {
                key.push_str(&format!("{{{gaps}}}"));
                gaps += 1;
            } else {
                key.push(first);
            }
            rest = &rest[if gap > 0 { gap } else { first.len_utf8() }..];
        }
        key
    }

    /// Length of the quoted words or the number at the beginning, 0 if there is neither.
    fn variable(text: &str) -> usize {
        if let Some(quoted) = text.strip_prefix('`') {
            let length = quoted.find('`').expect("it ends") + 2;
            let more = text[length..].strip_prefix(", ").filter(|more| more.starts_with('`'));
            return more.map_or(length, |more| length + 2 + variable(more));
        }
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let sign = usize::from(text.starts_with('-'));
        let mut length = sign + digits(&text[sign..]);
        if length == sign {
            return 0;
        }
        for (mark, signs) in [('.', &[][..]), ('e', &['+', '-'][..])] {
            let Some(behind) = text[length..].strip_prefix(mark) else { continue };
            let unsigned = behind.strip_prefix(signs).unwrap_or(behind);
            if digits(unsigned) > 0 {
                length += 1 + (behind.len() - unsigned.len()) + digits(unsigned);
            }
        }
        length
    }

    #[test]
    fn every_reason_has_its_german_words() {
        let german: serde_json::Value =
            serde_json::from_str(include_str!("../../assets/i18n/parts.de.json")).expect("JSON");
        let between = Channel::float("f").range(0.5, 10.0);
        let (mut at_least, mut at_most) = (between.clone(), between.clone());
        (at_least.max, at_most.min) = (None, None);
        let channels = [
            between,
            at_least,
            at_most,
            Channel::int("i"),
            Channel::bool("b"),
            Channel::text("t").max_len(2),
            Channel::choice("c", vec!["eco".into(), "boost".into()]),
            Channel::color("c"),
        ];
        let values = ["1e400", "x", "-5", "100", "0.75", "9007199254740993", "abc", "a\u{1}"];
        let pairs = channels.iter().flat_map(|channel| values.map(|value| (channel, value)));
        let misfits = pairs.filter_map(|(channel, value)| {
            let written = Written::Bare(value);
            written
                .for_channel(channel)
                .err()
                .map(|error| super::super::samples::reason(error, Some(channel), written))
        });
        let payloads: [&[u8]; 8] = [
            b"\xff",
            b"[1]",
            b"{",
            b"{'a':1}",
            b"21.5",
            b"{\"v\":1,\"u\":-1}",
            b"{\"v\":1,\"b\":\"\"}",
            &[b'x'; 40_000],
        ];
        let deep = format!("{{\"a\":{}", "[".repeat(40));
        let malformed = payloads.into_iter().chain([deep.as_bytes()]).flat_map(|payload| {
            [Message::read(payload), Message::read_reading(payload)].map(|read| match read {
                Ok(Message::NoSample(_, why)) => Some(why.to_string()),
                Err(error) => Some(error.to_string()),
                Ok(_) => None,
            })
        });
        let refused = [
            Refused::NoMember,
            Refused::TooDeep("a-b".to_owned()),
            Refused::TooManyElements("a".to_owned()),
            Refused::TooManyMembers,
            Refused::NameTooLong("a".to_owned()),
        ];
        let others =
            ["there are too many series", "the time `u` is longer than any device lives"].map(str::to_owned);
        let all = misfits
            .chain(malformed.flatten())
            .chain(refused.map(|refused| refused.to_string()))
            .chain(others);
        let mut count = 0;
        for reason in all {
            let said = reason.split(", not `").next().unwrap_or_default();
            assert!(german[key(said)].is_string(), "there are no words for {}", key(said));
            count += 1;
        }
        assert!(count > 40, "{count}");
    }
}
