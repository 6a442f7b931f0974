//! The embedded broker as its clients meet it: bytes on a socket, and links.

use std::time::Duration;

use mqtt_lab_core::broker::{Broker, BrokerConfig, BrokerError, User};
use mqtt_lab_core::link::{Event, Events, Link, LinkConfig, Publish, Qos, Subscription, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Long enough for a busy machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

fn config() -> BrokerConfig {
    BrokerConfig { bind: ([127, 0, 0, 1], 0).into(), ..BrokerConfig::default() }
}

async fn start(config: &BrokerConfig) -> Broker {
    Broker::start(config).await.expect("a free port")
}

/// A client that says just what a test tells it to.
struct Raw(TcpStream);

impl Raw {
    async fn open(broker: &Broker) -> Self {
        Self(TcpStream::connect(broker.address()).await.expect("it listens"))
    }

    /// Connected with a clean session.
    async fn connect(broker: &Broker, version: u8, id: &str, keep_alive_s: u8) -> Self {
        let mut raw = Self::open(broker).await;
        raw.say(&hello(version, id, keep_alive_s)).await;
        let connack = if version == 5 { 10 } else { 4 };
        assert_eq!(raw.hear(connack).await[..1], [0x20], "CONNACK");
        raw
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("sent");
    }

    async fn hear(&mut self, bytes: usize) -> Vec<u8> {
        let mut heard = vec![0; bytes];
        let read = timeout(PATIENCE, self.0.read_exact(&mut heard)).await.expect("in time");
        read.expect("so many bytes");
        heard
    }

    /// Everything up to the end of the connection.
    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A connection that was reset has ended, too.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("it ends in time");
        rest
    }
}

/// CONNECT with a clean session.
fn hello(version: u8, id: &str, keep_alive_s: u8) -> Vec<u8> {
    let mut content = vec![0, 4, b'M', b'Q', b'T', b'T', version, 2, 0, keep_alive_s];
    if version == 5 {
        content.push(0);
    }
    content.extend([0, u8::try_from(id.len()).expect("short")]);
    content.extend(id.as_bytes());
    packet(0x10, &content)
}

fn packet(head: u8, content: &[u8]) -> Vec<u8> {
    [&[head, u8::try_from(content.len()).expect("short")], content].concat()
}

/// A link that hears `filter`.
async fn listen(broker: &str, id: &str, filter: &str, qos: Qos) -> (Link, Events) {
    let mut config = LinkConfig::new(broker, id);
    config.subscriptions = vec![Subscription::new(filter, qos)];
    config.backoff = (Duration::from_millis(5), Duration::from_millis(50));
    let (link, events) = Link::spawn(config).expect("valid");
    let mut watch = link.watch();
    let subscribed = timeout(PATIENCE, watch.wait_for(|status| status.subscribed)).await;
    drop(subscribed.expect("in time").expect("it lives"));
    (link, events)
}

async fn next(events: &mut Events) -> (String, Vec<u8>) {
    let message = async {
        loop {
            if let Event::Message(message) = events.next().await.expect("it lives") {
                let heard = (message.topic.to_string(), message.payload.to_vec());
                message.ack();
                return heard;
            }
        }
    };
    timeout(PATIENCE, message).await.expect("in time")
}

