//! Rebuilds a state that lost its end from its witnesses: the results file, and the service's own list of
//! scans.
//!
//! ```text
//!   results ─→ ends that the state has forgotten ─┐
//!                                                 ├→ every open target settled once ─→ the run goes on
//!   one complete listing ─→ scans of ours, by tag ┘
//! ```
//!
//! A target that is in neither of them was certainly not scanned by this campaign, because the listing begins
//! long after the last call that may have been sent. The recovery is recorded in the state as a decision that
//! is begun, and then done. A recovery that was interrupted starts again, and nothing is sent before it is
//! done.

mod listed;
pub mod witness;

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
    path::Path,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use self::{listed::ListedScans, witness::Ledger};
use super::{engine::verdict::Scan, outcome::Outcome};
use crate::{
    client::{
        caller::TokenError,
        margins::{BLIND_MARGIN, before},
        reply::Said,
        scans::{ListingError, ScanList},
        server_clock::ServerClock,
    },
    defender::Defender,
    monitor::{Monitor, span},
    quota::{Clock, LedgerError},
    results::{self, ReadRow, ResultsError},
    store::{Decision, OpenTarget, Progress, Record, SentAt, Store, StoreError, Subject},
};

/// The list is read no sooner than this after the last call that may have been sent: a call is given up
/// within its timeout, may be carried out as long after that, and its scan may take time to show.
const SETTLED_AFTER: Duration = Duration::from_mins(5);

/// How many records are committed at once.
const BATCH: usize = 1000;

/// The result of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Targets that have ended according to the results.
    pub by_results: u64,
    /// Targets whose scan is in the list.
    pub by_list: u64,
    /// Targets for which the list shows a scan that may or may not be ours.
    pub unsure: u64,
    /// Targets that were certainly not scanned, including those that `--where` leaves out.
    pub open: u64,
}

/// Why the state cannot be recovered. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The application may not list scans.
    #[error(
        "--recover needs the list of scans: {}; grant the application the role Machine.Read.All. Nothing was sent",
        .0.words()
    )]
    Forbidden(Said),
    /// There is no token that the service accepts.
    #[error("--recover needs the list of scans: {0}. Nothing was sent")]
    SignIn(#[source] TokenError),
    /// The list could not be read to its end.
    #[error(
        "the list of scans could not be read: {0}. Nothing was sent; the same command with --recover tries again"
    )]
    List(#[source] ListingError),
    /// The input is not the one that the campaign began with.
    #[error(
        "the results tell what became of machine {machine}, and it is not in the input; nothing was sent. Give \
         --recover the input that the campaign began with"
    )]
    Input {
        /// The machine that the input does not name.
        machine: String,
    },
    /// The list of scans shows a machine of this campaign that the input does not name any more.
    #[error(
        "the list of scans shows that this campaign has scanned machine {machine}, and it is not in the input; nothing \
         was sent. Give --recover the input that the campaign began with, with this id in the place of a name that \
         stands for another machine by now"
    )]
    Scanned {
        /// The machine.
        machine: String,
    },
    /// The ledger of the quota cannot be used.
    #[error(transparent)]
    Ledger(LedgerError),
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The results.
    #[error(transparent)]
    Results(#[from] ResultsError),
}

impl From<ListingError> for RecoverError {
    fn from(e: ListingError) -> Self {
        match e {
            ListingError::Forbidden(said) => Self::Forbidden(said),
            ListingError::Unauthorized(e) => Self::SignIn(e),
            ListingError::Ledger(e) => Self::Ledger(e),
            e => Self::List(e),
        }
    }
}

/// The decision that a recovery was begun, which is in force until the recovery is done.
#[must_use]
pub fn begun(now: Timestamp, covers: u64) -> Decision {
    decision("begun", now, covers)
}

fn decision(answer: &str, given: Timestamp, covers: u64) -> Decision {
    Decision {
        subject: Subject::Recover,
        answer: answer.to_owned(),
        covers,
        who: "by --recover".to_owned(),
        given,
    }
}

/// What a recovery needs besides the state.
pub struct Evidence<'a> {
    /// The results file; what it says about this campaign is taken over.
    pub results: &'a Path,
    /// What the ledger knows about the campaign.
    pub ledger: Ledger,
    /// When the last call may have been sent, by this computer's clock; now, if that is not known.
    pub last_sent: Timestamp,
    /// After how long a call is given up.
    pub request_timeout: Duration,
}

/// Settles every target that has not ended.
///
/// # Errors
/// The list cannot be read to its end, or a file cannot be used. The recovery then still has to be done.
pub async fn recover<D: Defender>(
    store: &mut Store,
    list: &ScanList<D>,
    evidence: &Evidence<'_>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Recovered, RecoverError> {
    let covers = store.last_target()?;
    let ends = ends_in(evidence.results, &store.identity().campaign)?;
    if let Some(machine) = missing(store, &ends)? {
        return Err(RecoverError::Input { machine });
    }
    store.decide(&begun(clock.wall(), covers))?;
    let open = store.targets_to_recover()?;
    let last_sent = evidence
        .last_sent
        .max(store.last_sent()?.unwrap_or_default());
    wait(last_sent, evidence.request_timeout, clock, monitor).await;
    let mut listed = ListedScans::new(&open, &store.identity().campaign);
    let since = before(store.identity().created, BLIND_MARGIN);
    let mut server = ServerClock::default();
    let read = list.read(since, &mut server, |page| {
        for action in page {
            listed.see(action);
        }
        ControlFlow::Continue(())
    });
    read.await?;
    store.every_machine(|machine| {
        listed.others.remove(machine);
    })?;
    if let Some(machine) = listed.others.iter().min() {
        return Err(RecoverError::Scanned {
            machine: machine.clone(),
        });
    }
    let recovered = settle(store, &open, &listed, &ends, clock.wall())?;
    let marked = witness::marked(store, evidence.ledger)?;
    store.decide(&decision("done", clock.wall(), covers))?;
    store.end_recovery(marked)?;
    Ok(recovered)
}

