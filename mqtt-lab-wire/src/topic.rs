//! Topic strings: the only place that makes or reads them.

use core::fmt;

/// Longest word of an own name (root level, group, device, channel), in bytes.
pub const MAX_WORD_BYTES: usize = 64;

/// Longest group, device or channel accepted from a foreign client, in bytes.
pub(crate) const MAX_FOREIGN_BYTES: usize = 256;

/// Checks an own name: 1 to 64 of `a-z 0-9 -`; a framework's own channel begins with `$`.
///
/// # Errors
///
/// [`TopicError::Word`] for anything else.
pub fn check_word(word: &str) -> Result<(), TopicError> {
    let letters = word.strip_prefix('$').unwrap_or(word);
    let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if letters.is_empty() || word.len() > MAX_WORD_BYTES || !letters.bytes().all(valid) {
        return Err(TopicError::Word);
    }
    Ok(())
}

/// Why a name or a topic is not one of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopicError {
    /// An own name with other characters than `a-z 0-9 -`, or too long, or empty.
    Word,
    /// Not below this lab's root.
    ForeignRoot,
    /// Neither `<root>/<group>/<device>/<channel>` nor `<root>/<group>/<device>`.
    Levels,
    /// A name beginning with `$` that the framework does not know.
    UnknownPart,
    /// Longer than any name is accepted.
    TooLong,
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Word => "a name has 1 to 64 of the characters `a-z`, `0-9` and `-`",
            Self::ForeignRoot => "the topic is not below the root of this lab",
            Self::Levels => "the topic is not of the form `<root>/<group>/<device>/<channel>`",
            Self::UnknownPart => "the topic ends in a `$` name that the framework does not know",
            Self::TooLong => "a level of the topic is longer than 256 bytes",
        })
    }
}

impl core::error::Error for TopicError {}

/// Where a device lives: `<root>/<group>/<device>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address<'a> {
    root: &'a str,
    group: &'a str,
    device: &'a str,
}

impl<'a> Address<'a> {
    /// The address of an own device. The root may have several levels (`university/lab`).
    ///
    /// # Errors
    ///
    /// [`TopicError::Word`] when a name has other characters than `a-z 0-9 -`.
    pub fn new(root: &'a str, group: &'a str, device: &'a str) -> Result<Self, TopicError> {
        for word in root.split('/').chain([group, device]) {
            check_word(word)?;
            if word.starts_with('$') {
                return Err(TopicError::Word);
            }
        }
        Ok(Self { root, group, device })
    }

    /// The address of any device, own or foreign: names as [`Topic::parse`] returned them.
    #[must_use]
    pub const fn of_foreign(root: &'a str, group: &'a str, device: &'a str) -> Self {
        Self { root, group, device }
    }

    /// The topic of a channel's samples.
    #[must_use]
    pub const fn channel(&self, channel: &'a str) -> TopicName<'a> {
        self.name(Some(channel), "")
    }

    /// The topic of commands to a channel.
    #[must_use]
    pub const fn set(&self, channel: &'a str) -> TopicName<'a> {
        self.name(Some(channel), "/set")
    }

    /// The topic of the answers to commands.
    #[must_use]
    pub const fn result(&self, channel: &'a str) -> TopicName<'a> {
        self.name(Some(channel), "/result")
    }

    /// The filter for the commands to all channels of this device.
    #[must_use]
    pub const fn all_commands(&self) -> TopicName<'a> {
        self.name(None, "/+/set")
    }

    /// The topic of the device's state, and of its default last will.
    #[must_use]
    pub const fn state(&self) -> TopicName<'a> {
        self.name(None, "/$state")
    }

    /// The topic of the device's description.
    #[must_use]
    pub const fn info(&self) -> TopicName<'a> {
        self.name(None, "/$info")
    }

    /// The topic of the device's sample count.
    #[must_use]
    pub const fn stats(&self) -> TopicName<'a> {
        self.name(None, "/$stats")
    }

    /// The topic of the device's error in words.
    #[must_use]
    pub const fn error(&self) -> TopicName<'a> {
        self.name(None, "/$error")
    }

    const fn name(&self, channel: Option<&'a str>, end: &'static str) -> TopicName<'a> {
        TopicName { address: *self, channel, end }
    }
}

