//! Which numbers of the latest runs of a device have arrived: keeps repetitions away from the page before the store
//! sees them.

use mqtt_lab_wire::BootId;

use crate::store::ReceiveWindow;

/// Runs remembered: two programs with the same device take turns.
const MOST: usize = 3;

/// The latest boots of a device, the latest first.
#[derive(Debug, Default)]
pub(crate) struct Boots(Vec<(BootId, ReceiveWindow)>);

impl Boots {
    /// With the one that the store knows.
    pub(crate) fn of(saved: Option<(BootId, ReceiveWindow)>) -> Self {
        Self(saved.into_iter().collect())
    }

    /// Notes a number; true: it came before. An old retained one (`replayed`) begins no boot.
    pub(crate) fn repeats(&mut self, boot: BootId, n: u64, replayed: bool) -> bool {
        if let Some(window) = self.window(boot) {
            return !window.insert(n);
        }
        if replayed && !self.0.is_empty() {
            return false;
        }
        let mut window = ReceiveWindow::default();
        window.insert(n);
        self.0.insert(0, (boot, window));
        self.0.truncate(MOST);
        false
    }

    /// Whether a number is from before everything that arrived of its boot. What is missing in between was published
    /// before this lab listened, and is not lost.
    pub(crate) fn is_from_before(&self, boot: BootId, n: u64) -> bool {
        let window = self.0.iter().find(|(of, _)| *of == boot).map(|(_, window)| window);
        window.and_then(ReceiveWindow::first).is_none_or(|first| n < first)
    }

    /// What arrived of a boot.
    pub(crate) fn window(&mut self, boot: BootId) -> Option<&mut ReceiveWindow> {
        self.0.iter_mut().find(|(of, _)| *of == boot).map(|(_, window)| window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boots_that_take_turns_keep_their_numbers() {
        let boot = |text: &str| text.parse().expect("a boot id");
        let mut boots = Boots::default();
        assert!(!boots.repeats(boot("a"), 1, false));
        assert!(!boots.repeats(boot("b"), 1, false));
        assert!(boots.repeats(boot("a"), 1, false), "redelivered");
        assert!(!boots.repeats(boot("a"), 2, false));
        assert!(!boots.repeats(boot("old"), 7, true) && boots.window(boot("old")).is_none());
        assert!(!boots.repeats(boot("c"), 1, false) && !boots.repeats(boot("d"), 1, false));
        assert!(boots.window(boot("a")).is_none(), "forgotten");
    }

    #[test]
    fn retained_numbers_from_before_are_no_beginning() {
        let boot = "a".parse().expect("a boot id");
        let mut boots = Boots::default();
        assert!(boots.is_from_before(boot, 1));
        boots.repeats(boot, 7, false);
        assert!(
            boots.is_from_before(boot, 3) && !boots.is_from_before(boot, 7) && !boots.is_from_before(boot, 9)
        );
    }
}
