//! The clients of a broker in the same program.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use serde::{Serialize, Serializer};

/// Filters of one client that are told; of more only the number is.
const MOST_FILTERS: usize = 50;
/// Longest client id, filter and topic that is listed, in characters.
const MOST_CHARS: usize = 256;

/// A client of the broker, as it stands now.
#[derive(Clone, Debug, Serialize)]
pub struct BrokerClient {
    /// Its client id.
    pub id: String,
    /// Its connection; none while it is away and its session is kept.
    pub connection: Option<BrokerConnection>,
    /// Its topic filters.
    pub subscriptions: Vec<String>,
    /// Messages that wait for it, or are not acknowledged yet.
    pub queued: usize,
    /// Messages that were dropped because it was too slow or too long away.
    pub dropped: u64,
    /// How long its session outlives the connection, in seconds; none: for ever.
    pub session_expiry_s: Option<u32>,
}

/// The connection of a client.
#[derive(Clone, Debug, Serialize)]
pub struct BrokerConnection {
    /// Where it comes from: address and port.
    pub address: String,
    /// The version that it speaks: 5, or 4 for 3.1.1.
    pub version: u8,
    /// Its keep-alive in seconds; 0: none.
    pub keep_alive_s: u16,
    /// When it connected.
    #[serde(rename = "connected_ms", serialize_with = "milliseconds")]
    pub since: SystemTime,
    /// Messages that it published since.
    pub messages: u64,
    /// The topic of its last will.
    pub will: Option<String>,
}

fn milliseconds<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    serializer.serialize_u64(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Lists the clients, by id. It must answer at once and not call the web back.
pub type ClientList = Arc<dyn Fn() -> Vec<BrokerClient> + Send + Sync>;

/// The way to the list, once there is one.
#[derive(Default)]
pub(crate) struct Clients(OnceLock<ClientList>);

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clients").field(&self.0.get().is_some()).finish()
    }
}

/// What a page shows of them.
#[derive(Debug, Serialize)]
pub(crate) struct ClientsView {
    /// Whether the broker tells its clients; one elsewhere does not.
    known: bool,
    connected: usize,
    /// Those whose session is kept for them.
    away: usize,
    /// Messages dropped, of all clients.
    dropped: u64,
    /// Those that were asked for; `clients` are the first of them.
    total: usize,
    clients: Vec<ClientView>,
}

#[derive(Debug, Serialize)]
struct ClientView {
    #[serde(flatten)]
    client: BrokerClient,
    /// All its filters; `subscriptions` are the first of them.
    subscription_count: usize,
}

impl Clients {
    /// Tells where the list is. Another call changes nothing.
    pub(crate) fn show(&self, list: ClientList) {
        // The first one stays.
        let _ = self.0.set(list);
    }

    /// The first `limit` clients whose id or one of whose filters has `words` in it.
    pub(crate) fn view(&self, words: &str, limit: usize) -> ClientsView {
        let all = self.0.get().map(|list| list()).unwrap_or_default();
        let connected = all.iter().filter(|client| client.connection.is_some()).count();
        let (away, dropped) = (all.len() - connected, all.iter().map(|client| client.dropped).sum());
        let has = |client: &BrokerClient| {
            client.id.contains(words) || client.subscriptions.iter().any(|filter| filter.contains(words))
        };
        let found: Vec<_> = all.into_iter().filter(has).collect();
        let total = found.len();
        let clients = found.into_iter().take(limit).map(ClientView::of).collect();
        ClientsView { known: self.0.get().is_some(), connected, away, dropped, total, clients }
    }
}

impl ClientView {
    fn of(mut client: BrokerClient) -> Self {
        let subscription_count = client.subscriptions.len();
        client.subscriptions.truncate(MOST_FILTERS);
        let will = client.connection.iter_mut().filter_map(|connection| connection.will.as_mut());
        client.subscriptions.iter_mut().chain(will).chain([&mut client.id]).for_each(shorten);
        Self { client, subscription_count }
    }
}

/// Leaves out the rest of a long text: a page with many of them would be no use.
fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MOST_CHARS) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: &str, filters: usize, online: bool) -> BrokerClient {
        BrokerClient {
            id: id.into(),
            connection: online.then(|| BrokerConnection {
                address: "127.0.0.1:1".into(),
                version: 5,
                keep_alive_s: 30,
                since: SystemTime::UNIX_EPOCH,
                messages: 1,
                will: None,
            }),
            subscriptions: (0..filters).map(|number| format!("{id}/{number}")).collect(),
            queued: 0,
            dropped: 2,
            session_expiry_s: None,
        }
    }

    #[test]
    fn the_first_that_have_the_words_are_told_with_how_many_there_are() {
        let clients = Clients::default();
        assert!(!clients.view("", 10).known);
        clients.show(Arc::new(|| vec![client("a", 60, true), client("ab", 1, true), client("b", 0, false)]));
        let view = clients.view("a", 1);
        assert!(view.known && view.connected == 2 && view.away == 1 && view.dropped == 6 && view.total == 2);
        let told = serde_json::to_value(&view.clients).expect("JSON");
        assert_eq!(told[0]["subscriptions"].as_array().map(Vec::len), Some(MOST_FILTERS));
        assert_eq!(
            (&told[0]["subscription_count"], &told[0]["connection"]["connected_ms"]),
            (&60.into(), &0.into())
        );
        assert_eq!(clients.view("ab/0", 9).total, 1);
    }
}
