//! Why a campaign cannot be opened.

use std::{io, path::PathBuf};

use tokio::task::JoinError;

use crate::{
    campaign::{
        journal::JournalError,
        outcome::Outcome,
        recover::witness::{Loss, WitnessError},
        tag::CampaignId,
    },
    quota::LedgerError,
    results::ResultsError,
    roster::{IdRuleError, RosterError},
    store::{LockError, NetworkPlace, StoreError},
};

/// Why a campaign cannot be opened. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The input is refused.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// The input has no place beside which the results could be.
    #[error("the input comes from standard input, so name the results file with -o")]
    NoResults,
    /// The input cannot be read.
    #[error("cannot read {input}: {source}")]
    Input {
        /// The input's name.
        input: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The state cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state would be on another computer.
    #[error(transparent)]
    Place(#[from] NetworkPlace),
    /// The ledger cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The results cannot be read or written.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// The results of a finished campaign cannot be put in order.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Another process is working on the campaign, or the lock cannot be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The state has lost its end, or a witness of it cannot be read.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// The thread that was opening the campaign has panicked.
    #[error("opening the campaign broke off: {0}")]
    Thread(#[from] JoinError),
    /// A later version has written the state.
    #[error("the campaign's state: {0}; a newer fleetsweep may know it")]
    IdRule(#[from] IdRuleError),
    /// A file that is in the way cannot be renamed.
    #[error("cannot rename {} to {}: {source}", from.display(), to.display())]
    Archive {
        /// The file.
        from: PathBuf,
        /// Its new name.
        to: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file that was in the way cannot be put back.
    #[error("cannot rename {} back to {}: {source}", from.display(), to.display())]
    PutBack {
        /// The file.
        from: PathBuf,
        /// The name that it had before.
        to: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The state of a campaign that does not begin after all cannot be removed.
    #[error("cannot remove {}: {source}", state.display())]
    Remove {
        /// The state file.
        state: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The state is damaged, and there is neither a results file nor a mark to rebuild it from.
    #[error(
        "the campaign's state {} is damaged, and nothing else tells which campaign it is: neither results nor a mark. \
         Nothing was sent",
        .0.display()
    )]
    Unknown(PathBuf),
    /// The command or the input describes another campaign than the one that is there.
    #[error(
        "this is not campaign {campaign}, whose state is at the same place: {difference}. To go on with that one, run \
         it as it began; to add machines that are new in the input, --extend; to begin another one beside it, name \
         other files with -o and --state; to begin another one in the place of a finished one, --again"
    )]
    Another {
        /// The campaign that is there.
        campaign: String,
        /// What differs.
        difference: Difference,
    },
    /// The campaign's state is whole, and is somewhere else. A second one would leave it behind.
    #[error(
        "the state of campaign {campaign} is {}, and nothing was sent; go on with it by --state {}",
        state.display(),
        state.display()
    )]
    Elsewhere {
        /// The campaign.
        campaign: String,
        /// Its state file.
        state: PathBuf,
    },
    /// The campaign had finished before.
    #[error(
        "campaign {} had finished before, nothing was sent; its results are in {}. {FURTHER}",
        campaign.named(),
        results.display()
    )]
    FinishedBefore {
        /// The campaign.
        campaign: CampaignId,
        /// Its results file.
        results: PathBuf,
    },
    /// `--retry` with an outcome after which nothing can be tried again.
    #[error("--retry {outcome}: {}", not_retried(*outcome))]
    Retry {
        /// The outcome.
        outcome: Outcome,
    },
    /// `--retry` where there is no campaign.
    #[error("--retry: there is no campaign at {}; start one first", .0.display())]
    NothingToRetry(PathBuf),
    /// `--recover` where there is no campaign.
    #[error(
        "--recover: there is no campaign at {}, and nothing tells of one; run the command without it",
        .0.display()
    )]
    NothingToRecover(PathBuf),
    /// `--abandon` with a campaign that is not there.
    #[error(
        "--abandon {campaign}: neither the state {} nor the results {} are of that campaign; nothing was changed",
        state.display(),
        results.display()
    )]
    NothingToAbandon {
        /// The campaign that was named.
        campaign: String,
        /// The state file, or where there is none.
        state: PathBuf,
        /// The results file, or where there is none.
        results: PathBuf,
    },
    /// `--abandon` with a finished campaign.
    #[error(
        "--abandon {0}: that campaign has finished; to begin another one in its place, --again"
    )]
    AbandonFinished(CampaignId),
    /// `--abandon` with a real campaign, from a rehearsal.
    #[error("--abandon {0}: a rehearsal (--mock) gives no real campaign up; nothing was changed")]
    AbandonReal(String),
    /// A real campaign's state where a rehearsal's would be.
    #[error(
        "{} is the state of the real campaign {campaign}, and a rehearsal (--mock) neither goes on with it nor takes \
         its place; nothing was changed. Rehearse without --state and with other results (-o), or name other files \
         with both",
        state.display()
    )]
    RealState {
        /// The state file.
        state: PathBuf,
        /// The real campaign.
        campaign: CampaignId,
    },
    /// A real campaign's results where a rehearsal's would be.
    #[error(
        "the results in {} are those of the real campaign {campaign}, and a rehearsal (--mock) never takes their \
         place, not even with --force; nothing was changed. Name another file with -o",
        results.display()
    )]
    RealResults {
        /// The results file.
        results: PathBuf,
        /// The real campaign.
        campaign: CampaignId,
    },
    /// A rehearsal that is running where a real campaign would be.
    #[error(
        "the rehearsal {campaign} is at work on {}; nothing was sent. Wait for its end, or name another file with \
         --state",
        state.display()
    )]
    RehearsalAtWork {
        /// The state file.
        state: PathBuf,
        /// The rehearsal.
        campaign: CampaignId,
    },
    /// The results are those of another campaign that has not finished.
    #[error(
        "the results in {} are those of campaign {campaign}, which has not finished; nothing was sent. Name another \
         file with -o, or give that campaign up with --abandon {campaign}",
        results.display()
    )]
    UnfinishedResults {
        /// The results file.
        results: PathBuf,
        /// The other campaign.
        campaign: String,
    },
    /// The results are those of another campaign.
    #[error(
        "the results in {} are those of campaign {campaign}; name another file with -o, or overwrite it with --force",
        results.display()
    )]
    OtherResults {
        /// The results file.
        results: PathBuf,
        /// The other campaign.
        campaign: String,
    },
    /// The results file of the campaign that is there was not written by fleetsweep. With another one, the command
    /// would begin another campaign.
    #[error(
        "the results in {} are not as fleetsweep wrote them. Nothing was sent. Write them anew from the campaign's \
         state, then give the same command: fleetsweep results {} -o {} --force",
        results.display(),
        state.display(),
        results.display()
    )]
    ChangedResults {
        /// The results file.
        results: PathBuf,
        /// The campaign's state.
        state: PathBuf,
    },
    /// The results file was not written by fleetsweep.
    #[error(
        "the results in {} were not written by fleetsweep; name another file with -o, or overwrite it with --force",
        .0.display()
    )]
    ForeignResults(PathBuf),
}

