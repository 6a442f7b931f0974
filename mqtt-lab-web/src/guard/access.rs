//! Lets visitors in: by the token, or by a login that the token began.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::HeaderMap;

use super::credential::Credential;
use super::logins::{LIFETIME, LoggedIn, Logins};
use super::tries::Tries;
use super::{Connection, Peer, Proxies, Token, Visitor};
use crate::api::ApiError;
use crate::problem::Problem;

/// Who is let in.
#[derive(Debug)]
pub(crate) struct Access {
    /// Not set: everyone who reaches the address.
    token: Option<Token>,
    proxies: Proxies,
    /// The cookie's name. Browsers send a cookie to every port of a host: with the port in its name, two labs on one
    /// computer do not overwrite each other's.
    cookie: String,
    logins: Logins,
    tries: Tries,
}

impl Access {
    /// `port` is that of the dashboard.
    pub(crate) fn new(token: Option<Token>, proxies: Proxies, port: u16) -> Self {
        let cookie = format!("mqtt_lab_login_{port}");
        Self { token, proxies, cookie, logins: Logins::default(), tries: Tries::default() }
    }

    pub(crate) const fn needs_token(&self) -> bool {
        self.token.is_some()
    }

    /// Who sent a request. Without a connection (a router without socket) it is the lab's own computer.
    pub(crate) fn visitor(&self, connection: Option<&Connection>, headers: &HeaderMap) -> Visitor {
        match connection {
            Some(connection) => self.proxies.visitor(connection.address, headers),
            None => Visitor { peer: Peer::OWN_COMPUTER, forwarded: false, https: false },
        }
    }

