//! What kind of value a channel carries.

use core::fmt;

/// The datatype of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "alloc", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Datatype {
    /// A finite number.
    Float,
    /// A whole number within ±2^53, what JSON and SQL both carry without loss.
    Int,
    /// True or false.
    Bool,
    /// Text of bounded length.
    Text,
    /// One of the texts that the channel lists.
    Choice,
    /// A colour, `#rrggbb`.
    Color,
}

impl Datatype {
    /// The word that travels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Text => "text",
            Self::Choice => "choice",
            Self::Color => "color",
        }
    }

    /// The datatype of a word, `None` for another word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Float, Self::Int, Self::Bool, Self::Text, Self::Choice, Self::Color]
            .into_iter()
            .find(|d| d.as_str() == word)
    }

    /// Whether values are texts.
    #[must_use]
    pub const fn is_textual(self) -> bool {
        matches!(self, Self::Text | Self::Choice | Self::Color)
    }
}

impl fmt::Display for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
