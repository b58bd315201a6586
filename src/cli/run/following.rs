//! Following the scans of a run: those of canaries, and all of them with `--follow`.

use std::{convert::Infallible, future::pending, path::Path, sync::Arc};

use super::context::RunContext;
use crate::{
    campaign::{
        brakes::canary_start::BY_YES,
        engine::{
            Ending,
            canary_gate::{FollowedCanaries, Word},
        },
        follow::{FollowEnd, FollowOptions, Follower},
        stop::StopReason,
    },
    cli::{
        ExitCode, api::ApiClient, brakes::CanaryAnswer, follow, remote_stop::StopRequests, signals,
        terminal::Terminal,
    },
    defender::Defender,
    monitor::Monitor,
};

impl RunContext {
    /// The follower of this run's scans.
    pub(super) fn follower(&self) -> Follower<ApiClient> {
        let state = &self.setup.places.state;
        let options = FollowOptions {
            disk: self.disk(),
            ..self.args.following.options()
        };
        self.api
            .follower(state, options)
            .with_reports_by(&self.inventory)
    }

    /// Waits until the last call has been answered and then, with `--follow`, until the last scan is over. Returns the
    /// exit code of the scans if they were followed.
    pub(super) async fn send_and_follow(
        &self,
        sending: impl Future<Output = Ending>,
        follower: Option<&Follower<ApiClient>>,
        stop_requests: Option<StopRequests>,
    ) -> (Ending, Option<ExitCode>) {
        let mut ending = tokio::select! {
            biased;
            ending = sending => ending,
            never = meanwhile(follower) => match never {},
        };
        drop(stop_requests);
        self.api.monitor.sent_all();
        // Now, because following the scans may take hours. Nothing can be lost any more.
        if ending.is_finished {
            self.end_mark(&ending.campaign).await;
        }
        let mut scans_code = None;
        if let Some(follower) = follower {
            if ending.stop.is_none() {
                let (state, monitor) = (&self.setup.places.state, self.api.monitor.as_ref());
                let heeds_cancel = !self.is_simulated;
                scans_code = to_the_end(follower, &mut ending, state, monitor, heeds_cancel).await;
            }
            ending.calls += follower.calls();
        }
        self.api.flush_quota().await;
        (ending, scans_code)
    }

    /// What decides whether the other machines may start once the canaries are accepted.
    pub(super) fn canary_gate(
        &self,
        follower: Option<Arc<Follower<ApiClient>>>,
    ) -> FollowedCanaries<ApiClient> {
        let word = match self.args.brakes.canary_answer {
            Some(answer @ CanaryAnswer::Yes) => Word::Yes(answer.who()),
            Some(answer @ CanaryAnswer::No) => Word::No(answer.who()),
            None if self.args.yes.is_some() => Word::Yes(BY_YES),
            None if self.can_ask() => Word::Asked(Arc::new(Terminal {
                monitor: Arc::clone(&self.api.monitor),
            })),
            None => Word::Yes("by a run without a terminal"),
        };
        FollowedCanaries {
            follower,
            word,
            monitor: Arc::clone(&self.api.monitor),
        }
    }
}

/// Follows the scans of a run while it starts others. Without a follower it waits for ever.
pub(super) async fn meanwhile<D: Defender>(follower: Option<&Follower<D>>) -> Infallible {
    match follower {
        Some(follower) => follower.meanwhile().await,
        None => pending().await,
    }
}

/// Follows the scans of a run whose last call has gone out, and prints the result. `heeds_cancel` says whether
/// `fleetsweep cancel` can end it. Returns its exit code, or `None` if
/// following failed, which is then why the run stopped.
pub(super) async fn to_the_end<D: Defender>(
    following: &Follower<D>,
    ending: &mut Ending,
    state: &Path,
    monitor: &dyn Monitor,
    heeds_cancel: bool,
) -> Option<ExitCode> {
    // The engine has dealt with Ctrl-C so far. From here on it ends the following.
    let (sender, mut signals) = signals::channel();
    let _stop_requests = heeds_cancel.then(|| StopRequests::start(state, sender));
    match following.follow(|| false, &mut signals).await {
        Ok(followed) => {
            monitor.say(&follow::summary(&followed));
            if followed.end == FollowEnd::Ordered {
                ending.stop = Some(StopReason::Brake("stopped by cancel".to_owned()));
            }
            return Some(follow::exit_code(&followed));
        }
        Err(e) => ending.stop = Some(e.into()),
    }
    None
}
