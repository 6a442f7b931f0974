//! Tasks that panic: each is restarted, is shown, and loses nothing.

use std::path::Path;
use std::time::Duration;

use mqtt_lab_core::link::Qos;

use crate::support::PATIENCE;
use crate::support::database::Database;
use crate::support::program::{Program, command, free_port};
use crate::support::sender::Sender;

/// A place that can be made to panic, and the part that says so.
const PLACES: [(&str, &str); 12] = [
    ("ingest", "ingest"),
    ("writer", "writer"),
    ("database", "writer"),
    ("live", "live"),
    ("tick", "live"),
    ("keeper", "database"),
    ("broker", "broker"),
    ("broker-storage", "broker-storage"),
    ("spool", "spool"),
    ("configuration", "configuration"),
    ("device", "devices"),
    ("link", "devices"),
];

fn lab(broker: std::net::SocketAddr) -> String {
    format!(
        "[broker]\nbind = \"{broker}\"\nstorage = \"broker\"\n[spool]\nfolder = \"spool\"\n\
         [[sensor]]\nkind = \"temperature\"\ninterval_s = 0.05\nqos = 1\n\
         [[sensor]]\nkind = \"humidity\"\ninterval_s = 0.05\nqos = 2\n"
    )
}

fn started(folder: &Path, points: &Path, broker: std::net::SocketAddr) -> Program {
    let (mut command, web) = command(folder, &lab(broker));
    let log = std::fs::File::create(folder.join("log")).expect("writable");
    command.env("LAB_FAILPOINTS", points).stdout(log.try_clone().expect("a second handle")).stderr(log);
    tokio::task::block_in_place(|| Program::start(folder, command, web))
}

/// Panics so far of a part.
fn panics(program: &Program, part: &str) -> u64 {
    let text = program.get("/metrics").as_str().unwrap_or_default().to_owned();
    let name = format!("mqtt_lab_part_panics_total{{part=\"{part}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_panics_once_and_nothing_is_lost() {
    let (folder, points) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    for places in PLACES.chunks(4) {
        // Five panics within a minute would end the program: four, and then another one.
        let broker = free_port();
        let program = started(folder.path(), points.path(), broker);
        let mut sender = Sender::connect(broker, &format!("outside-{}", places[0].0));
        sender.describe().await;
        for (place, part) in places {
            let before = panics(&program, part);
            std::fs::write(points.path().join(place), "").expect("writable");
            let panicked = |program: &Program| panics(program, part) > before;
            let (_, ()) = tokio::join!(sender.send(200, Qos::AtLeastOnce), async {
                let begin = std::time::Instant::now();
                // Something must happen everywhere: a page listens, a connection comes.
                while !tokio::task::block_in_place(|| panicked(&program)) {
                    assert!(begin.elapsed() < PATIENCE, "`{place}` never panicked");
                    let _client = tokio::net::TcpStream::connect(broker).await;
                    let _page =
                        tokio_tungstenite::connect_async(format!("ws://{}/api/v1/live", program.web)).await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
            tokio::task::block_in_place(|| {
                let took = program
                    .within("it works again", PATIENCE, |program| program.status("/readyz") == Some(200));
                eprintln!("{place}: ready again {:.2} s after the panic was seen", took.as_secs_f64());
                let notice =
                    |program: &Program| program.get("/api/v1/lab")["notice"]["title"] == "part-restarted";
                if part != &"devices" && part != &"broker" {
                    program.until("the page tells of it", notice);
                }
            });
            sender.send(50, Qos::AtLeastOnce).await;
        }
        let mut database = Database::of(folder.path()).await;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while database.samples(&sender.device).await.1 != sender.sent {
            assert!(
                tokio::time::Instant::now() < deadline,
                "{places:?}: {:?}",
                database.samples(&sender.device).await
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::task::block_in_place(|| {
            for name in ["temperature", "humidity"] {
                let path = format!("/api/v1/devices/demo/{name}");
                // A link that panicked a moment ago is reconnecting.
                program.until("it is ready", |program| program.get(&path)["state"] == "ready");
                assert_eq!(program.get(&path)["counts"]["lost"], 0);
                // The broker publishes the will of a link that panicked: its connection was cut.
                if places.iter().all(|(place, _)| *place != "link") {
                    let states = program.get(&format!("/api/v1/devices/demo/{name}/states"));
                    assert!(!states.to_string().contains("lost"), "no will fired: {states:#}");
                }
            }
            let status = program.stop("INT");
            assert!(status.success(), "{status}");
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_panics_end_the_program_with_code_70() {
    let (folder, points) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mut program = started(folder.path(), points.path(), free_port());
    let begin = std::time::Instant::now();
    let status = loop {
        let _ = std::fs::write(points.path().join("configuration"), "");
        if let Some(status) = program.child.try_wait().expect("our child") {
            break status;
        }
        assert!(begin.elapsed() < PATIENCE, "it goes on and on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
    assert_eq!(status.code(), Some(70), "{log}");
    let line = log.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    assert!(line.contains("5 panics within 60 s") && line.contains("`configuration`"), "{log}");
}
