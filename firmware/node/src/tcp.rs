//! TCP by `embassy-net`, for any board that it runs on.

use crate::Network;
use embassy_futures::select::{Either, select};
use embassy_net::tcp::{Error, TcpSocket};
use embassy_net::{DhcpConfig, Ipv4Address, Stack};
use embassy_time::{Duration, with_timeout};
use embedded_io_async::{ErrorType, Read, Write};

/// How long a connection may take to stand or to be closed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time after which an unanswered question for an address is repeated, in parts of what is usual (10 s): a
/// network that has just returned often loses the first one.
const DHCP_HASTE: u32 = 10;

/// The settings of DHCP for a board that shall be back soon after its network.
#[must_use]
pub fn dhcp() -> DhcpConfig {
    let mut config = DhcpConfig::default();
    let retry = &mut config.retry_config;
    retry.discover_timeout /= DHCP_HASTE;
    retry.initial_request_timeout /= DHCP_HASTE;
    config
}

/// Where the broker is.
#[derive(Clone, Copy, Debug)]
pub struct Broker<'a> {
    /// Its address, such as `192.168.1.10`; a name with the feature `dns`.
    pub host: &'a str,
    /// Its port, mostly 1883.
    pub port: u16,
}

impl<'a> Broker<'a> {
    /// Reads `host` or `host:port`.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (text, 1883),
        };
        (!host.is_empty()).then_some(Self { host, port })
    }
}

/// The way to the broker over a network stack.
pub struct Tcp<'a> {
    stack: Stack<'a>,
    broker: Broker<'a>,
    receive: &'a mut [u8],
    send: &'a mut [u8],
}

impl core::fmt::Debug for Tcp<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Tcp").field(&self.broker).finish()
    }
}

impl<'a> Tcp<'a> {
    /// The way to `broker`, with the buffers of the socket.
    pub const fn new(
        stack: Stack<'a>,
        broker: Broker<'a>,
        receive: &'a mut [u8],
        send: &'a mut [u8],
    ) -> Self {
        Self { stack, broker, receive, send }
    }
}

async fn resolve(stack: Stack<'_>, host: &str) -> Result<Ipv4Address, &'static str> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    #[cfg(feature = "dns")]
    {
        use embassy_net::dns::DnsQueryType;
        let found = stack.dns_query(host, DnsQueryType::A).await;
        let found = found.map_err(|_| "nobody knows the broker's name")?;
        let embassy_net::IpAddress::Ipv4(address) =
            *found.first().ok_or("the broker's name has no address")?;
        Ok(address)
    }
    #[cfg(not(feature = "dns"))]
    {
        let _ = stack;
        Err("the broker's address must be four numbers, such as 192.168.1.10")
    }
}

impl Network for Tcp<'_> {
    type Socket<'s>
        = Socket<'s>
    where
        Self: 's;

    async fn connect(&mut self) -> Result<Socket<'_>, &'static str> {
        self.stack.wait_config_up().await;
        let Self { stack, broker, receive, send } = self;
        let address = resolve(*stack, broker.host).await?;
        let mut socket = TcpSocket::new(*stack, receive, send);
        socket.set_timeout(Some(PATIENCE));
        let connecting = while_up(*stack, socket.connect((address, broker.port)));
        connecting.await.map_err(|down| match down {
            Down::Network => "the network failed",
            Down::Connection(_) => "nothing listens at the broker's address",
        })?;
        Ok(Socket { socket, stack: *stack })
    }

    async fn returned(&mut self) {
        self.stack.wait_link_down().await;
        self.stack.wait_config_up().await;
    }

    async fn close<'s>(mut socket: Socket<'s>)
    where
        Self: 's,
    {
        socket.socket.close();
        // Not more can be done for a broker that does not answer.
        let _ = with_timeout(PATIENCE, socket.socket.flush()).await;
    }
}

/// A connection that ends as soon as the network is known to be down.
///
/// TCP alone would try for long to reach a peer that is gone, and, the network being back, would wait out its
/// retransmission timer before it noticed that the broker has forgotten the connection.
pub struct Socket<'a> {
    socket: TcpSocket<'a>,
    stack: Stack<'a>,
}

impl core::fmt::Debug for Socket<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Socket").field(&self.socket.remote_endpoint()).finish()
    }
}

/// Why work on a connection ended early.
enum Down<E> {
    Network,
    Connection(E),
}

impl From<Down<Self>> for Error {
    fn from(down: Down<Self>) -> Self {
        match down {
            Down::Network => Self::ConnectionReset,
            Down::Connection(error) => error,
        }
    }
}

async fn while_up<T, E>(stack: Stack<'_>, work: impl Future<Output = Result<T, E>>) -> Result<T, Down<E>> {
    match select(work, stack.wait_link_down()).await {
        Either::First(done) => done.map_err(Down::Connection),
        Either::Second(()) => Err(Down::Network),
    }
}

impl ErrorType for Socket<'_> {
    type Error = Error;
}

impl Read for Socket<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        Ok(while_up(self.stack, self.socket.read(buffer)).await?)
    }
}

impl Write for Socket<'_> {
    async fn write(&mut self, buffer: &[u8]) -> Result<usize, Error> {
        Ok(while_up(self.stack, self.socket.write(buffer)).await?)
    }

    /// Written bytes leave by themselves; waiting for the peer's acknowledgement would only stop the node.
    async fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Broker;

    #[test]
    fn a_broker_has_the_usual_port_unless_told_otherwise() {
        let parse = |text| Broker::parse(text).map(|broker| (broker.host, broker.port));
        assert_eq!(parse("10.0.2.2"), Some(("10.0.2.2", 1883)));
        assert_eq!(parse("lab.local:8883"), Some(("lab.local", 8883)));
        assert_eq!((parse(":1883"), parse("lab:x"), parse("")), (None, None, None));
    }
}
