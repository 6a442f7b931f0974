//! Disks that take nothing for a while: the database, the broker's storage and the spool.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures for whoever runs it")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use mqtt_lab_core::broker::{Broker, BrokerConfig};
use mqtt_lab_core::link::{Link, LinkConfig, LinkStatus, Qos};

use crate::support::database::Database;
use crate::support::disk::{Shim, SmallDisk};
use crate::support::program::{Program, command, free_port};
use crate::support::sender::Sender;
use crate::support::{PATIENCE, typed};

/// Promised is five seconds; a busy machine gets more.
const RECOVERY: Duration = Duration::from_secs(20);

const STORES: [&str; 3] = ["broker-storage", "spool", "database"];

/// A lab that keeps everything below `data`: its broker's sessions, its spool, its database. Its sensor is slow: once the
/// database's log has its full size it is written over, and a full disk is no failure any more.
fn everything_on_disk(data: &Path, broker: SocketAddr) -> String {
    let data = data.display();
    format!(
        "[broker]\nbind = \"{broker}\"\nstorage = \"{data}/broker\"\n[spool]\nfolder = \"{data}/spool\"\n\
         [[sensor]]\nkind = \"temperature\"\ninterval_s = 0.5\nqos = 1\n"
    )
}

/// A lab on a disk, and a device of another program that numbers what it sends.
struct Setup {
    program: Program,
    sender: Sender,
    data: std::path::PathBuf,
    /// Of the configuration and the log, which stay well.
    folder: tempfile::TempDir,
}

impl Setup {
    async fn start(data: &Path, prepare: impl FnOnce(&mut std::process::Command)) -> Self {
        let (folder, broker) = (tempfile::tempdir().expect("a folder"), free_port());
        let (mut command, web) = command(folder.path(), &everything_on_disk(data, broker));
        // The database is below `data`, too.
        let toml = std::fs::read_to_string(folder.path().join("lab.toml")).expect("just written");
        let toml = toml.replace("sqlite:lab.sqlite", &format!("sqlite:{}/lab.sqlite", data.display()));
        std::fs::write(folder.path().join("lab.toml"), toml).expect("writable");
        let log = std::fs::File::create(folder.path().join("log")).expect("writable");
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        prepare(&mut command);
        let program = tokio::task::block_in_place(|| Program::start(folder.path(), command, web));
        let mut sender = Sender::connect(broker, "outside");
        sender.describe().await;
        sender.send(50, Qos::AtLeastOnce).await;
        Self { program, sender, data: data.to_owned(), folder }
    }

    /// Breaks the disk while samples are sent, repairs it, and expects all of them.
    async fn survive(&mut self, (cause, parts): (&str, &[&str]), harm: impl FnOnce(), repair: impl FnOnce()) {
        harm();
        let sending = self.sender.send(200, Qos::AtLeastOnce);
        let program = &self.program;
        let watching = async {
            tokio::task::block_in_place(|| {
                for part in parts {
                    // What is given up for the next attempt makes room for a moment.
                    program.until("the cause is shown", |program| {
                        program.part(part)["error"].as_str().is_some_and(|error| error.contains(cause))
                    });
                }
                program.until("it is not ready", |program| program.status("/readyz") == Some(503));
                program.until("the page shows it", |program| {
                    program.get("/api/v1/lab")["parts"].as_array().is_some_and(|parts| !parts.is_empty())
                });
                repair();
                let took = program.within("it recovers", RECOVERY, |program| program.failing().is_empty());
                eprintln!("{cause}: all three work again after {:.1} s", took.as_secs_f64());
            });
        };
        tokio::join!(sending, watching);
        self.sender.tell().await;
        self.expect_everything().await;
    }

    /// All that the broker acknowledged is in the database.
    async fn expect_everything(&self) {
        let mut database = Database::of(&self.data).await;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (_, values) = database.samples("outside").await;
            if values == self.sender.sent {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "{values} of {} samples", self.sender.sent);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The page is told a moment after the commit.
        let complete = |program: &Program| program.get("/api/v1/devices/demo/outside")["counts"]["lost"] == 0;
        tokio::task::block_in_place(|| self.program.until("nothing counts as lost", complete));
    }

