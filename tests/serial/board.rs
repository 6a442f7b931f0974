//! An Arduino Uno: the project's sketch, compiled for it, in the simulator simavr.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use super::support::PATIENCE;

/// Where Debian keeps Arduino's own library.
const CORE: &str = "/usr/share/arduino/hardware/arduino/avr";

/// The sketch and the simulator, built.
pub(crate) struct Workshop {
    folder: PathBuf,
}

impl Workshop {
    /// Builds both in this folder.
    pub(crate) fn open(folder: &Path) -> Self {
        for (file, package) in [
            ("/usr/bin/avr-gcc", "gcc-avr"),
            ("/usr/lib/avr/include/avr/io.h", "avr-libc"),
            (&format!("{CORE}/cores/arduino/Arduino.h"), "arduino-core-avr"),
            ("/usr/include/simavr/sim_avr.h", "libsimavr-dev"),
            ("/usr/include/libelf.h", "libelf-dev"),
            ("/usr/bin/cc", "gcc"),
        ] {
            assert!(Path::new(file).exists(), "`{file}` is missing: install Debian's {package}");
        }
        let workshop = Self { folder: folder.to_owned() };
        workshop.compile_sketch();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serial/board.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-Wall", "-Wextra", "-Werror"]).arg(source).arg("-o").arg(workshop.simulator());
        run(compiler.arg("-lsimavr"));
        workshop
    }

    fn sketch(&self) -> PathBuf {
        self.folder.join("sketch.elf")
    }

    fn simulator(&self) -> PathBuf {
        self.folder.join("board")
    }

    /// As the Arduino IDE does.
    fn compile_sketch(&self) {
        let sketch =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware/boards/arduino-uno/arduino-uno.ino");
        let source = self.folder.join("sketch.cpp");
        let text = as_cpp(&std::fs::read_to_string(sketch).expect("the sketch"));
        std::fs::write(&source, text).expect("writable");
        let core = Path::new(CORE).join("cores/arduino");
        let mut compiler = Command::new("avr-gcc");
        compiler.args(["-mmcu=atmega328p", "-DF_CPU=16000000L", "-DARDUINO=10819", "-DARDUINO_AVR_UNO"]);
        // The compiler is older than the one that Arduino ships, and lacks this name.
        compiler.args(["-DARDUINO_ARCH_AVR", "-DDECIMAL_DIG=__DECIMAL_DIG__", "-Os", "-std=gnu++11", "-w"]);
        compiler.args(["-fpermissive", "-fno-exceptions", "-fno-threadsafe-statics"]);
        compiler.args(["-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"]);
        compiler.arg("-I").arg(&core).arg("-I").arg(Path::new(CORE).join("variants/standard"));
        compiler.arg(source).args(sources(&core)).arg("-lm").arg("-o").arg(self.sketch());
        run(&mut compiler);
    }

    /// A board that is plugged in at this path.
    pub(crate) fn plug_in(&self, port: &Path, millivolts: u32) -> Board {
        let mut command = Command::new(self.simulator());
        command.arg(self.sketch()).arg(port).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().expect("the simulator starts");
        let (sender, lines) = sync_channel(1000);
        let output = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).take_while(|line| sender.send(line.clone()).is_ok()).count()
        });
        let input = child.stdin.take().expect("piped");
        let mut board = Board { child, input, lines, port: port.to_owned() };
        board.set_millivolts(millivolts);
        board
    }
}

/// A board that runs.
pub(crate) struct Board {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    port: PathBuf,
}

impl Board {
    /// Sets the voltage at A0.
    pub(crate) fn set_millivolts(&mut self, millivolts: u32) {
        writeln!(self.input, "{millivolts}").expect("the simulator runs");
    }

    /// Waits until the lamp at pin 13 is switched so.
    #[track_caller]
    pub(crate) fn until_lamp(&self, on: bool) {
        let (wanted, deadline) = (format!("lamp {}", u8::from(on)), Instant::now() + PATIENCE);
        loop {
            let line = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            if line.unwrap_or_else(|error| panic!("no `{wanted}`: {error}")) == wanted {
                return;
            }
        }
    }

    /// Pulls the plug.
    pub(crate) fn unplug(self) {}
}

impl Drop for Board {
    fn drop(&mut self) {
        // The name first: its terminal's number may soon be another program's.
        let _ = std::fs::remove_file(&self.port);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the Arduino IDE makes of a sketch: Arduino's names, and every function known before it is defined.
fn as_cpp(sketch: &str) -> String {
    let begins_function = |line: &&str| line.ends_with(") {") && line.starts_with(char::is_alphabetic);
    let functions = sketch.lines().filter(begins_function);
    let declarations: String = functions.map(|line| line.replace(") {", ");\n")).collect();
    format!("#include <Arduino.h>\n{declarations}#line 1 \"arduino-uno.ino\"\n{sketch}")
}

fn sources(core: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(core).expect("a folder").map(|file| file.expect("readable").path());
    let is_source = |file: &PathBuf| file.extension().is_some_and(|e| e == "c" || e == "cpp" || e == "S");
    files.filter(is_source).collect()
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().expect("the compiler runs");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}
