//! Files and folders that somebody deletes or replaces while the lab runs.

use std::path::Path;

use mqtt_lab_core::link::Qos;

use crate::support::PATIENCE;
use crate::support::database::Database;
use crate::support::program::{Program, command, free_port};
use crate::support::sender::Sender;

struct Setup {
    program: Program,
    sender: Sender,
    folder: tempfile::TempDir,
}

impl Setup {
    async fn start() -> Self {
        let (folder, broker) = (tempfile::tempdir().expect("a folder"), free_port());
        let toml = format!(
            "[broker]\nbind = \"{broker}\"\nstorage = \"broker\"\n[spool]\nfolder = \"spool\"\n\
             [[sensor]]\nkind = \"temperature\"\ninterval_s = 0.05\nqos = 1\n"
        );
        let (command, web) = command(folder.path(), &toml);
        let program = tokio::task::block_in_place(|| Program::start(folder.path(), command, web));
        let mut sender = Sender::connect(broker, "outside");
        sender.describe().await;
        sender.send(100, Qos::AtLeastOnce).await;
        let setup = Self { program, sender, folder };
        setup.until_stored(100).await;
        setup
    }

    /// Waits until so many samples are in the file that is there now.
    async fn until_stored(&self, count: u64) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let there = self.folder.path().join("lab.sqlite").exists();
            let values =
                if there { Database::of(self.folder.path()).await.samples("outside").await.1 } else { 0 };
            if values >= count {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{values} of {count}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// `kill -9`, and a start with what is on disk.
    fn kill_and_start(self) -> Self {
        let Self { program, sender, folder } = self;
        let web = program.web;
        drop(program);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mqtt-lab"));
        command.args(["run", "lab.toml"]).current_dir(folder.path());
        let program = tokio::task::block_in_place(|| Program::start(folder.path(), command, web));
        Self { program, sender, folder }
    }

    fn remove(&self, pattern: &str) {
        // Moved first: who deletes file by file meets those that are made meanwhile.
        let line = format!("mkdir deleted && mv {pattern} deleted && rm -r deleted");
        crate::support::typed(self.folder.path(), &line);
    }

    #[track_caller]
    fn until_notice(&self, title: &str) {
        tokio::task::block_in_place(|| {
            self.program.until("the page tells of it", |program| {
                program.get("/api/v1/lab")["notice"]["title"] == title
            });
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_database_comes_back_with_everything() {
    for pattern in ["lab.sqlite", "lab.sqlite*", "lab.sqlite-wal"] {
        let mut setup = Setup::start().await;
        setup.remove(pattern);
        setup.until_notice("database-restored");
        setup.sender.send(100, Qos::AtLeastOnce).await;
        setup.until_stored(200).await;
        let setup = setup.kill_and_start();
        setup.until_stored(200).await;
        tokio::task::block_in_place(|| setup.program.stop("INT"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_opened_and_what_was_not_acknowledged_comes_again() {
    for place in ["mv backup lab.sqlite", "cp backup lab.sqlite"] {
        let mut setup = Setup::start().await;
        let folder = setup.folder.path().to_owned();
        crate::support::typed(&folder, "sqlite3 lab.sqlite \"vacuum into 'backup'\"");
        crate::support::typed(&folder, place);
        setup.until_notice("database-replaced");
        setup.sender.send(100, Qos::AtLeastOnce).await;
        setup.until_stored(200).await;
        // The page has the ids of the new file.
        let device = tokio::task::block_in_place(|| setup.program.get("/api/v1/devices/demo/outside"));
        let series = device["channels"][0]["series"].as_i64().expect("a series");
        let points = tokio::task::block_in_place(|| {
            setup
                .program
                .get(&format!("/api/v1/series/{series}/points?from_ms=0&to_ms=9999999999999&max_points=1000"))
        });
        assert!(points.to_string().len() > 1_000, "{points}");
        tokio::task::block_in_place(|| setup.program.stop("INT"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_storage_of_the_broker_is_written_again() {
    let mut setup = Setup::start().await;
    crate::support::publish(&setup.sender.link, "lab/demo/outside/$error", "kept").await;
    setup.remove("broker");
    tokio::task::block_in_place(|| {
        setup
            .program
            .until("the folder is there again", |program| program.folder.join("broker/lock").exists());
    });
    // What the broker acknowledges now survives its kill, with the session of the ingest.
    let mut database = Database::of(setup.folder.path()).await;
    database.stop().await;
    setup.sender.send(100, Qos::AtLeastOnce).await;
    drop(database);
    let setup = setup.kill_and_start();
    setup.until_stored(200).await;
    tokio::task::block_in_place(|| setup.program.stop("INT"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_spool_is_written_again() {
    let setup = Setup::start().await;
    setup.remove("spool");
    tokio::task::block_in_place(|| {
        setup
            .program
            .until("the folder is there again", |program| program.folder.join("spool/lock").exists());
        setup.program.until("it is ready", |program| program.status("/readyz") == Some(200));
        assert!(setup.program.stop("INT").success());
    });
}

/// A damaged page of the database keeps out what belongs there, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_keeps_out_what_belongs_there_alone() {
    let setup = Setup::start().await;
    let Setup { program, mut sender, folder } = setup;
    let mut other = Sender::connect(sender.link.status().broker.parse().expect("an address"), "elsewhere");
    other.describe().await;
    // Both fill pages of their own.
    sender.send(3_000, Qos::AtLeastOnce).await;
    other.send(3_000, Qos::AtLeastOnce).await;
    let stored = |program: &Program, device: &str, count: u64| {
        program.get(&format!("/api/v1/devices/demo/{device}"))["counts"]["stored"] == count
    };
    tokio::task::block_in_place(|| {
        program.until("all are stored", |program| {
            stored(program, "outside", 3_100) && stored(program, "elsewhere", 3_000)
        });
        program.stop("INT");
        spoil(&folder.path().join("lab.sqlite"));
    });
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mqtt-lab"));
    command.args(["run", "lab.toml"]).current_dir(folder.path());
    let web = {
        let toml = std::fs::read_to_string(folder.path().join("lab.toml")).expect("it is there");
        let bind = toml
            .lines()
            .find_map(|line| line.strip_prefix("bind = \""))
            .expect("the web's address")
            .to_owned();
        bind.trim_end_matches('"').parse().expect("an address")
    };
    let program = tokio::task::block_in_place(|| Program::start(folder.path(), command, web));
    // The first one's newest page is damaged.
    sender.send(20, Qos::AtLeastOnce).await;
    other.send(200, Qos::AtLeastOnce).await;
    tokio::task::block_in_place(|| {
        program.until("the other's samples are stored", |program| stored(program, "elsewhere", 3_200));
        program.until("what could not be stored is listed", |program| {
            program.get("/api/v1/set-aside")["total"].as_u64() >= Some(20)
        });
        let listed = program.get("/api/v1/set-aside");
        let entries = listed["last"].as_array().cloned().unwrap_or_default();
        // The page may hold the last ones of the series beside it, too.
        assert!(entries.iter().all(|entry| entry["part"] == "database"), "{listed:#}");
        let names = |entry: &serde_json::Value| {
            entry["what"].as_str().is_some_and(|what| what.contains("demo/outside n = "))
        };
        assert!(entries.iter().any(names), "{listed:#}");
        assert_eq!(program.status("/readyz"), Some(200));
        program.stop("INT");
    });
}

/// Damages the page on which the newest samples of the first sender are.
fn spoil(file: &Path) {
    let folder = file.parent().expect("a folder");
    let mut bytes = std::fs::read(file).expect("a database");
    // The newest times of the sender, as they stand in the records: the page that holds the last of them.
    let newest = "select max(t) from sample where series_id = (select r.id from series r \
                  join device d on d.id = r.device_id where d.name = 'outside')";
    let newest = crate::support::typed(folder, &format!("sqlite3 lab.sqlite \"{newest}\""));
    let newest: i64 = newest.trim().parse().expect("a time");
    let needle = newest.to_be_bytes();
    let at = bytes.windows(8).rposition(|window| window == needle).expect("it is stored");
    let page = at / 4_096 * 4_096;
    bytes[page..page + 64].fill(0xff);
    std::fs::write(file, bytes).expect("writable");
}
