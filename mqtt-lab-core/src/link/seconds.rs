//! Durations as MQTT carries them: whole seconds, rounded up, at most what fits.

use std::time::Duration;

use super::LinkConfig;

/// Whole seconds, rounded up.
pub(super) fn whole(duration: Duration) -> u32 {
    let up = u64::from(duration.subsec_nanos() > 0);
    u32::try_from(duration.as_secs().saturating_add(up)).unwrap_or(u32::MAX)
}

/// Keep-alive of CONNECT.
pub(super) fn keep_alive(config: &LinkConfig) -> u16 {
    u16::try_from(whole(config.keep_alive)).unwrap_or(u16::MAX)
}

/// Session Expiry Interval of CONNECT: longer than the will delay, since the end of the session
/// fires the will (MQTT-3.1.3-9).
pub(super) fn session_expiry(config: &LinkConfig) -> u32 {
    let delay = config.will.as_ref().map_or(0, |will| whole(will.delay));
    let least = if delay == 0 { 0 } else { delay.saturating_add(1) };
    whole(config.session_expiry).max(least)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::link::Will;

    #[test]
    fn fractions_round_up_and_huge_values_saturate() {
        assert_eq!(whole(Duration::from_millis(1)), 1);
        assert_eq!(whole(Duration::from_secs(2)), 2);
        assert_eq!(whole(Duration::MAX), u32::MAX);
    }

    #[test]
    fn the_session_outlives_the_will_delay() {
        let mut config = LinkConfig::new("localhost:1883", "a");
        config.session_expiry = Duration::from_secs(5);
        assert_eq!(session_expiry(&config), 5);
        config.will = Some(Will { delay: Duration::from_secs(60), ..Will::new("t", "p") });
        assert_eq!(session_expiry(&config), 61);
    }
}
