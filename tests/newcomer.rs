//! Somebody who reads the README and the pages it links, and no source, gets to a lab of five devices, three levels of
//! QoS and a last will of the own. All that is typed here is taken from those pages, or printed by the program.

mod support;

use mqtt_lab_core::link::{Event, Events, Incoming, Link, LinkConfig, Publish, Qos, Subscription};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use support::{Lab, PATIENCE, rand_name, run};
use tempfile::TempDir;

/// What a reader finds on a page, by the headings of its language.
struct Page {
    name: &'static str,
    config: &'static str,
    setup: &'static str,
    language: &'static str,
}

const PAGES: [Page; 2] = [
    Page { name: "README.md", config: "config/README.md", setup: "Your own setup", language: "en" },
    Page { name: "README.de.md", config: "config/README.de.md", setup: "Eigener Aufbau", language: "de" },
];

fn text(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("the page")
}

impl Page {
    /// The part on setups of one's own.
    fn setup(&self) -> String {
        let heading = format!("\n## {}\n", self.setup);
        let text = text(self.name);
        let part = text.split(&heading).nth(1).unwrap_or_else(|| panic!("{} has no {heading}", self.name));
        part.split("\n## ").next().unwrap_or_default().to_owned()
    }

    /// Its first block, and the name that the page gives the file.
    fn lab(&self) -> (String, String) {
        let part = self.setup();
        let file = part.split("cargo run --release -- run ").nth(1).and_then(|rest| rest.split('`').next());
        (fence(&part, "toml"), file.expect("a command that runs it").to_owned())
    }

    /// What stands in `…` and is to be typed after `mqtt-lab`, of the README and of the page on setups.
    fn commands(&self) -> Vec<String> {
        let pages = [text(self.name), text(self.config)].concat();
        let typed = pages.split('`').skip(1).step_by(2).filter_map(|code| {
            code.strip_prefix("… ").or_else(|| code.strip_prefix("cargo run --release -- "))
        });
        typed.map(str::to_owned).collect()
    }
}

/// The first block of a language.
fn fence(text: &str, language: &str) -> String {
    let rest = text.split(&format!("```{language}\n")).nth(1).expect("a block");
    rest.split("```").next().unwrap_or_default().to_owned()
}

/// What the program printed; it must have been content.
#[track_caller]
fn said(arguments: &[&str], folder: &Path) -> String {
    let output = run(arguments, folder);
    let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}\n{said}{error}");
    said.into_owned()
}

fn write(folder: &Path, name: &str, toml: &str) {
    std::fs::write(folder.join(name), toml).expect("writable");
}

/// A will as a file says it.
#[derive(Debug, PartialEq)]
struct Will {
    topic: String,
    payload: String,
    qos: i64,
    retain: bool,
}

/// What a file asks for: the QoS of each sensor by its id, and the one will, each of whose words is said.
fn asked_for(toml: &str) -> (BTreeMap<String, i64>, Will) {
    let table: toml::Table = toml.parse().expect("TOML");
    let (mut sensors, mut wills) = (BTreeMap::new(), Vec::new());
    for sensor in table["sensor"].as_array().expect("sensors") {
        let id = sensor.get("id").unwrap_or(&sensor["kind"]).as_str().expect("an id");
        let qos = sensor["qos"].as_integer().expect("a QoS");
        match sensor.get("count").and_then(toml::Value::as_integer) {
            Some(count) => sensors.extend((1..=count).map(|n| (format!("{id}-{n}"), qos))),
            None => drop(sensors.insert(id.to_owned(), qos)),
        }
        wills.extend(sensor.get("will").map(|will| Will {
            topic: will["topic"].as_str().expect("a topic").to_owned(),
            payload: will["payload"].as_str().expect("a payload").to_owned(),
            qos: will["qos"].as_integer().expect("a QoS"),
            retain: will["retain"].as_bool().expect("true or false"),
        }));
    }
    assert_eq!(sensors.values().collect::<BTreeSet<_>>(), BTreeSet::from([&0, &1, &2]), "three levels");
    (sensors, wills.pop().expect("a will"))
}

/// An MQTT client that hears all samples and everything on the topic of a will, at QoS 2.
struct Ear {
    link: Link,
    events: Events,
}

impl Ear {
    async fn new(broker: &str, filters: &[&str]) -> Self {
        let mut config = LinkConfig::new(broker, rand_name());
        let subscribe = |filter: &&str| Subscription::new(*filter, Qos::ExactlyOnce);
        config.subscriptions = filters.iter().map(subscribe).collect();
        let (link, events) = Link::spawn(config).expect("a valid configuration");
        let mut watch = link.watch();
        let subscribed = watch.wait_for(|status| status.subscribed);
        tokio::time::timeout(PATIENCE, subscribed).await.expect("in time").expect("the link lives");
        Self { link, events }
    }

