//! Packets as bytes, the least that the tests need.

use mqtt_lab_core::link::Version;
use tokio::io::{AsyncRead, AsyncReadExt};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    Connect(Connect),
    Publish(Publish),
    Puback(u16),
    Pubrec(u16),
    Pubrel(u16),
    Pubcomp(u16),
    Subscribe {
        id: u16,
        filters: Vec<(String, u8)>,
    },
    Pingreq,
    Disconnect,
    /// The connection has ended.
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    pub version: Version,
    pub clean: bool,
    pub flags: u8,
    pub bytes: Vec<u8>,
}

impl Connect {
    /// Whether it has the client id of a second connection of the link `device`.
    pub fn is_witness(&self) -> bool {
        self.bytes.windows(7).any(|part| part == b"device_")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Publish {
    pub topic: String,
    pub payload: String,
    pub qos: u8,
    pub dup: bool,
    pub retain: bool,
    pub id: u16,
    pub properties: Vec<u8>,
}

impl Publish {
    /// In short: `D` for DUP, topic, payload, QoS.
    pub fn short(&self) -> String {
        let dup = if self.dup { "D " } else { "" };
        format!("{dup}{} {} {}", self.topic, self.payload, self.qos)
    }
}

/// Takes bytes off the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(count);
        self.0 = rest;
        front
    }

    fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn string(&mut self) -> String {
        let length = self.u16();
        String::from_utf8(self.take(length.into()).to_vec()).unwrap()
    }

    fn properties(&mut self, version: Version) -> Vec<u8> {
        match version {
            Version::V311 => Vec::new(),
            Version::V5 => {
                let (mut length, mut shift) = (0, 0);
                loop {
                    let byte = self.u8();
                    length |= usize::from(byte & 0x7F) << shift;
                    shift += 7;
                    if byte < 0x80 {
                        return self.take(length).to_vec();
                    }
                }
            }
        }
    }
}

/// Reads one packet; `version` is that of the connection.
pub async fn read(stream: &mut (impl AsyncRead + Unpin), version: Version) -> Packet {
    let Ok(head) = stream.read_u8().await else { return Packet::End };
    let (mut length, mut shift) = (0, 0);
    loop {
        let Ok(byte) = stream.read_u8().await else { return Packet::End };
        length |= usize::from(byte & 0x7F) << shift;
        shift += 7;
        if byte < 0x80 {
            break;
        }
    }
    let mut body = vec![0; length];
    if stream.read_exact(&mut body).await.is_err() {
        return Packet::End;
    }
    parse(head, &body, version)
}

fn parse(head: u8, body: &[u8], version: Version) -> Packet {
    let mut cursor = Cursor(body);
    match head {
        0x10 => connect(body),
        0x30..0x40 => Packet::Publish(publish(head, cursor, version)),
        0x40 => Packet::Puback(cursor.u16()),
        0x50 => Packet::Pubrec(cursor.u16()),
        0x62 => Packet::Pubrel(cursor.u16()),
        0x70 => Packet::Pubcomp(cursor.u16()),
        0x82 => {
            let id = cursor.u16();
            cursor.properties(version);
            let mut filters = Vec::new();
            while !cursor.0.is_empty() {
                filters.push((cursor.string(), cursor.u8()));
            }
            Packet::Subscribe { id, filters }
        }
        0xC0 => Packet::Pingreq,
        0xE0 => Packet::Disconnect,
        other => panic!("unexpected packet {other:#04x} {body:?}"),
    }
}

fn connect(body: &[u8]) -> Packet {
    assert_eq!(&body[..6], b"\0\x04MQTT");
    let version = if body[6] == 5 { Version::V5 } else { Version::V311 };
    Packet::Connect(Connect { version, clean: body[7] & 2 != 0, flags: body[7], bytes: body.to_vec() })
}

fn publish(head: u8, mut cursor: Cursor<'_>, version: Version) -> Publish {
    let qos = (head >> 1) & 3;
    let topic = cursor.string();
    let id = if qos > 0 { cursor.u16() } else { 0 };
    let properties = cursor.properties(version);
    let payload = String::from_utf8_lossy(cursor.0).into_owned();
    Publish { topic, payload, qos, dup: head & 8 != 0, retain: head & 1 != 0, id, properties }
}

/// A PUBLISH with an empty list of properties.
pub fn publish_bytes(publish: &Publish, version: Version) -> Vec<u8> {
    let mut body = u16::try_from(publish.topic.len()).unwrap().to_be_bytes().to_vec();
    body.extend(publish.topic.as_bytes());
    if publish.qos > 0 {
        body.extend(publish.id.to_be_bytes());
    }
    if version == Version::V5 {
        body.push(u8::try_from(publish.properties.len()).unwrap());
        body.extend(&publish.properties);
    }
    body.extend(publish.payload.as_bytes());
    let flags = u8::from(publish.dup) << 3 | publish.qos << 1 | u8::from(publish.retain);
    let mut packet = vec![0x30 | flags];
    let mut length = body.len();
    loop {
        let digit = u8::try_from(length % 128).unwrap();
        length /= 128;
        packet.push(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}
