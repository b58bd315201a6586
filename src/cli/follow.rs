//! `fleetsweep follow`, and what `run --follow` shares with it.

use std::{sync::Arc, time::Duration};

use clap::Args;

use super::{
    ExitCode, Failure,
    existing_campaign::{self, CampaignArgs, ExistingCampaign},
    signals,
};
use crate::{
    campaign::follow::{FollowEnd, FollowError, FollowOptions, Followed, Follower},
    monitor::count,
    quota::{Clock, SystemClock},
    store::Lock,
};

/// Watch the scans of a campaign to their end, a few list calls a round; Ctrl-C breaks off, the same command goes on.
#[derive(Debug, Args)]
pub struct FollowCommand {
    #[command(flatten)]
    attach: CampaignArgs,

    #[command(flatten)]
    follow: FollowArgs,
}

/// Scans take minutes at least.
const FIRST_PAUSE: Duration = Duration::from_mins(1);

/// How scans are followed.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Following")]
pub(super) struct FollowArgs {
    /// The first pause between two looks at the list of scans; it doubles with the age of the newest scan, up to 10m.
    /// [default: 60s]
    #[arg(long, value_name = "D", value_parser = super::values::span)]
    follow_interval: Option<Duration>,

    /// Stop following after so long, and say how many scans are left. [default: none]
    #[arg(long, value_name = "D", value_parser = super::values::span)]
    follow_timeout: Option<Duration>,
}

impl FollowArgs {
    pub(super) fn options(self) -> FollowOptions {
        FollowOptions {
            interval: self.follow_interval.unwrap_or(FIRST_PAUSE),
            timeout: self.follow_timeout,
        }
    }

    /// Whether a pause was named.
    pub(super) fn has_interval(self) -> bool {
        self.follow_interval.is_some()
    }

    /// Whether an end was named.
    pub(super) fn has_timeout(self) -> bool {
        self.follow_timeout.is_some()
    }
}

/// Follows a campaign's scans.
///
/// # Errors
/// There is no campaign, the tenant will not have it, or a file cannot be used.
pub async fn run(args: FollowCommand) -> Result<ExitCode, Failure> {
    // From the first line on: signing in may take as long as following.
    let mut signals = signals::listen();
    let monitor = args.attach.start()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let attaching = args.attach.attach(&clock, monitor.as_ref());
    let Some(attached) = signals::unless_stopped(&mut signals, attaching).await else {
        return Err(Failure::new(
            ExitCode::Interrupted,
            "interrupted before the scans were looked at; nothing was changed",
        ));
    };
    let ExistingCampaign {
        state,
        identity,
        connection,
        client,
        pacer,
        ..
    } = attached?;
    monitor.note(&format!(
        "following the scans of campaign {}",
        identity.campaign
    ));
    let following = Follower::new(
        &client,
        &connection.tokens,
        &pacer,
        clock,
        Arc::clone(&monitor),
        &state,
        args.follow.options(),
    );
    let followed = following
        .follow(|| Lock::is_held(&state), &mut signals)
        .await;
    if let Err(e) = pacer.flush().await {
        tracing::warn!("{e}");
    }
    let followed = followed.map_err(failure)?;
    monitor.say(&told(&followed));
    existing_campaign::put_into_results(&state, None, monitor.as_ref(), &mut signals).await?;
    monitor.ended();
    Ok(exit_code(&followed))
}

/// What following came to, in a line.
pub(super) fn told(followed: &Followed) -> String {
    let scans = followed.in_words();
    let left = followed.left();
    let left = format!(
        "{} {} left",
        count::of(left, "scan"),
        count::word(left, "is", "are")
    );
    match followed.end {
        FollowEnd::Done => format!("followed to the end: {scans}"),
        FollowEnd::TimedOut => {
            format!("the time for following is over, {left}: {scans}")
        }
        FollowEnd::Ordered => format!("stopped by cancel, {left}: {scans}"),
        FollowEnd::Interrupted => {
            format!("interrupted, {left}: {scans}; `fleetsweep follow` goes on")
        }
    }
}

pub(super) fn exit_code(followed: &Followed) -> ExitCode {
    match followed.end {
        FollowEnd::Interrupted => ExitCode::Interrupted,
        FollowEnd::Ordered => ExitCode::Brake,
        _ if followed.all_succeeded() => ExitCode::Clean,
        _ => ExitCode::Incomplete,
    }
}

/// Why scans cannot be followed, with its exit code.
pub(super) fn failure(e: FollowError) -> Failure {
    if e.is_of_tenant() {
        Failure::new(ExitCode::Tenant, e)
    } else {
        Failure::storage(e)
    }
}
