//! Random walks against a model broker: random order of acknowledgements, cuts, lost sessions.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

const QOS: [Qos; 4] = [Qos::AtLeastOnce, Qos::ExactlyOnce, Qos::ExactlyOnce, Qos::AtMostOnce];
/// Messages from here on are births.
const BIRTH: u64 = 1_000_000;

/// Xorshift: the walks must be the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 16) & 0xFFFF_FFFF).unwrap() % limit
    }
}

#[derive(Clone, Copy)]
enum Packet {
    Publish { id: u16, dup: bool, number: u64, qos: Qos },
    Pubrel(u16),
}

#[derive(Default)]
struct Broker {
    /// QoS 2 ids received and not released.
    held: BTreeSet<u16>,
    delivered: BTreeMap<u64, u32>,
    first_deliveries: Vec<u64>,
    /// Not acknowledged on this connection: at most the Receive Maximum.
    open: BTreeSet<u16>,
    to_client: VecDeque<(u16, Ack)>,
}

impl Broker {
    fn take(&mut self, packet: Packet, refuse: bool) {
        match packet {
            Packet::Publish { qos: Qos::AtMostOnce, id, .. } => assert_eq!(id, 0),
            Packet::Publish { id, number, qos, dup } => self.publish(id, number, qos, refuse && !dup),
            Packet::Pubrel(id) => {
                self.held.remove(&id);
                self.to_client.push_back((id, Ack::Pubcomp));
            }
        }
    }

    fn publish(&mut self, id: u16, number: u64, qos: Qos, refuse: bool) {
        assert!(id != 0);
        self.open.insert(id);
        let refuse = refuse && !self.held.contains(&id);
        if !refuse && (qos == Qos::AtLeastOnce || self.held.insert(id)) {
            let count = self.delivered.entry(number).or_default();
            *count += 1;
            if *count == 1 && number < BIRTH {
                self.first_deliveries.push(number);
            }
        }
        let code = if refuse { 0x97 } else { 0 };
        let ack = if qos == Qos::AtLeastOnce { Ack::Puback(code) } else { Ack::Pubrec(code) };
        self.to_client.push_back((id, ack));
    }
}

/// What may happen on a walk.
#[derive(Clone, Copy, Default)]
struct Weather {
    sessions_get_lost: bool,
    broker_refuses: bool,
}

struct Walk {
    seed: u64,
    weather: Weather,
    random: Random,
    outgoing: Outgoing<u64, u64>,
    broker: Broker,
    wire: VecDeque<Packet>,
    qos: Vec<Qos>,
    accepted: u64,
    capacity: usize,
    own_window: u16,
    window: u16,
    qos2_window: u16,
    connected: bool,
    connections: u64,
    session_lost: bool,
    sent_in_session: BTreeSet<u64>,
    ended: BTreeMap<u64, Done>,
}

impl Walk {
    fn new(seed: u64, weather: Weather) -> Self {
        let mut random = Random(seed * 2 + 0x9E37_79B9_7F4A_7C15);
        let own_window = 1 + u16::try_from(random.below(12)).unwrap();
        let mut outgoing = Outgoing::new(own_window);
        if random.below(2) == 0 {
            outgoing.start_ids_at(65_530);
        }
        let qos2_window = 1 + u16::try_from(random.below(12)).unwrap();
        let qos = (0..40 + random.below(200)).map(|_| QOS[random.below(4)]).collect();
        Self {
            seed,
            weather,
            outgoing,
            broker: Broker::default(),
            wire: VecDeque::new(),
            qos,
            accepted: 0,
            capacity: 1 + random.below(60),
            random,
            own_window,
            window: own_window,
            qos2_window,
            connected: false,
            connections: 0,
            session_lost: false,
            sent_in_session: BTreeSet::new(),
            ended: BTreeMap::new(),
        }
    }

    fn run(mut self) {
        let total = self.qos.len();
        // Every fourth walk without cuts: nothing hides a packet that was never sent.
        let calm_walk = self.seed.is_multiple_of(4);
        for step in 0..200_000 {
            if self.ended.len() == total {
                break;
            }
            self.step(calm_walk || step > 20_000);
        }
        self.settle();
        self.check_end();
    }

    fn step(&mut self, calm: bool) {
        match self.random.below(if calm { 60 } else { 64 }) {
            0..15 => self.publish(),
            15..20 if !self.connected => self.connect(),
            20..35 => self.write(),
            35..47 => self.broker_reads(),
            47..60 if self.connected => self.read(),
            63 if self.connected => self.cut(),
            _ => {}
        }
        let mut done = Vec::new();
        self.outgoing.take_done(&mut done);
        for (token, end) in done {
            assert!(self.ended.insert(token, end).is_none(), "one end per message, seed {}", self.seed);
        }
        assert_eq!(self.outgoing.spooled() + self.outgoing.in_flight(), self.outgoing.unfinished());
    }

