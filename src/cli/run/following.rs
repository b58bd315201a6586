//! Scans that are followed: those of canaries, and all of them with `--follow`.

use std::{convert::Infallible, future::pending, path::Path, sync::Arc};

use super::begin::World;
use crate::{
    campaign::{
        brakes::canary_start::BY_YES,
        engine::{
            Ending,
            canary_gate::{FollowedCanaries, Word},
        },
        follow::{FollowEnd, Follower},
        stop::StopReason,
    },
    cli::{
        ExitCode, brakes::CanaryAnswer, follow, remote_stop::StopRequests, signals,
        terminal::Terminal, yes,
    },
    defender::{Defender, HttpDefender},
    monitor::Monitor,
};

impl World<'_> {
    /// Whoever follows the scans of this run.
    pub(super) fn follower(&self) -> Follower<HttpDefender> {
        Follower::new(
            self.defender,
            &self.setup.connection.tokens,
            self.pacer,
            Arc::clone(self.clock),
            Arc::clone(self.monitor),
            &self.setup.places.state,
            self.args.following.options(),
        )
    }

    /// Who says whether the others may start once the canaries are accepted.
    pub(super) fn canary_gate(
        &self,
        follower: Option<Arc<Follower<HttpDefender>>>,
    ) -> FollowedCanaries<HttpDefender> {
        let word = match self.args.brakes.canary_answer {
            Some(answer @ CanaryAnswer::Yes) => Word::Yes(answer.who()),
            Some(answer @ CanaryAnswer::No) => Word::No(answer.who()),
            None if self.args.yes.is_some() => Word::Yes(BY_YES),
            None if yes::can_ask() => Word::Asked(Arc::new(Terminal {
                monitor: Arc::clone(self.monitor),
            })),
            None => Word::Yes("by a run without a terminal"),
        };
        FollowedCanaries {
            follower,
            word,
            monitor: Arc::clone(self.monitor),
        }
    }
}

/// Follows the scans of a run while it starts others, if they are to be followed.
pub(super) async fn along<D: Defender>(follower: Option<&Follower<D>>) -> Infallible {
    match follower {
        Some(follower) => follower.meanwhile().await,
        None => pending().await,
    }
}

/// Follows the scans of a run whose last call has gone out, and tells what came of that.
pub(super) async fn to_the_end<D: Defender>(
    following: &Follower<D>,
    ending: &mut Ending,
    state: &Path,
    monitor: &dyn Monitor,
) -> Option<ExitCode> {
    // Until here the engine has heard of Ctrl-C; from here on it ends the following.
    let (sender, mut signals) = signals::listen_and_lend();
    let _stop_requests = StopRequests::start(state, sender);
    match following.follow(|| false, &mut signals).await {
        Ok(told) => {
            monitor.say(&follow::told(&told));
            if told.end == FollowEnd::Ordered {
                ending.stop = Some(StopReason::Brake("stopped by cancel".to_owned()));
            }
            return Some(follow::exit_code(&told));
        }
        Err(e) => ending.stop = Some(e.into()),
    }
    None
}
