use std::collections::BTreeMap;

use mqtt_lab_wire::Qos;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::broker::filters::Subscription;
use crate::broker::message::Message;
use crate::broker::store::Store;
use crate::broker::wire::{Connect, Will};
use crate::frame::{self, Sender};
use crate::link::Version;

const LIMITS: Limits = Limits { clients: 10, queue: Bounds { messages: 10_000, bytes: 1_000_000_000 } };
const ROOM: usize = 1_000;

fn connect(client_id: &str, expiry_s: u32) -> Connect {
    Connect {
        version: Version::V311,
        client_id: client_id.into(),
        clean: false,
        expiry_s,
        keep_alive_s: 0,
        receive_max: 4,
        max_packet: u32::MAX,
        will: None,
        user: String::new(),
        password: String::new(),
    }
}

fn message(topic: &str, payload: &str, qos: Qos) -> Message {
    Message {
        topic: topic.into(),
        payload: payload.to_owned().into(),
        qos,
        retain: false,
        expires_ms: None,
        extras: None,
    }
}

fn enter(state: &mut State, connect: Connect) -> Accepted {
    state.connect(connect, ([127, 0, 0, 1], 1).into()).unwrap()
}

fn subscribe(state: &mut State, handle: Handle, filter: &str, qos: Qos) -> u8 {
    let subscription = Subscription { qos, ..Subscription::default() };
    state.subscribe(handle, vec![(filter.into(), subscription)]).unwrap()[0]
}

/// Payloads that are sent to a connection now.
fn payloads(state: &mut State, handle: Handle) -> Vec<String> {
    let mut out = BytesMut::new();
    state.fill(handle, 1_000_000, &mut out);
    let mut payloads = Vec::new();
    while let Some(frame) = frame::take(&mut out, Sender::Broker, 10_000).unwrap() {
        payloads.push(Publish::of(&frame).payload);
    }
    payloads
}

struct Publish {
    qos: u8,
    id: u16,
    payload: String,
}

impl Publish {
    fn of(frame: &frame::Frame) -> Self {
        let (content, qos) = (frame.content(), (frame.head >> 1) & 3);
        let topic = usize::from(u16::from_be_bytes([content[0], content[1]]));
        let rest = &content[2 + topic..];
        let (id, payload) =
            if qos > 0 { (u16::from_be_bytes([rest[0], rest[1]]), &rest[2..]) } else { (0, rest) };
        Self { qos, id, payload: String::from_utf8_lossy(payload).into() }
    }
}

#[test]
fn a_will_of_a_taken_over_connection_comes_before_what_the_new_one_says() {
    let mut state = State::new(LIMITS);
    let watcher = enter(&mut state, connect("watcher", 0)).handle;
    subscribe(&mut state, watcher, "#", Qos::AtLeastOnce);
    let will = Will { message: message("state", "lost", Qos::AtLeastOnce), delay_s: 0, life_s: None };
    let mut first = enter(&mut state, Connect { will: Some(will), ..connect("lamp", 60) });
    let second = enter(&mut state, connect("lamp", 60));
    assert!(second.session_present && first.end.try_recv() == Ok(crate::reason::TAKEN_OVER));
    state.publish(second.handle, message("state", "ready", Qos::AtLeastOnce));
    state.disconnect(first.handle, Ending::Broken);
    assert_eq!(payloads(&mut state, watcher), ["lost", "ready"]);
    assert_eq!(state.online, 2, "the end of the old connection changes nothing");
}