    async fn until(&mut self, what: &str, mut wanted: impl FnMut(&Incoming) -> bool) {
        let found = async {
            loop {
                let Some(Event::Message(message)) = self.events.next().await else { continue };
                let found = wanted(&message);
                message.ack();
                if found {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("never heard: {what}"));
    }

    /// Hears a sample of each measured channel, each one with the QoS that was asked for.
    async fn hears(&mut self, mut missing: BTreeMap<String, i64>) {
        let asked_for = missing.clone();
        self.until("a sample of every sensor", |message| {
            let qos = asked_for.get(&message.topic);
            if let Some(qos) = qos {
                assert_eq!(*qos, message.qos as i64, "{}", message.topic);
                missing.remove(&message.topic);
            }
            missing.is_empty()
        })
        .await;
    }

    /// Hears the will; who subscribes after it hears it only if it is retained.
    async fn hears_will(&mut self, broker: &str, will: &Will) {
        self.until("the will", |message| {
            let heard = message.topic == will.topic;
            if heard {
                let payload = String::from_utf8_lossy(&message.payload);
                assert_eq!((&*payload, message.qos as i64), (will.payload.as_str(), will.qos));
            }
            heard
        })
        .await;
        let fence = rand_name();
        let mut late = Self::new(broker, &[&will.topic, &fence]).await;
        // What is retained comes before what is published later.
        late.link.publish(Publish::new(fence.as_str(), "")).await.expect("accepted");
        let mut retained = false;
        late.until("what is retained", |message| {
            retained |= message.topic == will.topic && message.retain;
            message.topic == fence
        })
        .await;
        assert_eq!(retained, will.retain);
    }
}

/// The topics of the channels that sensors measure, with the QoS of the sensor. All are ready.
fn measured(lab: &Lab, sensors: &BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    let mut topics = BTreeMap::new();
    for (id, qos) in sensors {
        let device = lab.until_state(&format!("demo/{id}"), "ready");
        let described =
            |device: &Value| Some(device["channels"].as_array()?.clone()).filter(|c| !c.is_empty());
        let channels =
            described(&device).unwrap_or_else(|| lab.poll(&format!("/api/v1/devices/demo/{id}"), described));
        let measured = channels.iter().filter(|channel| channel["settable"] == false);
        topics.extend(
            measured.filter_map(|channel| channel["name"].as_str()).map(|name| (topic(id, name), *qos)),
        );
    }
    assert!(topics.len() >= sensors.len(), "{topics:?}");
    topics
}

fn topic(id: &str, channel: &str) -> String {
    format!("lab/demo/{id}/{channel}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_setup_shown_has_five_devices_three_levels_of_qos_and_a_will() {
    for page in PAGES {
        let folder = TempDir::new().expect("a folder");
        let (toml, file) = page.lab();
        write(folder.path(), &file, &toml);
        assert_eq!(said(&["check", &file], folder.path()), format!("{file}: 5 devices, no mistakes\n"));

        let lab = Lab::start_file(folder.path(), &folder.path().join(&file));
        let ready = |found: &Value| {
            let ids = found.as_array()?.iter().filter(|device| device["state"] == "ready");
            Some(ids.filter_map(|device| Some(device["id"].as_str()?.to_owned())).collect::<BTreeSet<_>>())
        };
        let ready = lab.poll("/api/v1/devices", |found| ready(found).filter(|ids| ids.len() == 5));
        let (sensors, will) = asked_for(&toml);
        assert!(sensors.keys().all(|id| ready.contains(id)), "{ready:?}");

        let mut ear = Ear::new(&lab.broker, &["lab/demo/+/+", &will.topic]).await;
        ear.hears(measured(&lab, &sensors)).await;

        // The button that the page names, and what it sends.
        let words = text(&format!("mqtt-lab-web/assets/i18n/{}.json", page.language));
        let words: Value = serde_json::from_str(&words).expect("JSON");
        for word in ["plug.title", "plug.kill"].map(|key| words[key].as_str().expect("a text")) {
            assert!(page.setup().contains(word), "{} does not name `{word}`", page.name);
        }
        let (status, answer) =
            lab.request("POST", "/api/v1/devices/demo/motion/plug", Some(r#"{"plug":"kill"}"#));
        assert_eq!(status, 200, "{answer}");
        ear.hears_will(&lab.broker, &will).await;
        let shown = fence(&page.setup(), "console");
        assert_eq!(
            shown.lines().nth(1),
            Some(format!("{} {}", will.topic, will.payload).as_str()),
            "{}",
            page.name
        );
        lab.interrupt();
    }
}

/// The block that `kinds KIND` prints, with every option in force.
fn uncommented(block: &str) -> String {
    let option =
        |line: &str| line.strip_prefix('#').filter(|line| !line.starts_with('#')).unwrap_or(line).to_owned();
    block.lines().map(|line| option(line) + "\n").collect()
}

/// The names in the second column of the table of kinds.
fn kinds_on(page: &Page) -> BTreeSet<String> {
    let part = page.setup();
    let rows = part.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let names = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).map(str::to_owned);
    names.collect()
}

#[test]
fn every_kind_is_on_the_page_and_prints_a_block_to_paste() {
    let folder = TempDir::new().expect("a folder");
    let listed = said(&["kinds"], folder.path());
    let listed = listed.lines().filter_map(|line| line.split_once("  ")).map(|(kind, _)| kind.to_owned());
    // Those of hardware have a part of their own.
    let optional = ["serial", "i2c"].map(str::to_owned);
    let listed: BTreeSet<_> = listed.filter(|kind| !optional.contains(kind)).collect();
    for page in PAGES {
        assert_eq!(kinds_on(&page), listed, "{}", page.name);
    }
    for kind in &listed {
        let block = said(&["kinds", kind], folder.path());
        for block in [uncommented(&block), block] {
            write(folder.path(), "lab.toml", &block);
            assert_eq!(
                said(&["check", "lab.toml"], folder.path()),
                "lab.toml: 1 devices, no mistakes\n",
                "{kind}"
            );
        }
    }
}

#[track_caller]
fn replaced(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "{old}\n{text}");
    text.replace(old, new)
}

/// A lab of blocks that the program printed, edited by hand: five devices, three levels of QoS, a will made like the one on
/// the page.
fn edited_by_hand(page: &Page, folder: &Path) -> String {
    let block = |kind: &str| uncommented(&said(&["kinds", kind], folder));
    let mut lab = String::new();
    for (qos, kind) in ["temperature", "humidity", "light"].into_iter().enumerate() {
        let mine = replaced(&block(kind), &format!("id = \"{kind}\""), &format!("id = \"my-{kind}\""));
        let mine = replaced(&mine, "\nqos = 1\n", &format!("\nqos = {qos}\n"));
        lab += &replaced(&mine, "interval_s = 1.0", "interval_s = 0.2");
    }
    for kind in ["led", "dimmer"] {
        lab += &replaced(&block(kind), &format!("id = \"{kind}\""), &format!("id = \"my-{kind}\""));
    }
    let will = page.lab().0.lines().find(|line| line.starts_with("will = ")).expect("a will").to_owned();
    let will = replaced(&replaced(&will, "retain = false", "retain = true"), "alarm/", "my-alarm/");
    replaced(&lab, "\nqos = 2\n", &format!("\nqos = 2\n{will}\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lab_of_printed_blocks_leaves_its_will_when_it_is_killed() {
    for page in PAGES {
        assert!(page.setup().contains("](config/last-will.toml)"), "{}", page.name);
        let folder = TempDir::new().expect("a folder");
        let host = Lab::start(folder.path(), None);
        // What that file says of another broker.
        let guest = text("config/last-will.toml");
        let guest =
            guest.split("[[sensor]]").next().unwrap_or_default().split("#:schema lab.schema.json\n").nth(1);
        let guest = replaced(guest.expect("a first line"), "127.0.0.1:1883", &host.broker);
        let toml = guest + &edited_by_hand(&page, folder.path());
        write(folder.path(), "mine.toml", &toml);
        assert_eq!(said(&["check", "mine.toml"], folder.path()), "mine.toml: 5 devices, no mistakes\n");

        let (sensors, will) = asked_for(&toml);
        let mut ear = Ear::new(&host.broker, &["lab/demo/+/+", &will.topic]).await;
        let guest = Lab::start_file(folder.path(), &folder.path().join("mine.toml"));
        for id in ["my-led", "my-dimmer"] {
            host.until_state(&format!("demo/{id}"), "ready");
        }
        ear.hears(measured(&host, &sensors)).await;
        guest.kill();
        ear.hears_will(&host.broker, &will).await;
        for id in sensors.keys().map(String::as_str).chain(["my-led", "my-dimmer"]) {
            host.until_state(&format!("demo/{id}"), "lost");
        }
        host.interrupt();
    }
}

#[test]
fn every_command_on_the_pages_can_be_typed() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in PAGES {
        let folder = TempDir::new().expect("a folder");
        let (toml, file) = page.lab();
        write(folder.path(), &file, &toml);
        let mut kinds = BTreeSet::new();
        for command in page.commands() {
            let line = command.split(" > ").next().unwrap_or_default();
            let line = line.replace("FILE", &file).replace("DATEI", &file);
            let mut words: Vec<&str> = line.split(' ').collect();
            kinds.insert(words[0].to_owned());
            // Labs run in other tests.
            if words[0] == "run" && words.len() == 2 {
                words[0] = "check";
            } else if ["run", "new", "plugin"].contains(&words[0]) {
                words.push("--help");
            }
            let at = if line.contains("config/") { checkout } else { folder.path() };
            said(&words, at);
        }
        let expected = ["check", "config", "kinds", "run", "schema"].map(str::to_owned);
        assert!(kinds.is_superset(&BTreeSet::from(expected)), "{}: {kinds:?}", page.name);
    }
}
