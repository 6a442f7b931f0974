//! A plugin in a process of its own: Python, any other language, or a library that may crash.
//!
//! Every device has its own process, so that one that crashes takes no other along.

use super::child::Child;
use super::line_protocol::{Answer, Op, to_json};
use super::manifest::{self, KindManifest, Manifest};
use super::spawn::Launch;
use crate::device::Remains;
use crate::{CreateError, Description, Device, Error, Plugin, Reading, Result, Settings, Value, panicked};
use async_trait::async_trait;
use mqtt_lab_wire::Trigger;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// Longest wait inside one `read` of the child, which may be busy with it and answer nothing else.
const WAIT_MS: u32 = 200;
/// Silence after which a child that waits for an event is stuck. A measurement has the time limit of its device.
const SILENCE: Duration = Duration::from_secs(10);

/// Starts the program once to ask what it offers, and ends it again.
pub(crate) async fn load(launch: Launch) -> Result<Plugin> {
    let launch = Arc::new(launch);
    let child = Child::start(&launch).await?;
    let answer = checked(child.ask(Op::Manifest).await?)?;
    let manifest = Manifest::parse(&answer.ok.unwrap_or_default().to_string())?;
    let plugin = Plugin::new(&manifest.name, &manifest.version);
    Ok(manifest.kinds.into_iter().fold(plugin, |plugin, kind| plugin.kind(of_process(&launch, kind))))
}

fn of_process(launch: &Arc<Launch>, manifest: KindManifest) -> crate::Kind {
    let (name, launch) = (manifest.name.clone(), Arc::clone(launch));
    let kind = manifest.into_kind(move |settings| {
        let (name, launch) = (name.clone(), Arc::clone(&launch));
        Box::pin(async move {
            Ok(Box::new(ProcessDevice::create(&launch, name, settings).await?) as Box<dyn Device>)
        })
    });
    // Whatever the process does, here it is only waited for.
    kind.cooperative()
}

/// A device that lives in a child process.
struct ProcessDevice {
    child: Child,
    description: Description,
    /// A reading that was asked for, and when; it outlives a `read` that was dropped.
    reading: Option<(oneshot::Receiver<Answer>, Instant)>,
}

impl ProcessDevice {
    async fn create(launch: &Launch, kind: String, settings: Settings) -> Result<Self, CreateError> {
        let child = Child::start(launch).await.map_err(CreateError::Refused)?;
        let create = Op::Create { kind, settings };
        let mut answer = child.ask(create).await.map_err(CreateError::Refused)?;
        let setting = answer.setting.take();
        let answer = checked(answer).map_err(|error| match setting {
            Some(path) => CreateError::Setting { path, message: error.to_string() },
            None => CreateError::Refused(error),
        })?;
        let description = manifest::description(serde_json::from_value(answer.ok.unwrap_or_default()))?;
        Ok(Self { child, description, reading: None })
    }
}

#[async_trait]
impl Device for ProcessDevice {
    fn describe(&self) -> Description {
        self.description.clone()
    }

    async fn read(&mut self) -> Result<Reading> {
        loop {
            let (pending, asked) = match &mut self.reading {
                Some(reading) => reading,
                None => {
                    let pending = self.child.send(Op::Read { wait_ms: WAIT_MS }).await?;
                    self.reading.insert((pending, Instant::now()))
                }
            };
            let answer = match self.description.trigger() {
                Trigger::Interval => pending.await,
                Trigger::Event => timeout_at(*asked + SILENCE, pending).await.map_err(|_| stuck())?,
            };
            self.reading = None;
            let Ok(answer) = answer else { return Err(self.child.end().await) };
            if !answer.pending {
                return checked(answer)?.reading();
            }
        }
    }

    async fn set(&mut self, channel: &str, value: Value) -> Result<Reading> {
        let set = Op::Set { channel: channel.to_owned(), value: to_json(&value) };
        let state = checked(self.child.ask(set).await?)?.reading()?;
        Ok(if state.is_empty() { Reading::new().with(channel.to_owned(), value) } else { state })
    }

    fn remains(&mut self) -> Option<Remains> {
        self.child.gone()
    }
}

fn stuck() -> Error {
    let seconds = SILENCE.as_secs();
    Error::new(format!(
        "its process has not answered a `read` for {seconds} s; it should within {WAIT_MS} ms"
    ))
    .fatal()
}

/// The answer, or the error in it.
fn checked(answer: Answer) -> Result<Answer> {
    match answer.error {
        Some(error) if answer.panicked => panicked::goes_on(error),
        Some(error) if answer.fatal => Err(Error::new(error).fatal()),
        Some(error) => Err(Error::new(error)),
        None => Ok(answer),
    }
}
