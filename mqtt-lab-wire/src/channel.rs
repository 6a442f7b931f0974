//! One named value stream of a device, described.

use crate::{Datatype, Qos, Str, ValueRef};
use core::fmt;

/// Longest text value, in bytes, where the channel sets no smaller bound.
pub const MAX_TEXT_BYTES: u32 = 4096;

/// The texts a choice channel takes.
#[cfg(feature = "alloc")]
pub type Choices = alloc::vec::Vec<Str>;
/// The texts a choice channel takes.
#[cfg(not(feature = "alloc"))]
pub type Choices = &'static [&'static str];

/// One named value stream of a device: what travels on `<root>/<group>/<device>/<name>`.
///
/// ```
/// # use mqtt_lab_wire::Channel;
/// let temperature = Channel::float("temperature").unit("°C").quantity("temperature").range(-40.0, 85.0);
/// let lamp = Channel::bool("on").label("Lamp").settable();
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "alloc", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Channel {
    /// The name, a word of `a-z 0-9 -`.
    pub name: Str,
    /// What its values are.
    pub datatype: Datatype,
    /// Unit as SI writes it: `°C`, `%`, `W`, `lx`.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub unit: Option<Str>,
    /// What is measured: `temperature`, `power`.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub quantity: Option<Str>,
    /// What a person calls it; the name where there is none.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub label: Option<Str>,
    /// Lowest value, in `unit`.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub min: Option<f64>,
    /// Highest value, in `unit`.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub max: Option<f64>,
    /// Distance between two values a form offers, in `unit`.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub step: Option<f64>,
    /// Longest text, in bytes; [`MAX_TEXT_BYTES`] where it is missing.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub max_len: Option<u32>,
    /// The texts a choice takes.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub choices: Choices,
    /// Whether the channel takes commands.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub settable: bool,
    /// QoS of its samples, where it differs from the device's.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub qos: Option<Qos>,
    /// Whether its samples are retained, where it differs from the device's.
    #[cfg_attr(feature = "alloc", serde(default))]
    pub retain: Option<bool>,
    /// The value at the start; sent, retained, when the device is born.
    #[cfg(feature = "alloc")]
    #[serde(skip)]
    pub initial: Option<crate::Value>,
}

macro_rules! constructors {
    ($($name:ident $datatype:ident $doc:literal;)+) => {$(
        #[doc = $doc]
        #[must_use]
        pub fn $name(name: impl Into<Str>) -> Self {
            Self::new(name, Datatype::$datatype)
        }
    )+};
}

impl Channel {
    constructors! {
        float Float "A channel of finite numbers.";
        int Int "A channel of whole numbers within ±2^53.";
        bool Bool "A channel of truth values.";
        text Text "A channel of texts.";
        color Color "A channel of colours, `#rrggbb`.";
    }

    /// A channel that takes one of `choices`.
    #[must_use]
    pub fn choice(name: impl Into<Str>, choices: impl Into<Choices>) -> Self {
        Self { choices: choices.into(), ..Self::new(name, Datatype::Choice) }
    }

    /// A channel of `datatype`.
    #[must_use]
    pub fn new(name: impl Into<Str>, datatype: Datatype) -> Self {
        Self {
            name: name.into(),
            datatype,
            unit: None,
            quantity: None,
            label: None,
            min: None,
            max: None,
            step: None,
            max_len: None,
            choices: Choices::default(),
            settable: false,
            qos: None,
            retain: None,
            #[cfg(feature = "alloc")]
            initial: None,
        }
    }

