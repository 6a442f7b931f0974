//! One connection: what the client sends is done, what is for it is sent.
//!
//! Reading and writing go on side by side. Nothing is sent before what it tells is on disk; a client that
//! does not read what is sent is not read from either, until its keep-alive is over.

mod greeting;
mod output;
mod speaking;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::hub::Hub;
use super::pace::Pace;
use super::state::{Ending, Handle};
use super::wire::{self, Wrong};
use crate::frame::{self, Sender};
use crate::link::Version;
use crate::reason;
use output::Output;

/// Bytes that are read at once, at least and at most.
const READ: (usize, usize) = (512, 64 * 1024);
/// Longest time to say why a connection is ended.
const FAREWELL: Duration = Duration::from_secs(1);
/// A connection without keep-alive looks at the clock this often, in vain.
const NO_KEEP_ALIVE: Duration = Duration::from_secs(24 * 3600);

/// Serves a client from CONNECT to the end of its connection.
pub(super) async fn serve<S>(hub: Arc<Hub>, stream: S, address: SocketAddr)
where
    S: AsyncRead + AsyncWrite,
{
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut input = BytesMut::new();
    let Some(greeted) = greeting::greet(&hub, &mut reader, &mut writer, &mut input, address).await else {
        let _ = timeout(FAREWELL, writer.shutdown()).await;
        return;
    };
    let mut online =
        Online { handle: greeted.accepted.handle, hub: Arc::clone(&hub), ending: Ending::Broken };
    let mut connection = Connection::new(hub, greeted, reader, writer, input, address);
    let ended = connection.run().await;
    online.ending = connection.farewell(ended).await;
}

/// Takes the session off when the connection ends, also by a panic.
struct Online {
    hub: Arc<Hub>,
    handle: Handle,
    ending: Ending,
}

impl Drop for Online {
    fn drop(&mut self) {
        let ending = if self.hub.is_stopping() { Ending::Stopped } else { self.ending };
        self.hub.with_due(|state| state.disconnect(self.handle, ending));
    }
}

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// The client said so.
    Disconnect(Ending),
    /// The client closed it, or it broke.
    Closed,
    /// The client did what MQTT does not allow.
    Wrong(Wrong),
    /// The broker ends it, with a reason code.
    Told(u8),
}

struct Connection<S> {
    hub: Arc<Hub>,
    handle: Handle,
    version: Version,
    client_id: String,
    address: SocketAddr,
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    input: BytesMut,
    /// How much is read at once: grows with what comes.
    reading: usize,
    output: Output,
    durable: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
    wake: Arc<Notify>,
    told: oneshot::Receiver<u8>,
    pace: Arc<Pace>,
    /// There is more in the queue than was taken out of it.
    more: bool,
    /// One and a half times the keep-alive (MQTT-3.1.2-22).
    patience: Duration,
    heard: Instant,
}

/// What happened.
enum Happened {
    End(End),
    Read,
    Written,
    Durable,
    Woken,
    /// The client was not read from, because too many of its messages wait.
    Paced,
    Late,
}

impl<S: AsyncRead + AsyncWrite> Connection<S> {
    fn new(
        hub: Arc<Hub>,
        greeted: greeting::Greeted,
        reader: ReadHalf<S>,
        writer: WriteHalf<S>,
        input: BytesMut,
        address: SocketAddr,
    ) -> Self {
        let keep_alive = Duration::from_secs(greeted.keep_alive_s.into());
        let mut output = Output::default();
        output.fresh().extend_from_slice(&greeted.connack);
        output.caused_by(greeted.change);
        Self {
            handle: greeted.accepted.handle,
            version: greeted.version,
            client_id: greeted.client_id,
            address,
            reader,
            writer,
            input,
            reading: READ.0,
            output,
            durable: hub.durable(),
            stop: hub.stop.subscribe(),
            wake: greeted.accepted.wake,
            told: greeted.accepted.end,
            pace: greeted.accepted.pace,
            more: true,
            patience: if keep_alive.is_zero() { NO_KEEP_ALIVE } else { keep_alive.mul_f64(1.5) },
            heard: Instant::now(),
            hub,
        }
    }

