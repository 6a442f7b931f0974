//! The life of a device in five words.

use crate::DecodeError;
use crate::sample::trimmed;
use core::fmt;

/// What a device, or its last will, says on `$state` (retained).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Connected, not yet able to measure; also while it is being restarted after an error.
    Init,
    /// Connected and working.
    Ready,
    /// Connected and paused.
    Sleeping,
    /// Said goodbye: an orderly stop.
    Disconnected,
    /// Gone without a goodbye: the broker published its last will (MQTT-3.1.2-8).
    Lost,
}

impl State {
    /// The word that travels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Ready => "ready",
            Self::Sleeping => "sleeping",
            Self::Disconnected => "disconnected",
            Self::Lost => "lost",
        }
    }

    /// Reads the payload of `$state`.
    ///
    /// # Errors
    ///
    /// [`DecodeError::UnknownWord`] for any other word, [`DecodeError::NotUtf8`] for what is no text.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let word = trimmed(payload)?;
        [Self::Init, Self::Ready, Self::Sleeping, Self::Disconnected, Self::Lost]
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or(DecodeError::UnknownWord)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