    pub(crate) const fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    /// Lets a request in by what it presents.
    ///
    /// A login is judged at once: its id cannot be guessed, and whoever has one must not wait for neighbours who guess
    /// the token. A connection that presented the right token is not delayed either.
    ///
    /// # Errors
    ///
    /// 401 without a valid credential, 400 with several, 429 when too many tries are waiting.
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        visitor: Visitor,
        connection: Option<&Connection>,
    ) -> Result<Option<LoggedIn>, ApiError> {
        let Some(token) = &self.token else { return Ok(None) };
        let presented = match Credential::of(headers, &self.cookie)? {
            None => return Err(ApiError::unauthorized("this lab needs a token")),
            Some(Credential::Login(id)) => {
                let found = self.logins.find(id).map(Some);
                return found.ok_or_else(|| ApiError::unauthorized("the login has ended; log in again"));
            }
            Some(Credential::Token(presented)) => presented,
        };
        // A proxy's connection carries the requests of many visitors.
        let proven = connection.filter(|_| !visitor.forwarded).map(|connection| &connection.proven);
        let proves_again =
            proven.is_some_and(|proven| proven.swap(false, Ordering::AcqRel)) && token.is(presented);
        if !proves_again {
            self.judge(token, presented, visitor.peer).await?;
        }
        proven.inspect(|proven| proven.store(true, Ordering::Release));
        Ok(None)
    }

    /// Checks what was typed in; returns the cookie to set, or nothing if this lab needs no token.
    ///
    /// # Errors
    ///
    /// 401 if it is wrong, 429 when too many tries are waiting.
    pub(crate) async fn log_in(&self, typed: &str, visitor: Visitor) -> Result<Option<String>, ApiError> {
        let Some(token) = &self.token else { return Ok(None) };
        self.judge(token, typed, visitor.peer).await?;
        Ok(Some(self.set_cookie(&self.logins.begin(), LIFETIME, visitor.https)))
    }

    /// Ends the logins that `headers` present; returns the cookie that takes theirs away.
    pub(crate) fn log_out(&self, headers: &HeaderMap, visitor: Visitor) -> String {
        if let Ok(Some(Credential::Login(id))) = Credential::of(headers, &self.cookie) {
            self.logins.end(id);
        }
        self.set_cookie("", Duration::ZERO, visitor.https)
    }

    fn set_cookie(&self, value: &str, age: Duration, https: bool) -> String {
        let secure = if https { "; Secure" } else { "" };
        let (name, age) = (&self.cookie, age.as_secs());
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}")
    }

    /// Compares once the address may have another try.
    async fn judge(&self, token: &Token, presented: &str, peer: Peer) -> Result<(), ApiError> {
        let refused = |wait: Duration| Problem::TooManyTries { seconds: wait.as_secs() + 1 };
        self.tries.wait(peer).await.map_err(refused)?;
        if token.is(presented) {
            self.tries.was_right(peer);
            return Ok(());
        }
        self.tries.was_wrong(peer);
        Err(ApiError::unauthorized("the token is wrong"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use axum::http::{HeaderValue, StatusCode, header};
    use axum::response::IntoResponse;
    use tokio::time::Instant;

    use super::*;

    fn access() -> Access {
        Access::new(Token::new("geheim"), Proxies::new(&["10.0.0.1".to_owned()]).unwrap(), 8080)
    }

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    fn neighbour() -> (Connection, Visitor) {
        let connection = Connection::new("192.0.2.1".parse().unwrap());
        let visitor = access().visitor(Some(&connection), &HeaderMap::new());
        (connection, visitor)
    }

    async fn guess(access: &Access, visitor: Visitor) -> StatusCode {
        access.log_in("falsch", visitor).await.unwrap_err().into_response().status()
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_and_a_proven_connection_do_not_wait_for_neighbours_that_guess() {
        let (access, (connection, visitor)) = (access(), neighbour());
        let cookie = access.log_in("geheim", visitor).await.unwrap().unwrap();
        let cookie = headers(header::COOKIE, cookie.split(';').next().unwrap());
        let bearer = headers(header::AUTHORIZATION, "Bearer geheim");
        assert!(access.admit(&bearer, visitor, Some(&connection)).await.is_ok());
        for _ in 0..10 {
            assert_eq!(guess(&access, visitor).await, StatusCode::UNAUTHORIZED);
        }
        let begin = Instant::now();
        assert!(access.admit(&cookie, visitor, None).await.unwrap().is_some());
        for _ in 0..3 {
            assert!(access.admit(&bearer, visitor, Some(&connection)).await.is_ok());
        }
        assert_eq!(begin.elapsed(), Duration::ZERO);
        let (new, _) = neighbour();
        assert!(access.admit(&bearer, visitor, Some(&new)).await.is_ok());
        assert!(begin.elapsed() >= Duration::from_secs(1), "a new connection waits for its turn");
    }

    #[tokio::test(start_paused = true)]
    async fn a_proven_connection_does_not_help_to_guess() {
        let (access, (connection, visitor)) = (access(), neighbour());
        let right = headers(header::AUTHORIZATION, "Bearer geheim");
        let wrong = headers(header::AUTHORIZATION, "Bearer falsch");
        assert!(access.admit(&right, visitor, Some(&connection)).await.is_ok());
        let begin = Instant::now();
        for _ in 0..5 {
            assert!(access.admit(&wrong, visitor, Some(&connection)).await.is_err());
        }
        assert!(begin.elapsed() >= Duration::from_millis(3_750), "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn the_cookie_is_secure_behind_a_proxy_with_https() {
        let access = access();
        let proxy = Connection::new("10.0.0.1".parse().unwrap());
        let https = access.visitor(Some(&proxy), &headers("x-forwarded-proto".parse().unwrap(), "https"));
        let cookie = access.log_in("geheim", https).await.unwrap().unwrap();
        assert!(cookie.starts_with("mqtt_lab_login_8080=") && cookie.ends_with("; Secure"), "{cookie}");
        let (_, direct) = neighbour();
        let cookie = access.log_in("geheim", direct).await.unwrap().unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Strict; Max-Age=43200") && !cookie.contains("Secure"));
    }

    #[tokio::test]
    async fn a_logout_ends_the_login() {
        let (access, (_, visitor)) = (access(), neighbour());
        let cookie = access.log_in("geheim", visitor).await.unwrap().unwrap();
        let cookie = headers(header::COOKIE, cookie.split(';').next().unwrap());
        assert!(access.admit(&cookie, visitor, None).await.is_ok());
        assert!(access.log_out(&cookie, visitor).contains("Max-Age=0"));
        assert!(access.admit(&cookie, visitor, None).await.is_err());
    }
}
