//! What is promised, and whether it was kept.

use mqtt_lab_core::link::Qos;

use crate::brokers::Kind;
use crate::cell::{Cell, Outcome, messages};
use crate::fault::Fault;
use crate::sender::Client;

pub(crate) struct Line {
    cell: Cell,
    ours: Outcome,
    theirs: Option<Outcome>,
    broken: Vec<String>,
}

impl Line {
    pub(crate) async fn of(cell: Cell, full: bool) -> Self {
        let messages = messages(full);
        let ours = cell.run(Client::Link, messages).await;
        let theirs = if full { Some(cell.run(Client::Rumqttc, messages).await) } else { None };
        let broken = broken(&cell, &ours, messages);
        Self { cell, ours, theirs, broken }
    }

    fn text(&self) -> String {
        let Outcome { lost, lost_after_ack, repeated, disordered, reconnects, stored, .. } = &self.ours;
        let stored: Vec<_> = stored
            .iter()
            .map(|stored| match stored.counted_lost {
                Some(lost) => format!("{}+{lost}", stored.numbers.len()),
                None => format!("{}+?", stored.numbers.len()),
            })
            .collect();
        let theirs = self.theirs.as_ref().map_or_else(String::new, |theirs| {
            let Outcome { lost, repeated, disordered, .. } = theirs;
            format!(" | {lost:>5} {repeated:>5} {disordered:>5}")
        });
        let verdict = if self.broken.is_empty() { "" } else { "  BROKEN" };
        let (cell, seed, stored) = (self.cell.to_string(), self.cell.seed, stored.join(" "));
        format!(
            "{cell} | {lost:>5} {lost_after_ack:>5} {repeated:>5} {disordered:>5} {reconnects:>3} | {stored:>13}{theirs} | {seed:>10}{verdict}"
        )
    }
}

/// What a cell promises and did not keep.
fn broken(cell: &Cell, ours: &Outcome, messages: u32) -> Vec<String> {
    let mut broken = Vec::new();
    let mut must = |kept: bool, promise: &str| {
        if !kept {
            broken.push(promise.to_owned());
        }
    };
    match cell.fault {
        Fault::DatabaseStopped => {
            must(ours.held_up > 0, "the fault hits messages on their way to the database")
        }
        _ => must(ours.reconnects > 0, "the fault hits the connection"),
    }
    if cell.qos != Qos::AtMostOnce {
        must(ours.lost == ours.lost_after_ack, "nothing is lost that the broker had not acknowledged");
        // What mosquitto had acknowledged and not yet written when it was killed is shown, and its own.
        let killed = cell.fault == Fault::BrokerKill && cell.broker == Kind::Mosquitto;
        must(ours.lost_after_ack == 0 || killed, "the broker keeps what it has acknowledged");
    }
    let kept = cell.fault == Fault::BrokerKill && cell.broker == Kind::Embedded;
    let once = kept
        || matches!(
            cell.fault,
            Fault::TwoCuts | Fault::CutMidPacket | Fault::Blackhole | Fault::DatabaseStopped
        );
    if once && cell.qos == Qos::ExactlyOnce {
        must(ours.repeated == 0, "QoS 2 is exactly once");
    }
    if once && cell.qos != Qos::AtMostOnce {
        must(ours.disordered == 0, "the order is kept");
    }
    for stored in &ours.stored {
        let mut numbers = stored.numbers.clone();
        numbers.sort_unstable();
        numbers.dedup();
        must(numbers.len() == stored.numbers.len(), "SQL holds no duplicate");
        let known = numbers.len() as u64 + stored.counted_lost.unwrap_or(0);
        // After a failover the first broker's lab cannot know what went to the second.
        if ours.stored.len() == 1 {
            must(known == u64::from(messages), "every loss is counted");
        }
    }
    broken
}

#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
}

impl Report {
    pub(crate) fn add(&mut self, line: Line) {
        println!("{}", line.text());
        for promise in &line.broken {
            println!("    not kept: {promise}");
        }
        self.lines.push(line);
    }

    /// The whole table, in order; whether all was kept.
    pub(crate) fn print(mut self, full: bool) -> bool {
        self.lines.sort_by_key(|line| line.cell.index);
        let theirs = if full { " | rumqttc: lost, repeated, disordered" } else { "" };
        println!(
            "\n{:<43} | lost, of these acknowledged, repeated, disordered, reconnects | SQL: rows+lost{theirs} | seed",
            "cell"
        );
        for line in &self.lines {
            println!("{}", line.text());
        }
        let broken = self.lines.iter().filter(|line| !line.broken.is_empty()).count();
        println!("\n{} cells, {broken} broken", self.lines.len());
        if !full {
            return broken == 0;
        }
        // A matrix whose faults hit nothing would keep every promise.
        let harmed =
            |line: &&Line| line.theirs.as_ref().is_some_and(|theirs| theirs.lost + theirs.repeated > 0);
        let harmed = self.lines.iter().filter(|line| line.cell.qos != Qos::AtMostOnce).filter(harmed).count();
        println!("rumqttc's client lost or repeated something in {harmed} of the cells at QoS 1 and 2");
        broken == 0 && harmed > 0
    }
}
