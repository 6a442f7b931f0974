//! A cluster of three `nats-server` nodes that speak MQTT and keep what they acknowledged on all three.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::PATIENCE;

pub(crate) struct Cluster {
    nodes: Vec<Child>,
    mqtt: Vec<u16>,
    _folder: tempfile::TempDir,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Held until all are known, so that no two are the same.
        let held: Vec<_> = (0..9).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let ports: Vec<_> = held.iter().map(|port| port.local_addr().expect("bound").port()).collect();
        drop(held);
        let (clients, rest) = ports.split_at(3);
        let (routes, mqtt) = rest.split_at(3);
        let nodes = (0..3).map(|node| {
            let route = |port: &u16| format!("\"nats://127.0.0.1:{port}\"");
            let others = routes.iter().map(route).collect::<Vec<_>>().join(", ");
            let store = folder.path().join(format!("node-{node}"));
            let text = format!(
                "server_name: node-{node}\nlisten: \"127.0.0.1:{}\"\njetstream {{ store_dir: {store:?} }}\n\
                 cluster {{ name: lab, listen: \"127.0.0.1:{}\", routes: [{others}] }}\n\
                 mqtt {{ listen: \"127.0.0.1:{}\", stream_replicas: 3 }}\n",
                clients[node], routes[node], mqtt[node]
            );
            let file = folder.path().join(format!("node-{node}.conf"));
            std::fs::write(&file, text).expect("writable");
            spawn(&file)
        });
        let nodes = nodes.collect();
        let cluster = Self { nodes, mqtt: mqtt.to_vec(), _folder: folder };
        cluster.until_ready();
        cluster
    }

    /// Until every node accepts an MQTT client, which needs a leader of the cluster.
    fn until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.mqtt.iter().all(|port| accepts(*port)) {
            assert!(Instant::now() < deadline, "the cluster accepts no MQTT clients");
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.mqtt.iter().map(|port| format!("127.0.0.1:{port}")).collect()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].kill().expect("it runs");
        self.nodes[node].wait().expect("it ends");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

fn spawn(file: &Path) -> Child {
    let found =
        ["/usr/sbin/nats-server", "/usr/bin/nats-server"].into_iter().find(|path| Path::new(path).exists());
    let program = found.expect("`nats-server` is missing: install Debian's nats-server");
    let mut command = Command::new(program);
    command.arg("-c").arg(file).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("nats-server runs")
}

/// One CONNECT of 3.1.1 with a clean session, and its answer.
fn accepts(port: u16) -> bool {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut answer = [0; 4];
    let said = stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .and_then(|()| stream.write_all(b"\x10\x11\0\x04MQTT\x04\x02\0\x3c\0\x05ready"))
        .and_then(|()| stream.read_exact(&mut answer));
    said.is_ok() && answer == [0x20, 2, 0, 0]
}
