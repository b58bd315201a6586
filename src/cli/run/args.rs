//! The options of `fleetsweep run`, and how they are resolved into what the rest of the program takes.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use jiff::Timestamp;

use super::{
    input_args::InputArgs, offline_args::OfflineArgs, output_args::OutputArgs,
    running_args::RunningArgs,
};
use crate::{
    campaign::{
        open::{Places, STDIN},
        outcome::Outcome,
        retry::{OnPending, Policy},
        tag::{CampaignId, comment_text},
    },
    cli::{
        Failure,
        brakes::BrakeArgs,
        connect::ConnectArgs,
        examples,
        follow::FollowArgs,
        ledger,
        pace::PaceArgs,
        paths::{self, FileUse},
        progress::ProgressArgs,
        report::ReportFile,
        values,
        watch::WatchArgs,
    },
    monitor::Monitor,
    roster::ScanType,
    store::Identity,
};

/// Start a campaign: one scan on every machine of a CSV, at exactly the API's speed limit.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = examples::OF_RUN)]
pub struct RunArgs {
    /// The machines: a CSV, an .xlsx or a list of ids; `-` is standard input.
    #[arg(value_name = "TARGETS.csv")]
    pub(super) targets: PathBuf,

    #[command(flatten)]
    pub(super) input: InputArgs,

    #[command(flatten)]
    pub(super) scan: ScanArgs,

    #[command(flatten)]
    pub(super) output: OutputArgs,

    #[command(flatten)]
    pub(super) resume: ResumeArgs,

    #[command(flatten)]
    pub(super) pace: PaceArgs,

    #[command(flatten)]
    pub(super) retry: RetryArgs,

    #[command(flatten)]
    pub(super) brakes: BrakeArgs,

    #[command(flatten)]
    pub(super) running: RunningArgs,

    #[command(flatten)]
    pub(super) offline: OfflineArgs,

    /// Watch the scans while others are started, and then to their end.
    #[arg(long, help_heading = "Following")]
    pub(super) follow: bool,

    #[command(flatten)]
    pub(super) following: FollowArgs,

    #[command(flatten)]
    pub(super) connect: ConnectArgs,

    #[command(flatten)]
    pub(super) progress: ProgressArgs,

    #[command(flatten)]
    pub(super) watch: WatchArgs,

    /// Answer every question with yes; with a number, as long as it is about at most N machines.
    ///
    /// Such a question is whether more than 500 machines, or more than the documented limits, are really meant. If more
    /// than N machines are still to be scanned, nothing is sent.
    #[arg(
        long,
        value_name = "N",
        require_equals = true,
        help_heading = "Options"
    )]
    #[expect(
        clippy::option_option,
        reason = "clap's words for an option whose value may be missing"
    )]
    pub(super) yes: Option<Option<u64>>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Scan")]
pub(super) struct ScanArgs {
    /// The scan type of rows that do not have their own.
    #[arg(long, default_value = "quick", value_parser = scan_types())]
    pub(super) scan_type: ScanType,

    /// The comment that the portal shows, behind the tag; at most 200 characters.
    /// [default: "antivirus scan by fleetsweep"]
    #[arg(long, value_name = "TEXT", hide_short_help = true)]
    pub(super) comment: Option<String>,
}

fn scan_types() -> impl TypedValueParser<Value = ScanType> {
    let names = [ScanType::Quick, ScanType::Full].map(ScanType::as_str);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<ScanType>())
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Going on")]
pub(super) struct ResumeArgs {
    /// Go on with an unfinished campaign, or start another in place of a finished one.
    ///
    /// State and results of the finished one are renamed with its id. This is the form for schedulers, if the input is
    /// the same each time.
    #[arg(long)]
    pub(super) again: bool,

    /// Add the machines that are new in the input.
    ///
    /// Today's --where applies to the others; those that are no longer in the input are not sent to (`not_attempted`,
    /// which is no failure), unless they come back later. With --again, this is the form for an input that is exported
    /// again every night: an unfinished campaign is extended, a finished one is followed by a new one, and a changed
    /// comment or scan type takes effect in the next campaign.
    #[arg(long)]
    pub(super) extend: bool,

    /// Reopen targets with these outcomes, as in failed,unsure.
    ///
    /// What was sent to them is looked up first. With `unsure` you take the risk of a second scan if looking up is not
    /// permitted.
    #[arg(
        long,
        value_name = "OUTCOMES",
        value_delimiter = ',',
        conflicts_with = "again"
    )]
    pub(super) retry: Vec<Outcome>,

    /// Recover a state that has lost its end or is gone: the results and the service's list of scans show which
    /// machines have a scan, and the run goes on with the others. Needs the role Machine.Read.All, and takes five
    /// minutes.
    #[arg(long, conflicts_with_all = ["again", "retry"], hide_short_help = true)]
    pub(super) recover: bool,

    /// Give up the unfinished campaign with this id, whose state or results are where those of this run would be: they
    /// are renamed with its id, and a new campaign begins. It may scan machines that the old one has scanned.
    #[arg(
        long,
        value_name = "ID",
        conflicts_with_all = ["again", "retry", "extend", "recover"],
        hide_short_help = true,
    )]
    pub(super) abandon: Option<String>,

    /// The input is a results file: only its rows whose `action_status` is one of these, as in Failed,TimeOut.
    #[arg(long, value_name = "STATUSES", hide_short_help = true)]
    pub(super) only_status: Option<String>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tries")]
pub(super) struct RetryArgs {
    /// What to do with a machine on which somebody else's scan is running.
    ///
    /// It ends as `already_pending`, or it is tried again when the list of scans shows that the scan has ended.
    #[arg(long, value_enum, default_value_t = OnPendingArg::Skip)]
    pub(super) on_pending: OnPendingArg,

