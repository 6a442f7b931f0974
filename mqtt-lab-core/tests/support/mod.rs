//! A broker, an observer and devices that misbehave, for the tests of the runtime.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod changing;

use mqtt_lab_core::broker::{Broker, BrokerConfig};
use mqtt_lab_core::link::{Event, Events, Incoming, Link, LinkConfig, Publish, Subscription};
use mqtt_lab_core::prelude::*;
use mqtt_lab_core::{Lab, LabBuilder};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Long enough for a busy machine; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn broker() -> Broker {
    let config = BrokerConfig { bind: ([127, 0, 0, 1], 0).into(), ..BrokerConfig::default() };
    Broker::start(&config).await.expect("a free port")
}

pub(crate) fn lab(broker: &Broker) -> LabBuilder {
    Lab::builder().broker(broker.address()).plugin(&plugin())
}

/// Waits until something is true that nobody tells of.
#[track_caller]
pub(crate) fn becomes_true(what: &str, is_true: impl Fn() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !is_true() {
            assert!(tokio::time::Instant::now() < deadline, "{caller}: not in {PATIENCE:?}: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A message as the observer saw it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
}

/// Sees everything on the broker, with the QoS and retain flag of the publisher.
pub(crate) struct Observer {
    pub(crate) link: Link,
    events: Events,
    pub(crate) seen: Vec<Seen>,
}

impl Observer {
    pub(crate) async fn connect(broker: &Broker) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("observer-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut config = LinkConfig::new(broker.address().to_string(), name);
        let mut all = Subscription::new("#", Qos::ExactlyOnce);
        all.retain_as_published = true;
        config.subscriptions = vec![all];
        let (link, events) = Link::spawn(config).expect("a valid configuration");
        let mut status = link.watch();
        let up = status.wait_for(|status| status.subscribed);
        tokio::time::timeout(PATIENCE, up).await.expect("subscribed in time").expect("the link lives");
        Self { link, events, seen: Vec::new() }
    }

    /// Waits for a message for which `wanted` is true.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, wanted: impl Fn(&Seen) -> bool) -> impl Future<Output = Seen> {
        let caller = std::panic::Location::caller();
        async move {
            let deadline = tokio::time::Instant::now() + PATIENCE;
            loop {
                match tokio::time::timeout_at(deadline, self.events.next()).await {
                    Ok(Some(Event::Message(message))) => {
                        let seen = self.take(message);
                        if wanted(&seen) {
                            return seen;
                        }
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("{caller}: the observer's link ended"),
                    Err(_) => panic!("{caller}: no {what} in {PATIENCE:?}; seen: {:#?}", self.seen),
                }
            }
        }
    }

    /// Waits for a message on `topic` whose payload holds `part`.
    #[track_caller]
    pub(crate) fn on(&mut self, topic: &str, part: &str) -> impl Future<Output = Seen> {
        let (topic, part) = (topic.to_owned(), part.to_owned());
        let what = format!("`{part}` on `{topic}`");
        async move { self.until(&what, move |seen| seen.topic == topic && seen.payload.contains(&part)).await }
    }

    /// What was seen last on a topic.
    pub(crate) fn last(&self, topic: &str) -> Option<&Seen> {
        self.seen.iter().rev().find(|seen| seen.topic == topic)
    }

    /// Every payload seen on a topic.
    pub(crate) fn payloads(&self, topic: &str) -> Vec<&str> {
        let seen = self.seen.iter().filter(|seen| seen.topic == topic);
        seen.map(|seen| seen.payload.as_str()).collect()
    }

    fn take(&mut self, message: Incoming) -> Seen {
        let seen = Seen {
            topic: message.topic.clone(),
            payload: String::from_utf8_lossy(&message.payload).into_owned(),
            qos: message.qos.level(),
            retain: message.retain,
        };
        message.ack();
        self.seen.push(seen.clone());
        seen
    }

    pub(crate) async fn publish(&self, topic: &str, payload: &str) {
        self.link.publish(Publish::new(topic, payload.to_owned())).await.expect("accepted");
    }

    /// Everything published before is seen when this returns.
    pub(crate) async fn catch_up(&mut self) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let marker = format!("marker {}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.publish("observer/marker", &marker).await;
        self.on("observer/marker", &marker).await;
    }
}

/// Counts up, with a second channel and a control variable.
#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Counter {
    count: u32,
    step: Option<u32>,
}

#[async_trait]
impl Sensor for Counter {
    fn describe(&self) -> Description {
        Description::sensor()
            .channel(Channel::int("count"))
            .channel(Channel::float("half").unit("V"))
            .control(Channel::int("step").range(1.0, 100.0).initial(self.step.unwrap_or(1)))
    }

    async fn read(&mut self) -> Result<Reading> {
        self.count += self.step.unwrap_or(1);
        Ok(Reading::new().with("count", self.count).with("half", f64::from(self.count) / 2.0))
    }

    async fn set(&mut self, _channel: &str, value: Value) -> Result<()> {
        self.step = value.as_i64().and_then(|step| u32::try_from(step).ok());
        Ok(())
    }
}

/// What a bad device does.
#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    ErrInRead,
    FatalInRead,
    PanicInRead,
    PanicInNew,
    PanicInDescribe,
    PanicInApply,
    HangInRead,
    BlockInRead,
    HangInApply,
    Nan,
    OutOfRange,
    Undeclared,
    WrongDatatype,
    BareValueOfTwo,
    TwiceDescribed,
    RefuseInNew,
    None,
}

