//! What `follow` and `cancel` stand on: a campaign that is there, and a connection to its tenant.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use tokio::sync::mpsc;

use super::{
    ExitCode, Failure,
    connect::{ConnectArgs, Connection, UNKNOWN},
    ledger::{self, QuotaNote},
    pace::PaceArgs,
    paths::{self, FileUse},
    progress::ProgressArgs,
    signals,
};
use crate::{
    campaign::{journal, open, recover::witness, stop::Signal, tag::CampaignId},
    defender::{HttpDefender, sign_in::Need},
    monitor::Monitor,
    quota::{Clock, LONGEST_WAIT, Pacer},
    results::{self, Installed, Layout, Owner},
    store::{Identity, Lock, Store},
};

/// One page of 10,000 scans is 10 MB on a bad line.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);

/// Which campaign, and how its tenant is reached.
#[derive(Debug, Args)]
pub(super) struct CampaignArgs {
    /// The campaign's state file, or the input whose state lies at its default place.
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

/// A campaign that is there, and a connection to its tenant.
pub(super) struct ExistingCampaign {
    pub(super) state: PathBuf,
    pub(super) identity: Identity,
    pub(super) connection: Connection,
    pub(super) client: Arc<HttpDefender>,
    pub(super) pacer: Pacer,
    /// How many calls may be on the wire at once.
    pub(super) workers: usize,
}

impl CampaignArgs {
    /// Begins to log, once it is clear that the log is no file of the campaign's.
    ///
    /// # Errors
    /// There is no campaign, two of the files are one, or the log cannot be written.
    pub(super) fn start(&self) -> Result<Arc<dyn Monitor>, Failure> {
        let state = paths::state_of(&self.state)?;
        let mut files = FileUse::state(&state);
        if state != self.state {
            files.push(FileUse::read("the campaign's input", &self.state));
        }
        // Whatever is wrong with the state is told by who works with it.
        if let Ok(store) = Store::open_unchecked_read_only(&state) {
            let results = store.last_results().ok().flatten();
            files.extend(results.map(|(path, _)| FileUse::written("the campaign's results", path)));
            let last = store.last_run().ok().flatten();
            let last = last.and_then(|run| QuotaNote::from_json(&run.quota));
            let ledger = self.pace.quota_file.clone();
            let ledger = ledger.or_else(|| last.as_ref()?.file().cloned());
            files.extend(ledger::files(ledger.as_ref(), false));
        }
        files.extend(self.progress.files());
        files.extend(self.connect.files());
        paths::keep_apart(&files)?;
        self.progress.start()
    }

    /// Finds the campaign and signs in; no call of the API is made.
    ///
    /// # Errors
    /// There is no campaign, it is another tenant's, or there is no token.
    pub(super) async fn attach(
        &self,
        clock: &Arc<dyn Clock>,
        monitor: &dyn Monitor,
    ) -> Result<ExistingCampaign, Failure> {
        if self.connect.mock {
            return Err(Failure::usage(
                "the mock tenant inside this process knows of no scans; start one by `fleetsweep mock` and name it by \
                 --api-url",
            ));
        }
        let state = paths::state_of(&self.state)?;
        // Looked through once; the notes of each round and of each scan do not do it again.
        let store = look(&state).await?;
        let identity = store.identity().clone();
        if CampaignId::known(identity.campaign.as_str()).is_rehearsal() {
            return Err(Failure::usage(format!(
                "campaign {} was a rehearsal, whose mock tenant is gone: it has started no scans; nothing was sent",
                identity.campaign
            )));
        }
        let last = store.last_run().map_err(Failure::storage)?;
        let last = last.and_then(|run| QuotaNote::from_json(&run.quota));
        // What can be followed or called back still is; a run says the same, and sends nothing.
        if !Lock::is_held(&state)
            && let Err(lost) = check_whole(&store, last.as_ref())
        {
            monitor.say(&lost.why);
        }
        drop(store);
        let mock_quota = self.pace.mock_quota();
        let connecting = self.connect.connect(Need::Read, mock_quota, monitor);
        let connection = connecting.await?;
        check(&identity, &connection)?;
        let loopback = connection.base.is_loopback();
        let kept = last
            .as_ref()
            .filter(|_| self.pace.says_nothing())
            .and_then(|last| self.pace.kept(last.quota(), loopback, self.yes));
        let (quota, workers) = match kept {
            Some(kept) => kept,
            None => self.pace.quota(loopback, self.yes)?,
        };
        let file = self.pace.quota_file.clone();
        let file = file.or_else(|| last.as_ref()?.file().cloned());
        let note = QuotaNote::new(&quota, &connection, file, false)?;
        let pacer = note.pacer(&quota, clock, REQUEST_TIMEOUT + LONGEST_WAIT)?;
        Ok(ExistingCampaign {
            client: Arc::new(connection.client(REQUEST_TIMEOUT, workers)?),
            state,
            identity,
            connection,
            pacer,
            workers,
        })
    }
}

/// Looks a state through, which takes a second for a million targets: on a thread, so that Ctrl-C is heard meanwhile.
async fn look(state: &Path) -> Result<Store, Failure> {
    let state = state.to_owned();
    match tokio::task::spawn_blocking(move || Store::open_read_only(&state)).await {
        Ok(store) => store.map_err(Failure::storage),
        Err(e) => Err(Failure::storage(format!(
            "reading the state broke off: {e}"
        ))),
    }
}

/// Says what a run would say of a state that has lost its end.
///
/// # Errors
/// It has, or a witness cannot be read.
pub(super) fn check_whole(store: &Store, note: Option<&QuotaNote>) -> Result<(), Failure> {
    let marks = open::Marks::read(note.and_then(QuotaNote::file).cloned());
    let ledger = marks
        .map_err(Failure::storage)?
        .witness(&store.identity().campaign);
    let results = store.last_results().map_err(Failure::storage)?;
    let results = results.map_or_else(PathBuf::new, |(file, _)| PathBuf::from(file));
    witness::compare(store, ledger, &results).map_err(Failure::from)
}

/// Whether the connection leads to the campaign's tenant.
fn check(identity: &Identity, connection: &Connection) -> Result<(), Failure> {
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
            "the {what} of campaign {} is {its}, and this would ask {ours}; look at --api-url, --cloud and the sign-in",
            identity.campaign
        ))),
    }
}

