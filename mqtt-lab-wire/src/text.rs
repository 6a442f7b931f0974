//! Text as it travels, unescaped only while it is read.

use core::fmt::{self, Write as _};

/// A text that may still hold the escapes of JSON.
///
/// Reading it needs no allocator: [`Text::chars`] and `Display` resolve the escapes on the way.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Text<'a> {
    /// A text that stands for itself.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self { raw: text, escaped: false }
    }

    /// The inside of a JSON string whose escapes were checked.
    pub(crate) fn from_json(raw: &'a str) -> Self {
        Self { raw, escaped: raw.contains('\\') }
    }

    /// The text itself where no escape has to be resolved.
    #[must_use]
    pub const fn as_plain(&self) -> Option<&'a str> {
        if self.escaped { None } else { Some(self.raw) }
    }

    /// The characters, escapes resolved.
    pub fn chars(&self) -> impl Iterator<Item = char> + 'a {
        Chars { rest: self.raw.chars(), escaped: self.escaped }
    }

    /// Whether there is no character.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Length in bytes of UTF-8, escapes resolved.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.escaped { self.chars().map(char::len_utf8).sum() } else { self.raw.len() }
    }

    /// Writes the text as a JSON string, quotes included.
    pub(crate) fn write_json(&self, out: &mut impl fmt::Write) -> fmt::Result {
        out.write_char('"')?;
        for c in self.chars() {
            match c {
                '"' => out.write_str("\\\"")?,
                '\\' => out.write_str("\\\\")?,
                '\n' => out.write_str("\\n")?,
                '\r' => out.write_str("\\r")?,
                '\t' => out.write_str("\\t")?,
                c if u32::from(c) < 0x20 || c == '\u{7f}' => write!(out, "\\u{:04x}", u32::from(c))?,
                c => out.write_char(c)?,
            }
        }
        out.write_char('"')
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.as_plain(), other.as_plain()) {
            (Some(a), Some(b)) => a == b,
            _ => self.chars().eq(other.chars()),
        }
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        *self == Text::new(other)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_plain() {
            Some(text) => f.write_str(text),
            None => self.chars().try_for_each(|c| f.write_char(c)),
        }
    }
}

struct Chars<'a> {
    rest: core::str::Chars<'a>,
    escaped: bool,
}

impl Chars<'_> {
    /// Four hexadecimal digits; the reader has checked them.
    fn unit(&mut self) -> u32 {
        self.rest.by_ref().take(4).fold(0, |sum, c| sum * 16 + c.to_digit(16).unwrap_or(0))
    }

    fn unicode(&mut self) -> char {
        let high = self.unit();
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER);
        }
        // A surrogate pair: the second half follows as another escape, or the text is damaged.
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('\\') || ahead.next() != Some('u') {
            return char::REPLACEMENT_CHARACTER;
        }
        self.rest = ahead;
        let low = self.unit().wrapping_sub(0xDC00) & 0x3FF;
        char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + low).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c != '\\' || !self.escaped {
            return Some(c);
        }
        Some(match self.rest.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => self.unicode(),
            other => other,
        })
    }
}
