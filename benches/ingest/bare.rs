//! The bound: a loop that does nothing but store. Socket, a parser for just these messages, INSERTs of 100
//! rows, acknowledgements after the commit. It knows no duplicates, losses, descriptions, roll-ups or pages.

use std::collections::HashMap;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ROWS: usize = 100;
const ROW: &str = ", (?, ?, ?)";
/// Messages in a transaction, as in the lab's.
const BATCH: usize = 1_000;

/// A loop that is subscribed.
pub(crate) struct Bare {
    stream: TcpStream,
    database: SqliteConnection,
    series: HashMap<Vec<u8>, i64>,
    insert: String,
    read: Vec<u8>,
    rows: Vec<(i64, i64, f64)>,
    acks: Vec<u8>,
}

impl Bare {
    pub(crate) async fn start(broker: &str, folder: &Path) -> Self {
        let options =
            SqliteConnectOptions::new().filename(folder.join("bare.sqlite")).create_if_missing(true);
        let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal);
        let mut database = options.connect().await.expect("a database");
        let table =
            "create table sample (series_id integer not null, t integer not null, value real not null,
                     primary key (series_id, t)) strict, without rowid";
        sqlx::query(table).execute(&mut database).await.expect("a table");
        let mut stream = TcpStream::connect(broker).await.expect("the broker listens");
        stream.set_nodelay(true).expect("a TCP socket");
        // Clean session, keep-alive 0; then `lab/#` at QoS 1.
        stream.write_all(b"\x10\x10\0\x04MQTT\x04\x02\0\0\0\x04bare").await.expect("CONNECT");
        stream.read_exact(&mut [0; 4]).await.expect("CONNACK");
        stream.write_all(b"\x82\x0a\0\x01\0\x05lab/#\x01").await.expect("SUBSCRIBE");
        stream.read_exact(&mut [0; 5]).await.expect("SUBACK");
        let mut insert = "insert into sample values (?, ?, ?)".to_owned();
        insert.push_str(&ROW.repeat(ROWS - 1));
        let (series, read) = (HashMap::new(), Vec::with_capacity(1024 * 1024));
        Self { stream, database, series, insert, read, rows: Vec::new(), acks: Vec::new() }
    }

    /// Stores so many messages.
    pub(crate) async fn store(&mut self, total: u64) {
        let mut stored = 0;
        while stored < total {
            let received = self.stream.read_buf(&mut self.read).await.expect("the broker sends");
            assert!(received > 0, "the broker closed the connection");
            while self.parse() > 0 {
                stored += self.rows.len() as u64;
                self.commit().await;
            }
        }
    }

    /// Takes complete packets, up to a batch; how many.
    fn parse(&mut self) -> usize {
        let mut at = 0;
        while self.rows.len() < BATCH {
            let Some((content, end)) = frame(&self.read[at..]) else { break };
            let packet = &self.read[at + content..at + end];
            at += end;
            let topic_end = 2 + usize::from(u16::from_be_bytes([packet[0], packet[1]]));
            let (topic, rest) = (&packet[2..topic_end], &packet[topic_end..]);
            self.acks.extend([0x40, 2, rest[0], rest[1]]);
            let next = i64::try_from(self.series.len()).expect("few");
            let series = match self.series.get(topic) {
                Some(series) => *series,
                None => *self.series.entry(topic.to_vec()).or_insert(next),
            };
            self.rows.push((series, number(&rest[2..], b"\"t\":"), number(&rest[2..], b"\"v\":")));
        }
        self.read.drain(..at);
        self.rows.len()
    }

    async fn commit(&mut self) {
        let mut transaction = self.database.begin().await.expect("begin");
        for rows in self.rows.chunks(ROWS) {
            let length = self.insert.len() - (ROWS - rows.len()) * ROW.len();
            let query = sqlx::query(AssertSqlSafe(&self.insert[..length]));
            let query = rows.iter().fold(query, |query, row| query.bind(row.0).bind(row.1).bind(row.2));
            query.execute(&mut *transaction).await.expect("insert");
        }
        transaction.commit().await.expect("commit");
        self.stream.write_all(&self.acks).await.expect("PUBACKs");
        self.rows.clear();
        self.acks.clear();
    }
}

/// Begin of the content and end of the first packet, if it is complete.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let low = usize::from(*bytes.get(1)?);
    let (content, length) = match low < 128 {
        true => (2, low),
        false => (3, low - 128 + usize::from(*bytes.get(2)?) * 128),
    };
    (bytes.len() >= content + length).then_some((content, content + length))
}

/// The number behind a key.
fn number<T: std::str::FromStr>(payload: &[u8], key: &[u8]) -> T {
    let at = payload.windows(key.len()).position(|part| part == key).expect("the key") + key.len();
    let length = payload[at..].iter().position(|byte| matches!(byte, b',' | b'}')).expect("an end");
    let text = std::str::from_utf8(&payload[at..at + length]).expect("ASCII");
    text.parse().ok().expect("a number")
}
