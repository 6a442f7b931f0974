//! Quality of service.

use core::fmt;

/// Quality of service of one message (MQTT 5.0 section 4.3).
///
/// It counts for one hop: publisher to broker, or broker to subscriber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qos {
    /// QoS 0, at most once: sent and forgotten.
    AtMostOnce,
    /// QoS 1, at least once: acknowledged by PUBACK, may arrive twice.
    #[default]
    AtLeastOnce,
    /// QoS 2, exactly once: PUBREC, PUBREL, PUBCOMP.
    ExactlyOnce,
}

impl Qos {
    /// The two bits that travel: 0, 1 or 2.
    #[must_use]
    pub const fn level(self) -> u8 {
        self as u8
    }

    /// The QoS of a level, `None` above 2.
    #[must_use]
    pub const fn from_level(level: u8) -> Option<Self> {
        match level {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

impl fmt::Display for Qos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.level())
    }
}

#[cfg(feature = "alloc")]
impl serde::Serialize for Qos {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.level())
    }
}

#[cfg(feature = "alloc")]
impl<'de> serde::Deserialize<'de> for Qos {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let level = u8::deserialize(deserializer)?;
        Self::from_level(level)
            .ok_or_else(|| serde::de::Error::custom(format_args!("QoS is 0, 1 or 2, not {level}")))
    }
}
