//! A plug that a person can pull: for lessons on the last will, and for tests.

use std::pin::Pin;
use tokio::sync::watch;

/// Whether a link is plugged in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plug {
    /// It is: the link connects and speaks.
    #[default]
    In,
    /// The connection is cut, and none takes its place. The broker sees it close without DISCONNECT, and
    /// publishes the last will at once, or after its delay (MQTT-3.1.2-8).
    Cut,
    /// The connection stays, and nothing goes over it, as when a program hangs: the broker publishes the
    /// last will after 1.5 times the keep-alive (MQTT-3.1.2-22).
    Frozen,
}

/// Runs `connection` for as long as the plug is in. `None`: it was cut.
pub(super) async fn while_in<T>(
    plug: &mut watch::Receiver<Plug>,
    mut connection: Pin<&mut impl Future<Output = T>>,
) -> Option<T> {
    loop {
        let now = *plug.borrow_and_update();
        match now {
            Plug::Cut => return None,
            // The sender lives as long as the link: an error cannot come.
            Plug::Frozen => drop(plug.changed().await),
            Plug::In => tokio::select! {
                biased;
                end = connection.as_mut() => return Some(end),
                _ = plug.changed() => {}
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use std::pin::pin;
    use tokio::time::{Duration, timeout};

    #[tokio::test(start_paused = true)]
    async fn a_frozen_connection_does_nothing_and_goes_on_later() {
        let (sender, mut plug) = watch::channel(Plug::Frozen);
        let second = Duration::from_secs(1);
        assert!(timeout(second, while_in(&mut plug, pin!(ready(1)))).await.is_err());
        sender.send_replace(Plug::In);
        assert_eq!(while_in(&mut plug, pin!(ready(1))).await, Some(1));
    }

    #[tokio::test]
    async fn a_cut_connection_is_gone() {
        let (sender, mut plug) = watch::channel(Plug::In);
        let cut = async {
            tokio::task::yield_now().await;
            sender.send_replace(Plug::Cut);
        };
        let connection = pin!(pending::<()>());
        let (end, ()) = tokio::join!(while_in(&mut plug, connection), cut);
        assert_eq!(end, None);
    }
}
