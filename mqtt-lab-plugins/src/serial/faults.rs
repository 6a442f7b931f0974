//! Lines that are no value: all are counted, and told without filling the log.

use mqtt_lab_core::Error;
use std::time::Duration;
use tokio::time::Instant;

/// Time from one report to the next.
const PAUSE: Duration = Duration::from_secs(10);

/// What went wrong since the last report.
#[derive(Debug)]
pub(super) struct Faults {
    count: u64,
    last: String,
    next: Instant,
}

impl Faults {
    pub(super) fn new() -> Self {
        Self { count: 0, last: String::new(), next: Instant::now() }
    }

    /// Counts a fault.
    pub(super) fn note(&mut self, why: String) {
        self.count += 1;
        self.last = why;
    }

    /// When there is something to report; `None`: nothing went wrong.
    pub(super) fn due_at(&self) -> Option<Instant> {
        (self.count > 0).then_some(self.next)
    }

    /// The report that is due: the first fault at once, those after it together.
    pub(super) fn due(&mut self) -> Option<Error> {
        let now = Instant::now();
        if self.count == 0 || now < self.next {
            return None;
        }
        self.next = now + PAUSE;
        let last = std::mem::take(&mut self.last);
        Some(match std::mem::take(&mut self.count) {
            1 => Error::new(format_args!("the board sent what is no value: {last}")),
            n => Error::new(format_args!("the board sent {n} lines that are no values, the last: {last}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_told_at_once_and_a_thousand_after_it_together() {
        let mut faults = Faults::new();
        assert_eq!((faults.due_at(), faults.due()), (None, None));
        faults.note("`x`".into());
        assert_eq!(faults.due(), Some(Error::new("the board sent what is no value: `x`")));
        for n in 0..1000 {
            faults.note(format!("`{n}`"));
            assert_eq!(faults.due(), None);
        }
        tokio::time::sleep_until(faults.due_at().expect("something to tell")).await;
        let report = "the board sent 1000 lines that are no values, the last: `999`";
        assert_eq!(faults.due(), Some(Error::new(report)));
        assert_eq!((faults.due_at(), faults.due()), (None, None));
    }
}