    fn publish(&mut self) {
        let Some(qos) = self.qos.get(usize::try_from(self.accepted).unwrap()) else { return };
        if self.outgoing.unfinished() < self.capacity {
            assert!(self.outgoing.publish(self.accepted, *qos, self.accepted));
            self.accepted += 1;
        }
    }

    fn connect(&mut self) {
        let lost = self.weather.sessions_get_lost && self.random.below(4) == 0;
        let same = self.connections > 0 && !lost;
        if !same {
            self.session_lost |= self.connections > 0;
            self.broker.held.clear();
            self.sent_in_session.clear();
        }
        self.window = 1 + u16::try_from(self.random.below(15)).unwrap();
        self.broker.open.clear();
        self.connections += 1;
        let births = (0..3).map(|n| ([Qos::AtLeastOnce, Qos::AtMostOnce][n % 2], n));
        let number = |n: usize| BIRTH + self.connections * 10 + u64::try_from(n).unwrap();
        let births: Vec<_> = births.map(|(qos, n)| (qos, number(n))).collect();
        let session =
            Session { same, receive_max: self.window, qos2_max: self.qos2_window, max_qos: Qos::ExactlyOnce };
        self.outgoing.connected(session, births);
        self.connected = true;
    }

    fn write(&mut self) {
        for _ in 0..self.random.below(8) {
            match self.outgoing.poll() {
                None => break,
                Some(Out::Pubrel { id, .. }) => self.wire.push_back(Packet::Pubrel(id)),
                Some(Out::Publish { id, dup, qos, message: &number }) => {
                    if number >= BIRTH {
                        assert_eq!(number / 10 % 100_000, self.connections % 100_000, "stale birth");
                        assert!(!dup);
                    } else if qos != Qos::AtMostOnce {
                        let again = !self.sent_in_session.insert(number);
                        assert_eq!(dup, again, "DUP exactly on resends, seed {}", self.seed);
                    }
                    self.wire.push_back(Packet::Publish { id, dup, number, qos });
                }
            }
        }
    }

    fn broker_reads(&mut self) {
        if let Some(packet) = self.wire.pop_front() {
            let refuse = self.weather.broker_refuses && self.random.below(5) == 0;
            self.broker.take(packet, refuse);
            let window = usize::from(self.own_window.min(self.window));
            assert!(self.broker.open.len() <= window, "window, seed {}", self.seed);
            let held = self.broker.held.len();
            assert!(held <= usize::from(self.qos2_window), "window of QoS 2, seed {}", self.seed);
        }
    }

    /// An acknowledgement, not always the oldest.
    fn read(&mut self) {
        let choice = self.broker.to_client.len().min(5);
        if choice == 0 {
            return;
        }
        let (id, ack) = self.broker.to_client.remove(self.random.below(choice)).unwrap();
        if !matches!(ack, Ack::Pubrec(0..0x80)) {
            self.broker.open.remove(&id);
        }
        self.outgoing.ack(id, ack).unwrap();
    }

    /// A part of what is on the wire still arrives, acknowledgements are lost.
    fn cut(&mut self) {
        for _ in 0..self.random.below(self.wire.len() + 1) {
            let packet = self.wire.pop_front().unwrap();
            self.broker.take(packet, false);
        }
        self.wire.clear();
        self.broker.to_client.clear();
        self.outgoing.disconnected();
        assert!(self.outgoing.poll().is_none());
        self.connected = false;
    }

    /// Lets births that are still on their way arrive.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.connected && self.outgoing.is_idle() {
                return;
            }
            self.step_calm();
        }
    }

    fn step_calm(&mut self) {
        if !self.connected {
            self.connect();
        }
        self.write();
        self.broker_reads();
        self.read();
    }

    fn check_end(&self) {
        let seed = self.seed;
        assert_eq!(self.ended.len(), self.qos.len(), "all end, seed {seed}");
        assert!(self.outgoing.is_idle() && (self.outgoing.live, self.outgoing.qos2) == (0, 0), "seed {seed}");
        for (number, end) in &self.ended {
            let qos = self.qos[usize::try_from(*number).unwrap()];
            let count = self.broker.delivered.get(number).copied().unwrap_or(0);
            match (qos, end) {
                (Qos::AtMostOnce, end) => assert_eq!(*end, Done::Sent),
                (_, Done::Rejected(_)) => {
                    assert!(self.weather.broker_refuses && (count == 0 || self.session_lost));
                }
                (Qos::ExactlyOnce, _) if !self.session_lost => {
                    assert_eq!(count, 1, "exactly once {number}, seed {seed}");
                }
                _ => assert!(count >= 1, "lost {number}, seed {seed}"),
            }
        }
        if !self.weather.broker_refuses {
            assert!(self.broker.first_deliveries.is_sorted(), "order of first deliveries, seed {seed}");
        }
    }
}

