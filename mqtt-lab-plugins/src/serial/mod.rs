#![doc = include_str!("README.md")]

mod faults;
mod lines;
mod port;
mod protocol;
mod settings;

pub use settings::{ChannelSettings, ChannelType, Settings};

use faults::Faults;
use lines::{Line, Lines};
use mqtt_lab_core::prelude::*;
use protocol::Said;
use serial2_tokio::SerialPort;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Time from one attempt to open the port to the next.
const RETRY: Duration = Duration::from_secs(1);

/// Values that came while a command waited for its answer, at most.
const MAX_HEARD: usize = 1024;

/// A board on a serial port.
#[derive(Debug)]
pub struct Serial {
    settings: Settings,
    channels: Description,
    board: Option<Board>,
    /// When the port may be opened again.
    next_try: Instant,
    /// What came and was not read yet.
    heard: VecDeque<Said>,
    faults: Faults,
    /// The port's trouble as it was last told; empty: none.
    trouble: String,
    awaited: Option<Awaited>,
}

/// An open port.
#[derive(Debug)]
struct Board {
    port: SerialPort,
    lines: Lines,
    opened: Instant,
    last_byte: Instant,
    /// Whether a line came, so that its program runs.
    speaks: bool,
}

/// A command that the board has yet to confirm.
#[derive(Debug)]
struct Awaited {
    channel: String,
    value: Value,
    confirmed: Option<Value>,
    /// Another value that the board said since.
    instead: Option<Value>,
}

impl Serial {
    /// A board with these settings. Its port is opened by the first reading.
    ///
    /// # Errors
    ///
    /// If a setting is out of its range, or a channel's name is none.
    pub fn new(settings: Settings) -> Result<Self> {
        settings.check()?;
        let channels = settings.channels.iter().map(ChannelSettings::channel);
        let channels = channels.fold(Description::sensor(), Description::channel);
        channels.check()?;
        Ok(Self {
            settings,
            channels,
            board: None,
            next_try: Instant::now(),
            heard: VecDeque::new(),
            faults: Faults::new(),
            trouble: String::new(),
            awaited: None,
        })
    }

    /// The channels that are settable, or those that are not.
    fn described(&self, settable: bool) -> Description {
        let channels = self.channels.channels().iter().filter(|channel| channel.settable == settable);
        channels.cloned().fold(Description::sensor(), Description::channel).on_event()
    }

    fn open(&mut self) -> Result<&mut Board> {
        self.next_try = Instant::now() + RETRY;
        let port = port::open(&self.settings.port, self.settings.baud)?;
        let (lines, opened) = (Lines::default(), Instant::now());
        Ok(self.board.insert(Board { port, lines, opened, last_byte: opened, speaks: false }))
    }

