//! A node at work.

use crate::backoff::Backoff;
use crate::cursor::Cursor;
use crate::identity::client_id;
use crate::memory::MAX_PARTS;
use crate::part::{Channels, Part};
use crate::serving::Lost;
use crate::shared::{INTERVAL, INTERVAL_S, PAUSED, QOS, Shared};
use crate::{MAX_CHANNELS, Memory, Network, Settings, SetupError};
use core::cell::{Cell, RefCell};
use core::fmt::{self, Write as _};
use core::future::Future;
use core::pin::{Pin, pin};
use embassy_futures::select::{Either, Either3, select, select3};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use minimq::{Buffers, ConfigBuilder, Connection, Error, PeerError, ReasonCode, Session, Will};
use mqtt_lab_wire::{Address, BootId, Channel, Info, PayloadForm, Role, State, Trigger};

/// Longest topic, in bytes: the client library's limit for the will's.
pub(crate) type Topic = heapless::String<128>;

/// How long the broker keeps what it has for this node, in seconds.
const SESSION_S: u32 = 300;

/// How long TCP and MQTT may take to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection that lasted so long was a good one.
const SETTLED: Duration = Duration::from_secs(5);

/// What of the memory for sending must stay free beside the description, in bytes.
const BESIDE_INFO: usize = 512;

/// A device on a microcontroller: parts, a network, and everything between.
///
/// Its last will is `lost` on `$state`, retained. It is `ready` after each connect, and `disconnected` after
/// an orderly stop. It connects again after each loss, at once where the network says that it is back, else
/// after 0.25 s to 15 s.
pub struct Node<'a, const SAMPLES: usize> {
    session: Session<'a>,
    core: Core<'a, SAMPLES>,
}

/// The node without its session: what can be shared while a connection borrows the session.
pub(crate) struct Core<'a, const SAMPLES: usize> {
    pub(crate) settings: Settings<'a>,
    pub(crate) address: Address<'a>,
    pub(crate) info: Info,
    pub(crate) boot: BootId,
    pub(crate) shared: RefCell<Shared<'a, SAMPLES>>,
    /// There may be something to send.
    pub(crate) wake: Signal<NoopRawMutex, ()>,
    /// The interval is another one.
    pub(crate) retime: Signal<NoopRawMutex, ()>,
    /// Whether this life has had a session before.
    pub(crate) was_connected: Cell<bool>,
}

impl<const SAMPLES: usize> fmt::Debug for Node<'_, SAMPLES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node").field(&self.core.settings).finish()
    }
}

impl<'a, const SAMPLES: usize> Node<'a, SAMPLES> {
    /// A node made of `parts`, with `memory` for all it needs.
    ///
    /// # Errors
    ///
    /// [`SetupError`] says which setting or part does not fit.
    pub fn new(
        settings: Settings<'a>,
        parts: &'a mut [&'a mut (dyn Part + 'a)],
        memory: &'static mut Memory<SAMPLES>,
    ) -> Result<Self, SetupError> {
        let Memory { channels, ring, notes, receive, send } = memory;
        let address = Address::new(settings.root, settings.group, settings.device);
        let address = address.map_err(SetupError::Name)?;
        let seconds = f64::from(settings.interval_ms) / 1000.0;
        if !(INTERVAL_S.0..=INTERVAL_S.1).contains(&seconds) {
            return Err(SetupError::Interval);
        }
        let owners = describe(parts, channels)?;
        let channels: &'static [Channel] = channels.as_slice();
        let boot = BootId::from_random(settings.random);
        let info = info(&settings, channels, boot);
        check_lengths(&address, &info, send)?;
        let shared = Shared::new(&settings, parts, channels, owners, ring, notes);
        let session = session(&settings, &address, Buffers::new(receive, send))?;
        let core = Core {
            settings,
            address,
            info,
            boot,
            shared: RefCell::new(shared),
            wake: Signal::new(),
            retime: Signal::new(),
            was_connected: Cell::new(false),
        };
        Ok(Self { session, core })
    }

    /// Measures, sends and obeys until `stop` asks for the end, then takes leave of the broker.
    pub async fn run<N: Network>(&mut self, network: &mut N, stop: impl Future<Output = ()>) {
        let Self { session, core } = self;
        let stop = pin!(stop);
        select(core.measure(), core.stay_connected(session, network, stop)).await;
    }
}

impl<const SAMPLES: usize> Core<'_, SAMPLES> {
    /// Connects again and again; ends when `stop` does.
    async fn stay_connected<N: Network>(
        &self,
        session: &mut Session<'_>,
        network: &mut N,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) {
        let mut backoff = Backoff::new(self.settings.random);
        loop {
            let Lost(why) = match select(connect(session, network), stop.as_mut()).await {
                Either::Second(()) => return,
                Either::First(Err(lost)) => lost,
                Either::First(Ok(mut connection)) => {
                    (self.settings.log)(format_args!("connected"));
                    let since = Instant::now();
                    let end = self.serve(&mut connection, stop.as_mut()).await;
                    // A broker that accepts and closes at once is not called more and more often.
                    if since.elapsed() > SETTLED {
                        backoff.reset();
                    }
                    match end {
                        Ok(()) => return N::close(connection.into_inner()).await,
                        Err(lost) => lost,
                    }
                }
            };
            (self.settings.log)(format_args!("not connected: {why}"));
            match select3(Timer::after(backoff.next()), network.returned(), stop.as_mut()).await {
                Either3::First(()) => {}
                // It was the network's fault, not the broker's.
                Either3::Second(()) => backoff.reset(),
                Either3::Third(()) => return,
            }
        }
    }
}

