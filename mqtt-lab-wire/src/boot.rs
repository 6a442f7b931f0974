//! The identity of one life of a device.

use core::{fmt, str::FromStr};

/// Longest boot id, in bytes.
const MAX: usize = 12;

/// Names one life of a device: from its start to its end, 1 to 12 of `A-Z a-z 0-9 - _`.
///
/// Together with the sample's number it makes every loss and every duplicate countable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BootId {
    bytes: [u8; MAX],
    len: u8,
}

impl BootId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }

    /// Six characters made of `random`.
    #[must_use]
    pub fn from_random(mut random: u64) -> Self {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut bytes = [0; MAX];
        for byte in &mut bytes[..6] {
            *byte = DIGITS[(random & 31) as usize];
            random >>= 5;
        }
        Self { bytes, len: 6 }
    }
}

impl FromStr for BootId {
    type Err = BootIdError;

    fn from_str(text: &str) -> Result<Self, BootIdError> {
        let valid = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if text.is_empty() || text.len() > MAX || !text.as_bytes().iter().all(valid) {
            return Err(BootIdError);
        }
        let mut bytes = [0; MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        #[allow(clippy::cast_possible_truncation, reason = "at most 12")]
        Ok(Self { bytes, len: text.len() as u8 })
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootId({})", self.as_str())
    }
}

/// A text that is no boot id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootIdError;

impl fmt::Display for BootIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a boot id has 1 to {MAX} letters, digits, `-` or `_`")
    }
}

impl core::error::Error for BootIdError {}

#[cfg(feature = "alloc")]
impl serde::Serialize for BootId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "alloc")]
impl<'de> serde::Deserialize<'de> for BootId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        alloc::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
