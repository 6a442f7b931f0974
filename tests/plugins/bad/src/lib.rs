//! A plugin that misbehaves in every way that its settings ask for.

#![allow(unsafe_code, reason = "a segmentation fault is one of the ways")]

use mqtt_lab_core::prelude::*;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// An error is returned.
    Error,
    /// A fatal error is returned.
    Fatal,
    /// It panics.
    Panic,
    /// It panics with a payload that panics when it is dropped.
    Payload,
    /// It loops without end.
    Loop,
    /// It sleeps without end and blocks its thread.
    Sleep,
    /// It awaits what never comes.
    Pending,
    /// It ends its process.
    Exit,
    /// It aborts its process.
    Abort,
    /// It writes where there is no memory.
    Segfault,
    /// It calls itself without end.
    StackOverflow,
    /// It takes all the memory there is.
    Memory,
    /// It measures NaN.
    Nan,
    /// It measures infinity.
    Infinity,
    /// It measures a channel that it did not describe.
    Undeclared,
    /// It measures more than its channel's range allows.
    OutOfRange,
    /// It measures a text on a channel of numbers.
    Datatype,
}

/// Where it goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the constructor.
    New,
    /// In `describe`.
    Describe,
    /// In `read`.
    #[default]
    Read,
    /// In `set` or `apply`.
    Set,
    /// In its destructor.
    Drop,
}

/// The settings.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What goes wrong.
    pub fault: Fault,
    /// Where.
    pub at: Place,
    /// How long a loop lasts, so that a test need not share the processor with it for ever.
    pub loop_s: Option<f64>,
}

/// Panics when it is dropped, with another of its kind.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        std::panic::panic_any(Self);
    }
}

/// The device that misbehaves.
#[derive(Debug)]
pub struct Bad(Settings);

fn overflow(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { overflow(depth + 1) + frame[7] }
}

impl Bad {
    fn new(settings: Settings) -> Result<Self> {
        let bad = Self(settings);
        bad.misbehave(Place::New)?;
        Ok(bad)
    }