    /// Waits until bytes come, or their absence means something, and takes them in. May be dropped while it waits.
    async fn listen(&mut self) -> Result<()> {
        if self.board.is_none() {
            sleep_until(self.next_try).await;
            self.open()?;
        }
        let Some(board) = &self.board else { return Ok(()) };
        let silent = board.lines.patience().map(|patience| board.last_byte + patience);
        let until = silent.into_iter().chain(self.faults.due_at()).min();
        let mut bytes = [0; 512];
        let read = board.port.read(&mut bytes);
        let came = match until {
            Some(until) => timeout_at(until, read).await,
            None => Ok(read.await),
        };
        match came {
            Ok(Ok(count @ 1..)) => self.hear(&bytes[..count]),
            Ok(end) => {
                self.board = None;
                return Err(port::lost(&self.settings.port, end.err().as_ref()));
            }
            Err(_) if silent.is_some_and(|silent| silent <= Instant::now()) => {
                let broken = self.board.as_mut().and_then(|board| board.lines.silence());
                broken.into_iter().for_each(|line| self.take(line));
            }
            Err(_) => {}
        }
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8]) {
        let Some(board) = &mut self.board else { return };
        board.last_byte = Instant::now();
        board.speaks |= bytes.contains(&b'\n');
        let lines = board.lines.push(bytes);
        lines.into_iter().for_each(|line| self.take(line));
    }

    fn take(&mut self, line: Line) {
        let said = match line {
            Line::Text(text) => Said::read(&text, &self.channels).map_err(|error| error.to_string()),
            Line::Bad(why) => Err(why),
        };
        match said {
            Ok(said) if self.is_answer(&said) => self.heard.retain(|older| older.channel != said.channel),
            Ok(said) => self.heard.push_back(said),
            Err(why) => self.faults.note(why),
        }
        if self.heard.len() > MAX_HEARD {
            self.heard.pop_front();
            self.faults.note("more values came than were taken".into());
        }
    }

    fn is_answer(&mut self, said: &Said) -> bool {
        let Some(awaited) = self.awaited.as_mut().filter(|awaited| awaited.channel == said.channel) else {
            return false;
        };
        let confirms = said.confirms(&awaited.value);
        let place = if confirms { &mut awaited.confirmed } else { &mut awaited.instead };
        *place = Some(said.value.clone());
        confirms
    }

    /// Opening the port restarted the board, perhaps: what it is told before its program runs is lost.
    async fn until_it_speaks(&mut self) -> Result<()> {
        let opened = match &self.board {
            Some(board) => board.opened,
            None => self.open()?.opened,
        };
        let until = opened + self.settings.boot();
        while self.board.as_ref().is_some_and(|board| !board.speaks) {
            match timeout_at(until, self.listen()).await {
                Ok(listened) => listened?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    async fn say(&mut self, line: &str, until: Instant) -> Result<()> {
        let path = &self.settings.port;
        let Some(board) = &self.board else { return Err(port::lost(path, None)) };
        match timeout_at(until, board.port.write_all(format!("{line}\n").as_bytes())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                self.board = None;
                Err(port::lost(&self.settings.port, Some(&error)))
            }
            Err(_) => Err(Error::new(format_args!("the board at `{path}` does not take `{line}`"))),
        }
    }

    /// Waits for the board's own word that the command is carried out.
    async fn confirmed(&mut self, line: &str, until: Instant) -> Result<Reading> {
        loop {
            let listened = timeout_at(until, self.listen()).await;
            let Some(awaited) = &self.awaited else { return Ok(Reading::new()) };
            if let Some(value) = &awaited.confirmed {
                return Ok(Reading::new().with(awaited.channel.clone(), value.clone()));
            }
            match listened {
                Ok(listened) => listened?,
                Err(_) => return Err(self.unconfirmed(line, awaited.instead.as_ref())),
            }
        }
    }

    fn unconfirmed(&self, line: &str, instead: Option<&Value>) -> Error {
        let Settings { port, answer_s, .. } = &self.settings;
        let but = match instead {
            Some(value) => format!("it says `{value}`"),
            None => "does its program answer with the new state?".into(),
        };
        Error::new(format_args!(
            "`{line}` was sent to the board at `{port}`, which did not confirm it within {answer_s} s: {but}"
        ))
    }
}

#[async_trait]
impl Sensor for Serial {
    fn describe(&self) -> Description {
        self.described(false)
    }

    async fn read(&mut self) -> Result<Reading> {
        self.awaited = None;
        loop {
            if let Some(said) = self.heard.pop_front() {
                self.trouble.clear();
                return Ok(said.into());
            }
            if let Some(report) = self.faults.due() {
                return Err(report);
            }
            match self.listen().await {
                Ok(()) if self.trouble.is_empty() => {}
                // It is back: an empty reading takes the error away.
                Ok(()) => {
                    self.trouble.clear();
                    return Ok(Reading::new());
                }
                // Told once, not at every attempt.
                Err(error) if error.to_string() == self.trouble => {}
                Err(error) => {
                    self.trouble = error.to_string();
                    return Err(error);
                }
            }
        }
    }
}

#[async_trait]
impl Actuator for Serial {
    fn describe(&self) -> Description {
        self.described(true)
    }

    async fn apply(&mut self, channel: &str, value: Value) -> Result<Reading> {
        let line = protocol::command(channel, &value)?;
        self.awaited = None;
        self.until_it_speaks().await?;
        let until = Instant::now() + self.settings.answer();
        self.awaited = Some(Awaited { channel: channel.into(), value, confirmed: None, instead: None });
        self.say(&line, until).await?;
        self.confirmed(&line, until).await
    }
}

/// `kind = "serial"`.
#[must_use]
pub fn kind() -> Kind {
    // Not cooperative: opening and closing a port may block for a while.
    Kind::both("serial", Serial::new).settings::<Settings>().sample(include_str!("sample.toml"))
}
