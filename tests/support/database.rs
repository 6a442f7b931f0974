//! A second connection to the lab's database file, which can stop it, and count its rows.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};

use super::PATIENCE;

/// The file that a lab writes.
pub(crate) struct Database(SqliteConnection);

impl Database {
    /// Of the lab that was started with its data in `folder`.
    pub(crate) async fn of(folder: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(folder.join("lab.sqlite")).busy_timeout(PATIENCE);
        Self(options.connect().await.expect("the lab has made the file"))
    }

    /// From now on nobody else can write.
    pub(crate) async fn stop(&mut self) {
        sqlx::query("begin exclusive").execute(&mut self.0).await.expect("the lab lets go between batches");
    }

    pub(crate) async fn go_on(&mut self) {
        sqlx::query("rollback").execute(&mut self.0).await.expect("it was stopped");
    }

    /// How many samples of a device there are, and how many different values they have.
    pub(crate) async fn samples(&mut self, device: &str) -> (u64, u64) {
        let sql = "select count(*), count(distinct s.value) from sample s join series r on r.id = s.series_id
                   join device d on d.id = r.device_id where d.name = $1";
        let (rows, values): (i64, i64) =
            sqlx::query_as(sql).bind(device).fetch_one(&mut self.0).await.expect("two numbers");
        (rows.unsigned_abs(), values.unsigned_abs())
    }

    /// How many samples of a device are texts.
    pub(crate) async fn texts(&mut self, device: &str) -> u64 {
        let sql = "select count(*) from sample_text s join series r on r.id = s.series_id
                   join device d on d.id = r.device_id where d.name = $1";
        let rows: i64 = sqlx::query_scalar(sql).bind(device).fetch_one(&mut self.0).await.expect("a number");
        rows.unsigned_abs()
    }

    /// The lab's word.
    pub(crate) async fn identity(&mut self) -> String {
        let sql = "select value from meta where key = 'identity'";
        sqlx::query_scalar(sql).fetch_one(&mut self.0).await.expect("the database has a word")
    }
}
