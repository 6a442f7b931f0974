//! How a link gets to its broker, and back after a fault.
#![allow(clippy::unwrap_used, reason = "a test")]

mod link_fake;

use std::time::Duration;

use link_fake::{BOTH, Broker, Packet, event, soon, spawn, status};
use mqtt_lab_core::link::{Credentials, Event, Publish, Qos, Version, Will};

#[tokio::test]
async fn a_broker_that_refuses_mqtt_5_is_spoken_to_in_3_1_1() {
    // As MQTT 5 says; as 3.1.1 says; as a 3.1.1 broker that does not look at the version.
    for refusal in [&[0x20, 3, 0, 0x84, 0][..], &[0x20, 2, 0, 1], &[0x20, 2, 0, 0]] {
        let broker = Broker::start().await;
        let (link, _events) = spawn(broker.config(Version::V5));
        let (mut client, connect) = broker.connect().await;
        assert_eq!(connect.version, Version::V5);
        client.send(refusal).await;
        let client = broker.welcome(false).await;
        let status = status(&link, "connection", |status| status.connected).await;
        assert_eq!(status.version, Version::V311);
        assert_eq!(status.downgrades, ["MQTT 3.1.1 instead of 5: the broker refuses it"]);
        drop(client);
        assert_eq!(broker.connect().await.1.version, Version::V311, "once refused is enough");
    }
}

#[tokio::test]
async fn a_broker_that_closes_on_mqtt_5_gets_one_attempt_in_3_1_1() {
    let broker = Broker::start().await;
    let (link, _events) = spawn(broker.config(Version::V5));
    drop(broker.connect().await);
    let (client, connect) = broker.connect().await;
    assert_eq!(connect.version, Version::V311);
    drop(client);
    drop(broker.connect().await);
    // It may only have been starting.
    let client = broker.welcome(false).await;
    let status = status(&link, "connection", |status| status.connected).await;
    assert_eq!((status.version, client.version), (Version::V311, Version::V311));
}

#[tokio::test]
async fn a_broker_that_has_spoken_mqtt_5_is_not_downgraded_by_a_restart() {
    let broker = Broker::start().await;
    let (_link, _events) = spawn(broker.config(Version::V5));
    drop(broker.welcome(false).await);
    for _ in 0..3 {
        let (_, connect) = broker.connect().await;
        assert_eq!(connect.version, Version::V5);
    }
}

#[tokio::test]
async fn refused_credentials_are_told_and_tried_again() {
    for (version, refusal) in [(Version::V5, &[0x20, 3, 0, 0x86, 0][..]), (Version::V311, &[0x20, 2, 0, 4])] {
        let broker = Broker::start().await;
        let mut config = broker.config(version);
        config.credentials = Some(Credentials::new("x", "secret"));
        let (link, mut events) = spawn(config);
        for _ in 0..3 {
            let (mut client, _) = broker.connect().await;
            client.send(refusal).await;
            client.is_cut().await;
        }
        let error = status(&link, "refusal", |status| status.error.is_some()).await.error.unwrap();
        let address = broker.address();
        assert_eq!(error, format!("broker {address} refuses user `x`: bad user name or password"));
        let _client = broker.welcome(false).await;
        assert!(matches!(event(&mut events).await, Event::Connected { .. }), "no event for attempts");
        assert_eq!(link.status().error, None);
    }
}

#[tokio::test]
async fn only_the_first_connection_clears_the_session() {
    for version in BOTH {
        let broker = Broker::start().await;
        let (_link, _events) = spawn(broker.config(version));
        let (mut client, connect) = broker.connect().await;
        assert!(connect.clean);
        client.connack_with(false, &[]).await;
        if version == Version::V311 {
            // Clean Session would last as long as the connection, so that one is closed again.
            client.grants(2).await;
            let (mut client, connect) = broker.connect().await;
            assert!(!connect.clean);
            client.connack_with(false, &[]).await;
        }
        drop(client);
        assert!(!broker.connect().await.1.clean);
    }
}

/// It could not say so in CONNACK, and would close the connection at the first message.
#[tokio::test]
async fn a_broker_of_3_1_1_without_qos_2_is_not_tried_with_it() {
    let broker = Broker::start().await;
    let mut config = broker.config(Version::V311);
    config.will = Some(Will { qos: Qos::ExactlyOnce, ..Will::new("lab/will", "lost") });
    let (link, _events) = spawn(config);
    let (mut purge, _) = broker.connect().await;
    purge.connack_with(false, &[]).await;
    purge.grants(1).await;
    let (mut client, connect) = broker.connect().await;
    assert_eq!(connect.flags, 0x2C, "will, QoS 1, retain");
    client.connack_with(false, &[]).await;
    link.publish(Publish::new("t", "a").qos(Qos::ExactlyOnce)).await.unwrap();
    assert_eq!(client.publish().await.short(), "t a 1");
    let status = status(&link, "the status", |status| status.connected).await;
    assert_eq!(
        status.downgrades,
        ["will at QoS 1 instead of 2: the broker's maximum", "at most QoS 1: the broker's maximum"]
    );
}

