//! Debian's broker as a child process that a test can kill and start again.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// Debian keeps the broker where a user's path may not lead.
pub(crate) fn tool(name: &str) -> PathBuf {
    let folders = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("`{name}` is missing: install Debian's mosquitto and mosquitto-clients"))
}

/// On a free port of its own, which it keeps over restarts, as it keeps its folder.
pub(crate) struct Mosquitto {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Mosquitto {
    /// With these lines added to its configuration.
    pub(crate) fn start(options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
        // Root's broker would become another user, who may not write into our folder.
        let text =
            format!("listener {} 127.0.0.1\nallow_anonymous true\nuser root\n{options}\n", address.port());
        std::fs::write(folder.path().join("mosquitto.conf"), text).expect("writable");
        let child = spawn(folder.path(), address);
        Self { child, address, folder }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// It keeps its connections and answers nothing.
    pub(crate) fn freeze(&self) {
        super::signal("STOP", self.child.id());
    }

    /// The opposite.
    pub(crate) fn thaw(&self) {
        super::signal("CONT", self.child.id());
    }

    /// As an orderly system does: SIGTERM, and wait.
    pub(crate) fn stop(&mut self) {
        super::signal("TERM", self.child.id());
        self.child.wait().expect("it ends");
    }

    /// After `kill` or `stop`, on the same port, with what it kept.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.folder.path(), self.address);
    }
}

fn spawn(folder: &Path, address: SocketAddr) -> Child {
    let mut command = Command::new(tool("mosquitto"));
    command.arg("-c").arg(folder.join("mosquitto.conf")).current_dir(folder);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("mosquitto runs");
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "mosquitto does not listen");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    child
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