    async fn run(&mut self) -> End {
        let late = sleep_until(self.heard + self.patience);
        tokio::pin!(late);
        // What came behind CONNECT.
        if let Err(end) = self.take_input() {
            return end;
        }
        loop {
            if self.more && self.output.has_room() {
                self.fill();
            }
            self.output.settle(*self.durable.borrow());
            match self.next(late.as_mut()).await {
                Happened::End(end) => return end,
                Happened::Read => {
                    self.heard = Instant::now();
                    if let Err(end) = self.take_input() {
                        return end;
                    }
                }
                Happened::Woken => self.more = true,
                Happened::Written | Happened::Durable => {}
                // Whoever is not read from may have said something meanwhile.
                Happened::Paced => self.heard = Instant::now(),
                Happened::Late if self.heard.elapsed() >= self.patience => {
                    return End::Told(reason::KEEP_ALIVE);
                }
                Happened::Late => late.as_mut().reset(self.heard + self.patience),
            }
        }
    }

    async fn next(&mut self, late: std::pin::Pin<&mut Sleep>) -> Happened {
        let paused = !self.pace.has_room();
        let reads = self.output.reads() && !paused;
        if reads {
            self.make_room();
        }
        let waits_for = self.output.waits_for();
        tokio::select! {
            code = &mut self.told => Happened::End(End::Told(code.unwrap_or(reason::TAKEN_OVER))),
            _ = self.stop.wait_for(|stop| *stop) => Happened::End(End::Told(reason::SHUTTING_DOWN)),
            written = self.writer.write_buf(self.output.ready()), if !self.output.ready_is_empty() => match written {
                Ok(1..) => Happened::Written,
                Ok(0) | Err(_) => Happened::End(End::Closed),
            },
            _ = self.durable.wait_for(|durable| *durable >= waits_for), if self.output.waits() => Happened::Durable,
            read = self.reader.read_buf(&mut self.input), if reads => match read {
                Ok(1..) => Happened::Read,
                Ok(0) | Err(_) => Happened::End(End::Closed),
            },
            () = self.wake.notified(), if !self.more => Happened::Woken,
            () = self.pace.moved(), if paused => Happened::Paced,
            () = late => Happened::Late,
        }
    }

    fn make_room(&mut self) {
        if self.input.is_empty() && self.input.capacity() > READ.1 {
            // One large packet does not keep its memory.
            self.input = BytesMut::new();
        }
        let free = self.input.capacity() - self.input.len();
        if free < self.reading / 2 {
            self.input.reserve(self.reading);
        }
    }

    /// Takes what the queue of the session holds.
    fn fill(&mut self) {
        let room = self.output.room();
        let fresh = self.output.fresh();
        let (more, change) = self.hub.with(|state| state.fill(self.handle, room, fresh));
        self.more = more;
        self.output.caused_by(change);
    }

    /// Does what the complete packets say that were read.
    fn take_input(&mut self) -> Result<(), End> {
        if self.input.len() >= self.reading {
            self.reading = (self.reading * 2).min(READ.1);
        }
        let mut packets = Vec::new();
        let wrong = loop {
            match frame::take(&mut self.input, Sender::Client, self.hub.max_packet) {
                Ok(None) => break None,
                Err(error) => break Some(Wrong::from(error)),
                Ok(Some(frame)) => match wire::read(self.version, &frame) {
                    Ok(packet) => packets.push(packet),
                    Err(wrong) => break Some(wrong),
                },
            }
        };
        if !packets.is_empty() {
            self.more = true;
            self.speak(packets)?;
        }
        wrong.map_or(Ok(()), |wrong| Err(End::Wrong(wrong)))
    }

    /// Says why the connection ends, where it can be said.
    async fn farewell(&mut self, end: End) -> Ending {
        let (code, ending) = match end {
            End::Disconnect(ending) => (None, ending),
            End::Closed => (None, Ending::Broken),
            End::Told(reason::SHUTTING_DOWN) => (Some(reason::SHUTTING_DOWN), Ending::Stopped),
            End::Told(code) => {
                let (client_id, why) = (&self.client_id, reason::text(code));
                tracing::debug!(client_id, why, "the broker ends a connection");
                (Some(code), Ending::Broken)
            }
            End::Wrong(wrong) => {
                let (client_id, address) = (&self.client_id, self.address);
                tracing::warn!(client_id, %address, "the broker ends a connection: {wrong}");
                (Some(wrong.code), Ending::Broken)
            }
        };
        let mut last = BytesMut::new();
        if let Some(code) = code {
            wire::disconnect(self.version, code, &mut last);
        }
        let leave = async {
            // What is ready goes first: it may be cut in the middle of a packet.
            self.output.settle(*self.durable.borrow());
            self.writer.write_all_buf(self.output.ready()).await?;
            self.writer.write_all_buf(&mut last).await?;
            self.writer.shutdown().await
        };
        let _ = timeout(FAREWELL, leave).await;
        ending
    }
}
