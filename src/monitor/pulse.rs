//! Whether a run is alive, for whoever watches the process.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{Monitor, State};

/// The state is reported once a second. A run that has been silent for this long hangs.
const SILENCE: Duration = Duration::from_secs(30);

/// Knows when the event loop of a run reported its state last.
#[derive(Debug, Default)]
pub struct Pulse(Mutex<Phase>);

#[derive(Debug, Default)]
enum Phase {
    /// The input is read, somebody is asked, a damaged state is recovered.
    #[default]
    Opening,
    /// Calls go out. The last state was reported then.
    Sending(Instant),
    /// All calls are answered. The scans are followed, or the results are put in order.
    Sent,
}

impl Pulse {
    /// Whether the run is alive.
    ///
    /// # Errors
    /// It is not, for this reason.
    pub fn check(&self) -> Result<(), String> {
        match *self.phase() {
            Phase::Sending(last) if last.elapsed() > SILENCE => {
                let silent = super::span::in_words(last.elapsed());
                Err(format!("the run has reported nothing for {silent}"))
            }
            _ => Ok(()),
        }
    }

    fn phase(&self) -> std::sync::MutexGuard<'_, Phase> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Monitor for Pulse {
    fn state(&self, _: &State) {
        *self.phase() = Phase::Sending(Instant::now());
    }

    fn sent_all(&self) {
        *self.phase() = Phase::Sent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_run_is_alive_until_it_has_been_silent_for_half_a_minute() {
        let pulse = Pulse::default();
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(pulse.check(), Ok(()), "it is still opening");
        pulse.state(&State::example());
        tokio::time::advance(SILENCE).await;
        assert_eq!(pulse.check(), Ok(()));
        tokio::time::advance(Duration::from_secs(1)).await;
        let words = "the run has reported nothing for 31 s".to_owned();
        assert_eq!(pulse.check(), Err(words));
        pulse.state(&State::example());
        assert_eq!(pulse.check(), Ok(()));
        pulse.sent_all();
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(pulse.check(), Ok(()), "the scans are followed");
    }
}
