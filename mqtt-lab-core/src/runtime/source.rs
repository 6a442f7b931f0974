//! What is known of a device that another one follows.

use mqtt_lab_wire::Info;

/// Whether a source exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Source {
    /// It has sent nothing.
    #[default]
    Unknown,
    /// It sends values and has not described itself.
    Undescribed,
    /// It describes itself, with the channel.
    Described,
    /// It described itself in an earlier session of ours.
    Lapsed,
    /// It describes itself, without the channel.
    WithoutChannel,
    /// Its description, or the retained value of a source without one, was cleared.
    Removed,
}

impl Source {
    /// It has sent a value.
    pub(super) fn sent(&mut self) {
        if !matches!(self, Self::Described) {
            *self = Self::Undescribed;
        }
    }

    /// Its retained value was cleared: with a description it exists all the same.
    pub(super) fn cleared(&mut self) {
        if matches!(self, Self::Unknown | Self::Undescribed) {
            *self = Self::Removed;
        }
    }

    /// It has described itself; with an empty payload it was removed.
    pub(super) fn described(&mut self, channel: &str, payload: &[u8]) {
        *self = match Info::decode(payload) {
            _ if payload.is_empty() => Self::Removed,
            Ok(info) if !info.channels.iter().any(|known| known.name == channel) => Self::WithoutChannel,
            // One that cannot be read is no proof of anything.
            Ok(_) | Err(_) => Self::Described,
        };
    }

    /// Our session is gone, and with it what the source has sent meanwhile. The broker keeps descriptions.
    pub(super) fn lapsed(&mut self) {
        if matches!(self, Self::Described | Self::WithoutChannel) {
            *self = Self::Lapsed;
        }
    }

    /// What a follower should know.
    pub(super) const fn problem(self) -> Option<&'static str> {
        match self {
            Self::Undescribed | Self::Described => None,
            Self::Unknown => Some("its source does not exist or has sent nothing yet"),
            Self::WithoutChannel => Some("its source has no such channel"),
            Self::Lapsed | Self::Removed => Some("its source was removed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &[u8] = br#"{"schema":1,"channels":[{"name":"power","datatype":"float"}]}"#;

    #[test]
    fn a_described_source_may_clear_its_value() {
        let mut source = Source::default();
        assert!(source.problem().is_some());
        source.described("power", INFO);
        source.sent();
        source.cleared();
        assert_eq!(source, Source::Described);
        source.described("power", b"");
        assert_eq!(source, Source::Removed);
        source.described("level", INFO);
        assert_eq!(source, Source::WithoutChannel);
    }

    #[test]
    fn a_foreign_source_is_removed_with_its_value() {
        let mut source = Source::default();
        source.sent();
        source.lapsed();
        assert_eq!(source.problem(), None, "the broker need not keep its values");
        source.cleared();
        assert_eq!(source, Source::Removed);
        source.sent();
        assert_eq!(source.problem(), None);
    }

    #[test]
    fn a_removal_may_be_missed_without_a_session() {
        let mut source = Source::default();
        source.described("power", INFO);
        source.lapsed();
        assert!(source.problem().is_some());
        source.described("power", INFO);
        assert_eq!(source.problem(), None);
    }
}