/// 2,000 walks, or as many as fit into the seconds of `MQTT_LAB_MODEL_SECONDS`.
fn walks(walk: impl Fn(u64)) {
    let seconds = std::env::var("MQTT_LAB_MODEL_SECONDS").ok();
    let Some(seconds) = seconds.map(|seconds| seconds.parse().unwrap()) else {
        return (0..2000).for_each(walk);
    };
    let begin = std::time::Instant::now();
    let in_time = |_: &u64| begin.elapsed().as_secs() < seconds;
    println!("{} walks", (0..).take_while(in_time).inspect(|seed| walk(*seed)).count());
}

#[test]
fn nothing_is_lost_while_the_session_is_kept() {
    walks(|seed| Walk::new(seed, Weather::default()).run());
}

#[test]
fn nothing_is_lost_when_sessions_get_lost() {
    let weather = Weather { sessions_get_lost: true, ..Weather::default() };
    walks(|seed| Walk::new(seed, weather).run());
}

#[test]
fn a_refusal_ends_a_message_and_nothing_else() {
    walks(|seed| {
        let weather = Weather { sessions_get_lost: seed % 2 == 0, broker_refuses: true };
        Walk::new(seed, weather).run();
    });
}

fn session(same: bool) -> Session {
    Session { same, receive_max: u16::MAX, qos2_max: u16::MAX, max_qos: Qos::ExactlyOnce }
}

fn connected(window: u16) -> Outgoing<&'static str, u32> {
    let mut outgoing = Outgoing::new(window);
    outgoing.connected(session(false), []);
    outgoing
}

/// All that can be written, in short: `P` PUBLISH, `D` with DUP, `R` PUBREL, then id and message.
fn written(outgoing: &mut Outgoing<&'static str, u32>) -> Vec<String> {
    let mut packets = Vec::new();
    while let Some(out) = outgoing.poll() {
        packets.push(match out {
            Out::Publish { id, dup, qos, message } => {
                format!("{}{id} {message} {qos}", if dup { "D" } else { "P" })
            }
            Out::Pubrel { id, known } => format!("R{id} {known}"),
        });
    }
    packets
}

fn ends(outgoing: &mut Outgoing<&'static str, u32>) -> Vec<(u32, Done)> {
    let mut done = Vec::new();
    outgoing.take_done(&mut done);
    done
}

#[test]
fn acknowledgements_nobody_waits_for_do_no_harm() {
    let mut outgoing = connected(4);
    outgoing.publish(7, Qos::AtLeastOnce, "a");
    assert_eq!(written(&mut outgoing), ["P1 a 1"]);
    assert_eq!(outgoing.ack(9, Ack::Puback(0)), Ok(()));
    assert_eq!(outgoing.ack(0, Ack::Puback(0)), Ok(()));
    assert_eq!(outgoing.ack(9, Ack::Pubrec(0)), Ok(()));
    assert_eq!(outgoing.strays, 3);
    assert_eq!(written(&mut outgoing), ["R9 false"]);
    assert!(outgoing.ack(1, Ack::Pubrec(0)).is_err(), "PUBREC for QoS 1");
    outgoing.refuse(1, Done::Rejected(0x95));
    assert_eq!(ends(&mut outgoing), [(7, Done::Rejected(0x95))]);
}

#[test]
fn births_go_first_and_stale_ones_not_again() {
    let mut outgoing = Outgoing::new(2);
    outgoing.publish(1, Qos::AtLeastOnce, "a");
    outgoing.publish(2, Qos::AtMostOnce, "zero");
    outgoing.connected(
        session(false),
        [(Qos::AtLeastOnce, "up"), (Qos::AtLeastOnce, "on"), (Qos::AtLeastOnce, "hi")],
    );
    assert_eq!(written(&mut outgoing), ["P1 up 1", "P2 on 1"], "the window holds for births");
    outgoing.ack(1, Ack::Puback(0)).unwrap();
    assert_eq!(written(&mut outgoing), ["P3 hi 1"]);
    outgoing.ack(2, Ack::Puback(0)).unwrap();
    assert_eq!(written(&mut outgoing), ["P4 a 1", "P0 zero 0"]);
    outgoing.disconnected();
    outgoing.connected(session(true), [(Qos::AtLeastOnce, "again")]);
    assert_eq!(written(&mut outgoing), ["P5 again 1", "D4 a 1"], "`hi` was never acknowledged");
}