/// A machine that is in the results but is not a target.
fn missing(store: &Store, ends: &HashMap<String, ReadRow>) -> Result<Option<String>, StoreError> {
    let mut left: HashSet<&str> = ends.keys().map(String::as_str).collect();
    store.every_machine(|machine| {
        left.remove(machine);
    })?;
    Ok(left.into_iter().min().map(str::to_owned))
}

async fn wait(
    last_sent: Timestamp,
    request_timeout: Duration,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) {
    let ago = clock
        .wall()
        .duration_since(last_sent)
        .max(SignedDuration::ZERO);
    let settled = SETTLED_AFTER.max(2 * request_timeout);
    let left = settled.saturating_sub(Duration::try_from(ago).unwrap_or_default());
    monitor.note(&format!(
        "recovering the campaign: the list of scans is read in {}, when the last call that may have been sent \
         shows there",
        span::in_words(left)
    ));
    tokio::time::sleep(left).await;
}

/// The rows of the results that ended by a call, by machine.
fn ends_in(results: &Path, campaign: &str) -> Result<HashMap<String, ReadRow>, ResultsError> {
    let mut ends = HashMap::new();
    results::each_row::<ResultsError>(results, campaign, |row| {
        let outcome: Option<Outcome> = row.outcome.parse().ok();
        let by_call = !matches!(
            outcome,
            None | Some(
                Outcome::Invalid | Outcome::Duplicate | Outcome::NotAttempted | Outcome::Unsure
            )
        );
        if by_call {
            ends.insert(row.machine_id.to_lowercase(), row.clone());
        }
        Ok(())
    })?;
    Ok(ends)
}

fn settle(
    store: &mut Store,
    open: &[OpenTarget],
    listed: &ListedScans<'_>,
    ends: &HashMap<String, ReadRow>,
    at: Timestamp,
) -> Result<Recovered, StoreError> {
    let made = store.identity().created;
    let mut recovered = Recovered::default();
    for batch in open.chunks(BATCH) {
        let known: HashMap<u64, Progress> = store
            .recall(batch.iter().map(|target| target.n))?
            .into_iter()
            .map(|left| (left.target.n, left.target.progress))
            .collect();
        let records: Vec<_> = batch
            .iter()
            .map(|target| {
                let before = known.get(&target.n).cloned().unwrap_or_default();
                let machine = target.machine.as_str();
                let ended = if let Some(scan) = listed.ours.get(machine) {
                    recovered.by_list += 1;
                    by_list(before, scan.clone(), ends.get(machine))
                } else if let Some(row) = ends.get(machine).filter(|_| !target.reopened) {
                    recovered.by_results += 1;
                    by_results(before, row)
                } else if listed.untold.contains(machine) {
                    recovered.unsure += 1;
                    untold(before, made)
                } else {
                    recovered.open += 1;
                    return Record::Absent { n: target.n, at };
                };
                Record::Changed {
                    n: target.n,
                    attempt: None,
                    progress: Box::new(ended),
                }
            })
            .collect();
        store.commit(0, &records)?;
    }
    Ok(recovered)
}

fn by_list(mut progress: Progress, scan: Scan, row: Option<&ReadRow>) -> Progress {
    if let Some(row) = row {
        progress = by_results(progress, row);
    } else {
        "found in the list of scans by its tag when the campaign was recovered"
            .clone_into(&mut progress.message);
    }
    progress.outcome = Some(Outcome::Accepted.as_str());
    progress.attempts = progress.attempts.max(1);
    progress.first_sent = progress.first_sent.or_else(|| scan.created.parse().ok());
    progress.unsure_since = None;
    progress.set_action(scan.id, scan.status, scan.created);
    progress
}

fn by_results(mut progress: Progress, row: &ReadRow) -> Progress {
    progress.outcome = row.outcome.parse().ok().map(Outcome::as_str);
    progress.attempts = progress.attempts.max(row.attempts);
    progress.unsure_since = None;
    progress.not_before = None;
    progress.http_status = row.http_status;
    progress.error_code.clone_from(&row.error_code);
    progress.message.clone_from(&row.message);
    progress.correlation_id.clone_from(&row.correlation_id);
    let [first_sent, last_answer] = row.times;
    progress.first_sent = progress.first_sent.or(first_sent);
    progress.last_answer = progress.last_answer.max(last_answer);
    let [id, status, created] = row.action.clone();
    progress.set_action(id, status, created);
    progress
}

/// A target that is looked up by its tag or its age before anything is sent to it again.
fn untold(mut progress: Progress, made: Timestamp) -> Progress {
    progress.attempts = progress.attempts.max(1);
    progress.first_sent.get_or_insert(made);
    progress.unsure_since.get_or_insert(SentAt {
        at: made,
        by_server: false,
    });
    progress.outcome = Some(Outcome::Unsure.as_str());
    "the list shows a scan of this machine whose comment does not tell who started it: it may be this \
     campaign's; look at the machine"
        .clone_into(&mut progress.message);
    progress
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn a_role_is_advised_only_where_one_is_missing() {
        let missing = RecoverError::from(ListingError::Forbidden(Said::default()));
        assert!(missing.to_string().contains("Machine.Read.All"));

        let refused = TokenError::Refused(Said::default());
        let refused = RecoverError::from(ListingError::Unauthorized(refused));
        assert!(!refused.to_string().contains("role"), "{refused}");
        assert!(refused.source().is_some());
    }
}
