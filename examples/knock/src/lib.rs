//! An event sensor: it is not asked once per interval, it tells when something happens.
//!
//! Here somebody knocks: a UDP datagram comes to this computer. Try it with
//! `bash -c 'echo Anna > /dev/udp/127.0.0.1/4000'`.

use mqtt_lab_core::prelude::*;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::UdpSocket;

/// Longest name that a visitor may give, in bytes.
const MAX_NAME: usize = 100;

/// The `settings` of the TOML block.
#[derive(Deserialize, JsonSchema)]
struct Settings {
    /// The UDP port that is listened to (1 to 65535).
    port: u16,
}

/// The sensor: what it needs from one reading to the next.
struct Knock {
    port: u16,
    socket: Option<UdpSocket>,
    visitors: u32,
}

impl Knock {
    fn new(settings: Settings) -> Result<Self> {
        if settings.port == 0 {
            return Err(Error::new("`port` must be from 1 to 65535"));
        }
        Ok(Self { port: settings.port, socket: None, visitors: 0 })
    }
}

#[async_trait]
impl Sensor for Knock {
    fn describe(&self) -> Description {
        Description::sensor()
            .on_event()
            .channel(Channel::text("visitor").label("Visitor"))
            .channel(Channel::int("visitors").label("Visitors today").range(0.0, 1e6))
    }

    /// Waits for a knock. It may be interrupted at the `.await`s: what must survive is in `self`.
    async fn read(&mut self) -> Result<Reading> {
        let socket = match &self.socket {
            Some(socket) => socket,
            None => {
                let here = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
                self.socket.insert(UdpSocket::bind(here).await?)
            }
        };
        let mut datagram = [0; MAX_NAME];
        let (length, _) = socket.recv_from(&mut datagram).await?;
        self.visitors += 1;
        let visitor = String::from_utf8_lossy(&datagram[..length]);
        Ok(Reading::new().with("visitor", visitor.trim().to_owned()).with("visitors", self.visitors))
    }
}

export_plugin! { sensor "knock" => Knock::new }

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_lab_core::testing::Bench;

    #[test]
    fn port_0_is_refused() {
        let error = Bench::try_new(&plugin(), "knock", [("port", 0)]).unwrap_err();
        assert_eq!(error.to_string(), "`port` must be from 1 to 65535");
    }

    #[test]
    fn it_waits_for_events() {
        let bench = Bench::new(&plugin(), "knock", [("port", 4000)]);
        assert_eq!(bench.description().channels().len(), 2);
    }
}
