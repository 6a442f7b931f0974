//! The plugs of the devices that run in the same program: pulled in the page, for lessons on the last will.

use crate::problem::Problem;
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
    ///
    /// # Errors
    ///
    /// [`Problem::PlugUnanswered`] if it does not answer in time, or ends meanwhile.
    pub(crate) async fn ask(
        &self,
        group: String,
        device: String,
        wish: Option<Plug>,
    ) -> Result<Option<Plug>, Problem> {
        let Some(sender) = self.0.get() else { return Ok(None) };
        let unanswered = Problem::PlugUnanswered { device: format!("{group}/{device}") };
        let (answer, plug) = oneshot::channel();
        let request = PlugRequest { group, device, wish, answer };
        let asked = async {
            sender.send(request).await.ok()?;
            plug.await.ok()
        };
        timeout(PATIENCE, asked).await.ok().flatten().ok_or(unanswered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_program_answers_and_nobody_else() {
        let plugs = Plugs::default();
        assert!(matches!(plugs.ask("g".into(), "d".into(), None).await, Ok(None)), "nobody serves");
        let mut requests = plugs.serve();
        let program = async {
            let request = requests.recv().await.expect("one comes");
            assert_eq!((request.device.as_str(), request.wish), ("d", Some(Plug::Cut)));
            request.answer(Some(Plug::Cut));
        };
        let (plug, ()) = tokio::join!(plugs.ask("g".into(), "d".into(), Some(Plug::Cut)), program);
        assert!(matches!(plug, Ok(Some(Plug::Cut))));
        drop(requests);
        let gone = plugs.ask("g".into(), "d".into(), None).await;
        assert!(matches!(gone, Err(Problem::PlugUnanswered { .. })), "the program is gone");
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_does_not_answer_has_the_device_all_the_same() {
        let plugs = Plugs::default();
        let _requests = plugs.serve();
        let problem =
            plugs.ask("demo".into(), "led".into(), Some(Plug::Cut)).await.expect_err("nobody answers");
        assert_eq!(
            problem.to_string(),
            "the program that runs `demo/led` did not answer in time; the plug may still be pulled"
        );
    }
}
