//! An object taken apart: one channel per member.

use super::Written;
use crate::time::epoch_micros;
use crate::topic::MAX_FOREIGN_BYTES;
use crate::{DecodeError, SampleTime, Text, date, json};
use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

/// Deepest member: `a-b-c-d`.
const MAX_DEPTH: usize = 4;
/// Most members of a message.
const MAX_MEMBERS: usize = 64;
/// Most elements of an array.
const MAX_ELEMENTS: usize = 8;
/// The name of a member that has none.
const UNNAMED: &str = "unnamed";
/// Members that may hold the time of the others.
const TIMES: [&str; 4] = ["t", "time", "timestamp", "ts"];

/// The members of an object, as channels.
#[derive(Debug, Default)]
pub struct Members<'a> {
    /// Each channel's name and value, in the order in which they were written.
    pub all: Vec<(String, Written<'a>)>,
    /// When they were measured, by one of them.
    pub time: Option<SampleTime>,
    /// What was not taken.
    pub refused: Vec<Refused>,
}

/// A part of an object that is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no value in the object.
    NoMember,
    /// The member of this name is nested too deeply.
    TooDeep(String),
    /// The array of this name has more elements than are taken.
    TooManyElements(String),
    /// There are more members than are taken.
    TooManyMembers,
    /// The name is too long; its beginning.
    NameTooLong(String),
}

impl<'a> Members<'a> {
    /// Takes an object apart. Below `prefix` its members are called `<prefix>-<member>`.
    ///
    /// # Errors
    ///
    /// [`DecodeError::NotJson`] when something nested in it cannot be read.
    ///
    /// ```
    /// use mqtt_lab_wire::{Members, Written};
    /// let members = Members::read(r#"{"temperature":21.5,"update":{"state":"idle"}}"#, None)?;
    /// assert_eq!(members.all[0], ("temperature".to_owned(), Written::Number("21.5")));
    /// assert_eq!(members.all[1].0, "update-state");
    /// # Ok::<(), mqtt_lab_wire::DecodeError>(())
    /// ```
    pub fn read(object: &'a str, prefix: Option<&str>) -> Result<Self, DecodeError> {
        let mut members = Self::default();
        let mut reader = Reader { whole: object, members: &mut members, failed: false };
        reader.object(object, prefix, 1)?;
        if members.all.is_empty() && members.refused.is_empty() {
            members.refused.push(Refused::NoMember);
        }
        Ok(members)
    }
}

struct Reader<'a, 'm> {
    whole: &'a str,
    members: &'m mut Members<'a>,
    /// The position of the error is that in the whole.
    failed: bool,
}

impl<'a> Reader<'a, '_> {
    fn object(&mut self, text: &'a str, path: Option<&str>, depth: usize) -> Result<(), DecodeError> {
        let read = json::read_object(text, |key, token| match time_of(&key, token) {
            Some(time) if depth == 1 && self.takes(time) => Ok(()),
            _ => self.member(path, &adapted(&key), token, depth),
        });
        read.map_err(|error| self.located(error, text))
    }

    fn located(&mut self, error: DecodeError, part: &str) -> DecodeError {
        let located = core::mem::replace(&mut self.failed, true);
        if located { error } else { error.within(self.whole, part) }
    }

    fn array(&mut self, text: &'a str, path: &str, depth: usize) -> Result<(), DecodeError> {
        let mut index = 0;
        let read = json::read_array(text, |token| {
            if index < MAX_ELEMENTS {
                self.member(Some(path), &index.to_string(), token, depth)?;
            } else if index == MAX_ELEMENTS {
                self.members.refused.push(Refused::TooManyElements(path.to_owned()));
            }
            index += 1;
            Ok(())
        });
        read.map_err(|error| self.located(error, text))
    }

    fn member(
        &mut self,
        path: Option<&str>,
        name: &str,
        token: json::Token<'a>,
        depth: usize,
    ) -> Result<(), DecodeError> {
        let name = path.map_or_else(|| name.to_owned(), |path| format!("{path}-{name}"));
        match token {
            json::Token::Nested(_) if depth == MAX_DEPTH => self.members.refused.push(Refused::TooDeep(name)),
            json::Token::Nested(text) if text.starts_with('{') => {
                return self.object(text, Some(&name), depth + 1);
            }
            json::Token::Nested(text) => return self.array(text, &name, depth + 1),
            scalar => self.add(name, Written::from_token(scalar)),
        }
        Ok(())
    }

    fn add(&mut self, name: String, value: Written<'a>) {
        let members = &mut *self.members;
        let refusal = if members.all.len() == MAX_MEMBERS {
            Some(Refused::TooManyMembers)
        } else if name.len() > MAX_FOREIGN_BYTES {
            Some(Refused::NameTooLong(name.chars().take(32).collect()))
        } else {
            let name = members.unused(name);
            members.all.push((name, value));
            None
        };
        members.refused.extend(refusal.filter(|refusal| members.refused.last() != Some(refusal)));
    }

    /// Whether a time is that of the object: the first that can be read.
    fn takes(&mut self, time: SampleTime) -> bool {
        let better = matches!(self.members.time, None | Some(SampleTime::NoOffset));
        if better {
            self.members.time = Some(time);
        }
        better
    }
}

impl Members<'_> {
    /// The name, or another one if there is a channel of that name.
    fn unused(&self, name: String) -> String {
        let is_used = |name: &str| self.all.iter().any(|(used, _)| used == name);
        if !is_used(&name) {
            return name;
        }
        // There are fewer names than numbers.
        (2..).map(|n| format!("{name}-{n}")).find(|name| !is_used(name)).unwrap_or(name)
    }
}

/// The time in a member that may hold one: a date, or a number that can be one in some unit.
fn time_of(key: &Text<'_>, token: json::Token<'_>) -> Option<SampleTime> {
    let name = key.as_plain()?;
    if !TIMES.iter().any(|time| name.eq_ignore_ascii_case(time)) {
        return None;
    }
    match token {
        json::Token::Number(number) => epoch_micros(number).map(SampleTime::Unix),
        json::Token::Text(text) => date::read(&text),
        _ => None,
    }
}

/// A member's name as a channel's: what no topic and no word of ours allows is replaced.
fn adapted(key: &Text<'_>) -> String {
    if key.is_empty() {
        return UNNAMED.to_owned();
    }
    let allowed = |(at, c)| match c {
        '/' | '+' | '#' | '\0' => '-',
        '$' if at == 0 => '-',
        c => c,
    };
    key.chars().enumerate().map(allowed).collect()
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMember => f.write_str("the object holds no value"),
            Self::TooDeep(name) => {
                write!(f, "`{name}` is nested too deeply: members are taken up to {MAX_DEPTH} levels deep")
            }
            Self::TooManyElements(name) => {
                write!(f, "`{name}` has too many elements: the first {MAX_ELEMENTS} of an array are taken")
            }
            Self::TooManyMembers => {
                write!(f, "the object has too many values: the first {MAX_MEMBERS} are taken")
            }
            Self::NameTooLong(name) => {
                write!(f, "the name of `{name}…` is longer than {MAX_FOREIGN_BYTES} bytes")
            }
        }
    }
}
