//! Strings, topics and filters as MQTT allows them (MQTT 5.0 sections 1.5.4 and 4.7).

/// A string in a packet has a length of two bytes.
pub(crate) const LONGEST_STRING: usize = 65_535;

/// A UTF-8 string as MQTT carries it (MQTT-1.5.4-2).
pub(crate) fn string(text: &str) -> Result<(), &'static str> {
    match text {
        long if long.len() > LONGEST_STRING => Err("is longer than 65,535 bytes"),
        nul if nul.contains('\0') => Err("contains the character NUL"),
        _ => Ok(()),
    }
}

pub(crate) fn text(text: &str) -> Result<(), &'static str> {
    if text.is_empty() { Err("is empty") } else { string(text) }
}

/// A topic without wildcards (MQTT-4.7.1-1, MQTT-4.7.3-1 to 3).
pub(crate) fn topic_name(topic: &str) -> Result<(), &'static str> {
    if topic.contains(['+', '#']) {
        return Err("contains a wildcard");
    }
    text(topic)
}

/// `+` fills a level, `#` fills the last one (MQTT-4.7.1-1, MQTT-4.7.1-2).
pub(crate) fn topic_filter(filter: &str) -> Result<(), &'static str> {
    text(filter)?;
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let wild = level.contains(['+', '#']);
        if wild && level.len() > 1 {
            return Err("has a wildcard that does not fill its level");
        }
        if level == "#" && levels.peek().is_some() {
            return Err("has `#` before the last level");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_follow_section_4_7() {
        for good in ["#", "+", "/", "a/+/b", "a/#", "+/+/#", "$share/g/a/#"] {
            assert_eq!(topic_filter(good), Ok(()), "{good}");
        }
        for bad in ["", "a#", "#/a", "a/b+", "++", "a\0"] {
            assert!(topic_filter(bad).is_err(), "{bad}");
        }
    }
}
