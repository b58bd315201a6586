//! What can be said to `fleetsweep run`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::{
    campaign::{
        outcome::Outcome,
        retry::{OnPending, Policy},
        tag::{CampaignId, comment_text},
    },
    cli::{
        Failure,
        brakes::BrakeArgs,
        connect::{ConnectArgs, RowsTenant},
        follow::FollowArgs,
        ledger,
        pace::PaceArgs,
        paths::{self, FileUse, Places},
        progress::ProgressArgs,
        values,
    },
    monitor::Monitor,
    roster::{self, Delimiter, ScanType, Where, WhereError},
    store::Identity,
};

/// Start a campaign: one scan on every machine of a CSV, at exactly the API's speed limit.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The machines: a CSV or a plain list of ids; `-` reads standard input.
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

    /// Watch the scans while others are started, and then to their end.
    #[arg(long, help_heading = "Following")]
    pub(super) follow: bool,

    #[command(flatten)]
    pub(super) following: FollowArgs,

    #[command(flatten)]
    pub(super) connect: ConnectArgs,

    #[command(flatten)]
    pub(super) progress: ProgressArgs,

    /// Answer every question with yes: whether more than 500 machines, or more than the documented limits, are really
    /// meant. With a number, a yes for at most N machines: if more are still to be scanned, nothing is sent.
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
#[command(next_help_heading = "Input")]
pub(super) struct InputArgs {
    /// The column that holds the machine ids, if it is not found out.
    #[arg(long, value_name = "NAME")]
    pub(super) id_column: Option<String>,

    /// What separates the cells: one character, or `tab`; found out otherwise.
    #[arg(long, value_name = "C")]
    pub(super) delimiter: Option<Delimiter>,

    /// Only rows whose cell has one of these values; can be given several times, and all must hold. What is left out is
    /// counted as `not_attempted`, and is no failure.
    #[arg(long = "where", value_name = "COLUMN=VALUE[,…]")]
    pub(super) wheres: Vec<Where>,

    /// Send whatever a URL can carry, also what is not like the other ids in its column: names, GUIDs, ids of another
    /// length.
    #[arg(long)]
    pub(super) any_id: bool,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Scan")]
pub(super) struct ScanArgs {
    /// For rows without a scan type of their own.
    #[arg(long, value_enum, default_value_t = ScanTypeArg::Quick)]
    scan_type: ScanTypeArg,

    /// The comment that the portal shows, behind the tag; at most 200 characters.
    /// [default: "antivirus scan by fleetsweep"]
    #[arg(long, value_name = "TEXT")]
    pub(super) comment: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScanTypeArg {
    Quick,
    Full,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// The results file. [default: the input's name with .results.csv, beside the input]
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(super) results: Option<PathBuf>,

    /// The campaign's state. [default: the results' name with .campaign.db; with --mock a temporary folder]
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,

    /// Overwrite a results file that this campaign did not write; never one of an unfinished campaign.
    #[arg(long)]
    pub(super) force: bool,

    /// Write a summary of the run as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub(super) summary: Option<PathBuf>,

    /// Results as Excel opens them by a double click: BOM, CRLF and `;`.
    #[arg(long)]
    pub(super) excel: bool,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Going on")]
pub(super) struct ResumeArgs {
    /// Go on with an unfinished campaign, and start a new one over a finished one, whose state and results are renamed
    /// with its id: the form for schedulers, where the input is the same each time.
    #[arg(long)]
    pub(super) again: bool,

    /// Add the machines that are new in the input. The others go by today's --where; those that are gone from the input
    /// are not sent (`not_attempted`, and no failure), and are due again when they come back. With --again, the form
    /// for an input that is exported anew every night: an unfinished campaign is extended, after a finished one a new
    /// one begins, and a changed comment or scan type waits for the next.
    #[arg(long)]
    pub(super) extend: bool,

    /// Reopen targets that ended so, as in failed,unsure. What was sent to them is looked up first; with `unsure` you
    /// take the risk of a second scan where that is not permitted.
    #[arg(
        long,
        value_name = "OUTCOMES",
        value_delimiter = ',',
        conflicts_with = "again"
    )]
    pub(super) retry: Vec<Outcome>,

    /// Make a state whole again that has lost its end or is gone: the results and the service's list of scans tell what
    /// became of every machine, and the run goes on with the others. Needs the role Machine.Read.All, and takes five
    /// minutes.
    #[arg(long, conflicts_with_all = ["again", "retry"])]
    pub(super) recover: bool,

    /// Give up the unfinished campaign of this id, whose state or results lie where those of this run are to be: they
    /// are renamed with its id, and a new campaign begins. It may scan machines that the old one has scanned.
    #[arg(long, value_name = "ID", conflicts_with_all = ["again", "retry", "extend", "recover"])]
    pub(super) abandon: Option<String>,

