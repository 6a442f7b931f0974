//! Cuts what a board sends into lines.

use std::time::Duration;

/// Longest line, in bytes without its end.
pub(super) const MAX_LINE: usize = 256;

/// Silence after opening a port, after which the next byte begins a line.
const QUIET: Duration = Duration::from_millis(250);

/// Silence after which a line that was begun counts as broken off.
const BROKEN_OFF: Duration = Duration::from_secs(2);

/// Bytes of a bad line that an error shows.
const SHOWN: usize = 40;

/// A line that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// To be read.
    Text(String),
    /// Why it cannot be read.
    Bad(String),
}

/// The bytes of a line that has not ended yet; never more than [`MAX_LINE`].
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    state: State,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing came since the port was opened.
    #[default]
    Fresh,
    /// Until the line's end nothing counts: its beginning was missed, or it is bad and reported.
    Skipping,
    /// What comes belongs to a line whose beginning is known.
    Within,
}

impl Lines {
    /// Takes bytes; returns the lines that ended with them. Empty lines and those that begin with `#` are for people.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut ended = Vec::new();
        for &byte in bytes {
            if self.state == State::Fresh {
                // The port may have been opened in the middle of a line, whose rest could look like a value.
                self.state = State::Skipping;
            }
            match (byte, &self.state) {
                (b'\n', State::Within) => ended.extend(read(&std::mem::take(&mut self.begun))),
                (b'\n', _) => self.state = State::Within,
                (_, State::Within) if self.begun.len() == MAX_LINE => {
                    ended.push(self.give_up(&format!("a line is longer than {MAX_LINE} bytes")));
                }
                (_, State::Within) => self.begun.push(byte),
                _ => {}
            }
        }
        ended
    }

    /// The silence that means something now; see [`Lines::silence`].
    pub(super) fn patience(&self) -> Option<Duration> {
        match self.state {
            State::Fresh => Some(QUIET),
            State::Within if !self.begun.is_empty() => Some(BROKEN_OFF),
            State::Skipping | State::Within => None,
        }
    }

    /// Nothing came for [`Lines::patience`].
    pub(super) fn silence(&mut self) -> Option<Line> {
        if self.state == State::Fresh {
            self.state = State::Within;
            return None;
        }
        let broken = self.state == State::Within && !self.begun.is_empty();
        broken.then(|| self.give_up("a line was begun and not ended"))
    }

    fn give_up(&mut self, why: &str) -> Line {
        self.state = State::Skipping;
        Line::Bad(format!("{why}: {}", shown(&std::mem::take(&mut self.begun))))
    }
}

fn read(line: &[u8]) -> Option<Line> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let bad = |why: &str| Some(Line::Bad(format!("{why}: {}", shown(line))));
    match std::str::from_utf8(line) {
        Ok(text) if text.contains(char::is_control) => bad("a line has control characters"),
        Ok(text) if text.trim().is_empty() || text.starts_with('#') => None,
        Ok(text) => Some(Line::Text(text.trim().to_owned())),
        Err(_) => bad("a line is no UTF-8, which a wrong `baud` looks like"),
    }
}

/// The beginning of a line, for an error.
pub(super) fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]);
    let more = if line.len() > SHOWN { "…" } else { "" };
    format!("`{}{more}`", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> Line {
        Line::Text(line.to_owned())
    }

    /// After a line's end, in the middle of which the port was opened.
    fn joined() -> Lines {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"ture 3.5\n"), []);
        lines
    }

    #[test]
    fn the_rest_of_a_line_that_was_under_way_is_no_line() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"ture 23.5\ntempera"), []);
        assert_eq!(lines.push(b"ture 24.5\r\n"), [text("temperature 24.5")]);
    }

    #[test]
    fn after_a_silence_the_first_line_is_whole() {
        let mut lines = Lines::default();
        assert_eq!(lines.patience(), Some(QUIET));
        assert_eq!(lines.silence(), None);
        assert_eq!(lines.push(b"led 1\n"), [text("led 1")]);
    }

    #[test]
    fn lines_may_come_in_any_pieces() {
        let whole = b"a 1\r\n\n# for people\nb 2\n";
        for size in 1..=whole.len() {
            let mut lines = joined();
            let came: Vec<_> = whole.chunks(size).flat_map(|piece| lines.push(piece)).collect();
            assert_eq!(came, [text("a 1"), text("b 2")], "{size}");
        }
    }

    #[test]
    fn an_overlong_line_is_told_once_and_takes_no_memory() {
        let mut lines = joined();
        let came: Vec<_> = (0..1000).flat_map(|_| lines.push(&[b'x'; 512])).collect();
        let [Line::Bad(why)] = came.as_slice() else { panic!("{came:?}") };
        assert!(why.starts_with("a line is longer than 256 bytes: `xxx"), "{why}");
        assert!(lines.begun.capacity() <= 2 * MAX_LINE, "{}", lines.begun.capacity());
        assert_eq!(lines.push(b"x\na 1\n"), [text("a 1")]);
    }

    #[test]
    fn the_longest_line_is_still_one() {
        let longest = "x".repeat(MAX_LINE);
        assert_eq!(joined().push(format!("{longest}\n").as_bytes()), [text(&longest)]);
    }

    #[test]
    fn a_line_that_breaks_off_is_no_line_and_its_rest_neither() {
        let mut lines = joined();
        assert_eq!((lines.patience(), lines.silence()), (None, None));
        assert_eq!(lines.push(b"temp"), []);
        assert_eq!(lines.patience(), Some(BROKEN_OFF));
        assert_eq!(lines.silence(), Some(Line::Bad("a line was begun and not ended: `temp`".into())));
        assert_eq!(lines.push(b"erature 5\na 1\n"), [text("a 1")]);
    }

    #[test]
    fn bytes_that_are_no_text_are_told_and_not_read() {
        for (bytes, why) in [
            (&b"a \xff1\n"[..], "a line is no UTF-8, which a wrong `baud` looks like: `a \u{fffd}1`"),
            (b"a \x001\n", "a line has control characters: `a \\01`"),
        ] {
            assert_eq!(joined().push(bytes), [Line::Bad(why.into())]);
        }
    }
}
