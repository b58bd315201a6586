//! `fleetsweep follow`: watch the scans of a campaign. `run --follow` shares the options and the closing words.

use std::time::Duration;

use clap::Args;

use super::{
    ExitCode, Failure,
    existing_campaign::{self, CampaignArgs, ExistingCampaign},
    signals,
};
use crate::{
    campaign::{
        disk::DiskWork,
        follow::{FollowEnd, FollowError, FollowOptions, Followed},
    },
    defender::sign_in::Need,
    monitor::count,
    store::Lock,
};

/// Watch the scans of a campaign to their end, with a few list calls a round. Ctrl-C ends it; the same command goes on.
#[derive(Debug, Args)]
pub struct FollowCommand {
    #[command(flatten)]
    campaign: CampaignArgs,

    #[command(flatten)]
    follow: FollowArgs,
}

/// A scan takes some minutes at least.
const FIRST_PAUSE: Duration = Duration::from_mins(1);

/// How scans are followed.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Following")]
pub(super) struct FollowArgs {
    /// The first pause before the list of scans is read again; it doubles with the age of the newest scan, up to 10m.
    /// [default: 60s]
    #[arg(long, value_name = "D", value_parser = super::values::span, hide_short_help = true)]
    pub(super) follow_interval: Option<Duration>,

    /// Stop following after this time, and say how many scans are left. [default: none]
    #[arg(long, value_name = "D", value_parser = super::values::span, hide_short_help = true)]
    pub(super) follow_timeout: Option<Duration>,

    /// When a scan has ended, look whether its device reports it too. Reports lag by hours, so this goes on until all
    /// devices have reported, until --follow-timeout, or until 24 h have brought nothing new.
    #[arg(long, hide_short_help = true)]
    pub(super) verify: bool,
}

impl FollowArgs {
    pub(super) fn options(self) -> FollowOptions {
        FollowOptions {
            verify: self.verify,
            interval: self.follow_interval.unwrap_or(FIRST_PAUSE),
            timeout: self.follow_timeout,
            disk: DiskWork::Aside,
        }
    }
}

/// Follows a campaign's scans.
///
/// # Errors
/// There is no campaign, the tenant rejects the requests, or a file cannot be used.
pub async fn run(args: FollowCommand) -> Result<ExitCode, Failure> {
    // First of all, because signing in may take long.
    let mut signals = signals::listen();
    let monitor = args.campaign.start(Vec::new())?;
    let opening = args.campaign.open(&monitor, Need::Read);
    let Some(campaign) = signals::unless_stopped(&mut signals, opening).await else {
        return Err(Failure::new(
            ExitCode::Interrupted,
            "interrupted before the scans were looked up; nothing was changed",
        ));
    };
    let ExistingCampaign { state, id, api } = campaign?;
    monitor.note(&format!("following the scans of campaign {id}"));
    let all_scans = api.follower(&state, args.follow.options());
    let followed = all_scans
        .follow(|| Lock::is_held(&state), &mut signals)
        .await;
    api.flush_quota().await;
    let followed = followed.map_err(failure)?;
    monitor.say(&summary(&followed));
    existing_campaign::write_scans_to_results(&state, None, monitor.as_ref(), &mut signals).await?;
    monitor.ended();
    Ok(exit_code(&followed))
}

/// The result of following, in one line.
pub(super) fn summary(followed: &Followed) -> String {
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
            format!("--follow-timeout is over, {left}: {scans}")
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
        _ if followed.all_succeeded() && followed.all_verified() => ExitCode::Clean,
        _ => ExitCode::Incomplete,
    }
}

/// The failure of a command whose scans cannot be followed or cancelled.
pub(super) fn failure(e: FollowError) -> Failure {
    if e.is_of_tenant() {
        Failure::new(ExitCode::Tenant, e)
    } else {
        Failure::storage(e)
    }
}