    /// With --on-pending retry: how long to wait before a busy machine is asked about again. A resume does not restart
    /// this time. [default: 15m]
    #[arg(long, value_name = "D", value_parser = values::span, hide_short_help = true)]
    pub(super) pending_delay: Option<Duration>,

    /// With --on-pending retry: how many times a busy machine is asked about in all, by a call or by reading the list
    /// of scans. [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), hide_short_help = true)]
    pub(super) pending_tries: Option<u32>,

    /// Read the list of scans once before the first call, and make no call for machines that are being scanned already:
    /// they end as `already_pending`, or wait, as --on-pending says. Needs the role Machine.Read.All.
    #[arg(long, hide_short_help = true)]
    pub(super) skip_busy: bool,

    /// How many times a machine is tried in all.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..=1000),
        hide_short_help = true,
    )]
    max_attempts: u32,

    /// How long one call may take.
    #[arg(long, value_name = "D", default_value = "30s", value_parser = values::span, hide_short_help = true)]
    pub(super) request_timeout: Duration,

    /// Stop (exit code 3) when the API could not be reached for this long; the same command goes on. Without this
    /// option the campaign waits until the API answers again, however long that takes.
    #[arg(long, value_name = "D", value_parser = values::span, hide_short_help = true)]
    pub(super) give_up_after: Option<Duration>,
}

/// Most quick scans are over by then.
const PENDING_DELAY: Duration = Duration::from_mins(15);

/// An hour, with that delay.
const PENDING_TRIES: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnPendingArg {
    Skip,
    Retry,
}

impl ResumeArgs {
    /// Whether this is the form for an input that is exported again every night, and a run that nobody watches.
    pub(super) fn is_nightly(&self) -> bool {
        self.again && self.extend
    }
}

impl RunArgs {
    /// The identity of a campaign that these options start, for this tenant and API.
    ///
    /// # Errors
    /// `--comment` is too long.
    pub(super) fn new_campaign(
        &self,
        tenant: String,
        api: String,
        created: Timestamp,
        rng: &mut fastrand::Rng,
    ) -> Result<Identity, Failure> {
        let comment = comment_text(self.scan.comment.as_deref().unwrap_or_default())
            .map_err(|e| Failure::usage(format!("--comment: {e}")))?;
        let campaign = if self.connect.mock {
            CampaignId::rehearsal(rng)
        } else {
            CampaignId::random(rng)
        };
        Ok(Identity {
            campaign: campaign.as_str().to_owned(),
            created,
            tenant,
            api,
            scan_type: self.scan.scan_type.as_str().to_owned(),
            comment,
            columns: Vec::new(),
            id_rule: String::new(),
        })
    }

    /// Where the summary is written.
    pub(in crate::cli) fn summary(&self) -> Option<&Path> {
        self.output.summary.as_deref()
    }

    /// Where the report is written, if one is wanted.
    ///
    /// # Errors
    /// It cannot be written there, or something else is there.
    pub(super) fn report_file(&self) -> Result<Option<ReportFile>, Failure> {
        let Some(path) = self.output.report.as_deref() else {
            return Ok(None);
        };
        if path.as_os_str() == STDIN {
            return Err(Failure::usage(
                "--report needs the name of a file; `fleetsweep report STATE -o -` writes to standard output",
            ));
        }
        let follows = self.resume.again || self.resume.abandon.is_some();
        ReportFile::check(path, "--report", follows).map(Some)
    }

    /// Where results and state are. The path of the state is empty for a rehearsal that names none: it keeps none.
    pub(super) fn places(&self) -> Result<Places, Failure> {
        let keeps_state = !self.connect.mock || self.output.state.is_some();
        let state = self.output.state.clone();
        let state = state.or_else(|| (!keeps_state).then(PathBuf::new));
        let results = self.output.results.clone();
        Ok(Places::find(&self.targets, results, state)?)
    }

    /// Starts to log, once it is clear that the log is not one of the other files.
    pub(super) fn start(&self) -> Result<Arc<dyn Monitor>, Failure> {
        self.validate()?;
        self.progress.start()
    }

    /// Refuses a file that is named for two purposes, and an option that has no effect.
    pub(super) fn validate(&self) -> Result<(), Failure> {
        self.refuse_idle()?;
        self.watch.validate(self.yes.is_some())?;
        let mut files = paths::files(&self.places()?, &self.targets);
        let summary = self.output.summary.as_ref();
        files.extend(summary.map(|file| FileUse::written("the summary (--summary)", file)));
        let report = self.output.report.as_ref();
        files.extend(report.map(|file| FileUse::written("the report (--report)", file)));
        files.extend(self.workbook()?);
        files.extend(self.progress.files());
        let lists = self.exclusion_lists().into_iter();
        files.extend(lists.map(|(_, file)| FileUse::read("an exclusion list", file)));
        let ledger = self.pace.quota_file.as_ref();
        files.extend(ledger::files(ledger, self.connect.mock));
        files.extend(self.connect.files());
        paths::keep_apart(&files)
    }

    /// When targets are tried again.
    pub(super) fn policy(&self) -> Policy {
        let on_pending = match self.retry.on_pending {
            OnPendingArg::Skip => OnPending::Skip,
            OnPendingArg::Retry => OnPending::Retry {
                delay: self.retry.pending_delay.unwrap_or(PENDING_DELAY),
                tries: self.retry.pending_tries.unwrap_or(PENDING_TRIES),
            },
        };
        Policy {
            max_attempts: self.retry.max_attempts,
            on_pending,
        }
    }
}
