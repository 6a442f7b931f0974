//! The lab is killed with messages that the broker does not have; the next one delivers them.

#[path = "../mqtt-lab-core/tests/support/mod.rs"]
mod bench;
mod support;

use bench::{Observer, broker};
use serde_json::Value;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Instant;
use support::{Lab, PATIENCE};

const TOPIC: &str = "lab/demo/temperature/temperature";

fn toml(broker: SocketAddr, spool: &Path) -> String {
    format!(
        "[mqtt]\nbrokers = [\"{broker}\"]\n[spool]\nfolder = {spool:?}\n\
         [[sensor]]\nkind = \"temperature\"\nqos = 2\ninterval_s = 0.01\n\
         [[sensor]]\nkind = \"humidity\"\ninterval_s = 0.01\non_disk = false\n"
    )
}

/// How often a text stands at the beginning of the spool's files, which have room for much more.
fn count(spool: &Path, text: &str) -> usize {
    let files = walk(spool);
    let beginning = |file| {
        let mut bytes = Vec::new();
        std::fs::File::open(file).ok()?.take(256 * 1024).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    let content = files.iter().filter_map(beginning);
    content.map(|bytes| bytes.windows(text.len()).filter(|part| *part == text.as_bytes()).count()).sum()
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let files = entries.flatten().flat_map(|entry| match entry.path() {
        path if path.is_dir() => walk(&path),
        path => vec![path],
    });
    files.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_lab_delivers_what_it_had_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = folder.path().join("spool");
    // Accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let first = toml(silent.local_addr().expect("bound"), &spool);
    let accepted = tokio::task::block_in_place(|| {
        let lab = Lab::start(folder.path(), Some(&first));
        let deadline = Instant::now() + PATIENCE;
        while count(&spool, TOPIC) < 30 {
            assert!(Instant::now() < deadline, "the lab measures");
            std::thread::yield_now();
        }
        lab.kill();
        count(&spool, TOPIC)
    });
    assert_eq!(count(&spool, "lab/demo/humidity/humidity"), 0, "not asked for");

    let broker = broker().await;
    let mut observer = Observer::connect(&broker).await;
    let second = toml(broker.address(), &spool);
    let lab = tokio::task::block_in_place(|| Lab::start(folder.path(), Some(&second)));
    let (mut boots, mut numbers) = (Vec::new(), Vec::new());
    while boots.len() < 2 {
        let sample = observer.on(TOPIC, "").await;
        let sample: Value = serde_json::from_str(&sample.payload).expect("JSON");
        if boots.last() != Some(&sample["b"]) {
            boots.push(sample["b"].clone());
        }
        if boots.len() == 1 {
            numbers.push(sample["n"].as_u64().expect("a number"));
        }
    }
    // The first few numbers are those of the births, which every process sends itself.
    let expected: Vec<_> = (numbers[0]..).take(accepted).collect();
    assert!(numbers[0] < 10, "{}", numbers[0]);
    assert_eq!(numbers, expected, "each once, in order, before those of the new process");
    let (status, output) = tokio::task::block_in_place(|| lab.interrupt());
    assert!(status.success(), "{output:?}");
}

#[test]
fn a_folder_that_cannot_be_used_is_an_error_with_a_hint() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lab.toml");
    let spool = folder.path().join("lab.toml/spool");
    std::fs::write(&file, format!("[spool]\nfolder = {spool:?}\n[[sensor]]\nkind = \"temperature\"\n"))
        .expect("written");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mqtt-lab"));
    command.arg("run").arg(&file).args(["--broker", "127.0.0.1:0", "--web", "127.0.0.1:0"]);
    let output = command.arg("--store").arg(folder.path().join("lab.db")).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{text}");
    let message = format!("lab.toml:2:1: `spool.folder`: `{}` cannot be a folder", spool.display());
    assert!(text.contains(&message) && text.contains("hint: name another folder"), "{text}");
}
