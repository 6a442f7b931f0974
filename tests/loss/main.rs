//! The loss matrix: what a link accepted arrives, whatever happens to network, broker or process.
//!
//! ```text
//! cargo test --features system-tests --test loss               the short form: one seed, 1,000 messages a cell
//! cargo test --features system-tests --test loss -- --full     3,000 messages, both delays, rumqttc's client beside ours
//! cargo test --features system-tests --test loss -- --full --seed 7 kill "QoS 2"   the cells whose names hold all words
//! ```
//!
//! Each cell: a real broker (the program's own, or Debian's mosquitto) as a child process; a lab as a child
//! process that stores what it hears; a subscriber at QoS 2 of its own; and a publisher that sends numbered
//! samples through a proxy that fails by plan. The seed decides where a fault hits; the same seed repeats
//! the cell. Ends with 1 if a promise is broken.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures for whoever runs it")]

#[path = "../support/mod.rs"]
mod support;

mod brokers;
mod cell;
mod fault;
mod report;
mod rumqttc_client;
mod sender;
mod witness;

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use report::Report;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Cells at a time: most of them wait for a network.
const AT_ONCE: usize = 8;

/// What was asked for on the command line.
struct Wish {
    full: bool,
    seed: u64,
    words: Vec<String>,
}

fn wish() -> Wish {
    let mut wish = Wish { full: false, seed: rand::random::<u32>().into(), words: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--full" => wish.full = true,
            "--seed" => {
                let seed = arguments.next().and_then(|seed| seed.parse().ok());
                wish.seed = seed.unwrap_or_else(|| panic!("--seed needs a number"));
            }
            // What cargo hands to every test program.
            "--nocapture" | "--quiet" => {}
            word => wish.words.push(word.to_owned()),
        }
    }
    wish
}

fn main() {
    if sender::is_child() {
        return sender::child();
    }
    let wish = wish();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    let kept = runtime.expect("threads").block_on(run(&wish));
    std::process::exit(i32::from(!kept));
}

async fn run(wish: &Wish) -> bool {
    let mut random = StdRng::seed_from_u64(wish.seed);
    let mut cells = cell::all(wish.full);
    for cell in &mut cells {
        cell.seed = u64::from(random.random::<u32>());
    }
    cells.retain(|cell| wish.words.iter().all(|word| cell.to_string().contains(word.as_str())));
    println!(
        "loss matrix, seed {}: {} cells of {} messages",
        wish.seed,
        cells.len(),
        cell::messages(wish.full)
    );
    // Neighbours wait for the same thing; mixed, they share the machine better.
    cells.shuffle(&mut random);
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for cell in cells {
        let (room, full) = (Arc::clone(&room), wish.full);
        running.spawn(async move {
            let _place = room.acquire_owned().await.expect("never closed");
            report::Line::of(cell, full).await
        });
    }
    let mut report = Report::default();
    while let Some(line) = running.join_next().await {
        report.add(line.expect("a cell does not panic"));
    }
    report.print(wish.full)
}
