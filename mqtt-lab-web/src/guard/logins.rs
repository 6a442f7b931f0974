//! Who is logged in.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How long a login lasts.
pub(crate) const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// Logins at once; one more ends the oldest. A class of forty with a few browsers each fits several times.
const MAX_LOGINS: usize = 1_000;

/// The logins, by the hash of their ids: what is in memory opens no door.
#[derive(Debug, Default)]
pub(crate) struct Logins(Mutex<HashMap<[u8; 32], Login>>);

#[derive(Debug)]
struct Login {
    ends: Instant,
    /// Dropped with the login, which ends what was opened under it.
    alive: watch::Sender<()>,
}

/// A valid login, as what is opened under it sees it.
#[derive(Clone, Debug)]
pub(crate) struct LoggedIn {
    ends: Instant,
    alive: watch::Receiver<()>,
}

impl LoggedIn {
    /// Waits until the login has ended, by a logout or by its age.
    pub(crate) async fn ended(mut self) {
        tokio::select! {
            () = sleep_until(self.ends) => {}
            () = async { while self.alive.changed().await.is_ok() {} } => {}
        }
    }
}

impl Logins {
    /// Begins a login; returns its id.
    pub(crate) fn begin(&self) -> String {
        let id = rand::random::<[u8; 32]>().iter().fold(String::new(), |mut id, byte| {
            // Writing into a `String` cannot fail.
            let _ = write!(id, "{byte:02x}");
            id
        });
        let (alive, _) = watch::channel(());
        let now = Instant::now();
        let mut logins = self.lock();
        logins.retain(|_, login| login.ends > now);
        if logins.len() >= MAX_LOGINS
            && let Some(oldest) = logins.iter().min_by_key(|(_, login)| login.ends).map(|(hash, _)| *hash)
        {
            logins.remove(&oldest);
        }
        logins.insert(hash(&id), Login { ends: now + LIFETIME, alive });
        id
    }

    /// Returns the login with this id, if it is valid.
    pub(crate) fn find(&self, id: &str) -> Option<LoggedIn> {
        let logins = self.lock();
        let login = logins.get(&hash(id)).filter(|login| login.ends > Instant::now())?;
        Some(LoggedIn { ends: login.ends, alive: login.alive.subscribe() })
    }

    /// Ends a login; without effect if it is unknown.
    pub(crate) fn end(&self, id: &str) {
        self.lock().remove(&hash(id));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Login>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ids are random, so that a plain hash is as good as a slow one; and its lookup tells a clock nothing of use.
fn hash(id: &str) -> [u8; 32] {
    Sha256::digest(id).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_login_ends_by_its_age_or_by_a_logout() {
        let logins = Logins::default();
        let (old, other) = (logins.begin(), logins.begin());
        assert_ne!(old, other);
        let open = logins.find(&other).unwrap();
        logins.end(&other);
        open.ended().await;
        assert!(logins.find(&other).is_none());
        advance(LIFETIME - Duration::from_secs(1)).await;
        assert!(logins.find(&old).is_some());
        advance(Duration::from_secs(1)).await;
        assert!(logins.find(&old).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_login_makes_room() {
        let logins = Logins::default();
        let first = logins.begin();
        advance(Duration::from_secs(1)).await;
        let second = logins.begin();
        for _ in 0..MAX_LOGINS - 1 {
            logins.begin();
        }
        assert!(logins.find(&first).is_none());
        assert!(logins.find(&second).is_some());
        assert_eq!(logins.lock().len(), MAX_LOGINS);
    }

    #[test]
    fn an_id_is_not_in_memory() {
        let logins = Logins::default();
        let id = logins.begin();
        assert!(!format!("{logins:?}").contains(&id));
    }
}
