//! The byte stream below MQTT. TLS will fit in here: readiness of the TCP socket, and reads and
//! writes that do not wait.

use std::io::{self, ErrorKind};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Room made for one read.
const CHUNK: usize = 8 * 1024;
/// Reads in a row, so that a fast broker does not keep the link from sending.
const READS: usize = 8;

/// A connected stream that holds no buffer of its own.
#[derive(Debug)]
pub(super) struct Socket(TcpStream);

impl Socket {
    /// Connects to `host:port`.
    pub(super) async fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.0.writable().await
    }

    /// Reads what is there. False: the other side has closed.
    pub(super) fn read(&self, into: &mut BytesMut) -> io::Result<bool> {
        for _ in 0..READS {
            into.reserve(CHUNK);
            let room = into.capacity() - into.len();
            match self.0.try_read_buf(into) {
                Ok(0) => return Ok(false),
                Ok(read) if read < room => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Writes what fits now and takes it off the front. Returns the number of bytes.
    pub(super) fn write(&self, from: &mut BytesMut) -> io::Result<usize> {
        let mut written = 0;
        while !from.is_empty() {
            match self.0.try_write(from) {
                Ok(count) => {
                    from.advance(count);
                    written += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Writes all, waiting as long as it takes.
    pub(super) async fn write_all(&self, from: &mut BytesMut) -> io::Result<()> {
        loop {
            self.write(from)?;
            if from.is_empty() {
                return Ok(());
            }
            self.writable().await?;
        }
    }

    /// Says that nothing more will be written, then reads until the other side closes: data left
    /// unread would turn into a reset that overtakes what was written last.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        self.0.shutdown().await?;
        let mut unwanted = BytesMut::new();
        loop {
            self.readable().await?;
            if !self.read(&mut unwanted)? {
                return Ok(());
            }
            unwanted.clear();
        }
    }
}