/// In trouble, perhaps; so it is asked again before it is believed to mean it.
#[tokio::test]
async fn a_broker_that_ends_when_asked_what_it_grants_gets_qos_1() {
    let broker = Broker::start().await;
    let (link, _events) = spawn(broker.config(Version::V311));
    for _ in 0..3 {
        let (mut purge, connect) = broker.connect().await;
        assert!(connect.clean);
        purge.connack_with(false, &[]).await;
        assert!(matches!(purge.read().await, Packet::Subscribe { .. }));
    }
    let mut client = broker.welcome(false).await;
    link.publish(Publish::new("t", "a").qos(Qos::ExactlyOnce)).await.unwrap();
    assert_eq!(client.publish().await.short(), "t a 1");
}

#[tokio::test]
async fn a_kept_session_is_never_cleared() {
    for version in BOTH {
        let broker = Broker::start().await;
        let mut config = broker.config(version);
        config.keep_session = true;
        let (link, mut events) = spawn(config);
        let (mut client, connect) = broker.connect().await;
        assert!(!connect.clean);
        client.connack_with(true, &[]).await;
        assert!(matches!(event(&mut events).await, Event::Connected { session_present: true, .. }));
        let closing = tokio::spawn(async move { link.close(link_fake::LIMIT).await });
        assert_eq!(client.read().await, Packet::Disconnect);
        drop(client);
        closing.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_next_broker_of_the_list_takes_over() {
    let (first, second) = (Broker::start().await, Broker::start().await);
    let mut config = first.config(Version::V5);
    config.brokers.push(second.address());
    let (link, mut events) = spawn(config);
    let mut client = first.welcome(false).await;
    link.publish(Publish::new("t", "a").qos(Qos::ExactlyOnce)).await.unwrap();
    assert_eq!(client.publish().await.short(), "t a 2");
    drop((client, first));

    let (mut client, connect) = second.connect().await;
    assert!(connect.clean, "what it remembers of this client is not this session");
    client.connack_with(false, &[]).await;
    assert_eq!(client.publish().await.short(), "t a 2");
    assert!(matches!(event(&mut events).await, Event::Connected { .. }));
    assert!(matches!(event(&mut events).await, Event::Disconnected { .. }));
    let Event::Connected { broker, .. } = event(&mut events).await else { panic!("not connected") };
    assert_eq!(broker, second.address());
}

#[tokio::test]
async fn the_will_is_part_of_connect() {
    for (version, delay) in [(Version::V311, &b""[..]), (Version::V5, b"\x05\x18\0\0\0\x1E")] {
        let broker = Broker::start().await;
        let mut config = broker.config(version);
        config.will = Some(Will { delay: Duration::from_secs(30), ..Will::new("lab/will", "lost") });
        let (_link, _events) = spawn(config);
        let connect = loop {
            let (mut client, connect) = broker.connect().await;
            if version == Version::V5 || !connect.clean {
                break connect;
            }
            assert_eq!(connect.flags, 0x02, "the connection that clears the session has no will");
            client.connack_with(false, &[]).await;
        };
        assert_eq!(connect.flags & !0x02, 0x2C, "will, QoS 1, retain");
        let expected = [delay, b"\0\x08lab/will\0\x04lost"].concat();
        assert!(connect.bytes.ends_with(&expected), "{connect:?}");
    }
}

#[tokio::test]
async fn a_will_the_broker_cannot_keep_is_lowered() {
    let broker = Broker::start().await;
    let mut config = broker.config(Version::V5);
    config.will = Some(Will::new("lab/will", "lost"));
    let (link, _events) = spawn(config);
    for code in [0x9A, 0x9B] {
        let (mut client, _) = broker.connect().await;
        client.send([0x20, 3, 0, code, 0]).await;
    }
    let (mut client, connect) = broker.connect().await;
    assert_eq!(connect.flags & 0x20, 0, "not retained");
    client.send([0x20, 3, 0, 0x9B, 0]).await;
    let (mut client, connect) = broker.connect().await;
    assert_eq!(connect.flags & !0x02, 0x04, "QoS 0");
    client.connack_with(false, &[]).await;
    let downgrades = status(&link, "connection", |status| status.connected).await.downgrades;
    let expected = [
        "will at QoS 0 instead of 1: the broker's maximum",
        "will without retain: the broker retains no messages",
    ];
    assert_eq!(downgrades, expected);
}

#[tokio::test]
async fn garbage_ends_the_connection_and_nothing_else() {
    let anywhere: [&[u8]; 4] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        &[0x30, 0xFF, 0xFF, 0xFF, 0x7F], // promises 256 MiB
        &[0xFF; 64],
        &[0x32, 3, 0, 9, b't'], // a topic beyond the end
    ];
    for version in BOTH {
        let broker = Broker::start().await;
        let (link, _events) = spawn(broker.config(version));
        for bytes in anywhere {
            let (mut client, _) = broker.connect().await;
            client.send(bytes).await;
            client.is_cut().await;
        }
        for bytes in anywhere.into_iter().chain([&[0x20, 3, 0, 0, 0][..]]) {
            let mut client = broker.welcome(false).await;
            client.send(bytes).await;
            client.is_cut().await;
        }
        let mut client = broker.welcome(false).await;
        link.publish(Publish::new("t", "fine")).await.unwrap();
        assert_eq!(client.publish().await.payload, "fine");
    }
}

#[tokio::test]
async fn a_silent_broker_is_left() {
    let broker = Broker::start().await;
    let mut config = broker.config(Version::V5);
    config.keep_alive = Duration::from_secs(1);
    let (link, mut events) = spawn(config);
    let mut silent = broker.welcome(false).await;
    assert_eq!(silent.read_any().await, Packet::Pingreq);
    assert!(matches!(event(&mut events).await, Event::Connected { .. }));
    let Event::Disconnected { reason } = event(&mut events).await else { panic!("still connected") };
    assert!(reason.ends_with("silent for longer than the keep-alive of 1s"), "{reason}");
    silent.is_cut().await;
    let _client = broker.welcome(true).await;
    status(&link, "connection", |status| status.connected).await;
}

#[tokio::test]
async fn a_broker_that_answers_pings_only_is_left() {
    let broker = Broker::start().await;
    let mut config = broker.config(Version::V5);
    config.keep_alive = Duration::from_secs(1);
    let (link, mut events) = spawn(config);
    let mut client = broker.welcome(false).await;
    link.publish(Publish::new("t", "x")).await.unwrap();
    let reader = tokio::spawn(async move { while client.read().await != Packet::End {} });
    assert!(matches!(event(&mut events).await, Event::Connected { .. }));
    let Event::Disconnected { reason } = event(&mut events).await else { panic!("still connected") };
    assert!(reason.ends_with("nothing acknowledged for 2s"), "{reason}");
    soon("the end", reader).await.unwrap();
}

#[tokio::test]
async fn the_brokers_keep_alive_counts() {
    let broker = Broker::start().await;
    let (_link, _events) = spawn(broker.config(Version::V5));
    let mut client = broker.welcome_with(false, &[0x13, 0, 1]).await;
    assert_eq!(client.read_any().await, Packet::Pingreq);
}

#[tokio::test]
async fn a_client_id_used_twice_is_told() {
    let broker = Broker::start().await;
    let (_link, mut events) = spawn(broker.config(Version::V5));
    let mut client = broker.welcome(false).await;
    client.send([0xE0, 1, 0x8E]).await;
    assert!(matches!(event(&mut events).await, Event::Connected { .. }));
    let Event::ClientIdContested { reason } = event(&mut events).await else { panic!("not noticed") };
    assert!(reason.contains("another client uses the client id `device`"), "{reason}");
}

/// Brokers of 3.1.1, and mosquitto before 2.1, close the connection without a reason, as a failing network does.
#[tokio::test]
async fn a_client_id_used_twice_is_noticed_without_a_reason() {
    for version in BOTH {
        let broker = Broker::start().await;
        let (link, mut events) = spawn(broker.config(version));
        for both_closed in [true, false] {
            for _ in 0..3 {
                drop(broker.welcome(false).await);
            }
            // The next connection has another one beside it.
            let client = broker.welcome(false).await;
            let (mut witness, connect) = broker.connect_any().await;
            assert!(connect.clean && connect.is_witness(), "{connect:?}");
            witness.connack_with(false, &[]).await;
            if both_closed {
                drop((client, witness));
                continue;
            }
            // The link knows of it before the first one is closed.
            tokio::task::yield_now().await;
            drop(client);
            let reason = loop {
                if let Event::ClientIdContested { reason } = event(&mut events).await {
                    break reason;
                }
            };
            assert!(
                reason.contains("the client id `device`") && reason.contains("another client"),
                "{reason}"
            );
            // It is known as long as it lasts, connected or not.
            let _client = broker.welcome(false).await;
            while !matches!(event(&mut events).await, Event::Connected { .. }) {}
            assert_eq!(link.status().contested.as_ref(), Some(&reason));
            drop(witness);
        }
    }
}
