//! What the state of a large campaign costs: a million targets taken in, and, when half of them have ended, the
//! campaign resumed until its first call goes out. The latter is what `fleetsweep run` does: the file is checked while
//! the input is compared with it, the journal begins its results, and the engine writes the first attempt.
//!
//! The files are in the target folder, so both depend on its disk. Medians are printed.

use std::{
    fs,
    future::pending,
    io::{self, Write},
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use fleetsweep::{
    campaign::{
        brakes::BrakeOptions,
        disk::DiskWork,
        engine::{
            Engine,
            dispatcher::{Dispatcher, Settings},
        },
        journal::Journal,
        open::{create::take_in, resume::rejoin},
        outcome::{Outcome, Tally},
        retry::Policy,
        stop::Signal,
        tag::{CampaignId, DEFAULT_TEXT},
    },
    defender::{
        Call, Defender, Reply,
        sign_in::{FixedToken, Token},
    },
    monitor::Silent,
    quota::{Clock, Moment, Pacer, Quota, SystemClock},
    results::Layout,
    roster::{Options, Roster},
    store::{AttemptEnd, Identity, Progress, Record, Run, Store},
};
use tokio::sync::mpsc;

const TARGETS: u64 = 1_000_000;

/// Those that have ended before the campaign is resumed.
const ENDED: u64 = TARGETS / 2;

/// Targets that end in one transaction, while the half-done campaign is made.
const BATCH: usize = 10_000;

/// Turns of each; odd, so that the median is one of them.
const TURNS: usize = 3;

fn main() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut out = io::stdout();
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let half_done = disk.path().join("half-done.db");
    let fleet = fleet()?;
    let campaign = CampaignId::random(&mut fastrand::Rng::new());

    let intakes = (0..TURNS).map(|turn| {
        if turn > 0 {
            fs::remove_file(&half_done)?;
        }
        Ok(take(&fleet, &half_done, &campaign))
    });
    let intake = median(intakes.collect::<io::Result<_>>()?);
    writeln!(out, "{TARGETS} targets taken in: {intake:.2} s")?;

    end_half(&half_done);
    let resumes = (0..TURNS).map(|turn| {
        let place = disk.path().join(turn.to_string());
        fs::create_dir(&place)?;
        let state = place.join("campaign.db");
        fs::copy(&half_done, &state)?;
        let took = runtime.block_on(resume(&fleet, &state, campaign.clone()));
        fs::remove_dir_all(place)?;
        Ok(took)
    });
    let resume = median(resumes.collect::<io::Result<_>>()?);
    writeln!(
        out,
        "resumed with {ENDED} of them ended, until the first call: {resume:.2} s"
    )
}

/// The median, in seconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// An input with two columns of its own.
fn fleet() -> io::Result<Vec<u8>> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut csv = Vec::new();
    writeln!(csv, "machine_id,computer_dns_name,group")?;
    for n in 1..=TARGETS {
        let (a, b) = (random.u128(..), random.u32(..));
        writeln!(csv, "{a:032x}{b:08x},pc-{n:07}.corp,Clients")?;
    }
    Ok(csv)
}

fn roster(fleet: &[u8]) -> Roster<&[u8]> {
    Roster::open("fleet.csv", fleet, &Options::default()).expect("a fleet")
}

/// Reads all rows into a new state.
fn take(fleet: &[u8], state: &Path, campaign: &CampaignId) -> Duration {
    let identity = Identity {
        campaign: campaign.as_str().to_owned(),
        created: SystemClock.wall(),
        tenant: "bench".into(),
        api: "https://bench".into(),
        scan_type: "quick".into(),
        comment: DEFAULT_TEXT.to_owned(),
        ..Identity::default()
    };
    let began = SystemClock.now();
    let intake = take_in(roster(fleet), state, identity, &[], || Ok(())).expect("a store");
    let took = SystemClock.now().since(began);
    assert_eq!(intake.counts.due, TARGETS);
    intake.store.close().expect("a whole file");
    took
}

/// Ends the first half of the targets, as a run would that was then stopped.
fn end_half(state: &Path) {
    let mut store = Store::open(state).expect("a state");
    store.finish_check().expect("a sound state");
    let run = store.begin_run(&Run::default()).expect("a run");
    let numbers: Vec<u64> = (1..=ENDED).collect();
    for batch in numbers.chunks(BATCH) {
        let records: Vec<Record> = batch.iter().flat_map(|&n| accepted(n)).collect();
        store.commit(run, &records).expect("a batch");
    }
    let now = SystemClock.wall();
    store.end_run(run, now, "interrupted").expect("the end");
    store.close().expect("a whole file");
}