/// Puts the states of the scans into the results file, for which the campaign's lock is needed: where a process is at
/// work on the campaign, it does that itself at its end. Whoever wants to stop at once is heard.
///
/// # Errors
/// The state cannot be read, the results cannot be written, or somebody has stopped it.
pub(super) async fn put_into_results(
    state: &Path,
    lock: Option<Lock>,
    monitor: &dyn Monitor,
    signals: &mut mpsc::Receiver<Signal>,
) -> Result<(), Failure> {
    let Some(lock) = lock.or_else(|| Lock::take(state).ok()) else {
        monitor.say(
            "a run is at work on the campaign: it puts the states into the results when it ends",
        );
        return Ok(());
    };
    tokio::select! {
        biased;
        () = signals::to_stop_at_once(Some(signals), |text| monitor.note(text)) => {
            // Nobody else may write before the thread that was left behind is gone, with this process at the latest.
            std::mem::forget(lock);
            Err(Failure::new(
                ExitCode::Interrupted,
                format!(
                    "stopped before the states of the scans were in the results; they are in {}, and `fleetsweep \
                     follow` puts them into the results",
                    state.display()
                ),
            ))
        }
        put = rewrite_results(state, monitor) => put,
    }
}

async fn rewrite_results(state: &Path, monitor: &dyn Monitor) -> Result<(), Failure> {
    let store = look(state).await?;
    let campaign = CampaignId::known(store.identity().campaign.as_str());
    let Ok(_lock) = open::of_campaign(&campaign, ledger::locks().as_deref()) else {
        monitor.say(
            "a run is at work on the campaign, through another name of its state or a copy of it: it puts the states \
             into the results when it ends",
        );
        return Ok(());
    };
    let Some((path, excel)) = store.last_results().map_err(Failure::storage)? else {
        return Ok(());
    };
    let path = PathBuf::from(path);
    let last = store.last_run().map_err(Failure::storage)?;
    let note = last.and_then(|run| QuotaNote::from_json(&run.quota));
    if check_whole(&store, note.as_ref()).is_err() {
        // They know more than the state does, and are left as they are.
        monitor.say("the results are left as they are, for the campaign's state has lost its end");
        return Ok(());
    }
    let is_ours = match results::owner(&path).map_err(Failure::storage)? {
        Owner::Nobody | Owner::Empty => path.parent().is_some_and(Path::is_dir),
        Owner::Campaign(id) => id == store.identity().campaign,
        Owner::Foreign => false,
    };
    if !is_ours {
        monitor.say(&format!(
            "the results are not at {} any more; the states are in {}",
            path.display(),
            state.display()
        ));
        return Ok(());
    }
    let layout = Layout::new(&store.identity().columns, excel);
    let placed = journal::rewrite(store, &path, &layout)
        .await
        .map_err(Failure::storage)?;
    match placed {
        Installed::There(path) => monitor.say(&format!("results: {}", path.display())),
        Installed::Aside { path: aside, why } => monitor.say(&format!(
            "{} could not be replaced ({why}), so the whole results are in {}",
            path.display(),
            aside.display()
        )),
    }
    Ok(())
}
