//! What a description may make the lab keep and show.

use std::borrow::Cow;

use mqtt_lab_wire::{Channel, Info, MAX_WILL_PAYLOAD_BYTES, MAX_WILL_TOPIC_BYTES, Str, WillInfo};

/// Longest text that only people read, in characters; the rest of a longer one is left out.
const MAX_CHARS: usize = 100;
/// Longest text on what a broker does not support, in characters.
const MAX_DOWNGRADES_CHARS: usize = 512;
/// Longest choice, in bytes, and most choices of a channel. They are values, of which nothing can be left out.
const MAX_CHOICE_BYTES: usize = 256;
const MAX_CHOICES: usize = 256;

/// Shortens the texts of a description that only people read.
///
/// # Errors
///
/// Why the description is refused, if a text is too long of which nothing can be left out.
pub(super) fn bounded(mut info: Info) -> Result<Info, String> {
    info.will.as_ref().map_or(Ok(()), check_will)?;
    for (at, channel) in info.channels.iter().enumerate() {
        check_choices(at, channel)?;
    }
    let plugin = info.plugin.iter_mut().flat_map(|plugin| [&mut plugin.name, &mut plugin.version]);
    let device = [&mut info.label, &mut info.kind].into_iter().flatten();
    let channels = info.channels.iter_mut();
    let channels = channels.flat_map(|of| [&mut of.label, &mut of.unit, &mut of.quantity]).flatten();
    plugin.chain(device).chain(channels).for_each(|text| shorten(text, MAX_CHARS));
    info.downgrades.iter_mut().for_each(|text| shorten(text, MAX_DOWNGRADES_CHARS));
    Ok(info)
}

/// The beginning of a text.
pub(super) fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

fn shorten(text: &mut Str, most: usize) {
    if let Cow::Owned(short) = shortened(text, most) {
        *text = short.into();
    }
}

fn check_will(will: &WillInfo) -> Result<(), String> {
    for (member, text, most) in
        [("topic", &will.topic, MAX_WILL_TOPIC_BYTES), ("payload", &will.payload, MAX_WILL_PAYLOAD_BYTES)]
    {
        fits(&format!("will.{member}"), text.len(), most, "bytes")?;
    }
    Ok(())
}

fn check_choices(at: usize, channel: &Channel) -> Result<(), String> {
    let member = format!("channels[{at}].choices");
    fits(&member, channel.choices.len(), MAX_CHOICES, "choices")?;
    let longest = channel.choices.iter().map(|choice| choice.len()).max().unwrap_or(0);
    fits(&member, longest, MAX_CHOICE_BYTES, "bytes in one choice")
}

fn fits(member: &str, found: usize, most: usize, unit: &str) -> Result<(), String> {
    if found <= most {
        return Ok(());
    }
    Err(format!("in the description, `{member}`: {found} {unit}, expected at most {most}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn info(members: &str) -> Result<Info, String> {
        bounded(Info::decode(format!(r#"{{"schema":1,{members}}}"#).as_bytes()).unwrap())
    }

    #[test]
    fn texts_for_people_are_shortened() {
        let long = "ä".repeat(10_000);
        let members = format!(
            r#""label":"{long}","kind":"short","channels":[{{"name":"a","datatype":"float","unit":"{long}"}}]"#
        );
        let info = info(&members).unwrap();
        assert_eq!(info.label.unwrap().chars().count(), MAX_CHARS + 1);
        assert_eq!(info.kind.unwrap(), "short");
        assert!(info.channels[0].unit.as_ref().unwrap().ends_with("ä…"));
    }

    #[test]
    fn texts_that_are_compared_are_refused() {
        let will = |topic: &str, payload: &str| {
            format!(r#""will":{{"topic":"{topic}","payload":"{payload}","qos":0,"retain":false}}"#)
        };
        let choices = |choices: &str| {
            format!(r#""channels":[{{"name":"a","datatype":"choice","choices":[{choices}]}}]"#)
        };
        for (members, expected) in [
            (will(&"t".repeat(1_025), "p"), "`will.topic`: 1025 bytes, expected at most 1024"),
            (will("t", &"p".repeat(4_097)), "`will.payload`: 4097 bytes, expected at most 4096"),
            (choices(&format!("\"{}\"", "x".repeat(257))), "257 bytes in one choice, expected at most 256"),
            (choices(&vec!["\"x\""; 257].join(",")), "`channels[0].choices`: 257 choices"),
        ] {
            let error = info(&members).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert!(info(&will(&"t".repeat(1_024), "p")).is_ok());
        assert!(info(&choices(&vec!["\"x\""; 256].join(","))).is_ok());
    }
}