    /// Sets the unit, as SI writes it.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<Str>) -> Self {
        self.unit = Some(unit.into());
        self
    }

    /// Says what is measured.
    #[must_use]
    pub fn quantity(mut self, quantity: impl Into<Str>) -> Self {
        self.quantity = Some(quantity.into());
        self
    }

    /// Says what a person calls it.
    #[must_use]
    pub fn label(mut self, label: impl Into<Str>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Bounds the values of a number channel, both ends included.
    #[must_use]
    pub const fn range(mut self, min: f64, max: f64) -> Self {
        (self.min, self.max) = (Some(min), Some(max));
        self
    }

    /// Sets the distance between two values that a form offers.
    #[must_use]
    pub const fn step(mut self, step: f64) -> Self {
        self.step = Some(step);
        self
    }

    /// Bounds the length of a text channel's values, in bytes.
    #[must_use]
    pub const fn max_len(mut self, bytes: u32) -> Self {
        self.max_len = Some(bytes);
        self
    }

    /// Lets the channel take commands: an actuator's output, a sensor's control variable.
    #[must_use]
    pub const fn settable(mut self) -> Self {
        self.settable = true;
        self
    }

    /// Sets the QoS of this channel's samples.
    #[must_use]
    pub const fn qos(mut self, qos: Qos) -> Self {
        self.qos = Some(qos);
        self
    }

    /// Sets whether this channel's samples are retained.
    #[must_use]
    pub const fn retain(mut self, retain: bool) -> Self {
        self.retain = Some(retain);
        self
    }

    /// Sets the value at the start, sent when the device is born.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn initial(mut self, value: impl Into<crate::Value>) -> Self {
        self.initial = Some(value.into());
        self
    }

    /// Checks a value against datatype and range, and gives it the channel's datatype: a whole
    /// number becomes a float where floats travel, 0 and 1 become truth values.
    ///
    /// # Errors
    ///
    /// [`ValueError`] says what the channel takes.
    pub fn check<'a>(&self, value: ValueRef<'a>) -> Result<ValueRef<'a>, ValueError> {
        match self.datatype {
            Datatype::Float => self.check_float(value),
            Datatype::Int => self.check_int(value),
            Datatype::Bool => match value {
                ValueRef::Bool(_) => Ok(value),
                ValueRef::Int(0) => Ok(ValueRef::Bool(false)),
                ValueRef::Int(1) => Ok(ValueRef::Bool(true)),
                ValueRef::Int(_) | ValueRef::Float(_) | ValueRef::Text(_) => {
                    Err(ValueError::Datatype(Datatype::Bool))
                }
            },
            Datatype::Text | Datatype::Choice | Datatype::Color => self.check_text(value),
        }
    }

    fn check_float<'a>(&self, value: ValueRef<'a>) -> Result<ValueRef<'a>, ValueError> {
        let number = value.as_f64().ok_or(ValueError::Datatype(Datatype::Float))?;
        if !number.is_finite() {
            return Err(ValueError::NotFinite);
        }
        self.check_range(number).map(|()| ValueRef::Float(number))
    }

    fn check_int<'a>(&self, value: ValueRef<'a>) -> Result<ValueRef<'a>, ValueError> {
        const MAX: f64 = 9_007_199_254_740_992.0;
        let number = value.as_f64().ok_or(ValueError::Datatype(Datatype::Int))?;
        if !number.is_finite() {
            return Err(ValueError::NotFinite);
        }
        if number.abs() > MAX {
            return Err(ValueError::IntRange);
        }
        #[allow(clippy::cast_possible_truncation, reason = "within 2^53")]
        let whole = number as i64;
        #[allow(clippy::cast_precision_loss, reason = "within 2^53")]
        if (whole as f64 - number) != 0.0 {
            return Err(ValueError::Datatype(Datatype::Int));
        }
        self.check_range(number).map(|()| ValueRef::Int(whole))
    }

    fn check_range(&self, number: f64) -> Result<(), ValueError> {
        if self.min.is_some_and(|min| number < min) || self.max.is_some_and(|max| number > max) {
            return Err(ValueError::Range { min: self.min, max: self.max });
        }
        Ok(())
    }

    fn check_text<'a>(&self, value: ValueRef<'a>) -> Result<ValueRef<'a>, ValueError> {
        let ValueRef::Text(text) = value else {
            return Err(ValueError::Datatype(self.datatype));
        };
        let limit = self.max_len.unwrap_or(MAX_TEXT_BYTES);
        match self.datatype {
            Datatype::Choice if !self.choices.iter().any(|choice| text == **choice) => {
                Err(ValueError::NotAChoice)
            }
            Datatype::Color if !is_color(&text) => Err(ValueError::NotAColor),
            _ if text.len() > limit as usize => Err(ValueError::TooLong(limit)),
            _ => Ok(value),
        }
    }
}

fn is_color(text: &crate::Text<'_>) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('#') && text.len() == 7 && chars.all(|c| c.is_ascii_hexdigit())
}

/// Why a channel does not take a value.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ValueError {
    /// The channel carries another datatype.
    Datatype(Datatype),
    /// NaN or infinity: an error of the sensor, never a value.
    NotFinite,
    /// A whole number beyond ±2^53.
    IntRange,
    /// Outside the channel's range.
    Range {
        /// Lowest value.
        min: Option<f64>,
        /// Highest value.
        max: Option<f64>,
    },
    /// None of the channel's choices.
    NotAChoice,
    /// Not `#rrggbb`.
    NotAColor,
    /// Longer than the limit, in bytes.
    TooLong(u32),
    /// Beyond what a double holds.
    TooLarge,
    /// A text with a control character.
    ControlCharacter,
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Datatype(datatype) => f.write_str(match datatype {
                Datatype::Float => "expected a number",
                Datatype::Int => "expected a whole number",
                Datatype::Bool => "expected `true` or `false`, `on` or `off`, 1 or 0",
                Datatype::Text => "expected a text",
                Datatype::Choice => "expected one of the channel's choices",
                Datatype::Color => "expected a colour `#rrggbb`",
            }),
            Self::NotFinite => f.write_str("NaN and infinity are not values"),
            Self::IntRange => f.write_str("a whole number must be within 2^53"),
            Self::Range { min: Some(min), max: Some(max) } => {
                write!(f, "expected a number from {} to {}", ValueRef::Float(*min), ValueRef::Float(*max))
            }
            Self::Range { min: Some(min), max: None } => {
                write!(f, "expected a number of at least {}", ValueRef::Float(*min))
            }
            Self::Range { max: Some(max), .. } => {
                write!(f, "expected a number of at most {}", ValueRef::Float(*max))
            }
            Self::Range { .. } => f.write_str("expected another number"),
            Self::NotAChoice => f.write_str("expected one of the channel's choices"),
            Self::NotAColor => f.write_str("expected a colour `#rrggbb`"),
            Self::TooLong(limit) => write!(f, "expected at most {limit} bytes of text"),
            Self::TooLarge => f.write_str("the number is out of range: at most 1.8e308 can be kept"),
            Self::ControlCharacter => f.write_str("the text holds a control character"),
        }
    }
}

impl core::error::Error for ValueError {}
