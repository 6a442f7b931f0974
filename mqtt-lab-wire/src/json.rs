//! Reads one JSON object without an allocator; what is nested in it is handed out as it stands.
//!
//! Why not a library: `serde_json` needs an allocator for every text, `serde-json-core` cannot read a
//! value whose type is not known beforehand (`deserialize_any`), and that is just what a sample is.

use crate::{DecodeError, Text};

/// Nesting below which unknown fields are skipped.
const MAX_DEPTH: u8 = 16;

/// What stands behind a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    /// `null`; also `NaN` and `Infinity`, which are no JSON, but what Python's `json.dumps` writes.
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Text<'a>),
    /// An array or object, as it stands: its brackets balance and its strings end.
    Nested(&'a str),
}

impl<'a> Token<'a> {
    /// A whole number from 0 to `i64::MAX`.
    pub(crate) fn whole(&self) -> Option<u64> {
        match self {
            Token::Number(n) => n.parse::<u64>().ok().filter(|n| i64::try_from(*n).is_ok()),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<Text<'a>> {
        match self {
            Token::Text(text) => Some(*text),
            _ => None,
        }
    }
}

/// Calls `member` with each key and value of the object that `text` is.
pub(crate) fn read_object<'a>(
    text: &'a str,
    mut member: impl FnMut(Text<'a>, Token<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    Reader { text, at: 0 }.list(b'{', b'}', |reader| {
        reader.expect(b'"')?;
        let key = reader.string()?;
        reader.space();
        reader.expect(b':')?;
        reader.space();
        member(key, reader.token()?)
    })
}

/// Calls `element` with each element of the array that `text` is.
#[cfg(feature = "alloc")]
pub(crate) fn read_array<'a>(
    text: &'a str,
    mut element: impl FnMut(Token<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    Reader { text, at: 0 }.list(b'[', b']', |reader| element(reader.token()?))
}

/// The text in `payload` if that is exactly one JSON string.
pub(crate) fn read_string(payload: &str) -> Result<Text<'_>, DecodeError> {
    let mut reader = Reader { text: payload, at: 0 };
    reader.expect(b'"')?;
    let text = reader.string()?;
    if reader.at == payload.len() { Ok(text) } else { Err(reader.error()) }
}

/// Whether `text` is one number in JSON's notation.
pub(crate) fn is_number(text: &str) -> bool {
    let mut reader = Reader { text, at: 0 };
    reader.number().is_ok() && reader.at == text.len()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn error(&self) -> DecodeError {
        DecodeError::NotJson(self.at)
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), DecodeError> {
        if self.take(byte) { Ok(()) } else { Err(self.error()) }
    }

    /// Reads all of the text as items between brackets, apart by commas.
    fn list(
        mut self,
        open: u8,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.space();
        self.expect(open)?;
        self.space();
        if !self.take(close) {
            loop {
                self.space();
                item(&mut self)?;
                self.space();
                if self.take(close) {
                    break;
                }
                self.expect(b',')?;
            }
        }
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.error()) }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The inside of a string whose opening quote was read.
    fn string(&mut self) -> Result<Text<'a>, DecodeError> {
        let from = self.at;
        loop {
            match self.peek().ok_or_else(|| self.error())? {
                b'"' => break,
                b'\\' => self.escape()?,
                0..0x20 => return Err(self.error()),
                _ => self.at += 1,
            }
        }
        let raw = &self.text[from..self.at];
        self.at += 1;
        Ok(Text::from_json(raw))
    }

    fn escape(&mut self) -> Result<(), DecodeError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let digits = self.text.as_bytes().get(self.at + 1..self.at + 5);
                if !digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.error());
                }
                self.at += 5;
            }
            _ => return Err(self.error()),
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), DecodeError> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == from { Err(self.error()) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<&'a str, DecodeError> {
        let from = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(&self.text[from..self.at])
    }

    fn word(&mut self, word: &str) -> Result<(), DecodeError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.error());
        }
        self.at += word.len();
        Ok(())
    }

    fn token(&mut self) -> Result<Token<'a>, DecodeError> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Ok(Token::Text(self.string()?))
            }
            Some(b't') => self.word("true").map(|()| Token::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Token::Bool(false)),
            Some(b'n') => self.word("null").map(|()| Token::Null),
            Some(b'N') => self.word("NaN").map(|()| Token::Null),
            Some(b'I') => self.word("Infinity").map(|()| Token::Null),
            Some(b'{' | b'[') => self.skip().map(Token::Nested),
            _ if self.text[self.at..].starts_with("-I") => self.word("-Infinity").map(|()| Token::Null),
            _ => self.number().map(Token::Number),
        }
    }

    /// Skips an array or object: brackets must balance, strings must end, nothing else is looked at.
    fn skip(&mut self) -> Result<&'a str, DecodeError> {
        let (from, mut depth) = (self.at, 0);
        loop {
            match self.peek().ok_or_else(|| self.error())? {
                b'{' | b'[' if depth == MAX_DEPTH => return Err(DecodeError::TooDeep),
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                b'"' => {
                    self.at += 1;
                    self.string()?;
                    continue;
                }
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(&self.text[from..self.at]);
            }
        }
    }
}