/// A target whose only attempt has started a scan.
fn accepted(n: u64) -> [Record; 2] {
    let now = SystemClock.wall();
    let begun = Record::Begun {
        n,
        number: 1,
        sent: now,
        sent_server: Some(now),
    };
    let attempt = AttemptEnd {
        number: 1,
        at: now,
        verdict: "accepted",
        http_status: Some(201),
    };
    let progress = Progress {
        outcome: Some(Outcome::Accepted.as_str()),
        attempts: 1,
        tries: 1,
        first_sent: Some(now),
        last_answer: Some(now),
        http_status: Some(201),
        action_id: format!("{n:08x}-5a4c-4f0e-8f0b-5ce8d2a1b0c4"),
        action_status: "Pending".to_owned(),
        action_created: now.to_string(),
        ..Progress::default()
    };
    let changed = Record::Changed {
        n,
        attempt: Some(attempt),
        progress: Box::new(progress),
    };
    [begun, changed]
}

/// Resumes the campaign as a run does, and returns how long it took until its first call.
async fn resume(fleet: &[u8], state: &Path, campaign: CampaignId) -> Duration {
    let (signal, signals) = mpsc::channel(1);
    let api = Arc::new(FirstCall {
        at: OnceLock::new(),
        signal,
    });
    let began = SystemClock.now();
    let mut store = Store::open(state).expect("a state");
    store
        .all_or_nothing(|store| rejoin(roster(fleet), store, "fleet.csv"))
        .expect("the same fleet");
    store.finish_check().expect("a sound state");
    let dispatcher = dispatcher(&store, &campaign);
    let journal = journal(store, &state.with_extension("csv"));
    engine(Arc::clone(&api), campaign)
        .run(dispatcher, journal, signals)
        .await;
    api.at.get().expect("a call").since(began)
}

fn dispatcher(store: &Store, campaign: &CampaignId) -> Dispatcher {
    let settings = Settings {
        campaign: campaign.clone(),
        scan_type: "Quick",
        comment: DEFAULT_TEXT.to_owned(),
        policy: Policy::default(),
        capacity: 100,
        risk_taken: false,
        seed: 1,
    };
    let mut tally = Tally::default();
    for (outcome, _, count) in store.tally().expect("the counts") {
        if let Some(outcome) = outcome {
            tally.add_many(outcome.parse().expect("an outcome"), count);
        }
    }
    assert_eq!(tally.of(Outcome::Accepted), ENDED);
    let reach = store.reach().expect("the reach");
    let mut dispatcher =
        Dispatcher::new(settings, TARGETS, tally).with_brakes(BrakeOptions::default(), reach);
    let (now, wall) = (SystemClock.now(), SystemClock.wall());
    store
        .each_left(|left| dispatcher.left(left, now, wall))
        .expect("what is left");
    dispatcher
}

fn journal(mut store: Store, results: &Path) -> Journal {
    store.prove_room().expect("room");
    let layout = Layout::new(&store.identity().columns, false);
    let run = store.begin_run(&Run::default()).expect("a run");
    Journal::begin(store, run, results, &layout).expect("the results")
}

fn engine(defender: Arc<FirstCall>, campaign: CampaignId) -> Engine<FirstCall> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let token = FixedToken::new(&"bench".into(), "the bench").expect("a token");
    Engine {
        inventory: Arc::clone(&defender),
        defender,
        tokens: Arc::new(token),
        pacer: Pacer::new(&Quota::documented(), Arc::clone(&clock)),
        clock,
        monitor: Arc::new(Silent),
        workers: 100,
        request_timeout: Duration::from_secs(30),
        campaign,
        canary_gate: None,
        disk: DiskWork::Aside,
    }
}

/// An API that stops the run with its first call, and never answers.
struct FirstCall {
    at: OnceLock<Moment>,
    signal: mpsc::Sender<Signal>,
}

impl Defender for FirstCall {
    async fn call(&self, _: &Call, _: &Token) -> Reply {
        self.at.get_or_init(|| SystemClock.now());
        // Nobody has to be told twice.
        let _ = self.signal.try_send(Signal::Abort);
        pending().await
    }
}