#[derive(Clone, Copy, serde::Deserialize)]
pub(crate) struct Bad {
    fault: Fault,
    /// How many lives the fault lasts; the next one is healthy.
    #[serde(default = "for_ever")]
    lives: u32,
    #[serde(default)]
    key: u32,
}

fn for_ever() -> u32 {
    u32::MAX
}

/// Lives of the device with a key, so that a test can have it heal.
static LIVES: [AtomicU32; 32] = [const { AtomicU32::new(0) }; 32];

impl Bad {
    fn new(settings: Bad) -> Result<Self> {
        let lived = LIVES[settings.key as usize].fetch_add(1, Ordering::Relaxed);
        let fault = if lived >= settings.lives { Fault::None } else { settings.fault };
        match fault {
            Fault::PanicInNew => panic!("no new"),
            Fault::RefuseInNew => Err(Error::new("no such wire")),
            _ => Ok(Self { fault, ..settings }),
        }
    }
}

#[async_trait]
impl Sensor for Bad {
    fn describe(&self) -> Description {
        let value = Channel::float("value").range(0.0, 10.0);
        match self.fault {
            Fault::PanicInDescribe => panic!("no words"),
            Fault::TwiceDescribed => Description::sensor().channel(value.clone()).channel(value),
            Fault::BareValueOfTwo => Description::sensor().channel(value).channel(Channel::float("other")),
            _ => Description::sensor().channel(value),
        }
    }

    async fn read(&mut self) -> Result<Reading> {
        match self.fault {
            Fault::ErrInRead => Err(Error::new("wire broken")),
            Fault::FatalInRead => Err(Error::new("wire burnt").fatal()),
            Fault::PanicInRead => panic!("no read"),
            Fault::HangInRead => std::future::pending().await,
            Fault::BlockInRead => loop {
                std::thread::park();
            },
            Fault::Nan => Ok(f64::NAN.into()),
            Fault::OutOfRange => Ok(11.0.into()),
            Fault::Undeclared => Ok(Reading::new().with("humidity", 1.0)),
            Fault::WrongDatatype => Ok("warm".into()),
            _ => Ok(1.0.into()),
        }
    }
}

#[async_trait]
impl Actuator for Bad {
    fn describe(&self) -> Description {
        Description::actuator().output(Channel::bool("on"))
    }

    async fn apply(&mut self, _channel: &str, value: Value) -> Result<Reading> {
        match self.fault {
            Fault::PanicInApply => panic!("no hands"),
            Fault::HangInApply => std::future::pending().await,
            Fault::ErrInRead => Err(Error::new("fuse blown")),
            _ => Ok(value.into()),
        }
    }
}

/// Counts how often it was told something.
pub(crate) struct Lamp(pub(crate) Arc<AtomicU32>);

/// Commands applied by all lamps of this test program.
pub(crate) static APPLIED: AtomicU32 = AtomicU32::new(0);

#[async_trait]
impl Actuator for Lamp {
    fn describe(&self) -> Description {
        Description::actuator()
            .output(Channel::bool("on").initial(false))
            .output(Channel::float("brightness").unit("%").range(0.0, 100.0).initial(0))
    }

    async fn apply(&mut self, channel: &str, value: Value) -> Result<Reading> {
        APPLIED.fetch_add(1, Ordering::Relaxed);
        let times = self.0.fetch_add(1, Ordering::Relaxed);
        if channel == "on" && times > 1000 { Err(Error::new("worn out")) } else { Ok(value.into()) }
    }
}

/// An event sensor that fires when it is poked by its control variable.
#[derive(Default)]
struct Button {
    pressed: Option<i64>,
}

#[async_trait]
impl Sensor for Button {
    fn describe(&self) -> Description {
        let alarm = Channel::int("press");
        Description::sensor().channel(alarm).control(Channel::int("poke").initial(0)).on_event()
    }

    async fn read(&mut self) -> Result<Reading> {
        match self.pressed.take() {
            Some(press) => Ok(Reading::new().with("press", press).qos(Qos::ExactlyOnce).retain(true)),
            None => std::future::pending().await,
        }
    }

    async fn set(&mut self, _channel: &str, value: Value) -> Result<()> {
        self.pressed = value.as_i64();
        Ok(())
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

pub(crate) fn plugin() -> Plugin {
    Plugin::new("test", "0.0.0")
        .kind(Kind::sensor("counter", |settings: Counter| settings))
        .kind(Kind::sensor("cooperative-counter", |settings: Counter| settings).cooperative())
        .kind(Kind::sensor("bad", Bad::new))
        .kind(Kind::sensor("cooperative-bad", Bad::new).cooperative())
        .kind(Kind::actuator("bad-actuator", Bad::new))
        .kind(Kind::actuator("lamp", |_: Nothing| Lamp(Arc::default())).cooperative())
        .kind(Kind::sensor("button", |_: Nothing| Button::default()).cooperative())
}
