//! The plugs of the devices that run in the same program: pulled in the page, for lessons on the last will.

use serde::{Deserialize, Serialize};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Requests that wait at most; a page that asks for more waits.
const WAITING: usize = 16;

/// The program is asked for so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a device is plugged in, or how it was taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plug {
    /// It is plugged in.
    In,
    /// Its network is cut.
    Cut,
    /// It hangs.
    Freeze,
    /// It has lost its power.
    Kill,
    /// It was switched off in order.
    Stop,
}

/// What a page asks of the program: to pull a plug, or just how it is.
#[derive(Debug)]
pub struct PlugRequest {
    /// The device's group.
    pub group: String,
    /// The device's id.
    pub device: String,
    /// What is to be done; none: nothing.
    pub wish: Option<Plug>,
    answer: oneshot::Sender<Option<Plug>>,
}

impl PlugRequest {
    /// Tells how the plug is now; none: there is no such device in this program.
    pub fn answer(self, plug: Option<Plug>) {
        // The page may have gone.
        let _ = self.answer.send(plug);
    }
}

/// The way to the program, once it takes requests.
#[derive(Debug, Default)]
pub(crate) struct Plugs(OnceLock<mpsc::Sender<PlugRequest>>);

impl Plugs {
    /// The requests. Another call gets none.
    pub(crate) fn serve(&self) -> mpsc::Receiver<PlugRequest> {
        let (sender, requests) = mpsc::channel(WAITING);
        // Whoever comes second has nobody to send to it.
        let _ = self.0.set(sender);
        requests
    }

    /// Asks the program; none: it has no such device, or takes no requests.
    pub(crate) async fn ask(&self, group: String, device: String, wish: Option<Plug>) -> Option<Plug> {
        let sender = self.0.get()?;
        let (answer, plug) = oneshot::channel();
        let request = PlugRequest { group, device, wish, answer };
        let asked = async {
            sender.send(request).await.ok()?;
            plug.await.ok()?
        };
        timeout(PATIENCE, asked).await.ok()?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_program_answers_and_nobody_else() {
        let plugs = Plugs::default();
        assert_eq!(plugs.ask("g".into(), "d".into(), None).await, None, "nobody serves");
        let mut requests = plugs.serve();
        let program = async {
            let request = requests.recv().await.expect("one comes");
            assert_eq!((request.device.as_str(), request.wish), ("d", Some(Plug::Cut)));
            request.answer(Some(Plug::Cut));
        };
        let (plug, ()) = tokio::join!(plugs.ask("g".into(), "d".into(), Some(Plug::Cut)), program);
        assert_eq!(plug, Some(Plug::Cut));
        drop(requests);
        assert_eq!(plugs.ask("g".into(), "d".into(), None).await, None, "the program is gone");
    }
}
