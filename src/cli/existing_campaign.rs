//! What `follow` and `cancel` share: they open a campaign that exists, sign in to its tenant, and at the end write what
//! they have found out about its scans into the results file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use tokio::sync::mpsc;

use super::{
    ExitCode, Failure,
    api::Api,
    connect::{ConnectArgs, Connection, UNKNOWN},
    ledger::{self, QuotaNote},
    named_state::state_of,
    pace::PaceArgs,
    paths::{self, FileUse},
    progress::ProgressArgs,
    signals,
};
use crate::{
    campaign::{journal, open, recover::witness, stop::Signal, tag::CampaignId},
    defender::sign_in::Need,
    monitor::Monitor,
    quota::{Clock, Quota, SystemClock},
    results::{self, Installed, Owner},
    store::{Identity, Lock, Store},
};

/// One page of 10,000 scans is 10 MB, which may take long on a slow connection.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);

/// The options that name the campaign and say how its tenant is reached.
#[derive(Debug, Args)]
pub(super) struct CampaignArgs {
    /// The campaign's state file, its results, or the input, if the state is in its default place.
    #[arg(value_name = "STATE")]
    state: PathBuf,

    #[command(flatten)]
    connect: ConnectArgs,

    #[command(flatten)]
    pace: PaceArgs,

    #[command(flatten)]
    progress: ProgressArgs,

    /// Answer every question with yes.
    #[arg(long, help_heading = "Options")]
    pub(super) yes: bool,
}

/// A campaign that exists, and a connection to its tenant.
pub(super) struct ExistingCampaign {
    pub(super) state: PathBuf,
    pub(super) id: CampaignId,
    pub(super) api: Api,
}

impl CampaignArgs {
    /// Starts to log, once it is clear that neither the log nor one of `more` files is one of the campaign's.
    ///
    /// # Errors
    /// There is no campaign, one file is named for two purposes, or the log cannot be written.
    pub(super) fn start(&self, more: Vec<FileUse>) -> Result<Arc<dyn Monitor>, Failure> {
        let state = state_of(&self.state)?;
        let mut files = FileUse::state(&state);
        let mut results = None;
        // If the state cannot be read, `open` reports it.
        if let Ok(store) = Store::open_unchecked_read_only(&state) {
            results = store
                .last_results()
                .ok()
                .flatten()
                .map(|(path, _)| PathBuf::from(path));
            let last = QuotaNote::of_last_run(&store).ok().flatten();
            let ledger = self.quota_file(last.as_ref());
            files.extend(ledger::files(ledger.as_ref(), false));
        }
        files.extend(paths::input_beside(&self.state, &state, results.as_deref()));
        files.extend(results.map(|path| FileUse::written("the campaign's results", path)));
        files.extend(more);
        files.extend(self.progress.files());
        files.extend(self.connect.files());
        paths::keep_apart(&files)?;
        self.progress.start()
    }

    /// Opens the campaign and signs in. No call of the API is made.
    ///
    /// # Errors
    /// There is no campaign, it belongs to another tenant, or there is no token.
    pub(super) async fn open(
        &self,
        monitor: &Arc<dyn Monitor>,
        need: Need,
    ) -> Result<ExistingCampaign, Failure> {
        if self.connect.mock {
            return Err(Failure::usage(
                "the mock tenant inside this process knows of no scans; start one with `fleetsweep mock` and name it \
                 with --api-url",
            ));
        }
        let state = state_of(&self.state)?;
        // The state is checked once, here. It is opened again for each round and each scan, without a check.
        let store = open_checked(&state).await?;
        let identity = store.identity().clone();
        let id = CampaignId::known(identity.campaign.as_str());
        if id.is_rehearsal() {
            return Err(Failure::usage(format!(
                "campaign {id} was a rehearsal, whose mock tenant is gone: it has started no scans; nothing was sent"
            )));
        }
        let last = QuotaNote::of_last_run(&store)?;
        // A state that has lost its end can still be followed or cancelled. Only a run would refuse it.
        if !Lock::is_held(&state)
            && let Err(lost) = check_whole(&store)
        {
            monitor.say(&lost.why);
        }
        drop(store);
        let connecting = self.connect.connect(need, &self.pace, monitor.as_ref());
        let connection = connecting.await?;
        check_tenant(&identity, &connection)?;
        let (quota, workers) = self.limits(last.as_ref(), connection.base.is_loopback())?;
        let file = self.quota_file(last.as_ref());
        let note = QuotaNote::new(&quota, &connection, file, false)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let api = Api {
            client: Arc::new(connection.client(REQUEST_TIMEOUT, workers)?),
            tokens: connection.tokens,
            pacer: note.pacer(&quota, &clock, REQUEST_TIMEOUT)?,
            clock,
            monitor: Arc::clone(monitor),
            workers,
        };
        Ok(ExistingCampaign { state, id, api })
    }

    /// The limits and the number of workers: those of the options, or else those of the campaign's last run.
    fn limits(&self, last: Option<&QuotaNote>, loopback: bool) -> Result<(Quota, usize), Failure> {
        let kept = last
            .filter(|_| self.pace.sets_no_limits())
            .and_then(|last| {
                self.pace
                    .limits_of_last_run(last.quota(), loopback, self.yes)
            });
        kept.map_or_else(|| self.pace.quota(loopback, self.yes), Ok)
    }

