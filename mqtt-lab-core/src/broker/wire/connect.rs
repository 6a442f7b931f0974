//! CONNECT.

use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;
use serde::{Deserialize, Serialize};

use super::super::message::{Extras, Message};
use super::read::{header_5, header_311, level};
use super::{Wrong, detach};
use crate::frame::Frame;
use crate::link::Version;
use crate::reason;
use crate::text::{text, topic_name};

/// What a client says first, in the words of MQTT 5.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Connect {
    pub(in super::super) version: Version,
    /// Empty: the broker chooses one.
    pub(in super::super) client_id: String,
    pub(in super::super) clean: bool,
    /// How long the session outlives the connection; `u32::MAX`: for ever.
    pub(in super::super) expiry_s: u32,
    /// 0: no limit.
    pub(in super::super) keep_alive_s: u16,
    pub(in super::super) receive_max: u16,
    /// Largest packet that the client takes, in bytes.
    pub(in super::super) max_packet: u32,
    pub(in super::super) will: Option<Will>,
    pub(in super::super) user: String,
    pub(in super::super) password: String,
}

/// A last will. On disk its fields are never reordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Will {
    pub(in super::super) message: Message,
    pub(in super::super) delay_s: u32,
    /// The life of its message, from when it is published.
    pub(in super::super) life_s: Option<u32>,
}

/// A CONNECT that is not accepted, and the version in which to say so.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Refused {
    pub(in super::super) version: Version,
    pub(in super::super) wrong: Wrong,
}

/// Messages under way to a client of 3.1.1, which cannot say how many it takes. As many as mosquitto sends:
/// what a cut repeats stays within what a device remembers.
const RECEIVE_MAX_311: u16 = 20;
/// The connect flag that must be 0 (MQTT-3.1.2-3).
const RESERVED: u8 = 1;
const HAS_WILL: u8 = 4;
const WILL_FLAGS: u8 = 0b0011_1000;

impl Connect {
    pub(in super::super) fn read(frame: &Frame) -> Result<Self, Refused> {
        let (version, flags) = match frame.content() {
            [0, 4, b'M', b'Q', b'T', b'T', 4, flags, ..] => (Version::V311, *flags),
            [0, 4, b'M', b'Q', b'T', b'T', 5, flags, ..] => (Version::V5, *flags),
            _ => {
                let problem = "neither MQTT 3.1.1 nor MQTT 5.0 was asked for";
                let wrong = Wrong::new(reason::UNSUPPORTED_VERSION, problem);
                return Err(Refused { version: Version::V311, wrong });
            }
        };
        let read = if flags & RESERVED != 0 || (flags & HAS_WILL == 0 && flags & WILL_FLAGS != 0) {
            Err(Wrong::new(reason::MALFORMED, "CONNECT has flags that MQTT does not allow"))
        } else {
            match version {
                Version::V311 => read_311(frame),
                Version::V5 => read_5(frame),
            }
        };
        read.and_then(Self::checked).map_err(|wrong| Refused { version, wrong })
    }

    fn checked(self) -> Result<Self, Wrong> {
        if self.client_id.is_empty() {
            // MQTT-3.1.3-8: without an id there is no session to come back to.
            if self.version == Version::V311 && !self.clean {
                return Err(Wrong::new(reason::CLIENT_ID, "an empty client id needs a clean session"));
            }
        } else {
            text(&self.client_id)
                .map_err(|problem| Wrong::new(reason::CLIENT_ID, format!("the client id {problem}")))?;
        }
        if let Some(will) = &self.will {
            topic_name(&will.message.topic)
                .map_err(|problem| Wrong::new(reason::TOPIC_NAME, format!("the will's topic {problem}")))?;
        }
        if self.receive_max == 0 || self.max_packet == 0 {
            return Err(Wrong::new(reason::PROTOCOL_ERROR, "a receive maximum or packet size of 0"));
        }
        Ok(self)
    }
}

fn read_311(frame: &Frame) -> Result<Connect, Wrong> {
    let packet =
        v4::Connect::read(header_311(frame), frame.bytes.clone()).map_err(|error| frame.malformed(error))?;
    let will = packet.last_will.map(|will| Will {
        message: Message {
            topic: will.topic.into(),
            payload: detach(will.message),
            qos: level(will.qos as u8),
            retain: will.retain,
            expires_ms: None,
            extras: None,
        },
        delay_s: 0,
        life_s: None,
    });
    let (user, password) = packet.login.map(|login| (login.username, login.password)).unwrap_or_default();
    Ok(Connect {
        version: Version::V311,
        client_id: packet.client_id,
        clean: packet.clean_session,
        // A session of 3.1.1 ends with the connection, or never.
        expiry_s: if packet.clean_session { 0 } else { u32::MAX },
        keep_alive_s: packet.keep_alive,
        receive_max: RECEIVE_MAX_311,
        max_packet: u32::MAX,
        will,
        user,
        password,
    })
}

fn read_5(frame: &Frame) -> Result<Connect, Wrong> {
    let read = v5::Connect::read(header_5(frame), frame.bytes.clone());
    let (packet, will, login) = read.map_err(|error| frame.malformed(error))?;
    let properties = packet.properties.unwrap_or_else(v5::ConnectProperties::new);
    if properties.authentication_method.is_some() {
        return Err(Wrong::new(reason::AUTHENTICATION_METHOD, "only user name and password are known"));
    }
    let (user, password) = login.map(|login| (login.username, login.password)).unwrap_or_default();
    Ok(Connect {
        version: Version::V5,
        client_id: packet.client_id,
        clean: packet.clean_start,
        expiry_s: properties.session_expiry_interval.unwrap_or(0),
        keep_alive_s: packet.keep_alive,
        receive_max: properties.receive_maximum.unwrap_or(u16::MAX),
        max_packet: properties.max_packet_size.unwrap_or(u32::MAX),
        will: will.map(|will| read_will(will, frame)).transpose()?,
        user,
        password,
    })
}

fn read_will(will: v5::LastWill, frame: &Frame) -> Result<Will, Wrong> {
    let topic = String::from_utf8(will.topic.to_vec()).map_err(|error| frame.malformed(error))?;
    let (delay_s, life_s, extras) = match will.properties {
        None => (0, None, None),
        Some(own) => {
            let extras = Extras {
                payload_format: own.payload_format_indicator,
                response_topic: own.response_topic,
                correlation_data: own.correlation_data.map(detach),
                content_type: own.content_type,
                user_properties: own.user_properties,
            };
            (own.delay_interval.unwrap_or(0), own.message_expiry_interval, extras.boxed())
        }
    };
    let message = Message {
        topic: topic.into(),
        payload: detach(will.message),
        qos: level(will.qos as u8),
        retain: will.retain,
        expires_ms: None,
        extras,
    };
    Ok(Will { message, delay_s, life_s })
}