async fn connect<'c, 'b, N: Network>(
    session: &'c mut Session<'b>,
    network: &'c mut N,
) -> Result<Connection<'c, 'b, N::Socket<'c>>, Lost> {
    let socket = network.connect().await.map_err(Lost)?;
    match with_timeout(CONNECT, session.connect(socket)).await {
        Err(_) => Err(Lost("the broker does not answer")),
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(Error::Peer(PeerError::Rejected(reason)))) => Err(Lost(match reason {
            ReasonCode::BadUsernameOrPassword | ReasonCode::NotAuthorized => {
                "the broker refuses user name or password"
            }
            ReasonCode::UnsupportedProtocol => "the broker does not speak MQTT 5",
            _ => "the broker refuses the connection",
        })),
        Ok(Err(error)) => Err(Lost::because(&error)),
    }
}

/// Collects the channels of the parts and of the node itself; returns the part of each of the former.
fn describe(
    parts: &[&mut (dyn Part + '_)],
    channels: &mut Channels,
) -> Result<heapless::Vec<u8, MAX_CHANNELS>, SetupError> {
    let mut owners = heapless::Vec::new();
    for (number, part) in (0u8..).zip(parts) {
        part.describe(channels);
        while owners.len() < channels.as_slice().len() {
            owners.push(number).map_err(|_| SetupError::TooManyChannels)?;
        }
    }
    let interval = Channel::float(INTERVAL).unit("s").quantity("time");
    channels.add(interval.range(INTERVAL_S.0, INTERVAL_S.1).settable());
    channels.add(Channel::int(QOS).range(0.0, 2.0).settable());
    channels.add(Channel::bool(PAUSED).settable());
    if channels.overflow || parts.len() > MAX_PARTS {
        return Err(SetupError::TooManyChannels);
    }
    let all = channels.as_slice();
    let double =
        all.iter().enumerate().find(|(at, channel)| all[..*at].iter().any(|c| c.name == channel.name));
    double.map_or(Ok(owners), |(_, channel)| Err(SetupError::SameName(channel.name)))
}

/// The description that the dashboard makes chart and form of.
fn info(settings: &Settings<'_>, channels: &'static [Channel], boot: BootId) -> Info {
    let own = channels.iter().filter(|channel| !channel.name.starts_with('$'));
    let (sensors, actuators) =
        own.fold(
            (0, 0),
            |(sensors, actuators), channel| {
                if channel.settable { (sensors, actuators + 1) } else { (sensors + 1, actuators) }
            },
        );
    let mut info = Info::default();
    info.role = Some(match (sensors, actuators) {
        (0, _) => Role::Actuator,
        (_, 0) => Role::Sensor,
        _ => Role::Both,
    });
    info.kind = Some(settings.kind);
    info.boot = Some(boot);
    info.trigger = Some(Trigger::Interval);
    info.payload = Some(PayloadForm::Json);
    info.version = Some(5);
    info.keep_alive_s = Some(settings.keep_alive_s);
    info.qos = Some(settings.qos);
    info.retain = Some(false);
    info.channels = channels;
    info
}

/// Whether every topic and the description fit.
fn check_lengths(address: &Address<'_>, info: &Info, room: &mut [u8]) -> Result<(), SetupError> {
    for channel in info.channels {
        let mut topic = Topic::new();
        write!(topic, "{}", address.result(channel.name)).map_err(|_| SetupError::TooLong)?;
    }
    let free = room.len().saturating_sub(BESIDE_INFO);
    info.encode(&mut Cursor::new(&mut room[..free])).map_err(|_| SetupError::TooManyChannels)
}

/// One MQTT session per device and lab, with its last will.
fn session<'a>(
    settings: &Settings<'a>,
    address: &Address<'_>,
    buffers: Buffers<'a>,
) -> Result<Session<'a>, SetupError> {
    let client = client_id(settings)?;
    let mut topic = Topic::new();
    write!(topic, "{}", address.state()).map_err(|_| SetupError::TooLong)?;
    let will = Will::new(&topic, State::Lost.as_str().as_bytes(), &[]).map_err(|_| SetupError::TooLong)?;
    let config = ConfigBuilder::new(buffers).client_id(&client).map_err(|_| SetupError::TooLong)?;
    let config = config
        .keepalive_interval(settings.keep_alive_s)
        .session_expiry_interval(SESSION_S)
        .autodowngrade_qos()
        .will(will.retained().qos(minimq::QoS::AtLeastOnce))
        .map_err(|_| SetupError::TooLong)?;
    let config = match settings.login {
        Some((user, password)) => config.auth(user, password.as_bytes()).map_err(|_| SetupError::TooLong)?,
        None => config,
    };
    Ok(Session::new(config))
}
