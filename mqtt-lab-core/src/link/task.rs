//! The task of a link: connects, speaks, connects again, through the list of brokers.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Backoff;
use super::contest::{self, Contest};
use super::failure::Failure;
use super::handshake::{Greeting, Peer, is_over, stoppable};
use super::plug::while_in;
use super::session::{End, Session};
use super::shared::{Shared, locked};
use super::status::count;
use super::witness::{beside, outlives};
use super::{Event, LinkConfig, Plug};
use crate::panicked::caught_in;

/// Runs a link to its end. Dropped, even before it began, it ends the link as well: a runtime that is
/// shut down does that.
pub(super) async fn run(link: Running, config: LinkConfig) {
    let mut task = Task::new(&link.0, config);
    loop {
        let ended = caught_in(pin!(task.run())).await;
        match ended {
            Ok(()) => return,
            Err(panic) => task.panicked(&panic),
        }
        if task.pause().await.is_err() {
            return;
        }
    }
}

/// Tells everybody who waits when a link has ended, however it did.
pub(super) struct Running(pub(super) Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.end();
    }
}

struct Task<'a> {
    shared: &'a Arc<Shared>,
    peers: Vec<Peer>,
    config: LinkConfig,
    /// The broker in use or tried next.
    at: usize,
    /// The broker that holds the session of this link.
    session_at: Option<usize>,
    /// Attempts that failed since the last connection.
    failed: usize,
    backoff: Backoff,
    contest: Contest,
    /// A witness beside the last connection was not closed with it.
    alone: bool,
}

impl<'a> Task<'a> {
    fn new(shared: &'a Arc<Shared>, config: LinkConfig) -> Self {
        if config.keep_session {
            // The broker may remember ids of an earlier process; meet them as late as possible.
            locked(&shared.outgoing).start_ids_at(rand::random());
        }
        let peers = config.brokers.iter().cloned().map(Peer::new).collect();
        let (backoff, contest) = (Backoff::new(config.backoff), Contest::new(config.backoff.1));
        Self { shared, peers, config, at: 0, session_at: None, failed: 0, backoff, contest, alone: false }
    }

    async fn run(&mut self) {
        let mut plug = self.shared.plug.subscribe();
        while !is_over(self.shared) {
            // An error cannot come: the sender lives in `shared`.
            if stoppable(self.shared, plug.wait_for(|plug| *plug == Plug::In)).await.is_err() {
                return;
            }
            let clean = !self.config.keep_session && self.session_at != Some(self.at);
            let greeting = self.peers[self.at].connect(&self.config, clean, self.shared).await;
            let since = Instant::now();
            match greeting {
                Err(Failure::Stopped) => return,
                Err(failure) => self.refused(&failure),
                Ok(greeting) => match self.speak(greeting).await {
                    End::Stopped => return,
                    End::Lost { failure, progress } => self.lost(&failure, progress, since.elapsed()),
                },
            }
            // Through the whole list first, unless a connection was lost: then that broker again.
            if self.failed.is_multiple_of(self.peers.len()) && self.pause().await.is_err() {
                return;
            }
        }
    }

    /// Waits before the next attempt to connect. An error: the link is to end.
    async fn pause(&mut self) -> Result<(), Failure> {
        let usual = self.backoff.wait(rand::random());
        let wait = self.contest.wait(rand::random()).map_or(usual, |wait| wait.max(usual));
        stoppable(self.shared, tokio::time::sleep(wait)).await
    }

    /// A mistake of ours must not end the link: what it has accepted is sent on the next connection.
    fn panicked(&mut self, panic: &str) {
        tracing::error!(client = %self.config.client_id, panic, "internal error of the link, reconnecting");
        if let Some(supervisor) = &self.config.supervisor {
            supervisor.device_survived(&format!("link of `{}`: {panic}", self.config.client_id));
        }
        self.shared.lost();
        let reason = format!("internal error: {panic}");
        self.shared.update(|status| {
            (status.connected, status.subscribed) = (false, false);
            status.error = Some(reason.clone());
        });
        self.shared.queue.push(Event::Disconnected { reason });
    }