    /// The ledger that is named, or else that of the campaign's last run.
    fn quota_file(&self, last: Option<&QuotaNote>) -> Option<PathBuf> {
        let named = self.pace.quota_file.clone();
        named.or_else(|| last?.file().cloned())
    }
}

/// Opens a state and checks it, which takes a second for a million targets. It does so on another thread, so that
/// Ctrl-C works meanwhile.
pub(super) async fn open_checked(state: &Path) -> Result<Store, Failure> {
    let state = state.to_owned();
    match tokio::task::spawn_blocking(move || Store::open_read_only(&state)).await {
        Ok(store) => Ok(store?),
        Err(e) => Err(Failure::storage(format!("cannot read the state: {e}"))),
    }
}

/// Checks whether a state has lost its end, as a run does before it sends anything.
///
/// # Errors
/// It has lost its end, or what it is compared with cannot be read.
pub(super) fn check_whole(store: &Store) -> Result<(), Failure> {
    let note = QuotaNote::of_last_run(store)?;
    let marks = open::Marks::read(note.as_ref().and_then(QuotaNote::file).cloned())?;
    let ledger = marks.witness(&store.identity().campaign);
    let results = store.last_results()?;
    let results = results.map_or_else(PathBuf::new, |(file, _)| PathBuf::from(file));
    Ok(witness::compare(store, ledger, &results)?)
}

/// Checks that the connection leads to the campaign's API and tenant, as far as both are known.
fn check_tenant(identity: &Identity, connection: &Connection) -> Result<(), Failure> {
    let table = [
        ("API", &identity.api, &connection.api),
        ("tenant", &identity.tenant, &connection.tenant),
    ];
    let differs = |(_, its, ours): &(&str, &String, &String)| {
        its != ours && *its != UNKNOWN && *ours != UNKNOWN
    };
    match table.into_iter().find(differs) {
        None => Ok(()),
        Some((what, its, ours)) => Err(Failure::usage(format!(
            "the {what} of campaign {} is {its}, but this command would call {ours}; look at --api-url, --cloud and \
             the sign-in",
            identity.campaign
        ))),
    }
}

/// Writes the states of the scans into the results file. That needs the campaign's lock: a process that holds it writes
/// them itself when it ends.
///
/// # Errors
/// The state cannot be read, the results cannot be written, or somebody wants to stop at once.
pub(super) async fn write_scans_to_results(
    state: &Path,
    lock: Option<Lock>,
    monitor: &dyn Monitor,
    signals: &mut mpsc::Receiver<Signal>,
) -> Result<(), Failure> {
    let Some(lock) = lock.or_else(|| Lock::take(state).ok()) else {
        monitor.say(
            "a run is at work on the campaign: it writes the states of the scans into the results when it ends",
        );
        return Ok(());
    };
    tokio::select! {
        biased;
        () = signals::to_stop_at_once(Some(signals), signals::ORDERING, |text| monitor.note(text)) => {
            // The thread that writes the results is still at work. Until the process ends, no other process may write
            // them.
            std::mem::forget(lock);
            Err(Failure::new(
                ExitCode::Interrupted,
                format!(
                    "stopped before the states of the scans were in the results; they are in {}, and `fleetsweep \
                     follow` writes them into the results",
                    state.display()
                ),
            ))
        }
        put = rewrite_results(state, monitor) => put,
    }
}

async fn rewrite_results(state: &Path, monitor: &dyn Monitor) -> Result<(), Failure> {
    let store = open_checked(state).await?;
    let campaign = CampaignId::known(store.identity().campaign.as_str());
    let Ok(_lock) = open::lock_campaign(&campaign, ledger::locks().as_deref()) else {
        monitor.say(
            "a run is at work on the campaign, through another name of its state or a copy of it: it writes the states \
             of the scans into the results when it ends",
        );
        return Ok(());
    };
    let Some((path, excel)) = store.last_results()? else {
        return Ok(());
    };
    let path = PathBuf::from(path);
    if check_whole(&store).is_err() {
        // The results hold more than the state does.
        monitor
            .say("the results are left as they are, because the campaign's state has lost its end");
        return Ok(());
    }
    let is_ours = match results::owner(&path)? {
        Owner::Nobody | Owner::Empty => path.parent().is_some_and(Path::is_dir),
        Owner::Campaign(id) => id == store.identity().campaign,
        Owner::Foreign => false,
    };
    if !is_ours {
        monitor.say(&format!(
            "the results are no longer at {}; the states of the scans are in {}",
            path.display(),
            state.display()
        ));
        return Ok(());
    }
    monitor.say(&put(store, &path, excel).await?);
    Ok(())
}

/// Writes the results anew, and returns where they are, in words.
///
/// # Errors
/// The state cannot be read, or the results cannot be written.
pub(super) async fn put(store: Store, path: &Path, excel: bool) -> Result<String, Failure> {
    let layout = journal::layout(&store, excel)?;
    let rewritten = journal::rewrite(store, path, &layout).await;
    Ok(match rewritten.map_err(Failure::storage)? {
        Installed::There(path) => format!("results: {}", path.display()),
        Installed::Aside { path: aside, why } => format!(
            "{} could not be replaced ({why}), so the complete results are in {}",
            path.display(),
            aside.display()
        ),
    })
}