#[tokio::test(start_paused = true)]
async fn a_delayed_will_fires_when_its_time_or_its_session_is_over_and_not_when_the_client_is_back() {
    let mut state = State::new(LIMITS);
    let watcher = enter(&mut state, connect("watcher", 0)).handle;
    subscribe(&mut state, watcher, "#", Qos::AtMostOnce);
    let lamp = |expiry_s, payload: &str| {
        let will = Will { message: message("state", payload, Qos::AtMostOnce), delay_s: 10, life_s: None };
        Connect { will: Some(will), ..connect("lamp", expiry_s) }
    };
    let handle = enter(&mut state, lamp(60, "back")).handle;
    state.disconnect(handle, Ending::Broken);
    tokio::time::advance(std::time::Duration::from_secs(5)).await;
    let handle = enter(&mut state, lamp(60, "delay")).handle;
    tokio::time::advance(std::time::Duration::from_secs(20)).await;
    state.tick(Instant::now());
    assert!(payloads(&mut state, watcher).is_empty());
    state.disconnect(handle, Ending::Broken);
    assert_eq!(state.tick(Instant::now()), Some(Instant::now() + std::time::Duration::from_secs(10)));
    tokio::time::advance(std::time::Duration::from_secs(10)).await;
    state.tick(Instant::now());
    assert_eq!(payloads(&mut state, watcher), ["delay"]);
    let handle = enter(&mut state, lamp(3, "session")).handle;
    state.disconnect(handle, Ending::Broken);
    tokio::time::advance(std::time::Duration::from_secs(3)).await;
    state.tick(Instant::now());
    assert_eq!(payloads(&mut state, watcher), ["session"]);
    assert_eq!(state.clients().len(), 1, "the session is over");
}

#[test]
fn overlapping_filters_deliver_once_with_the_highest_qos() {
    let mut state = State::new(LIMITS);
    let handle = enter(&mut state, connect("a", 0)).handle;
    assert_eq!(subscribe(&mut state, handle, "t/#", Qos::AtMostOnce), 0);
    assert_eq!(subscribe(&mut state, handle, "t/+", Qos::ExactlyOnce), 2);
    assert!(state.publish(handle, message("t/x", "once", Qos::AtLeastOnce)));
    let mut out = BytesMut::new();
    state.fill(handle, ROOM, &mut out);
    let frame = frame::take(&mut out, Sender::Broker, 1_000).unwrap().unwrap();
    assert_eq!((Publish::of(&frame).qos, out.len()), (1, 0));
    assert_eq!(state.unsubscribe(handle, &["t/#".into(), "t/+".into(), "none".into()]), [0, 0, 0x11]);
    assert!(!state.publish(handle, message("t/x", "nobody", Qos::AtLeastOnce)));
}

#[test]
fn members_of_a_share_take_turns_and_those_away_are_left_out() {
    let mut state = State::new(LIMITS);
    let members = ["a", "b"].map(|id| enter(&mut state, connect(id, 60)).handle);
    for member in members {
        subscribe(&mut state, member, "$share/team/t", Qos::AtLeastOnce);
    }
    for number in 0..4 {
        state.publish(members[0], message("t", &number.to_string(), Qos::AtLeastOnce));
    }
    assert_eq!(payloads(&mut state, members[0]), ["0", "2"]);
    assert_eq!(payloads(&mut state, members[1]), ["1", "3"]);
    state.disconnect(members[1], Ending::Broken);
    for number in 4..6 {
        state.publish(members[0], message("t", &number.to_string(), Qos::AtLeastOnce));
    }
    assert_eq!(payloads(&mut state, members[0]), ["4", "5"]);
}

#[test]
fn no_more_clients_than_allowed_but_those_known_may_come_back() {
    let mut state = State::new(LIMITS);
    for number in 0..LIMITS.clients {
        enter(&mut state, connect(&number.to_string(), 0));
    }
    let address = ([127, 0, 0, 1], 1).into();
    assert_eq!(state.connect(connect("more", 0), address).unwrap_err().code, 0x89);
    assert!(state.connect(connect("3", 0), address).is_ok());
}

/// A broker whose process is killed now and then, between a publisher and a subscriber that live on.
struct World {
    random: StdRng,
    folder: tempfile::TempDir,
    store: Option<Store>,
    state: State,
    publisher: Handle,
    subscriber: Handle,
    /// Packet ids that the publisher uses: message, and whether PUBREC came.
    under_way: BTreeMap<u16, (u32, bool)>,
    next_message: u32,
    /// QoS 2 packet ids that the subscriber holds until PUBREL.
    held: BTreeMap<u16, ()>,
    heard: Vec<u32>,
}

