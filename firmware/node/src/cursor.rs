//! Text into bytes that are already there.

use core::fmt;

/// Writes text into a buffer and fails when it is full.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }
}

impl fmt::Write for Cursor<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.buffer.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
