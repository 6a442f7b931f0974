//! The firmware's board in QEMU, with a thermometer that a test warms and cools.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::PATIENCE;

/// The board's program, built once per test program.
pub(crate) fn firmware() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let compiler = "/usr/bin/rustc";
        assert!(Path::new(compiler).exists(), "install Debian's rustc-web, rust-web-src and lld");
        let build = concat!(env!("CARGO_MANIFEST_DIR"), "/firmware/boards/qemu-mps2/build");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../firmware");
        let output = Command::new(build).env("CARGO_TARGET_DIR", target).output().expect("`build` starts");
        assert!(output.status.success(), "{build}:\n{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    })
}

/// A board in QEMU. Dropped, it is without power.
pub(crate) struct Board {
    child: Child,
    folder: tempfile::TempDir,
    /// The emulator's own door: QMP.
    control: BufReader<UnixStream>,
}

impl Board {
    /// Switched on, with these words for the firmware: where the broker is, the device's name, perhaps user and
    /// password.
    pub(crate) fn start(broker: &str, words: &[&str]) -> Self {
        let port = broker.rsplit(':').next().expect("host:port");
        // What the host is called inside.
        let broker = format!("10.0.2.2:{port}");
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let arguments: String =
            [broker.as_str()].iter().chain(words).map(|word| format!(",arg={word}")).collect();
        let mut command = Command::new(tool_of_qemu());
        command.args(["-M", "mps2-an385", "-display", "none", "-monitor", "none"]);
        command.args(["-nic", "user,model=lan9118,id=net0", "-device", "tmp105,address=0x48,id=temp0"]);
        command.args(["-qmp", &format!("unix:{},server=on,wait=off", path("control"))]);
        let console = format!(
            "socket,id=console,path={},server=on,wait=off,logfile={}",
            path("typed"),
            path("console")
        );
        command.args(["-chardev", &console, "-serial", "chardev:console"]);
        command.args(["-trace", "led_change_intensity", "-D", &path("trace")]);
        command.args(["-semihosting-config", &format!("enable=on,target=native,arg=fw{arguments}")]);
        command.arg("-kernel").arg(firmware());
        let child = command.stdin(Stdio::null()).spawn().expect("qemu-system-arm starts");
        let control = BufReader::new(connect(&folder.path().join("control")));
        let mut board = Self { child, folder, control };
        board.answer();
        board.control("qmp_capabilities", json!({}));
        board
    }

    /// The next answer; events between are of no interest.
    fn answer(&mut self) -> Value {
        loop {
            let mut line = String::new();
            self.control.read_line(&mut line).expect("QEMU answers");
            let message: Value = serde_json::from_str(&line).expect("QMP is JSON");
            if message.get("event").is_none() {
                return message;
            }
        }
    }

    fn control(&mut self, command: &str, arguments: Value) {
        let message = json!({ "execute": command, "arguments": arguments });
        writeln!(self.control.get_mut(), "{message}").expect("QEMU lives");
        let answer = self.answer();
        assert!(answer.get("return").is_some(), "{command}: {answer}");
    }

    /// Sets the temperature around the thermometer, in thousandths of a degree Celsius.
    pub(crate) fn warm_to(&mut self, thousandths: i32) {
        let place = "/machine/peripheral/temp0";
        self.control("qom-set", json!({ "path": place, "property": "temperature", "value": thousandths }));
    }

    /// Pulls the network cable, or plugs it in again.
    pub(crate) fn cable(&mut self, plugged: bool) {
        self.control("set_link", json!({ "name": "net0", "up": plugged }));
    }

    /// How often the board has printed `part`.
    pub(crate) fn times_on_console(&self, part: &str) -> usize {
        self.console().lines().filter(|line| *line == part).count()
    }

    /// Waits until the board has printed the line `part` more than `seen` times.
    #[track_caller]
    pub(crate) fn until_again(&self, part: &str, seen: usize) {
        let find = || (self.times_on_console(part) > seen).then_some(());
        until(find, || format!("`{part}` not more than {seen} times on the console:\n{}", self.console()));
    }

    /// Types a line on the serial console.
    pub(crate) fn type_line(&self, line: &str) {
        let mut console = connect(&self.folder.path().join("typed"));
        writeln!(console, "{line}").expect("the console takes it");
        // The connection must stay until the board has read it.
        self.until_console("stopped");
    }

    /// What the board has printed.
    pub(crate) fn console(&self) -> String {
        std::fs::read(self.folder.path().join("console"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Waits until the board has printed `part`; the line that holds it.
    #[track_caller]
    pub(crate) fn until_console(&self, part: &str) -> String {
        let find = || self.console().lines().find(|line| line.contains(part)).map(str::to_owned);
        until(find, || format!("no `{part}` on the console:\n{}", self.console()))
    }

    /// Waits until the LED has the brightness `percent`, of those changes that come after the first `seen`;
    /// returns how many changes there were.
    #[track_caller]
    pub(crate) fn until_led(&self, percent: u32, seen: usize) -> usize {
        let trace = self.folder.path().join("trace");
        let find = || {
            let lines = File::open(&trace).map(|file| BufReader::new(file).lines()).ok()?;
            let lines = lines.map_while(Result::ok).filter(|line| line.contains("'USERLED0'"));
            let changes: Vec<String> = lines.collect();
            let last = changes.get(seen..)?.last()?;
            last.contains(&format!(" -> {percent}%")).then_some(changes.len())
        };
        until(find, || format!("the LED never was at {percent} %: {:?}", std::fs::read_to_string(&trace)))
    }

    /// Without power from one moment to the next.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Stops the board in order; what it printed.
    pub(crate) fn stop(mut self) -> String {
        self.type_line("stop");
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{}", self.console());
        self.console()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tool_of_qemu() -> PathBuf {
    let path = PathBuf::from("/usr/bin/qemu-system-arm");
    assert!(path.exists(), "`qemu-system-arm` is missing: install Debian's qemu-system-arm");
    path
}

fn connect(path: &Path) -> UnixStream {
    until(|| UnixStream::connect(path).ok(), || format!("QEMU does not open {}", path.display()))
}

#[track_caller]
fn until<T>(mut find: impl FnMut() -> Option<T>, or: impl Fn() -> String) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < deadline, "{}", or());
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
