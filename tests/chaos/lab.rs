//! The lab that is harmed: the real program, everything it keeps on a disk that can be filled.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::publisher::Publisher;
use crate::support::PATIENCE;
use crate::support::disk::SmallDisk;
use crate::support::mosquitto::Mosquitto;
use crate::support::program::{Program, command, free_port};

/// Who carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brokers {
    Embedded,
    Mosquitto,
}

pub(crate) struct Lab {
    disk: SmallDisk,
    folder: tempfile::TempDir,
    points: tempfile::TempDir,
    program: Option<Program>,
    mosquitto: Option<Mosquitto>,
    web: SocketAddr,
    pub(crate) publisher: Publisher,
    /// What the lab counted as set aside in earlier runs.
    set_aside: u64,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) acknowledged: usize,
    pub(crate) missing: usize,
    /// What the page told of.
    pub(crate) counted: usize,
}

impl Lab {
    pub(crate) async fn start(brokers: Brokers) -> Self {
        let (disk, folder) = (SmallDisk::mount(64), tempfile::tempdir().expect("a folder"));
        let data = disk.path().display().to_string();
        let options =
            "persistence true\nautosave_interval 1\nmax_queued_messages 0\nmax_inflight_messages 1000";
        let mosquitto = (brokers == Brokers::Mosquitto).then(|| Mosquitto::start(options));
        let (broker, table) = match &mosquitto {
            Some(mosquitto) => {
                (mosquitto.address(), format!("[mqtt]\nbrokers = [\"{}\"]\n", mosquitto.address()))
            }
            None => {
                let address = free_port().to_string();
                let table = format!("[broker]\nbind = \"{address}\"\nstorage = \"{data}/broker\"\n");
                (address, table)
            }
        };
        let toml = format!(
            "{table}[spool]\nfolder = \"{data}/spool\"\n\
             [[sensor]]\nkind = \"temperature\"\ninterval_s = 0.02\nqos = 1\n\
             [[sensor]]\nkind = \"humidity\"\ninterval_s = 0.02\nqos = 2\n"
        );
        let (_, web) = command(folder.path(), &toml);
        let file = folder.path().join("lab.toml");
        let toml = std::fs::read_to_string(&file).expect("just written");
        let toml = toml.replace("sqlite:lab.sqlite", &format!("sqlite:{data}/lab.sqlite"));
        std::fs::write(&file, toml).expect("writable");
        let points = tempfile::tempdir().expect("a folder");
        let program = Some(spawn(folder.path(), points.path(), web));
        let publisher = Publisher::start(&broker).await;
        Self { disk, folder, points, program, mosquitto, web, publisher, set_aside: 0 }
    }

    fn program(&self) -> &Program {
        self.program.as_ref().expect("it runs")
    }

    /// Makes a place panic; false: nobody came by.
    pub(crate) async fn panic(&self, place: &str) -> bool {
        let point = self.points.path().join(place);
        std::fs::write(&point, "").expect("writable");
        let deadline = Instant::now() + Duration::from_secs(10);
        while point.exists() && Instant::now() < deadline {
            pause(20).await;
        }
        std::fs::remove_file(point).is_err()
    }

    pub(crate) async fn full_disk(&self, time: Duration) {
        self.disk.fill();
        tokio::time::sleep(time).await;
        self.disk.empty();
    }

    /// `kill -9`, and a new start with what is on the disk.
    pub(crate) async fn kill(&mut self) {
        self.set_aside += self.counted();
        drop(self.program.take());
        self.program = Some(spawn(self.folder.path(), self.points.path(), self.web));
    }

    pub(crate) async fn broker_gone(&mut self, time: Duration) {
        let Some(mosquitto) = &mut self.mosquitto else { return };
        mosquitto.stop();
        tokio::time::sleep(time).await;
        mosquitto.start_again();
    }

    fn counted(&self) -> u64 {
        self.program().get("/api/v1/lab")["counts"]["set_aside"].as_u64().unwrap_or(0)
    }

    /// The lab is ready, and something was acknowledged since.
    pub(crate) async fn until_ready(&self) {
        let (deadline, before) = (Instant::now() + PATIENCE, self.publisher.acknowledged());
        while self.program().status("/readyz") != Some(200) || self.publisher.acknowledged() == before {
            assert!(Instant::now() < deadline, "not ready: {:#}", self.program().get("/readyz"));
            pause(20).await;
        }
    }

    pub(crate) async fn finish(mut self) -> Outcome {
        let numbers = self.publisher.finish().await;
        let file = self.disk.path().join("lab.sqlite");
        let deadline = Instant::now() + PATIENCE;
        let acknowledged: BTreeSet<i64> = numbers.iter().map(|n| i64::try_from(*n).expect("small")).collect();
        let missing = loop {
            let stored = stored(&file).await;
            let missing = acknowledged.difference(&stored).count();
            if missing == 0 || Instant::now() > deadline {
                break missing;
            }
            pause(50).await;
        };
        let program = self.program.take().expect("it runs");
        let counts = program.get("/api/v1/lab")["counts"].clone();
        let counted = self.set_aside + counts["set_aside"].as_u64().unwrap_or(0);
        let status = tokio::task::block_in_place(|| program.stop("INT"));
        assert!(status.success(), "{status}");
        let counted = usize::try_from(counted).expect("few");
        Outcome { acknowledged: acknowledged.len(), missing, counted }
    }
}

/// Values of the device that are in the database.
async fn stored(file: &std::path::Path) -> BTreeSet<i64> {
    let mut database =
        SqliteConnectOptions::new().filename(file).connect().await.expect("the lab has made it");
    let sql = "select cast(s.value as integer) from sample s join series r on r.id = s.series_id
               join device d on d.id = r.device_id where d.name = 'chaos'";
    let values: Vec<i64> = sqlx::query_scalar(sql).fetch_all(&mut database).await.expect("numbers");
    values.into_iter().collect()
}

fn spawn(folder: &std::path::Path, points: &std::path::Path, web: SocketAddr) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-lab"));
    command.args(["run", "lab.toml"]).current_dir(folder).env("LAB_FAILPOINTS", points);
    let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).expect("writable");
    command.stdout(log.try_clone().expect("a second handle")).stderr(log);
    tokio::task::block_in_place(|| Program::start(folder, command, web))
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
