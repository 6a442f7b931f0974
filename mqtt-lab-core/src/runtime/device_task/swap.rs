//! A running device gets another instance: its plugin was loaded again, or its group has other variables.

use super::{DeviceTask, FIRST_PAUSE, Swap};

impl DeviceTask {
    /// Puts the new instance in the place of the old one; the connection and its session stay. True:
    /// it was done. The old one runs on if the new one fails when it is told the control variables, or
    /// if nobody waits for the swap any more.
    pub(super) async fn swap(&mut self, swap: Swap) -> bool {
        let Swap { spec, mut instance, done } = swap;
        if done.is_closed() {
            return false;
        }
        if let Err(error) = self.tell(&mut instance).await {
            // Who asked may have gone meanwhile.
            let _ = done.send(Err(error.to_string()));
            return false;
        }
        // From here on it is done, whoever waits; before, a giving up is heard.
        if done.send(Ok(())).is_err() {
            return false;
        }
        let what = if spec.holds_variables() { "other variables" } else { "its plugin loaded again" };
        tracing::info!(device = self.spec.name(), "goes on with {what}");
        self.reading = None;
        self.errors.replaced();
        self.blocks = false;
        self.pause = FIRST_PAUSE;
        self.adopt(spec, instance).await;
        self.show_errors().await;
        // The new plugin may take what the old one failed on.
        self.inputs.retry();
        self.restore_inputs().await;
        true
    }
}
