//! Opens a port, or says what to do.

use mqtt_lab_core::{Error, Result};
use serial2_tokio::SerialPort;
use std::io;

/// Opens a port with 8 data bits, no parity, one stop bit.
///
/// # Errors
///
/// Says what was tried on which port, and what to do.
pub(super) fn open(path: &str, baud: u32) -> Result<SerialPort> {
    let port = SerialPort::open(path, baud).map_err(|error| refused(path, baud, &error))?;
    // What waited there is older than now.
    port.discard_input_buffer().map_err(|error| refused(path, baud, &error))?;
    // Boards with a USB of their own send nothing before; a pseudoterminal has no such line.
    let _ = port.set_dtr(true);
    claim(path).map_err(|error| refused(path, baud, &error))?;
    Ok(port)
}

/// Keeps other programs away: two readers would each get half of the bytes. Holds until the port is closed.
#[cfg(unix)]
fn claim(path: &str) -> io::Result<()> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let port = rustix::fs::open(path, flags, Mode::empty())?;
    Ok(rustix::termios::ioctl_tiocexcl(port)?)
}

/// Windows opens a port but once.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "as on Unix")]
fn claim(_path: &str) -> io::Result<()> {
    Ok(())
}

/// Why a port that was open is not any more.
pub(super) fn lost(path: &str, error: Option<&io::Error>) -> Error {
    let why = error.map(|error| format!(" ({error})")).unwrap_or_default();
    Error::new(format_args!(
        "port `{path}` is gone{why}: the board was unplugged or restarts; plug it in again, nothing else is needed"
    ))
}

fn refused(path: &str, baud: u32, error: &io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => format!("{}; plug the board in, or correct `port`", present()),
        io::ErrorKind::PermissionDenied if cfg!(unix) => {
            "add yourself to its group (`sudo usermod -aG dialout $USER`) and log in again".into()
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ResourceBusy => {
            "close the other program that uses it (the Arduino IDE's serial monitor?), or the other device of this \
             lab"
                .into()
        }
        _ => format!("is it a serial port, and does it know {baud} baud?"),
    };
    Error::new(format_args!("cannot open port `{path}`: {error}: {advice}"))
}

/// The ports that there are, in words.
fn present() -> String {
    let mut ports: Vec<_> = SerialPort::available_ports().unwrap_or_default();
    ports.sort();
    let ports: Vec<_> = ports.iter().map(|port| format!("`{}`", port.display())).collect();
    if ports.is_empty() { "no port is present".into() } else { format!("present: {}", ports.join(", ")) }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_not_there_is_told_with_what_is() {
        let error = open("/dev/no-such-port", 115_200).unwrap_err().to_string();
        let begin = "cannot open port `/dev/no-such-port`: No such file or directory (os error 2): ";
        let rest = error.strip_prefix(begin).unwrap_or_else(|| panic!("{error}"));
        assert!(rest.starts_with("no port is present") || rest.starts_with("present: `/dev/"), "{error}");
        assert!(rest.ends_with("; plug the board in, or correct `port`"), "{error}");
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        for (kind, advice) in [
            (io::ErrorKind::PermissionDenied, "usermod -aG dialout"),
            (io::ErrorKind::ResourceBusy, "serial monitor"),
            (io::ErrorKind::InvalidInput, "does it know 12345 baud?"),
        ] {
            let error = refused("/dev/ttyUSB0", 12_345, &kind.into()).to_string();
            assert!(error.starts_with("cannot open port `/dev/ttyUSB0`: "), "{error}");
            assert!(error.contains(advice), "{error}");
        }
    }

    #[tokio::test]
    async fn what_is_no_port_is_told() {
        let error = open("/dev/null", 115_200).unwrap_err().to_string();
        assert!(error.ends_with(": is it a serial port, and does it know 115200 baud?"), "{error}");
    }
}