#[tokio::test]
async fn what_is_not_mqtt_is_told_why_and_harms_nobody() {
    let broker = start(&config()).await;
    let mut polite = Raw::connect(&broker, 4, "polite", 0).await;
    let mut http = Raw::open(&broker).await;
    http.say(b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(http.rest().await.is_empty());
    let mut old = Raw::open(&broker).await;
    old.say(&packet(0x10, &[0, 6, b'M', b'Q', b'I', b's', b'd', b'p', 3, 2, 0, 0, 0, 1, b'x'])).await;
    assert_eq!(old.rest().await, [0x20, 2, 0, 1], "unacceptable protocol version");
    // Reason codes of DISCONNECT: malformed, protocol error, topic invalid, topic alias, packet too large.
    let faults: [(&[u8], u8); 5] = [
        (&[0x30, 3, 0, 9, b'x'], 0x81),
        (&[0x10, 2, 0, 0], 0x82),
        (&[0x30, 4, 0, 1, b'#', 0], 0x90),
        (&[0x30, 6, 0, 0, 3, 0x23, 0, 1], 0x94),
        (&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], 0x95),
    ];
    for (bytes, code) in faults {
        let mut rude = Raw::connect(&broker, 5, "rude", 0).await;
        rude.say(bytes).await;
        assert_eq!(rude.rest().await, [0xE0, 2, code, 0], "{bytes:02x?}");
    }
    polite.say(&[0xC0, 0]).await;
    assert_eq!(polite.hear(2).await, [0xD0, 0]);
    broker.stop().await;
}

#[tokio::test]
async fn a_silent_client_is_given_up_after_one_and_a_half_keep_alives() {
    let broker = start(&config()).await;
    let (link, mut events) = listen(&broker.address().to_string(), "watcher", "will", Qos::AtLeastOnce).await;
    let mut silent = Raw::open(&broker).await;
    let will =
        [0, 4, b'M', b'Q', b'T', b'T', 4, 0x0E, 0, 1, 0, 1, b's', 0, 4, b'w', b'i', b'l', b'l', 0, 1, b'x'];
    let began = std::time::Instant::now();
    silent.say(&packet(0x10, &will)).await;
    assert_eq!(next(&mut events).await, ("will".into(), b"x".to_vec()));
    assert!(began.elapsed() >= Duration::from_millis(1_500), "{:?}", began.elapsed());
    link.abort().await;
    broker.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_nobody_and_its_drops_are_counted() {
    let broker = start(&BrokerConfig { queue_messages: 100, ..config() }).await;
    let address = broker.address().to_string();
    let mut deaf = Raw::connect(&broker, 4, "deaf", 0).await;
    deaf.say(&packet(0x82, &[0, 1, 0, 1, b'#', 1])).await;
    let (link, mut events) = listen(&address, "listener", "t", Qos::AtLeastOnce).await;
    let payload = vec![b'x'; 10_000];
    for _ in 0..2_000 {
        let published = link.publish(Publish::new("t", payload.clone()).qos(Qos::AtLeastOnce)).await;
        published.expect("accepted").await.expect("acknowledged");
        next(&mut events).await;
    }
    let clients = broker.clients().all();
    let deaf_now = clients.iter().find(|client| client.id == "deaf").expect("it is connected");
    assert!(deaf_now.queued <= 120 && deaf_now.dropped > 1_000, "{deaf_now:?}");
    let listener = clients.iter().find(|client| client.id == "listener").expect("it is connected");
    assert_eq!((listener.dropped, &listener.subscriptions[..]), (0, &["t".to_owned()][..]));
    let connection = listener.connection.as_ref().expect("it is connected");
    assert_eq!((connection.version, connection.messages), (Version::V5, 2_000));
    drop(deaf);
    link.abort().await;
    broker.stop().await;
}

#[tokio::test]
async fn sessions_queues_and_retained_messages_survive_a_restart_with_storage() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = BrokerConfig { storage: Some(folder.path().join("broker")), ..config() };
    for version in [Version::V311, Version::V5] {
        let broker = start(&config).await;
        let listener = |broker: &Broker| {
            let mut config = LinkConfig::new(broker.address().to_string(), format!("listener-{version}"));
            (config.version, config.keep_session) = (version, true);
            config.subscriptions = vec![Subscription::new("q/#", Qos::ExactlyOnce)];
            config
        };
        let (link, mut events) = Link::spawn(listener(&broker)).expect("valid");
        let mut watch = link.watch();
        drop(timeout(PATIENCE, watch.wait_for(|status| status.subscribed)).await.expect("in time"));
        link.abort().await;
        while events.next().await.is_some() {}
        let (sender, _events) =
            listen(&broker.address().to_string(), "sender", "none", Qos::AtMostOnce).await;
        for number in 0..3 {
            let message = Publish::new(format!("q/{number}"), format!("{version}")).qos(Qos::ExactlyOnce);
            sender.publish(message).await.expect("accepted").await.expect("acknowledged");
        }
        let kept = Publish::new("kept", format!("{version}")).qos(Qos::AtLeastOnce).retain(true);
        sender.publish(kept).await.expect("accepted").await.expect("acknowledged");
        sender.abort().await;
        broker.stop().await;

        let broker = start(&config).await;
        let (link, mut events) = Link::spawn(listener(&broker)).expect("valid");
        for number in 0..3 {
            assert_eq!(next(&mut events).await, (format!("q/{number}"), version.to_string().into_bytes()));
        }
        link.abort().await;
        let (reader, mut events) =
            listen(&broker.address().to_string(), "reader", "kept", Qos::AtLeastOnce).await;
        assert_eq!(next(&mut events).await, ("kept".into(), version.to_string().into_bytes()));
        reader.abort().await;
        broker.stop().await;
    }
}

