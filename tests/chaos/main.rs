//! Random faults on one lab: what the broker acknowledged is in the database at the end, or was counted.
//!
//! ```text
//! cargo test --features system-tests --test chaos                          five rounds at each broker
//! cargo test --features system-tests --test chaos -- --rounds 50           fifty
//! cargo test --features system-tests --test chaos -- --rounds 50 --seed 7  the same ones again
//! ```
//!
//! Each round: a fault (a panic somewhere, a full disk, `kill -9`, the broker gone), and then the lab must be ready
//! again. Meanwhile a device of this process publishes numbered samples at QoS 1. Ends with 1 if one that was
//! acknowledged is missing.

#![allow(clippy::print_stdout, reason = "figures for whoever runs it")]
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod lab;
mod publisher;

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lab::{Brokers, Lab};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Panics that a lab survives within a minute.
const PANICS: usize = 4;

/// Places that can be made to panic, and that are passed without anybody's help.
const PLACES: [&str; 10] = [
    "ingest",
    "writer",
    "database",
    "tick",
    "keeper",
    "broker-storage",
    "spool",
    "configuration",
    "device",
    "link",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let rounds = number("--rounds").unwrap_or(5);
    let seed = number("--seed").unwrap_or_else(|| rand::random::<u32>().into());
    println!("seed {seed}");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut complete = true;
    for (i, brokers) in [Brokers::Embedded, Brokers::Mosquitto].into_iter().enumerate() {
        let random = StdRng::seed_from_u64(seed.wrapping_add(i as u64));
        complete &= runtime.block_on(run(brokers, rounds, random));
    }
    if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A fault, as it is drawn.
#[derive(Debug)]
enum Fault {
    Panic(&'static str),
    FullDisk(Duration),
    Kill,
    BrokerGone(Duration),
}

impl Fault {
    fn draw(random: &mut StdRng, brokers: Brokers, panics: &VecDeque<Instant>) -> Self {
        let recent = panics.iter().filter(|at| at.elapsed() < Duration::from_secs(61)).count();
        let pause = Duration::from_millis(random.random_range(100..2_000));
        match random.random_range(0..4) {
            0 if recent < PANICS => Self::Panic(PLACES[random.random_range(0..PLACES.len())]),
            1 => Self::FullDisk(pause),
            // The embedded broker is gone with its lab.
            2 if brokers == Brokers::Mosquitto => Self::BrokerGone(pause),
            _ => Self::Kill,
        }
    }
}

async fn run(brokers: Brokers, rounds: u64, mut random: StdRng) -> bool {
    let mut lab = Lab::start(brokers).await;
    let mut panics = VecDeque::new();
    for round in 1..=rounds {
        let fault = Fault::draw(&mut random, brokers, &panics);
        let (begin, before) = (Instant::now(), lab.publisher.acknowledged());
        match &fault {
            Fault::Panic(place) => {
                if lab.panic(place).await {
                    panics.push_back(Instant::now());
                }
            }
            Fault::FullDisk(pause) => lab.full_disk(*pause).await,
            Fault::Kill => lab.kill().await,
            Fault::BrokerGone(pause) => lab.broker_gone(*pause).await,
        }
        lab.until_ready().await;
        let (took, sent) = (begin.elapsed().as_secs_f64(), lab.publisher.acknowledged() - before);
        println!(
            "{brokers:?} {round:2}: {fault:?}: ready after {took:.1} s, {sent} samples acknowledged meanwhile"
        );
    }
    let outcome = lab.finish().await;
    println!(
        "{brokers:?}: {rounds} rounds, {} samples acknowledged, {} missing, {} counted by the lab",
        outcome.acknowledged, outcome.missing, outcome.counted
    );
    outcome.missing <= outcome.counted
}
