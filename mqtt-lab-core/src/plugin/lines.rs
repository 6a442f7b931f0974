//! Lines of a pipe, none longer than a limit.

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

/// Reads lines. What is above the limit of a line is left out.
pub(crate) struct Lines<R> {
    from: BufReader<R>,
    limit: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(from: R, limit: usize) -> Self {
        Self { from: BufReader::new(from), limit }
    }

    /// The next line without its end; bytes that are no UTF-8 are replaced. None at the end.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        loop {
            let read = self.from.fill_buf().await.ok()?;
            if read.is_empty() {
                return (!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned());
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let part = &read[..end.unwrap_or(read.len())];
            line.extend_from_slice(&part[..part.len().min(self.limit - line.len())]);
            let used = end.map_or(read.len(), |end| end + 1);
            self.from.consume(used);
            if end.is_some() {
                let line = line.strip_suffix(b"\r").unwrap_or(&line);
                return Some(String::from_utf8_lossy(line).into_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_cut_at_the_limit_and_the_next_one_is_whole() {
        let mut lines = Lines::new(&b"short\r\nmuch too long\n\nlast"[..], 8);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await {
            found.push(line);
        }
        assert_eq!(found, ["short", "much too", "", "last"]);
    }
}
