//! A port on a pseudoterminal, a device that has it open, and the board's end of the cable.

use mqtt_lab_core::{Device, Error, Reading, Result, Value};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Long enough for a busy machine; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The board's end of a cable; dropped, the cable is pulled.
pub(crate) struct Cable {
    pub(crate) board: File,
    /// The computer's end, held open so that it stays raw.
    _held: File,
    pub(crate) port: PathBuf,
}

impl Cable {
    pub(crate) fn plug_in(port: &Path) -> Self {
        let board = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudoterminal");
        grantpt(&board).and_then(|()| unlockpt(&board)).expect("ours");
        let name = ptsname(&board, Vec::new()).expect("a name");
        let name = Path::new(OsStr::from_bytes(name.as_bytes()));
        let held = File::options().read(true).write(true).open(name).expect("the other end");
        let mut raw = tcgetattr(&held).expect("a terminal");
        raw.make_raw();
        tcsetattr(&held, OptionalActions::Now, &raw).expect("raw");
        std::os::unix::fs::symlink(name, port).expect("a free name");
        Self { board: board.into(), _held: held, port: port.to_owned() }
    }

    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) {
        (&self.board).write_all(bytes.as_ref()).expect("the cable is plugged in");
    }

    /// Runs a program on the board: it is given every line, and what it returns is sent.
    pub(crate) fn answers(&self, mut program: impl FnMut(&str) -> String + Send + 'static) {
        let board = self.board.try_clone().expect("another handle");
        std::thread::spawn(move || {
            for line in BufReader::new(&board).lines().map_while(std::io::Result::ok) {
                if (&board).write_all(program(&line).as_bytes()).is_err() {
                    return;
                }
            }
        });
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // The name first: its terminal's number may soon be another program's.
        let _ = std::fs::remove_file(&self.port);
    }
}

/// A device, and a cable to its board.
pub(crate) struct Setup {
    pub(crate) cable: Cable,
    pub(crate) device: Box<dyn Device>,
    pub(crate) _folder: tempfile::TempDir,
}

pub(crate) async fn device(port: &Path, boot_s: f64, answer_s: f64) -> Box<dyn Device> {
    let settings = serde_json::json!({
        "port": port, "boot_s": boot_s, "answer_s": answer_s,
        "channels": [
            { "name": "level", "unit": "%", "range": [0.0, 100.0] },
            { "name": "state", "datatype": "text" },
            { "name": "led", "datatype": "bool", "settable": true },
            { "name": "speed", "datatype": "float", "settable": true },
        ],
    });
    let serde_json::Value::Object(settings) = settings else { unreachable!("an object") };
    mqtt_lab_plugins::serial::kind().create(settings).await.expect("valid settings")
}

impl Setup {
    /// With the port open, and the device sure of where lines begin.
    pub(crate) async fn start() -> Self {
        Self::with(0.0, 30.0).await
    }

    pub(crate) async fn with(boot_s: f64, answer_s: f64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = folder.path().join("ttyUSB0");
        let cable = Cable::plug_in(&port);
        let device = device(&port, boot_s, answer_s).await;
        let mut setup = Self { cable, device, _folder: folder };
        setup.join().await;
        setup
    }

    /// The board sends until the device hears it.
    pub(crate) async fn join(&mut self) {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        let board = &self.cable;
        let chatter = async {
            loop {
                ticks.tick().await;
                board.send("\nlevel 0\n");
            }
        };
        let heard =
            async { while !self.device.read().await.is_ok_and(|reading| reading.get("level").is_some()) {} };
        let joined = async {
            tokio::select! { () = chatter => {}, () = heard => {} }
        };
        tokio::time::timeout(PATIENCE, joined).await.expect("heard in time");
        self.cable.send("state joined\n");
        self.until_value("state", &"joined".into()).await;
    }

    pub(crate) async fn read(&mut self) -> Result<Reading> {
        tokio::time::timeout(PATIENCE, self.device.read()).await.expect("something comes in time")
    }

    /// Reads until a channel has a value; everything that came, errors first, that value included.
    pub(crate) async fn until_value(
        &mut self,
        channel: &str,
        value: &Value,
    ) -> (Vec<Error>, Vec<(String, Value)>) {
        let (mut errors, mut values) = (Vec::new(), Vec::new());
        loop {
            match self.read().await {
                Ok(reading) => {
                    values.extend(reading.values().map(|(name, value)| (name.to_owned(), value.clone())));
                    if reading.get(channel) == Some(value) {
                        return (errors, values);
                    }
                }
                Err(error) => errors.push(error),
            }
        }
    }

    pub(crate) async fn until_error(&mut self) -> String {
        loop {
            if let Err(error) = self.read().await {
                return error.to_string();
            }
        }
    }

    pub(crate) async fn set(&mut self, channel: &str, value: impl Into<Value>) -> Result<Reading> {
        let set = self.device.set(channel, value.into());
        tokio::time::timeout(PATIENCE, set).await.expect("answered in time")
    }
}