    /// Does what can be done at any place.
    fn misbehave(&self, here: Place) -> Result<()> {
        if self.0.at != here {
            return Ok(());
        }
        match self.0.fault {
            Fault::Error => return Err(Error::new("wire broken")),
            Fault::Fatal => return Err(Error::new("wire burnt").fatal()),
            Fault::Panic => panic!("no wire"),
            Fault::Payload => std::panic::panic_any(Payload),
            Fault::Loop => {
                let start = Instant::now();
                while self.0.loop_s.is_none_or(|limit| start.elapsed().as_secs_f64() < limit) {
                    black_box(0);
                }
            }
            Fault::Sleep => {
                #[expect(clippy::disallowed_methods, reason = "blocking is the fault")]
                std::thread::sleep(Duration::from_secs(3600));
            }
            Fault::Exit => std::process::exit(3),
            Fault::Abort => std::process::abort(),
            // SAFETY: none; it ends the process.
            Fault::Segfault => unsafe { std::ptr::without_provenance_mut::<u8>(16).write_volatile(1) },
            Fault::StackOverflow => drop(black_box(overflow(black_box(0)))),
            Fault::Memory => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(black_box(vec![1_u8; 16 * 1024 * 1024]));
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn misbehave_slowly(&self, here: Place) -> Result<()> {
        if self.0.at == here && self.0.fault == Fault::Pending {
            std::future::pending::<()>().await;
        }
        self.misbehave(here)
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        let _ = self.misbehave(Place::Drop);
    }
}

#[async_trait]
impl Sensor for Bad {
    fn describe(&self) -> Description {
        if self.misbehave(Place::Describe).is_err() {
            return Description::sensor();
        }
        let value = Channel::float("value").unit("V").range(0.0, 10.0);
        Description::sensor().channel(value).control(Channel::int("level").initial(0))
    }

    async fn read(&mut self) -> Result<Reading> {
        self.misbehave_slowly(Place::Read).await?;
        if self.0.at != Place::Read {
            return Ok(1.0.into());
        }
        Ok(match self.0.fault {
            Fault::Nan => f64::NAN.into(),
            Fault::Infinity => f64::INFINITY.into(),
            Fault::OutOfRange => 11.0.into(),
            Fault::Undeclared => Reading::new().with("humidity", 1.0),
            Fault::Datatype => "warm".into(),
            _ => 1.0.into(),
        })
    }

    async fn set(&mut self, _channel: &str, _value: Value) -> Result<()> {
        self.misbehave_slowly(Place::Set).await
    }
}

/// An actuator that misbehaves when it is told something.
#[derive(Debug)]
pub struct Switch(Bad);

#[async_trait]
impl Actuator for Switch {
    fn describe(&self) -> Description {
        Description::actuator().output(Channel::bool("on").initial(false))
    }

    async fn apply(&mut self, _channel: &str, value: Value) -> Result<Reading> {
        self.0.misbehave_slowly(Place::Set).await?;
        Ok(value.into())
    }
}

/// An event sensor whose event is there whenever it is asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flood {}

#[async_trait]
impl Sensor for Flood {
    fn describe(&self) -> Description {
        Description::sensor()
            .channel(Channel::float("value"))
            .control(Channel::int("level").initial(0))
            .on_event()
    }

    async fn read(&mut self) -> Result<Reading> {
        Ok(1.0.into())
    }

    async fn set(&mut self, _channel: &str, _value: Value) -> Result<()> {
        Ok(())
    }
}

/// An event sensor that waits for what never comes; a control variable is obeyed all the same.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quiet {}

#[async_trait]
impl Sensor for Quiet {
    fn describe(&self) -> Description {
        Description::sensor()
            .channel(Channel::float("value"))
            .control(Channel::int("level").initial(0))
            .on_event()
    }

    async fn read(&mut self) -> Result<Reading> {
        std::future::pending().await
    }

    async fn set(&mut self, _channel: &str, _value: Value) -> Result<()> {
        Ok(())
    }
}

/// A good sensor with settings that can be wrong.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Address on the bus.
    address: u8,
    /// The line's parameters.
    line: Line,
}

/// The line's parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Bits per second.
    baud: u32,
}

impl Port {
    fn new(settings: Self) -> Result<Self> {
        if settings.address > 127 {
            return Err(Error::new(format_args!("there is no address {} on the bus", settings.address)));
        }
        Ok(settings)
    }
}

#[async_trait]
impl Sensor for Port {
    fn describe(&self) -> Description {
        Description::sensor().channel(Channel::int("value"))
    }

    async fn read(&mut self) -> Result<Reading> {
        Ok((i64::from(self.address) + i64::from(self.line.baud)).into())
    }
}

/// A good sensor that counts, also in the background while it is not asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counter {}

/// A running [`Counter`].
#[derive(Debug)]
pub struct Counting {
    count: i64,
    background: Option<tokio::sync::watch::Receiver<i64>>,
}

#[async_trait]
impl Sensor for Counting {
    fn describe(&self) -> Description {
        Description::sensor().channel(Channel::int("count")).channel(Channel::int("background"))
    }

    async fn read(&mut self) -> Result<Reading> {
        let background = self.background.get_or_insert_with(|| {
            let (sender, receiver) = tokio::sync::watch::channel(0);
            tokio::spawn(async move {
                while !sender.is_closed() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    sender.send_modify(|count| *count += 1);
                }
            });
            receiver
        });
        self.count += 1;
        let background = *background.borrow();
        Ok(Reading::new().with("count", self.count).with("background", background))
    }
}

export_plugin! {
    sensor "bad" => Bad::new,
    actuator "switch" => |settings: Settings| Ok(Switch(Bad::new(settings)?)),
    sensor "flood" => Flood,
    sensor "quiet" => Quiet,
    sensor "port" => Port::new,
    sensor "counter" => |_settings: Counter| Counting { count: 0, background: None },
}
