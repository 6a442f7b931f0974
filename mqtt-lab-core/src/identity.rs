//! Which lab this is among all labs at the same broker: the last part of every client id.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// Longest word, in characters.
const LONGEST: usize = 32;

/// Length of a random word, in characters.
const RANDOM: usize = 8;

/// Name of the file that keeps a word.
const FILE: &str = "identity";

/// A word that tells a lab from all others at the same broker.
///
/// Two clients with one client id disconnect each other (MQTT-3.1.4-3), so every client id of a lab ends in
/// its word: `<root>_<group>_<device>_<word>`. The word must stay the same from one run to the next, or the
/// broker keeps sessions that nobody continues; keep it with the lab's data.
///
/// ```
/// # use mqtt_lab_core::Identity;
/// let word: Identity = "room42".parse()?;
/// assert_eq!(word.client_id("school/lab", "demo", "lamp"), "school.lab_demo_lamp_room42");
/// # Ok::<(), mqtt_lab_core::IdentityError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity(Arc<str>);

/// A text that is no [`Identity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the word of a lab has 1 to {LONGEST} of the characters `a-z` and `0-9`")]
pub struct IdentityError;

impl Identity {
    /// Returns a random word of eight characters.
    #[must_use]
    pub fn random() -> Self {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let digit = |_| char::from(DIGITS[rand::random_range(0..DIGITS.len())]);
        Self((0..RANDOM).map(digit).collect::<String>().into())
    }

    /// Returns the word that the file `identity` in `folder` keeps. If there is none, one is drawn and written.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written, or holds something else than a word.
    pub fn in_folder(folder: impl AsRef<Path>) -> io::Result<Self> {
        let path = folder.as_ref().join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                text.trim().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let word = Self::random();
                std::fs::create_dir_all(folder.as_ref())?;
                std::fs::write(&path, format!("{word}\n"))?;
                Ok(word)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether `folder` keeps a word.
    #[must_use]
    pub fn is_in_folder(folder: impl AsRef<Path>) -> bool {
        folder.as_ref().join(FILE).exists()
    }

    /// Returns the client id of a device of this lab.
    ///
    /// Own names never contain `_` or `.`, so different devices have different ids. A client that belongs to no
    /// group has an empty one.
    #[must_use]
    pub fn client_id(&self, root: &str, group: &str, device: &str) -> String {
        format!("{}_{group}_{device}_{self}", root.replace('/', "."))
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = (1..=LONGEST).contains(&text.len()) && text.bytes().all(valid);
        if fits { Ok(Self(text.into())) } else { Err(IdentityError) }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_devices_have_different_ids() {
        let word = Identity::random();
        let ids = [("lab", "demo-a", "x"), ("lab", "demo", "a-x"), ("lab/demo", "a", "x"), ("lab", "", "x")];
        let ids: std::collections::BTreeSet<_> =
            ids.iter().map(|(root, group, device)| word.client_id(root, group, device)).collect();
        assert_eq!(ids.len(), 4);
    }

    #[test]
    fn a_word_is_kept_in_its_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("data");
        assert!(!Identity::is_in_folder(&path));
        let word = Identity::in_folder(&path).expect("written");
        assert_eq!(Identity::in_folder(&path).expect("read"), word);
        assert!(Identity::is_in_folder(&path));
        std::fs::write(path.join(FILE), "two words").expect("written");
        assert!(Identity::in_folder(&path).is_err());
    }

    #[test]
    fn two_random_words_differ() {
        assert_ne!(Identity::random(), Identity::random());
        let word = Identity::random();
        assert_eq!(word.as_str().parse(), Ok(word));
    }

    #[test]
    fn a_word_has_letters_and_digits_only() {
        for bad in ["", "a_b", "A", "a b", &"x".repeat(33)] {
            assert_eq!(bad.parse::<Identity>(), Err(IdentityError), "{bad}");
        }
    }
}
