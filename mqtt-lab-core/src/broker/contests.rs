//! Shows where a user looks that two clients use one client id.

use std::time::Duration;

use tokio::time::Instant;

use super::hub::Hub;
use crate::supervisor::Part;

const LOOK: Duration = Duration::from_secs(1);

/// Reports contests on `ids` as long as the broker runs.
pub(super) async fn watch(hub: &Hub, ids: &Part) {
    loop {
        let contested = hub.with(|state| state.take_overs.contested(Instant::now())).0;
        match contested {
            None => ids.works(),
            Some((id, others)) => {
                let others = if others == 0 { String::new() } else { format!(" (and {others} more)") };
                let id: String = id.chars().take(64).flat_map(char::escape_debug).collect();
                ids.fails(format!("two clients use one client id; give one of them another: {id}{others}"));
            }
        }
        if tokio::time::timeout(LOOK, hub.stopped()).await.is_ok() {
            return;
        }
    }
}