/// A topic that writes itself: into a `String`, a fixed buffer, a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicName<'a> {
    address: Address<'a>,
    channel: Option<&'a str>,
    end: &'static str,
}

impl fmt::Display for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { root, group, device } = self.address;
        write!(f, "{root}/{group}/{device}")?;
        if let Some(channel) = self.channel {
            write!(f, "/{channel}")?;
        }
        f.write_str(self.end)
    }
}

/// What a topic is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The device's own topic: values of several channels, from a foreign client.
    Reading,
    /// A channel's sample. A foreign channel may have several levels.
    Sample(&'a str),
    /// A command to a channel.
    Set(&'a str),
    /// The answer to a command.
    Result(&'a str),
    /// `$state`.
    State,
    /// `$info`.
    Info,
    /// `$stats`.
    Stats,
    /// `$error`.
    Error,
}

/// A topic of the lab, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic<'a> {
    /// The second level: a class, team or room.
    pub group: &'a str,
    /// The device.
    pub device: &'a str,
    /// What it is about.
    pub part: Part<'a>,
}

impl<'a> Topic<'a> {
    /// Reads a topic below `root`: of a device, a channel, or what is below. Foreign names are accepted as they are.
    ///
    /// # Errors
    ///
    /// [`TopicError`] when it is not below `root`, has too few levels, an empty or overlong one, or
    /// an unknown `$` name.
    pub fn parse(root: &str, topic: &'a str) -> Result<Self, TopicError> {
        let below = topic.strip_prefix(root).and_then(|t| t.strip_prefix('/'));
        let mut levels = below.ok_or(TopicError::ForeignRoot)?.splitn(3, '/');
        let (Some(group), Some(device), rest) = (levels.next(), levels.next(), levels.next()) else {
            return Err(TopicError::Levels);
        };
        if [group, device]
            .into_iter()
            .chain(rest.into_iter().flat_map(|rest| rest.split('/')))
            .any(str::is_empty)
        {
            return Err(TopicError::Levels);
        }
        if [group, device, rest.unwrap_or_default()].iter().any(|level| level.len() > MAX_FOREIGN_BYTES) {
            return Err(TopicError::TooLong);
        }
        Ok(Self { group, device, part: rest.map_or(Ok(Part::Reading), Part::parse)? })
    }

    /// The filter for everything below `root`.
    #[must_use]
    pub const fn all(root: &str) -> impl fmt::Display {
        Below(root, "#")
    }

    /// The topic of a channel that is written as `group/device/channel`, as in `inputs`.
    #[must_use]
    pub const fn of_channel(root: &'a str, path: &'a str) -> impl fmt::Display + 'a {
        Below(root, path)
    }
}

struct Below<'a>(&'a str, &'a str);

impl fmt::Display for Below<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, self.1)
    }
}

impl<'a> Part<'a> {
    fn parse(rest: &'a str) -> Result<Self, TopicError> {
        let (channel, end) = rest.rsplit_once('/').unwrap_or((rest, ""));
        match (rest, end) {
            ("$state", _) => Ok(Self::State),
            ("$info", _) => Ok(Self::Info),
            ("$stats", _) => Ok(Self::Stats),
            ("$error", _) => Ok(Self::Error),
            ("$interval" | "$qos" | "$paused", _) => Ok(Self::Sample(rest)),
            (_, "set") => Self::known(channel).map(Self::Set),
            (_, "result") => Self::known(channel).map(Self::Result),
            _ => Self::known(rest).map(Self::Sample),
        }
    }

    fn known(channel: &'a str) -> Result<&'a str, TopicError> {
        let own = matches!(channel, "$interval" | "$qos" | "$paused");
        if channel.starts_with('$') && !own { Err(TopicError::UnknownPart) } else { Ok(channel) }
    }
}
