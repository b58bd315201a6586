//! Waiting by the quota's clock.

use crate::quota::{Clock, LONGEST_WAIT, Moment};

/// Sleeps until `moment`. The clock is read again every few seconds, because it also counts the time for
/// which the computer was suspended, which a timer does not.
pub(crate) async fn wait_until(clock: &dyn Clock, moment: Moment) {
    loop {
        let left = moment.since(clock.now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LONGEST_WAIT)).await;
    }
}