    /// Stops in order and starts again: nothing is missing, and nothing was said line by line.
    async fn restart_and_expect(self) {
        let Self { program, sender, data, folder } = self;
        let web = program.web;
        let status = tokio::task::block_in_place(|| program.stop("INT"));
        assert!(status.success(), "{status}");
        let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
        let errors = log.lines().filter(|line| line.contains("ERROR") || line.contains("WARN")).count();
        assert!(errors < 40, "{errors} lines for some changes:\n{log}");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mqtt-lab"));
        command.args(["run", "lab.toml"]).current_dir(folder.path());
        let program = tokio::task::block_in_place(|| Program::start(folder.path(), command, web));
        let setup = Self { program, sender, data, folder };
        setup.expect_everything().await;
        tokio::task::block_in_place(|| setup.program.stop("INT"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_and_everything_recovers() {
    let disk = SmallDisk::mount(24);
    let mut setup = Setup::start(disk.path(), |_| {}).await;
    setup.survive(("disk full", &STORES), || disk.fill(), || disk.empty()).await;
    // Once more: nothing is poisoned by the first time. (The database may have room left in its log.)
    setup.survive(("disk full", &STORES[..2]), || disk.fill(), || disk.empty()).await;
    setup.restart_and_expect().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_output_error_loses_nothing_and_everything_recovers() {
    survive_error(5, "nput/output error").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_quota_loses_nothing_and_everything_recovers() {
    survive_error(122, "quota").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_file_system_loses_nothing_and_everything_recovers() {
    survive_error(30, "").await;
}

async fn survive_error(error: i32, cause: &str) {
    let (shim, data) = (Shim::build(), tempfile::tempdir().expect("a folder"));
    let mut setup = Setup::start(data.path(), |command| shim.preload(command, data.path())).await;
    setup.survive((cause, &STORES), || shim.set(error), || shim.set(0)).await;
    setup.restart_and_expect().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_a_files_size_does_not_end_the_lab() {
    let data = tempfile::tempdir().expect("a folder");
    let mut setup = Setup::start(data.path(), |_| {}).await;
    let (pid, folder) = (setup.program.child.id(), setup.folder.path().to_owned());
    let limit = |bytes: &str| drop(typed(&folder, &format!("prlimit --pid {pid} --fsize={bytes}:unlimited")));
    setup.survive(("", &STORES), || limit("1"), || limit("unlimited")).await;
    setup.restart_and_expect().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_another_program_locks_is_waited_for() {
    let data = tempfile::tempdir().expect("a folder");
    let mut setup = Setup::start(data.path(), |_| {}).await;
    let mut other = Database::of(data.path()).await;
    other.stop().await;
    setup.sender.send(50, Qos::AtLeastOnce).await;
    let locked = |program: &Program| {
        program.part("database")["error"].as_str().is_some_and(|error| error.contains("another program"))
    };
    tokio::task::block_in_place(|| setup.program.until("it is reported", locked));
    other.go_on().await;
    let recovered = |program: &Program| program.failing().is_empty();
    tokio::task::block_in_place(|| setup.program.within("it recovers", RECOVERY, recovered));
    setup.expect_everything().await;
    setup.restart_and_expect().await;
}

/// Without storage the embedded broker forgets at a stop what the database did not take: that is counted, printed, and
/// shown by the next start.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_stop_loses_is_counted_printed_and_shown_by_the_next_start() {
    let (disk, folder, broker) = (SmallDisk::mount(8), tempfile::tempdir().expect("a folder"), free_port());
    let (mut command, web) = command(folder.path(), &format!("[broker]\nbind = \"{broker}\"\n"));
    let toml = std::fs::read_to_string(folder.path().join("lab.toml")).expect("just written");
    let toml = toml.replace("sqlite:lab.sqlite", &format!("sqlite:{}/lab.sqlite", disk.path().display()));
    std::fs::write(folder.path().join("lab.toml"), toml).expect("writable");
    let log = std::fs::File::create(folder.path().join("log")).expect("writable");
    command.stdout(log.try_clone().expect("a second handle")).stderr(log);
    let program = tokio::task::block_in_place(|| Program::start(folder.path(), command, web));
    let mut sender = Sender::connect(broker, "outside");
    sender.describe().await;
    sender.send(10, Qos::AtLeastOnce).await;
    let stored = |program: &Program| program.get("/api/v1/devices/demo/outside")["counts"]["stored"] == 10;
    tokio::task::block_in_place(|| program.until("ten are stored", stored));
    disk.fill();
    // The broker has acknowledged them, and nobody else has them.
    sender.send(300, Qos::AtLeastOnce).await;
    let full = |program: &Program| program.failing() == ["database"];
    tokio::task::block_in_place(|| program.until("it is reported", full));
    tokio::task::block_in_place(|| program.stop("INT"));
    let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
    let line = log.lines().find(|line| line.starts_with("lost: ")).unwrap_or_else(|| panic!("{log}"));
    let count: u64 = line.split(' ').nth(1).and_then(|count| count.parse().ok()).expect("a number");
    assert!(line.contains("disk full"), "{line}");
    disk.empty();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mqtt-lab"));
    command.args(["run", "lab.toml"]).current_dir(folder.path());
    let program = tokio::task::block_in_place(|| Program::start(folder.path(), command, web));
    let notice = program.get("/api/v1/lab")["notice"].clone();
    assert_eq!(notice["title"], "lost-at-stop", "{notice:#}");
    assert_eq!(notice["messages"][0]["text"], line.trim_start_matches("lost: "));
    let (_, values) = Database::of(disk.path()).await.samples("outside").await;
    // What is not in the database was counted; states and the like count, too.
    assert!(values + count >= sender.sent, "{values} stored, {count} counted, {} sent", sender.sent);
    tokio::task::block_in_place(|| program.stop("INT"));
}

/// A message in the spool that cannot be read is set aside; its device runs.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_message_in_the_spool_does_not_stop_its_device() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = folder.path().join("spool");
    {
        let database = fjall::Database::builder(&spool).open().expect("a database");
        let messages =
            database.keyspace("messages", fjall::KeyspaceCreateOptions::default).expect("a keyspace");
        let client = "lab/demo/temperature";
        let length = u32::try_from(client.len()).expect("short").to_be_bytes();
        let key = [length.as_slice(), client.as_bytes(), &7_u64.to_be_bytes()].concat();
        messages.insert(key, "rubbish").expect("inserted");
        database.persist(fjall::PersistMode::SyncAll).expect("on disk");
    }
    let toml = "[broker]\nbind = \"127.0.0.1:0\"\n[spool]\nfolder = \"spool\"\n\
                [[sensor]]\nkind = \"temperature\"\ninterval_s = 0.05\n";
    let (command, web) = command(folder.path(), toml);
    let program = Program::start(folder.path(), command, web);
    program.until("it measures", |program| {
        program.get("/api/v1/devices/demo/temperature")["counts"]["stored"].as_u64() > Some(0)
    });
    let listed = program.get("/api/v1/set-aside");
    assert_eq!((&listed["total"], &listed["last"][0]["part"]), (&1.into(), &"spool".into()), "{listed:#}");
    program.stop("INT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_with_a_smaller_capacity_takes_no_more_than_that() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = mqtt_lab_core::link::DiskSpool::open(folder.path().join("spool"), false).expect("a spool");
    let nowhere = free_port().to_string();
    let config = |capacity: usize| {
        let mut config = LinkConfig::new(nowhere.clone(), "small");
        config.disk = Some(disk.clone());
        config.spool_capacity = capacity;
        config
    };
    let message = || mqtt_lab_core::link::Publish::new("t", "p").qos(Qos::AtLeastOnce);
    let (link, _events) = Link::spawn(config(10)).expect("a link");
    for _ in 0..10 {
        link.publish(message()).await.expect("room");
    }
    link.abort().await;
    // Started again with room for four: the ten that wait are sent, and then four more may wait.
    let address = "127.0.0.1:0".parse().expect("an address");
    let config_of_broker = BrokerConfig { bind: address, ..BrokerConfig::default() };
    let broker = Broker::start(&config_of_broker).await.expect("a broker");
    let mut smaller = config(4);
    smaller.brokers = vec![broker.address().to_string()];
    let (link, _events) = Link::spawn(smaller).expect("a link");
    let mut status = link.watch();
    status.wait_for(|status| status.connected).await.expect("it connects");
    // One snapshot: of two, each could miss what moves from the spool to the broker between them.
    let waiting = |status: LinkStatus| status.in_flight + status.spooled;
    while waiting(link.status()) > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    broker.stop().await;
    status.wait_for(|status| !status.connected).await.expect("the broker is gone");
    for _ in 0..4 {
        link.try_publish(message()).expect("room for four");
    }
    assert!(link.try_publish(message()).is_err(), "and no more");
    link.abort().await;
}
