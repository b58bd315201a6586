//! Follows the canaries' scans until they have succeeded.

use super::{FollowError, Follower, Memory};
use crate::{
    client::wait::wait_until,
    defender::Defender,
    store::{Store, is_final},
};

impl<D: Defender> Follower<D> {
    /// Follows until all scans that the campaign has started have succeeded. If one of them ends otherwise,
    /// cannot be found any more, or is not over when the time is up, the inner error says so in words.
    ///
    /// # Errors
    /// Listing is not permitted or keeps failing, or the state cannot be used.
    pub(crate) async fn until_succeeded(&self) -> Result<Result<(), String>, FollowError> {
        let began = self.clock.now();
        let deadline = self.options.timeout.map(|timeout| began + timeout);
        let mut memory = Memory::default();
        loop {
            let round = self.round(&mut memory, &self.patient).await?;
            let scans = self.report().await?;
            if let Some(pause) = round {
                self.note(&scans, pause);
            }
            let scans = self.state.with(Store::own_action_tally).await?;
            let succeeded = |(status, _): &(String, u64)| status == "Succeeded";
            if scans.iter().all(succeeded) {
                return Ok(Ok(()));
            }
            let ended_badly = |scan: &&(String, u64)| is_final(&scan.0) && !succeeded(scan);
            if scans.iter().any(|scan| ended_badly(&scan)) {
                return Ok(Err(format!("there are {}", in_words(&scans))));
            }
            let Some(pause) = round else {
                return Ok(Err(format!(
                    "there are {}, and some can no longer be found",
                    in_words(&scans)
                )));
            };
            let next = self.clock.now() + pause;
            let next = deadline.map_or(next, |deadline| deadline.min(next));
            wait_until(self.clock.as_ref(), next).await;
            if deadline.is_some_and(|deadline| deadline <= self.clock.now()) {
                return Ok(Err(format!(
                    "there were {} when the time of --follow-timeout was over",
                    in_words(&scans)
                )));
            }
        }
    }
}

/// "3 Succeeded, 1 Failed".
fn in_words(scans: &[(String, u64)]) -> String {
    let scans = scans.iter().map(|(status, count)| {
        let status = if status.is_empty() { "unknown" } else { status };
        format!("{count} {status}")
    });
    scans.collect::<Vec<_>>().join(", ")
}