#[test]
fn a_lower_maximum_qos_is_kept_to() {
    let mut outgoing = Outgoing::new(10);
    outgoing.publish(1, Qos::ExactlyOnce, "a");
    let session = Session { max_qos: Qos::AtLeastOnce, ..session(false) };
    outgoing.connected(session, []);
    assert_eq!(written(&mut outgoing), ["P1 a 1"]);
    outgoing.ack(1, Ack::Puback(0x10)).unwrap();
    assert_eq!(ends(&mut outgoing), [(1, Done::Acked { no_subscribers: true })]);
}

#[test]
fn pubrec_carries_the_missing_subscribers_to_the_end() {
    let mut outgoing = connected(1);
    outgoing.publish(1, Qos::ExactlyOnce, "a");
    assert_eq!(written(&mut outgoing), ["P1 a 2"]);
    outgoing.ack(1, Ack::Pubrec(0x10)).unwrap();
    assert_eq!(written(&mut outgoing), ["R1 true"]);
    outgoing.ack(1, Ack::Pubcomp).unwrap();
    assert_eq!(ends(&mut outgoing), [(1, Done::Acked { no_subscribers: true })]);
}

#[test]
fn qos_2_in_doubt_is_published_again_in_its_place() {
    let mut outgoing = connected(2);
    for (token, message) in [(1, "a"), (2, "b"), (3, "c")] {
        outgoing.publish(token, Qos::ExactlyOnce, message);
    }
    assert_eq!(written(&mut outgoing), ["P1 a 2", "P2 b 2"]);
    outgoing.ack(1, Ack::Pubrec(0)).unwrap();
    outgoing.disconnected();
    outgoing.connected(session(false), []);
    assert_eq!(written(&mut outgoing), ["P3 a 2", "P4 b 2"]);
    assert_eq!(outgoing.unfinished(), 3);
}

#[test]
fn a_subscription_takes_an_id_and_no_window() {
    let mut outgoing = connected(1);
    assert_eq!(outgoing.subscribe(), Some(1));
    outgoing.publish(1, Qos::AtLeastOnce, "a");
    assert_eq!(written(&mut outgoing), ["P2 a 1"]);
    assert!(outgoing.ack(1, Ack::Puback(0)).is_err());
    outgoing.ack(1, Ack::Suback).unwrap();
    outgoing.ack(2, Ack::Puback(0)).unwrap();
    assert!(outgoing.is_idle());
    assert_eq!(outgoing.subscribe(), Some(3));
    outgoing.disconnected();
    assert!(outgoing.is_idle(), "no SUBACK comes after a cut");
}

#[test]
fn the_oldest_gives_way_but_not_what_was_sent() {
    let mut outgoing = connected(1);
    for (token, message) in [(1, "a"), (2, "b"), (3, "c")] {
        outgoing.publish(token, Qos::AtLeastOnce, message);
    }
    written(&mut outgoing);
    assert!(outgoing.drop_oldest() && outgoing.drop_oldest() && !outgoing.drop_oldest());
    assert_eq!(ends(&mut outgoing), [(2, Done::Dropped), (3, Done::Dropped)]);
}

#[test]
fn one_message_that_is_never_acknowledged_does_not_use_up_the_ids() {
    let mut outgoing = connected(2);
    outgoing.publish(0, Qos::AtLeastOnce, "stuck");
    written(&mut outgoing);
    for token in 1..100 {
        outgoing.publish(token, Qos::AtLeastOnce, "a");
        let sent = written(&mut outgoing);
        let Some(packet) = sent.first() else { return assert_eq!(token, 32) };
        let id = packet[1..].split(' ').next().unwrap().parse().unwrap();
        outgoing.ack(id, Ack::Puback(0)).unwrap();
    }
    panic!("the deque grew without end");
}

#[test]
fn a_closed_machine_accepts_nothing() {
    let mut outgoing = connected(1);
    assert!(outgoing.publish(1, Qos::AtLeastOnce, "a"));
    assert_eq!(outgoing.close(|_| true), (1, 1));
    assert!(!outgoing.publish(2, Qos::AtLeastOnce, "b"));
    assert!(outgoing.is_idle());
}
