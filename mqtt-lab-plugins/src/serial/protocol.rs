//! What the lines mean, in both directions.

use super::lines::shown;
use mqtt_lab_core::prelude::*;

/// What a board said of one channel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    pub(super) channel: String,
    /// Of the channel's datatype and within its range.
    pub(super) value: Value,
    /// How far the value may lie from the true one because of the digits printed.
    rounding: f64,
}

impl Said {
    /// Reads a line: `name value`, or a bare number where there is but one channel.
    ///
    /// # Errors
    ///
    /// If no channel has that name, or it does not take that value.
    pub(super) fn read(line: &str, channels: &Description) -> Result<Self> {
        let (name, text) = match (line.split_once([' ', '\t']), channels.channels()) {
            (Some((name, text)), _) => (name, text.trim_start()),
            (None, [only]) if !only.datatype.is_textual() => (only.name.as_ref(), line),
            (None, _) => {
                return Err(Error::new(format_args!(
                    "{} is no line of the form `name value`",
                    shown(line.as_bytes())
                )));
            }
        };
        let Some(channel) = channels.find(name) else {
            let shown = shown(line.as_bytes());
            return Err(Error::new(format_args!("{shown} names no channel that is in `channels`")));
        };
        let reading = Reading::new().with(name.to_owned(), meant(text, channel.datatype));
        let checked = channels.check_reading(&reading)?;
        let value = checked.into_iter().next().map(|(_, value)| value).unwrap_or(Value::Bool(false));
        Ok(Self { channel: name.to_owned(), value, rounding: rounding(text) })
    }

    /// Whether the board says that the channel has this value now: numbers as exactly as it prints them.
    pub(super) fn confirms(&self, asked: &Value) -> bool {
        match (asked, &self.value) {
            (Value::Float(asked), Value::Float(said)) => (asked - said).abs() <= self.rounding,
            (asked, said) => asked == said,
        }
    }
}

impl From<Said> for Reading {
    fn from(said: Said) -> Self {
        Self::new().with(said.channel, said.value)
    }
}

/// The value that a text stands for; one that is none of the datatype stays a text, which no check lets through.
fn meant(text: &str, datatype: Datatype) -> Value {
    let number = || {
        let whole = text.parse::<i64>().map(Value::Int);
        whole.or_else(|_| text.parse::<f64>().map(Value::Float)).ok()
    };
    let value = match datatype {
        Datatype::Float | Datatype::Int => number(),
        Datatype::Bool => match text {
            "1" | "true" => Some(Value::Bool(true)),
            "0" | "false" => Some(Value::Bool(false)),
            _ => None,
        },
        Datatype::Text | Datatype::Choice | Datatype::Color => None,
    };
    value.unwrap_or_else(|| Value::Text(text.to_owned()))
}

/// Half of the last digit's worth; a bit more, as decimal digits are not exact in a double.
fn rounding(text: &str) -> f64 {
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let decimals = i32::try_from(decimals).unwrap_or(i32::MAX);
    0.500_001 * 10_f64.powi(decimals.saturating_neg())
}

/// The line that sets a channel; truth values are `1` and `0`.
///
/// # Errors
///
/// If the value has a line's end or another control character.
pub(super) fn command(channel: &str, value: &Value) -> Result<String> {
    let value = match value {
        Value::Bool(on) => u8::from(*on).to_string(),
        Value::Int(_) | Value::Float(_) | Value::Text(_) => value.to_string(),
    };
    if value.contains(char::is_control) {
        return Err(Error::new(format_args!("`{channel}` takes no text with control characters")));
    }
    Ok(format!("{channel} {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Description {
        Description::sensor()
            .channel(Channel::float("temperature").unit("°C").range(-55.0, 150.0))
            .channel(Channel::int("count"))
            .channel(Channel::text("state").max_len(10))
            .output(Channel::bool("led"))
    }

    #[track_caller]
    fn check(line: &str, expected: Result<(&str, Value), &str>) {
        let said = Said::read(line, &board()).map(|said| (said.channel, said.value));
        let expected = expected.map(|(name, value)| (name.to_owned(), value)).map_err(Error::new);
        assert_eq!(said, expected);
    }

    #[test]
    fn a_line_is_a_name_and_a_value() {
        check("temperature 23.5", Ok(("temperature", 23.5.into())));
        check("temperature\t -4", Ok(("temperature", Value::Float(-4.0))));
        check("count 7", Ok(("count", Value::Int(7))));
        check("led 1", Ok(("led", true.into())));
        check("led false", Ok(("led", false.into())));
        check("state all well", Ok(("state", "all well".into())));
        check("state 5", Ok(("state", "5".into())));
    }

    #[test]
    fn what_does_not_fit_is_never_a_value() {
        check("temperature", Err("`temperature` is no line of the form `name value`"));
        check("23.5", Err("`23.5` is no line of the form `name value`"));
        check("temprature 23.5", Err("`temprature 23.5` names no channel that is in `channels`"));
        let number = "expected a number";
        for text in ["warm", "23.5C", "23,5", "23 .5", "0x17", ""] {
            let line = format!("temperature {text}x");
            check(&line, Err(&format!("channel `temperature` does not take `{text}x`: {number}")));
        }
        for text in ["nan", "inf", "-infinity", "1e999"] {
            let error = Said::read(&format!("temperature {text}"), &board()).unwrap_err().to_string();
            assert!(error.ends_with("NaN and infinity are not values"), "{error}");
        }
        check(
            "temperature 151",
            Err("channel `temperature` does not take `151 °C`: expected a number from -55 to 150"),
        );
        check("count 7.5", Err("channel `count` does not take `7.5`: expected a whole number"));
        check(
            "led 2",
            Err("channel `led` does not take `2`: expected `true` or `false`, `on` or `off`, 1 or 0"),
        );
        check(
            "state much too long",
            Err("channel `state` does not take `much too long`: expected at most 10 bytes of text"),
        );
    }

    #[test]
    fn a_bare_number_means_the_only_channel() {
        let only = Description::sensor().channel(Channel::float("light"));
        assert_eq!(Said::read("512", &only).map(|said| said.value), Ok(512.0.into()));
        assert!(Said::read("dark", &only).is_err());
        let text = Description::sensor().channel(Channel::text("tag"));
        assert!(Said::read("512", &text).is_err(), "half a line would be a text, too");
    }

    #[test]
    fn a_number_is_confirmed_as_exactly_as_it_is_printed() {
        let board = Description::sensor().output(Channel::float("speed"));
        let confirms = |line, asked| Said::read(line, &board).map(|said| said.confirms(&Value::Float(asked)));
        assert_eq!(confirms("speed 0.33", 1.0 / 3.0), Ok(true));
        assert_eq!(confirms("speed 0.35", 0.345), Ok(true));
        assert_eq!(confirms("speed 0.34", 0.35), Ok(false));
        assert_eq!(confirms("speed 3", 3.4), Ok(true));
        assert_eq!(confirms("speed 3", 4.0), Ok(false));
    }

    #[test]
    fn a_command_is_one_line_whatever_its_text() {
        assert_eq!(command("led", &true.into()), Ok("led 1".into()));
        assert_eq!(command("speed", &0.5.into()), Ok("speed 0.5".into()));
        assert_eq!(command("text", &"moin moin".into()), Ok("text moin moin".into()));
        assert!(command("text", &"a\nled 1".into()).is_err());
    }
}
