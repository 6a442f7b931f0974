//! The web token.

use std::fmt;
use std::hint::black_box;

use sha2::{Digest, Sha256};

/// Longest token, in bytes.
const MAX_BYTES: usize = 256;

/// What a visitor must know, as its hash.
pub(crate) struct Token([u8; 32]);

/// Whether a text can be a token: in a header, and in a cookie.
pub(crate) fn is_usable(secret: &str) -> bool {
    let travels = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b',' | b';' | b'\\');
    !secret.is_empty() && secret.len() <= MAX_BYTES && secret.bytes().all(travels)
}

impl Token {
    /// `None`: it could not be sent in a header.
    pub(crate) fn new(secret: &str) -> Option<Self> {
        is_usable(secret).then(|| Self(Sha256::digest(secret).into()))
    }

    /// Whether `presented` is the token. Takes the same time wherever the first difference is, because hashes are
    /// compared, and all their bytes.
    pub(crate) fn is(&self, presented: &str) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented).into();
        let pairs = self.0.iter().zip(presented);
        black_box(pairs.fold(0, |difference, (a, b)| black_box(difference | (a ^ b)))) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_is_the_token() {
        let token = Token::new("geheim").unwrap();
        assert!(token.is("geheim"));
        for wrong in ["", "geheiM", "geheim ", "gehei", "geheimgeheim"] {
            assert!(!token.is(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_token_that_cannot_travel_is_none() {
        for bad in ["", "a b", "a;b", "a\"b", "ä", &"x".repeat(257)] {
            assert!(Token::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn it_never_shows_itself() {
        assert_eq!(format!("{:?}", Token::new("geheim").unwrap()), "Token(…)");
    }
}
