//! `fleetsweep run`: start a campaign.
//!
//! - [`args`](self): what can be said. [`finish`](self): what is said and written at the end.

mod args;
mod finish;

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

pub use args::RunArgs;

use super::{
    ExitCode, Failure,
    connect::{Connection, UNKNOWN},
    paths::{Places, STDIN},
    signals,
};
use crate::{
    campaign::{
        dispatcher::{Dispatcher, Settings},
        engine::Engine,
        intake::{Intake, IntakeError, take_in},
        journal::Journal,
        outcome::{Outcome, Tally},
        tag::{CampaignId, comment_text},
    },
    defender::sign_in::Need,
    monitor::Began,
    quota::{Clock, Kind, Pacer, SystemClock},
    results::{self, Layout, Owner},
    roster::Roster,
    store::{Identity, Run, Store},
};

/// Runs a campaign from its input to its end.
///
/// # Errors
/// It could not begin. Nothing was sent.
pub async fn run(args: RunArgs, command: &[OsString]) -> Result<ExitCode, Failure> {
    let monitor = args.progress.start()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut rng = fastrand::Rng::new();

    let connection = args.connect.connect(Need::Scan, monitor.as_ref()).await?;
    let (quota, workers) = args.pace.quota(connection.base.is_loopback(), args.yes)?;
    let comment = comment_text(args.scan.comment.as_deref().unwrap_or_default())
        .map_err(|e| Failure::usage(format!("--comment: {e}")))?;

    // A mock campaign is a rehearsal: it keeps no state, so that the same command works twice.
    let scratch = if args.connect.mock && args.output.state.is_none() {
        Some(Scratch::new(&mut rng)?)
    } else {
        None
    };
    let state = args
        .output
        .state
        .clone()
        .or_else(|| scratch.as_ref().map(|s| s.0.join("campaign.db")));
    let places = Places::find(&args.targets, args.output.results.clone(), state)?;
    let campaign = if args.connect.mock {
        CampaignId::rehearsal(&mut rng)
    } else {
        CampaignId::random(&mut rng)
    };
    check_results(&places.results, &campaign, args.output.force)?;
    if places.state.exists() {
        let why = format!(
            "there is a campaign at {} already; name another file with --state",
            places.state.display()
        );
        return Err(Failure::usage(why));
    }
    let summary = finish::SummaryFile::open(args.output.summary.as_deref())?;

    let identity = Identity {
        campaign: campaign.as_str().to_owned(),
        created: clock.wall(),
        tenant: connection.tenant.clone(),
        api: connection.base.to_string(),
        scan_type: args.scan_type().as_str().to_owned(),
        comment: comment.clone(),
        columns: Vec::new(),
    };
    let intake = read_roster(&args, &connection, &places.state, identity).await?;
    for note in &intake.notes {
        monitor.note(&format!("{}: {note}", args.targets.display()));
    }
    let tally = tally(&intake);
    let targets = intake.counts.rows();
    let layout = Layout::new(&intake.store.identity().columns, args.output.excel);
    let journal = begin(
        intake.store,
        &connection,
        &places.results,
        &layout,
        clock.as_ref(),
        command,
    )?;
    monitor.began(&Began {
        campaign: campaign.as_str(),
        targets,
        already_ended: tally.total(),
    });

    let pacer = Pacer::new(&quota, Arc::clone(&clock));
    let forecast = pacer.forecast(Kind::Start);
    let settings = Settings {
        campaign: campaign.clone(),
        scan_type: args.scan_type().wire(),
        comment,
        policy: args.policy(),
        capacity: if quota.is_unlimited() {
            2 * workers
        } else {
            workers
        },
        seed: rng.u64(..),
    };
    let engine = Engine {
        defender: Arc::new(connection.client(args.retry.request_timeout, workers)?),
        tokens: Arc::clone(&connection.tokens),
        pacer,
        clock: Arc::clone(&clock),
        monitor: Arc::clone(&monitor),
        workers,
        campaign,
    };
    let began = clock.now();
    let dispatcher = Dispatcher::new(settings, targets, tally);
    let ending = engine.run(dispatcher, journal, signals::listen()).await;
    monitor.ended();
    let facts = finish::Facts {
        places: &places,
        targets,
        lower_bound: forecast.lower_bound(ending.attempts),
        elapsed: clock.now().since(began),
        ended: clock.wall(),
        is_rehearsal: scratch.is_some(),
        is_quiet: args.progress.is_quiet(),
    };
    finish::finish(ending, facts, summary, command).await
}

/// The folder of a rehearsal, gone with the process.
struct Scratch(PathBuf);