/// The ways on from a campaign that has finished.
pub(super) const FURTHER: &str =
    "To scan its machines once more, --again; to try those that failed, --retry failed,unsure";

/// Why targets with this outcome are not tried again.
fn not_retried(outcome: Outcome) -> &'static str {
    if outcome == Outcome::Accepted {
        "a campaign starts one scan a machine; start another one with --again"
    } else {
        "such a row is never sent; fix the input and start another campaign"
    }
}

impl From<Loss> for OpenError {
    fn from(loss: Loss) -> Self {
        Self::Witness(loss.into())
    }
}

/// How today's command or input differs from the campaign that is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// The command.
    #[error("{what} is now `{is}`; the campaign began with `{was}`")]
    Command {
        /// What the command says something else about.
        what: &'static str,
        /// What it says now.
        is: String,
        /// What it said then.
        was: String,
    },
    /// The input has fewer rows.
    #[error("{input} ends before target {n} ({machine})")]
    InputEnds {
        /// The input's name.
        input: String,
        /// The number of the first target that has no row.
        n: u64,
        /// Its machine.
        machine: String,
    },
    /// The input has more rows.
    #[error("line {line} of {input} is an additional row ({machine})")]
    RowMore {
        /// The input's name.
        input: String,
        /// The line of the first row that has no target.
        line: u64,
        /// Its machine.
        machine: String,
    },
    /// A row is about another machine.
    #[error("line {line} of {input} is machine `{is}`, it was `{was}`")]
    Machine {
        /// The input's name.
        input: String,
        /// The row's line.
        line: u64,
        /// The machine now.
        is: String,
        /// The machine then.
        was: String,
    },
    /// A row says something else about its scan.
    #[error("line {line} of {input} has the {what} {is}, it was {was}")]
    Row {
        /// The input's name.
        input: String,
        /// The row's line.
        line: u64,
        /// What it says something else about.
        what: &'static str,
        /// What it says now.
        is: String,
        /// What it said then.
        was: String,
    },
}
