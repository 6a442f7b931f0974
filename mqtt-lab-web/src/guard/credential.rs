//! What a request presents to be let in.

use axum::http::{HeaderMap, header};

use crate::api::ApiError;

/// The one thing that a request presents. Several would be several guesses at the price of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// The web token, as `Authorization: Bearer`.
    Token(&'a str),
    /// The id of a login, in the cookie.
    Login(&'a str),
}

impl<'a> Credential<'a> {
    /// Returns what `headers` present; the cookie is called `cookie`.
    ///
    /// # Errors
    ///
    /// 400 if there are several.
    pub(crate) fn of(headers: &'a HeaderMap, cookie: &str) -> Result<Option<Self>, ApiError> {
        let mut all = bearers(headers).map(Self::Token).chain(cookies(headers, cookie).map(Self::Login));
        match (all.next(), all.next()) {
            (only, None) => Ok(only),
            _ => Err(ApiError::bad_request(format!(
                "the request has more than one token or cookie `{cookie}`; send one of them, once"
            ))),
        }
    }
}

fn bearers(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::AUTHORIZATION).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.filter_map(|line| line.trim_start().split_once(' '));
    pairs.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim())
}

fn cookies<'a>(headers: &'a HeaderMap, cookie: &str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(name, _)| *name == cookie).map(|(_, value)| value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        lines.iter().fold(HeaderMap::new(), |mut all, (name, value)| {
            all.append(name.clone(), HeaderValue::from_str(value).unwrap());
            all
        })
    }

    #[test]
    fn one_credential_is_found_wherever_it_is() {
        for (line, expected) in [
            ((header::AUTHORIZATION, "Bearer a"), Some(Credential::Token("a"))),
            ((header::AUTHORIZATION, "bearer  a "), Some(Credential::Token("a"))),
            ((header::AUTHORIZATION, "Basic a"), None),
            ((header::COOKIE, "x=y; lab=b; z=1"), Some(Credential::Login("b"))),
            ((header::COOKIE, "lab2=b"), None),
        ] {
            assert_eq!(Credential::of(&headers(&[line]), "lab").unwrap(), expected);
        }
    }

    #[test]
    fn several_are_refused() {
        let (authorization, cookie) = (header::AUTHORIZATION, header::COOKIE);
        for lines in [
            vec![(authorization.clone(), "Bearer a"), (authorization.clone(), "Bearer b")],
            vec![(authorization, "Bearer a"), (cookie.clone(), "lab=b")],
            vec![(cookie.clone(), "lab=a; lab=b")],
            vec![(cookie.clone(), "lab=a"), (cookie, "lab=a")],
        ] {
            assert!(Credential::of(&headers(&lines), "lab").is_err(), "{lines:?}");
        }
    }
}
