//! Text files that people wrote with whatever editor they have.

use std::fmt;
use std::io;
use std::path::Path;

/// Reads a text file in UTF-8, without the byte order mark that some editors put before it.
///
/// # Errors
///
/// Those of the file system; [`NotUtf8`] inside an error of the kind `InvalidData` where the file is in another encoding.
pub fn read_text(path: impl AsRef<Path>) -> io::Result<String> {
    let text = String::from_utf8(std::fs::read(path)?).map_err(|error| {
        let (bytes, valid) = (error.as_bytes(), error.utf8_error().valid_up_to());
        io::Error::new(io::ErrorKind::InvalidData, NotUtf8::of(bytes, valid))
    })?;
    if text.contains('\0') {
        let valid = text.find('\0').unwrap_or_default();
        return Err(io::Error::new(io::ErrorKind::InvalidData, NotUtf8::of(text.as_bytes(), valid)));
    }
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// A file that is not in UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUtf8 {
    /// The first line that is not, counted from 1.
    pub line: usize,
    /// What the file seems to be instead.
    encoding: &'static str,
}

impl NotUtf8 {
    /// `bytes` are valid up to a place.
    fn of(bytes: &[u8], valid: usize) -> Self {
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || bytes.contains(&0) {
            return Self { line: 1, encoding: "it seems to be UTF-16 or no text" };
        }
        let line = bytes[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        Self { line, encoding: "it seems to be Latin-1 (Windows-1252)" }
    }
}

impl fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is not in UTF-8, {}; save the file as UTF-8", self.line, self.encoding)
    }
}

impl std::error::Error for NotUtf8 {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<&str, usize>) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("writable");
        let read = read_text(file.path()).map_err(|error| {
            let inner = error.into_inner().expect("an encoding");
            inner.downcast::<NotUtf8>().expect("an encoding").line
        });
        assert_eq!(read.as_deref().map_err(|line| *line), expected);
    }

    #[test]
    fn a_file_is_utf_8_or_its_first_other_line_is_told() {
        check("ä\nö".as_bytes(), Ok("ä\nö"));
        check(b"\xef\xbb\xbfa = 1", Ok("a = 1"));
        check(b"a = 1\nb = \"K\xfcche\"\n", Err(2));
        check(b"\xff\xfea\0 \0", Err(1));
        check(b"a\0\n\0b\0", Err(1));
    }
}