impl World {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let mut state = State::new(LIMITS);
        state.restore(store.load().unwrap());
        let publisher = enter(&mut state, connect("publisher", u32::MAX)).handle;
        let subscriber = enter(&mut state, connect("subscriber", u32::MAX)).handle;
        subscribe(&mut state, subscriber, "t", Qos::ExactlyOnce);
        let random = StdRng::seed_from_u64(seed);
        let mut world = Self {
            random,
            folder,
            store: Some(store),
            state,
            publisher,
            subscriber,
            under_way: BTreeMap::new(),
            next_message: 0,
            held: BTreeMap::new(),
            heard: Vec::new(),
        };
        world.commit();
        world
    }

    fn commit(&mut self) {
        let (changes, _) = self.state.journal.take();
        self.store.as_ref().unwrap().write(&changes).unwrap();
    }

    /// Whether what was just done reaches the disk, and so its answer the client.
    fn survives(&mut self) -> bool {
        if self.random.random_range(0..30) > 0 {
            self.commit();
            return true;
        }
        self.kill();
        false
    }

    fn kill(&mut self) {
        self.store = None;
        let store = Store::open(self.folder.path()).unwrap();
        self.state = State::new(LIMITS);
        self.state.restore(store.load().unwrap());
        self.store = Some(store);
        self.come_back();
    }

    fn come_back(&mut self) {
        let publisher = enter(&mut self.state, connect("publisher", u32::MAX));
        let subscriber = enter(&mut self.state, connect("subscriber", u32::MAX));
        assert!(publisher.session_present && subscriber.session_present);
        (self.publisher, self.subscriber) = (publisher.handle, subscriber.handle);
        self.commit();
    }

    fn publish(&mut self, id: u16) {
        let number = self.under_way.get(&id).map_or(self.next_message, |(number, _)| *number);
        if self.under_way.insert(id, (number, false)).is_none() {
            self.next_message += 1;
        }
        self.state.publish_once(self.publisher, id, message("t", &number.to_string(), Qos::ExactlyOnce));
        if self.survives() {
            self.under_way.insert(id, (number, true));
        }
    }

    fn step(&mut self, more: bool) {
        match self.random.random_range(0..10) {
            0..4 => {
                // In order: the first that has no PUBREC, else a new one, else a PUBREL.
                let open = self.under_way.iter().find(|(_, (_, received))| !received).map(|(id, _)| *id);
                let free = (1..6).find(|id| !self.under_way.contains_key(id)).filter(|_| more);
                match (open, free, self.under_way.keys().next().copied()) {
                    (Some(id), _, _) | (None, Some(id), _) => self.publish(id),
                    (None, None, Some(id)) => {
                        self.state.release(self.publisher, id);
                        if self.survives() {
                            self.under_way.remove(&id);
                        }
                    }
                    (None, None, None) => {}
                }
            }
            4..9 => self.hear(),
            _ => self.come_back(),
        }
    }

    fn hear(&mut self) {
        let mut out = BytesMut::new();
        self.state.fill(self.subscriber, ROOM, &mut out);
        if !self.survives() {
            return;
        }
        let subscriber = self.subscriber;
        while let Some(frame) = frame::take(&mut out, Sender::Broker, 10_000).unwrap() {
            let id = if frame.kind() == 6 {
                let id = u16::from_be_bytes([frame.content()[0], frame.content()[1]]);
                self.held.remove(&id);
                self.state.acknowledged(subscriber, |outbox, record| outbox.pubcomp(id, record));
                continue;
            } else {
                let publish = Publish::of(&frame);
                if self.held.insert(publish.id, ()).is_none() {
                    self.heard.push(publish.payload.parse().unwrap());
                }
                publish.id
            };
            // An acknowledgement may get lost with the connection.
            if self.random.random_range(0..10) > 0 {
                self.state.acknowledged(subscriber, |outbox, record| {
                    outbox.pubrec(id, record);
                });
            }
        }
        self.survives();
    }
}