    async fn speak(&mut self, greeting: Greeting) -> End {
        let session_present = greeting.connack.session_present;
        let same = session_present && self.session_at == Some(self.at);
        self.session_at = Some(self.at);
        self.failed = 0;
        let broker = self.peers[self.at].address.clone();
        greeting.downgrades.iter().for_each(|downgrade| self.shared.log_downgrade(&broker, downgrade));
        tracing::info!(%broker, client = %self.config.client_id, session_present, "connected");
        let (version, downgrades) = (greeting.version, greeting.downgrades.clone());
        let mut session = Session::new(self.shared, &self.config, greeting, same);
        count(&self.shared.counters.connects);
        let subscribed = session.is_subscribed();
        self.shared.update(|status| {
            (status.connected, status.subscribed, status.version) = (true, subscribed, version);
            (status.downgrades, status.error) = (downgrades, None);
        });
        self.shared.queue.push(Event::Connected { session_present, broker });
        let mut plug = self.shared.plug.subscribe();
        let end = {
            let running = pin!(session.run());
            let connection = pin!(while_in(&mut plug, running));
            let suspected = self.contest.is_suspected();
            let connection =
                pin!(until_uncontested(connection, &mut self.contest, &self.config, self.shared));
            let open = async {
                if !suspected {
                    std::future::pending::<()>().await;
                }
                self.peers[self.at].witness(version, &self.config).await
            };
            beside(connection, open, contest::SHORT).await
        };
        drop(session);
        let (end, witness) = end;
        self.alone = match witness {
            Some(mut witness) => outlives(&mut witness).await,
            None => false,
        };
        let end = end.unwrap_or(End::Lost { failure: Failure::Unplugged, progress: true });
        self.shared.lost();
        end
    }

    /// The connection is gone.
    fn lost(&mut self, failure: &Failure, progress: bool, lasted: Duration) {
        if let Some(evidence) = self.contest.lost(failure, lasted, self.alone, Instant::now()) {
            let reason = evidence.describe(&self.peers[self.at].address, &self.config.client_id);
            tracing::warn!("{reason}");
            self.shared.update(|status| status.contested = Some(reason.clone()));
            self.shared.queue.push(Event::ClientIdContested { reason });
        }
        // A broker that accepts and then closes, without any answer, is as good as down.
        if progress {
            self.backoff.reset();
        }
        let reason = failure.describe(&self.peers[self.at].address, &self.config);
        // Of a contest there was a line already.
        match self.contest.wait(0.0) {
            None => tracing::warn!(client = %self.config.client_id, error = %reason, "connection lost"),
            Some(_) => tracing::debug!(client = %self.config.client_id, error = %reason, "connection lost"),
        }
        self.shared.update(|status| {
            (status.connected, status.subscribed) = (false, false);
            status.error = Some(reason.clone());
        });
        self.shared.queue.push(Event::Disconnected { reason });
    }

    /// There was no connection.
    fn refused(&mut self, failure: &Failure) {
        let error = failure.describe(&self.peers[self.at].address, &self.config);
        let known = self.shared.status.borrow().error.as_ref() == Some(&error);
        if known {
            tracing::debug!(client = %self.config.client_id, %error, "still not connected");
        } else {
            tracing::warn!(client = %self.config.client_id, %error, "not connected");
            self.shared.update(|status| status.error = Some(error));
        }
        self.contest.refused();
        self.failed += 1;
        self.at = (self.at + 1) % self.peers.len();
    }
}

/// Runs a connection to its end. One that lasts long enough ends a contest for the client id.
async fn until_uncontested<T>(
    mut connection: Pin<&mut impl Future<Output = T>>,
    contest: &mut Contest,
    config: &LinkConfig,
    shared: &Shared,
) -> T {
    if let Some(quiet) = contest.ends_after() {
        if let Ok(end) = tokio::time::timeout(quiet, connection.as_mut()).await {
            return end;
        }
        contest.end();
        tracing::info!(client = %config.client_id, "no other client uses this client id any more");
        shared.update(|status| status.contested = None);
        shared.queue.push(Event::ClientIdFree);
    }
    connection.await
}
