//! A description as a table for the terminal.

use mqtt_lab_core::{Channel, Description, Trigger};

/// One line per channel, and when it is read.
pub(super) fn of(description: &Description, acts_only: bool) -> Vec<String> {
    let heading = ["channel", "datatype", "unit", "range", "settable"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heading).chain(description.channels().iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..5).map(width).collect();
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines: Vec<_> = rows.iter().map(line).collect();
    lines.push(match (acts_only, description.trigger()) {
        (true, _) => "has no readings".into(),
        (_, Trigger::Event) => "read when something happens".into(),
        (_, Trigger::Interval) => "read once per interval".into(),
    });
    lines
}

fn row(channel: &Channel) -> [String; 5] {
    let unit = channel.unit.as_deref().unwrap_or_default();
    let settable = if channel.settable { "yes" } else { "no" };
    [channel.name.to_string(), channel.datatype.to_string(), unit.into(), range(channel), settable.into()]
}

fn range(channel: &Channel) -> String {
    let choices: Vec<_> = channel.choices.iter().map(ToString::to_string).collect();
    match (channel.min, channel.max, channel.max_len) {
        _ if !choices.is_empty() => choices.join(", "),
        (Some(min), Some(max), _) => format!("{min} to {max}"),
        (Some(min), None, _) => format!("at least {min}"),
        (None, Some(max), _) => format!("at most {max}"),
        (None, None, Some(bytes)) => format!("up to {bytes} bytes"),
        (None, None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_has_its_line() {
        let description = Description::sensor()
            .channel(Channel::float("temperature").unit("°C").range(-40.0, 85.0))
            .channel(Channel::text("note").max_len(20))
            .control(Channel::choice("mode", vec!["eco".into(), "boost".into()]));
        let expected = "channel      datatype  unit  range           settable\n\
                        temperature  float     °C    -40 to 85       no\n\
                        note         text            up to 20 bytes  no\n\
                        mode         choice          eco, boost      yes\n\
                        read once per interval";
        assert_eq!(of(&description, false).join("\n"), expected);
    }
}
