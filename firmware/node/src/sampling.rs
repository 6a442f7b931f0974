//! Measuring, whether or not there is a network.

use crate::node::Core;
use embassy_futures::select::select;
use embassy_time::{Duration, Instant, Timer};

/// How often parts with events are asked.
const ASK_EVERY: Duration = Duration::from_millis(20);

impl<const SAMPLES: usize> Core<'_, SAMPLES> {
    /// Reads the parts at the interval, and those with events when something happened.
    pub(crate) async fn measure(&self) -> ! {
        self.shared.borrow_mut().take_controls(Instant::now().as_millis());
        let asks = self.shared.borrow_mut().has_events();
        let mut next = Instant::now();
        loop {
            let now = Instant::now();
            let due = now >= next;
            self.read(!due, now);
            let interval = Duration::from_millis(self.shared.borrow().interval_ms.into());
            if due {
                // In step with the first reading, unless that has become impossible.
                next = if next + interval > now { next + interval } else { now + interval };
            }
            let wake = if asks { next.min(now + ASK_EVERY) } else { next };
            if let embassy_futures::select::Either::Second(()) =
                select(Timer::at(wake), self.retime.wait()).await
            {
                let interval = self.shared.borrow().interval_ms;
                next = Instant::now() + Duration::from_millis(interval.into());
            }
        }
    }

    fn read(&self, only_events: bool, now: Instant) {
        let mut shared = self.shared.borrow_mut();
        if !shared.paused {
            shared.read(only_events, now.as_millis());
            drop(shared);
            self.wake.signal(());
        }
    }
}