    /// The input is a results file: only its rows whose `action_status` is one of these, as in Failed,TimeOut.
    #[arg(long, value_name = "STATUSES")]
    pub(super) only_status: Option<String>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tries")]
pub(super) struct RetryArgs {
    /// What becomes of a machine on which somebody else's scan runs already: it ends as `already_pending`, or it is
    /// tried again later, when the list of scans shows that the scan has ended.
    #[arg(long, value_enum, default_value_t = OnPendingArg::Skip)]
    pub(super) on_pending: OnPendingArg,

    /// With --on-pending retry: how much later a busy machine is asked about again; a resume does not begin it anew.
    /// [default: 15m]
    #[arg(long, value_name = "D", value_parser = values::span)]
    pub(super) pending_delay: Option<Duration>,

    /// With --on-pending retry: how many times a busy machine is asked about in all, by a call or by a look into the
    /// list of scans. [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) pending_tries: Option<u32>,

    /// Ask the list of scans once before the first call, and spend no call on machines that are being scanned already:
    /// they end as `already_pending`, or wait as --on-pending says. Needs the role Machine.Read.All.
    #[arg(long)]
    pub(super) skip_busy: bool,

    /// How many times a machine is tried in all.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    max_attempts: u32,

    /// How long one call may take.
    #[arg(long, value_name = "D", default_value = "30s", value_parser = values::span)]
    pub(super) request_timeout: Duration,

    /// Stop (exit code 3) when the API could not be reached for so long; the same command goes on. Without it the
    /// campaign waits until the API answers again, however long that takes.
    #[arg(long, value_name = "D", value_parser = values::span)]
    pub(super) give_up_after: Option<Duration>,
}

/// Most quick scans are over by then.
const PENDING_DELAY: Duration = Duration::from_mins(15);

/// An hour, by that delay.
const PENDING_TRIES: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnPendingArg {
    Skip,
    Retry,
}

impl ResumeArgs {
    /// Whether it is the form for an input that is exported anew every night, and a run that nobody watches.
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
            scan_type: self.scan_type().as_str().to_owned(),
            comment,
            columns: Vec::new(),
            id_rule: String::new(),
        })
    }

    /// Where the summary is written.
    pub(in crate::cli) fn summary(&self) -> Option<&Path> {
        self.output.summary.as_deref()
    }

    /// Where results and state are. The path of the state is empty for a rehearsal that names none: it keeps none.
    pub(super) fn places(&self) -> Result<Places, Failure> {
        let keeps_state = !self.connect.mock || self.output.state.is_some();
        let state = self.output.state.clone();
        let state = state.or_else(|| (!keeps_state).then(PathBuf::new));
        Places::find(&self.targets, self.output.results.clone(), state)
    }

    /// Begins to log, once it is clear that the log is none of the other files.
    pub(super) fn start(&self) -> Result<Arc<dyn Monitor>, Failure> {
        self.keep_apart()?;
        self.progress.start()
    }

    /// Refuses a file that is meant to be two things, and an option that would change nothing.
    pub(super) fn keep_apart(&self) -> Result<(), Failure> {
        self.refuse_idle()?;
        let mut files = self.places()?.files(&self.targets);
        let summary = self.output.summary.as_ref();
        files.extend(summary.map(|file| FileUse::written("the summary (--summary)", file)));
        files.extend(self.progress.files());
        let ledger = self.pace.quota_file.as_ref();
        files.extend(ledger::files(ledger, self.connect.mock));
        files.extend(self.connect.files());
        paths::keep_apart(&files)
    }

    /// The scan type of rows that do not say.
    pub(super) fn scan_type(&self) -> ScanType {
        match self.scan.scan_type {
            ScanTypeArg::Quick => ScanType::Quick,
            ScanTypeArg::Full => ScanType::Full,
        }
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

    /// Whether targets in doubt are sent again even where they cannot be looked up.
    pub(super) fn risk_taken(&self) -> bool {
        self.resume.retry.contains(&Outcome::Unsure)
    }

    /// Whether `--where` names a column that only a results file has: who asks for that knows what the file is.
    fn chooses_results(&self) -> bool {
        let columns = self.input.wheres.iter().map(Where::column);
        columns.into_iter().any(|column| {
            ["outcome", "action_status", "error_code", "http_status"].contains(&column)
        })
    }

    /// How the input is read, for a sign-in to `tenant`.
    ///
    /// # Errors
    /// `--only-status` names no status.
    pub(super) fn roster(&self, tenant: &RowsTenant) -> Result<roster::Options, WhereError> {
        let mut wheres = self.input.wheres.clone();
        if let Some(statuses) = &self.resume.only_status {
            wheres.push(format!("action_status={statuses}").parse()?);
        }
        Ok(roster::Options {
            id_column: self.input.id_column.clone(),
            delimiter: self.input.delimiter,
            wheres,
            any_id: self.input.any_id,
            rule: None,
            of_results: self.resume.only_status.is_some() || self.chooses_results(),
            tenant: match tenant {
                RowsTenant::Known(tenant) => Some(tenant.clone()),
                RowsTenant::Untold | RowsTenant::Any => None,
            },
            one_tenant: *tenant == RowsTenant::Untold,
        })
    }
}