impl Scratch {
    fn new(rng: &mut fastrand::Rng) -> Result<Self, Failure> {
        let name = format!("fleetsweep-mock-{}-{:08x}", std::process::id(), rng.u32(..));
        let path = std::env::temp_dir().join(name);
        match std::fs::create_dir(&path) {
            Ok(()) => Ok(Self(path)),
            Err(e) => Err(Failure::storage(format!(
                "cannot make the temporary folder {}: {e}",
                path.display()
            ))),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It lies in the system's temporary folder, which is swept anyway.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Fails before the first call where the results could not be written in the end.
fn check_results(path: &Path, campaign: &CampaignId, force: bool) -> Result<(), Failure> {
    results::probe(path).map_err(Failure::storage)?;
    let whose = match results::owner(path).map_err(Failure::storage)? {
        Owner::Nobody | Owner::Empty => return Ok(()),
        Owner::Campaign(id) if id == campaign.as_str() => return Ok(()),
        // A rehearsal's results are nobody's loss, as long as only another rehearsal overwrites them.
        Owner::Campaign(id)
            if campaign.is_rehearsal() && CampaignId::known(&*id).is_rehearsal() =>
        {
            return Ok(());
        }
        Owner::Campaign(id) => format!("are those of campaign {id}"),
        Owner::Foreign => "were not written by fleetsweep".to_owned(),
    };
    if force {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the results in {} {whose}; name another file with -o, or overwrite it with --force",
        path.display()
    )))
}

/// Reads the input into a new store, on a thread that may block.
async fn read_roster(
    args: &RunArgs,
    connection: &Connection,
    state: &Path,
    identity: Identity,
) -> Result<Intake, Failure> {
    let tenant =
        Some(connection.tenant.clone()).filter(|tenant| tenant != UNKNOWN && !args.connect.mock);
    let options = args.roster(tenant);
    let targets = args.targets.clone();
    let state = state.to_owned();
    let reading = tokio::task::spawn_blocking(move || -> Result<Intake, IntakeFailure> {
        let name = targets.display().to_string();
        let (name, input): (String, Box<dyn Read>) = if targets.as_os_str() == STDIN {
            ("standard input".to_owned(), Box::new(io::stdin().lock()))
        } else {
            let file = File::open(&targets).map_err(|e| IntakeFailure::Open(name.clone(), e))?;
            (name, Box::new(file))
        };
        let roster = Roster::open(&name, input, &options).map_err(IntakeError::from)?;
        Ok(take_in(roster, &state, identity)?)
    });
    match reading.await {
        Ok(Ok(intake)) => Ok(intake),
        Ok(Err(IntakeFailure::Open(name, e))) => {
            Err(Failure::usage(format!("cannot read {name}: {e}")))
        }
        Ok(Err(IntakeFailure::Intake(IntakeError::Store(e)))) => Err(Failure::storage(e)),
        Ok(Err(IntakeFailure::Intake(e))) => Err(Failure::usage(e)),
        Err(e) => Err(Failure::usage(format!("reading the input broke off: {e}"))),
    }
}

/// Why the input did not become a campaign.
enum IntakeFailure {
    Open(String, io::Error),
    Intake(IntakeError),
}

impl From<IntakeError> for IntakeFailure {
    fn from(e: IntakeError) -> Self {
        Self::Intake(e)
    }
}

/// The rows that have ended by being read.
fn tally(intake: &Intake) -> Tally {
    let mut tally = Tally::default();
    tally.add_many(Outcome::Invalid, intake.counts.invalid);
    tally.add_many(Outcome::Duplicate, intake.counts.duplicate);
    tally.leave_out(intake.counts.left_out);
    tally
}

/// Notes the run in the store, and begins the results.
fn begin(
    mut store: Store,
    connection: &Connection,
    results: &Path,
    layout: &Layout,
    clock: &dyn Clock,
    command: &[OsString],
) -> Result<Journal, Failure> {
    let variable = |names: [&str; 2]| {
        names
            .into_iter()
            .find_map(|name| std::env::var(name).ok())
            .unwrap_or_default()
    };
    let run = Run {
        os_user: variable(["USER", "USERNAME"]),
        host: host(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: in_words(command),
        tenant: connection.tenant.clone(),
        application: connection.application.clone(),
        started: clock.wall(),
    };
    let run = store.begin_run(&run).map_err(Failure::storage)?;
    Journal::begin(store, run, results, layout).map_err(Failure::storage)
}

/// The computer's name, as far as it can be found without asking the network.
fn host() -> String {
    let from_file = || std::fs::read_to_string("/etc/hostname").ok();
    let name = std::env::var("COMPUTERNAME")
        .ok()
        .or_else(from_file)
        .or_else(|| std::env::var("HOSTNAME").ok());
    name.unwrap_or_default().trim().to_owned()
}

/// The command line as it can be typed again. No secret can be in it: secrets come from the environment or from files.
fn in_words(command: &[OsString]) -> String {
    let quoted = command.iter().map(|word| {
        let word = word.to_string_lossy();
        let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+\\".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.into_owned()
        } else {
            format!("\"{word}\"")
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
