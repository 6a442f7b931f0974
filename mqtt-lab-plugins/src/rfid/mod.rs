#![doc = include_str!("README.md")]

use crate::{chance, setting};
use mqtt_lab_core::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Most cards of one reader.
const MAX_CARDS: usize = 100;
/// Longest id of a card, in bytes.
const MAX_ID_BYTES: u32 = 32;

/// A card reader at a door.
#[derive(Debug)]
pub struct Rfid {
    mean_away_s: f64,
    mean_stay_s: f64,
    random: StdRng,
    people: Vec<Person>,
    start: Instant,
}

/// Who has a card.
#[derive(Debug)]
struct Person {
    card: String,
    inside: bool,
    /// When the card is read next, in seconds since the start. Planned from the last event, not from the time at which
    /// that was noticed: so the order of events depends on the seed alone.
    next_s: f64,
}

/// The `settings` of a card reader.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Ids of the cards (1 to 100 of them, each of 1 to 32 bytes).
    pub cards: Vec<String>,
    /// Time that somebody stays away on average, in seconds (0.01 to 604800).
    #[schemars(range(min = 0.01, max = 604_800.0))]
    pub mean_away_s: f64,
    /// Time that somebody stays inside on average, in seconds (0.01 to 604800).
    #[schemars(range(min = 0.01, max = 604_800.0))]
    pub mean_stay_s: f64,
    /// Where the randomness begins.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let cards = ["04a1b2c3", "04d4e5f6", "0417a8b9"].map(str::to_owned).into();
        Self { cards, mean_away_s: 20.0, mean_stay_s: 10.0, seed: 1 }
    }
}

impl Rfid {
    /// A card reader with these settings.
    ///
    /// # Errors
    ///
    /// If there is no card or too many, one twice or with an id that is empty or too long, or a time out of range.
    pub fn new(settings: Settings) -> Result<Self> {
        let Settings { cards, mean_away_s, mean_stay_s, seed } = settings;
        setting::within("mean_away_s", mean_away_s, 0.01, 604_800.0)?;
        setting::within("mean_stay_s", mean_stay_s, 0.01, 604_800.0)?;
        check_cards(&cards)?;
        let mut random = StdRng::seed_from_u64(seed);
        let people = cards.into_iter().map(|card| {
            let next_s = chance::pause_s(&mut random, mean_away_s);
            Person { card, inside: false, next_s }
        });
        let people = people.collect();
        Ok(Self { mean_away_s, mean_stay_s, random, people, start: Instant::now() })
    }
}

fn check_cards(cards: &[String]) -> Result<()> {
    if !(1..=MAX_CARDS).contains(&cards.len()) {
        let n = cards.len();
        return Err(Error::new(format_args!("`cards` has {n} ids, it must have from 1 to {MAX_CARDS}")));
    }
    let mut known = BTreeSet::new();
    for card in cards {
        setting::length("cards", card, 1..=MAX_ID_BYTES as usize)?;
        if !known.insert(card) {
            return Err(Error::new(format_args!(
                "`cards` has `{card}` twice: every card has an id of its own"
            )));
        }
    }
    Ok(())
}

#[async_trait]
impl Sensor for Rfid {
    fn describe(&self) -> Description {
        Description::sensor()
            .channel(Channel::text("card").max_len(MAX_ID_BYTES))
            .channel(Channel::choice("event", ["came".into(), "went".into()]))
            .channel(Channel::int("present").quantity("count").range(0.0, MAX_CARDS as f64).retain(true))
            .on_event()
    }

    async fn read(&mut self) -> Result<Reading> {
        let times = self.people.iter().map(|person| person.next_s);
        let next_s = times.fold(f64::INFINITY, f64::min);
        sleep_until(self.start + Duration::from_secs_f64(next_s)).await;
        let next = self.people.iter_mut().min_by(|a, b| a.next_s.total_cmp(&b.next_s));
        let next = next.ok_or_else(|| Error::new("the reader knows no cards").fatal())?;
        next.inside = !next.inside;
        let mean_s = if next.inside { self.mean_stay_s } else { self.mean_away_s };
        next.next_s += chance::pause_s(&mut self.random, mean_s);
        let (card, event) = (next.card.clone(), if next.inside { "came" } else { "went" });
        let present = self.people.iter().filter(|person| person.inside).count();
        let present = i64::try_from(present)?;
        Ok(Reading::new().with("card", card).with("event", event).with("present", present))
    }
}

/// `kind = "rfid"`.
#[must_use]
pub fn kind() -> Kind {
    Kind::sensor("rfid", Rfid::new)
        .settings::<Settings>()
        .sample(include_str!("sample.toml"))
        .cooperative()
        .seeded()
}
