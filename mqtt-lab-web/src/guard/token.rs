//! The web token: in a header, or in the cookie that a login sets.

use std::fmt;
use std::hint::black_box;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::api::ApiError;

const COOKIE: &str = "mqtt_lab_token";
/// Longest token, in bytes.
const MAX_BYTES: usize = 256;
/// A wrong token costs this long, and only so many are looked at in that time.
const PENALTY: Duration = Duration::from_millis(250);
const WRONG_AT_ONCE: usize = 16;

/// What a visitor must know.
pub(crate) struct Token {
    secret: String,
    wrong: Semaphore,
}

/// Whether a text can be a token: in a header, and in a cookie.
pub(crate) fn is_usable(secret: &str) -> bool {
    let travels = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b',' | b';' | b'\\');
    !secret.is_empty() && secret.len() <= MAX_BYTES && secret.bytes().all(travels)
}

impl Token {
    /// `None`: it could not travel in a cookie (RFC 6265, cookie-octet).
    pub(crate) fn new(secret: &str) -> Option<Self> {
        is_usable(secret).then(|| Self { secret: secret.to_owned(), wrong: Semaphore::new(WRONG_AT_ONCE) })
    }

    /// Looks for the token in `Authorization` and cookie.
    pub(crate) async fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let presented: Vec<_> = bearer(headers).into_iter().chain(cookies(headers)).collect();
        if presented.is_empty() {
            return Err(ApiError::unauthorized("this lab needs a token"));
        }
        if presented.iter().any(|presented| self.is(presented)) { Ok(()) } else { Err(self.wrong().await) }
    }

    /// Checks what was typed in; the cookie to set if it is right.
    pub(crate) async fn login(&self, typed: &str) -> Result<String, ApiError> {
        if !self.is(typed) {
            return Err(self.wrong().await);
        }
        Ok(format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000", self.secret))
    }

    /// Takes the same time wherever the first difference is.
    fn is(&self, presented: &str) -> bool {
        let (secret, presented) = (self.secret.as_bytes(), presented.as_bytes());
        let pairs = secret.iter().enumerate();
        let difference = pairs.fold(secret.len() ^ presented.len(), |sum, (i, byte)| {
            black_box(sum | usize::from(byte ^ presented.get(i).copied().unwrap_or(!byte)))
        });
        black_box(difference) == 0
    }

    /// Guessing is slow, and does not slow others down.
    async fn wrong(&self) -> ApiError {
        let Ok(_permit) = self.wrong.try_acquire() else {
            return ApiError::too_many("too many wrong tokens at once; try again");
        };
        sleep(PENALTY).await;
        ApiError::unauthorized("the token is wrong")
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value)
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

    #[tokio::test(start_paused = true)]
    async fn guessing_is_slow() {
        let token = Token::new("geheim").unwrap();
        let begin = tokio::time::Instant::now();
        assert!(token.login("falsch").await.is_err());
        assert!(begin.elapsed() >= PENALTY);
    }

    #[test]
    fn it_never_shows_itself() {
        assert_eq!(format!("{:?}", Token::new("geheim").unwrap()), "Token(…)");
    }
}