#[tokio::test]
async fn a_folder_or_port_in_use_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = BrokerConfig { storage: Some(folder.path().to_path_buf()), ..config() };
    let broker = start(&config).await;
    let error = Broker::start(&config).await.expect_err("one process at a time");
    assert!(matches!(error, BrokerError::Storage { .. }), "{error}");
    let taken = BrokerConfig { bind: broker.address(), ..config.clone() };
    let error = Broker::start(&taken).await.expect_err("the port is taken");
    assert!(matches!(error, BrokerError::Bind { address, .. } if address == broker.address()), "{error}");
    broker.stop().await;
    start(&config).await.stop().await;
}

#[tokio::test]
async fn strangers_and_those_above_the_limit_are_refused_in_the_words_of_their_version() {
    let users = vec![User { name: "ada".into(), password: "secret".into() }];
    let broker = start(&BrokerConfig { users, ..config() }).await;
    for (version, answer) in [(4, &[0x20, 2, 0, 4][..]), (5, &[0x20, 3, 0, 0x86, 0][..])] {
        let mut stranger = Raw::open(&broker).await;
        stranger.say(&hello(version, "stranger", 0)).await;
        assert_eq!(stranger.rest().await, answer);
    }
    broker.stop().await;
    let broker = start(&BrokerConfig { max_clients: 1, ..config() }).await;
    let _first = Raw::connect(&broker, 4, "first", 0).await;
    for (version, answer) in [(4, &[0x20, 2, 0, 3][..]), (5, &[0x20, 3, 0, 0x89, 0][..])] {
        let mut second = Raw::open(&broker).await;
        second.say(&hello(version, "second", 0)).await;
        assert_eq!(second.rest().await, answer);
    }
    broker.stop().await;
}

/// A stop is no failure of the clients: they are told, and no will is published.
#[tokio::test]
async fn a_stop_says_goodbye() {
    let broker = start(&config()).await;
    let mut client = Raw::connect(&broker, 5, "client", 0).await;
    broker.stop().await;
    assert_eq!(client.rest().await, [0xE0, 2, 0x8B, 0]);
}

#[tokio::test]
async fn take_overs_are_counted() {
    let broker = start(&config()).await;
    let address = broker.address().to_string();
    let (first, _events) = listen(&address, "same", "a", Qos::AtLeastOnce).await;
    assert_eq!(broker.take_overs(), 0);
    let (second, _more) = listen(&address, "same", "a", Qos::AtLeastOnce).await;
    let noticed = async |link: &Link| {
        let mut watch = link.watch();
        let contested = timeout(PATIENCE, watch.wait_for(|status| status.contested.is_some())).await;
        drop(contested.expect("in time").expect("it lives"));
    };
    noticed(&first).await;
    noticed(&second).await;
    assert!(broker.take_overs() >= 2);
}