/// QoS 2 through kills of the broker: each message once. The seed stands in the message.
#[test]
fn exactly_once_whatever_is_killed_when() {
    for seed in 0..6 {
        let mut world = World::new(seed);
        for _ in 0..200 {
            world.step(true);
        }
        for _ in 0..400 {
            world.step(false);
        }
        world.kill();
        for _ in 0..200 {
            world.step(false);
        }
        let mut heard = world.heard.clone();
        heard.sort_unstable();
        let expected: Vec<u32> = (0..world.next_message).collect();
        assert!(world.next_message > 10, "seed {seed}: nothing happened");
        assert_eq!(heard, expected, "seed {seed}");
        let subscriber = world.state.clients().into_iter().find(|client| client.id == "subscriber").unwrap();
        assert_eq!((subscriber.queued, subscriber.dropped), (0, 0), "seed {seed}");
    }
}

/// A device that dies together with its broker is lost, too, unless it comes back.
#[tokio::test(start_paused = true)]
async fn a_will_survives_the_broker_and_waits_for_its_client_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let store = Store::open(folder.path()).unwrap();
        let mut state = State::new(LIMITS);
        state.restore(store.load().unwrap());
        (store, state)
    };
    let lamp = |id: &str| {
        let will = Will { message: message("state", id, Qos::AtLeastOnce), delay_s: 0, life_s: None };
        Connect { will: Some(will), ..connect(id, u32::MAX) }
    };
    let (store, mut state) = start();
    let watcher = enter(&mut state, connect("watcher", u32::MAX)).handle;
    subscribe(&mut state, watcher, "#", Qos::AtLeastOnce);
    for id in ["back", "gone"] {
        enter(&mut state, lamp(id));
    }
    let orderly = enter(&mut state, lamp("orderly")).handle;
    state.disconnect(orderly, Ending::Orderly { expiry_s: None });
    store.write(&state.journal.take().0).unwrap();
    drop(store);

    let (store, mut state) = start();
    enter(&mut state, lamp("back"));
    let watcher = enter(&mut state, connect("watcher", u32::MAX)).handle;
    tokio::time::advance(RETURN).await;
    state.tick(Instant::now());
    assert_eq!(payloads(&mut state, watcher), ["gone"]);
    state.acknowledged(watcher, |outbox, record| outbox.puback(1, record));
    store.write(&state.journal.take().0).unwrap();
    drop(store);

    let (_store, mut state) = start();
    enter(&mut state, lamp("back"));
    tokio::time::advance(RETURN).await;
    state.tick(Instant::now());
    let watcher = enter(&mut state, connect("watcher", u32::MAX)).handle;
    assert!(payloads(&mut state, watcher).is_empty(), "a will fires once");
}

#[test]
fn what_ends_leaves_nothing_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut state = State::new(LIMITS);
    state.restore(store.load().unwrap());
    let handle = enter(&mut state, connect("a", 60)).handle;
    subscribe(&mut state, handle, "#", Qos::ExactlyOnce);
    let retained = Message { retain: true, ..message("t", "kept", Qos::AtLeastOnce) };
    state.publish_once(handle, 7, retained.clone());
    store.write(&state.journal.take().0).unwrap();
    let found = store.load().unwrap();
    let session = &found.sessions[0];
    assert_eq!((session.client_id.as_str(), session.expiry_s, session.received[0]), ("a", 60, 7));
    assert_eq!((session.subscriptions.len(), session.queue.len()), (1, 1));
    assert_eq!(found.retained, std::slice::from_ref(&retained));
    state.publish(handle, Message { payload: "".into(), ..retained });
    // A clean start ends the session that was.
    enter(&mut state, Connect { clean: true, expiry_s: 0, ..connect("a", 0) });
    store.write(&state.journal.take().0).unwrap();
    let found = store.load().unwrap();
    assert!(found.sessions.is_empty() && found.retained.is_empty());
    assert_eq!(store.entries(), 0, "and no part of the session either");
}
