//! Whole campaigns in virtual time: rows in, a mock tenant, and what is left when it is over.
//!
//! The engine, the store, the results file and the quota are the real ones. The tenant is asked directly, or over HTTP.

mod chances;
mod client;
mod ground;
#[path = "../../../src/mock/tests/over_loopback.rs"]
mod over_loopback;
mod told;

use std::{
    collections::BTreeSet,
    io::Cursor,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use fleetsweep::{
    campaign::{
        away::Away,
        brakes::{
            BrakeOptions,
            canary_start::{CanaryStart, ThisRun, gate},
        },
        cancel::Canceller,
        disk::DiskWork,
        engine::{
            Engine,
            canary_gate::{Confirm, FollowedCanaries, Word},
            dispatcher::{Dispatcher, Settings},
        },
        follow::{FollowOptions, Follower},
        journal::Journal,
        open::{
            create::take_in,
            resume::{extend, rejoin},
        },
        outcome::{Outcome, Tally},
        recover::{self, Evidence, Recovered, witness},
        retry::Policy,
        running::RunningLimits,
        stop::{Signal, StopReason},
        tag::CampaignId,
    },
    client::{
        caller::{Caller, OnOutage},
        machines,
        scans::ScanList,
    },
    defender::{
        Answer, ApiBase, Call, Defender, HttpDefender, Lost, Reply,
        http::HttpOptions,
        sign_in::{FixedToken, Token, TokenSource},
    },
    mock::{self, MockConfig, Request, Served, Tenant},
    monitor::{Ended, LastCall, Monitor, Scans, Several, State},
    quota::{
        self, Clock, INVENTORY_TIMEOUT, Kind, LedgerPlace, Limit, Mark, MarkRow, Pacer, Quota,
        TokioClock,
    },
    results::{Layout, layout::COLUMNS},
    roster::{Excluded, Options, Roster},
    store::{Decision, Identity, Left, Reach, Run, Store, Subject},
};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::mpsc, task::JoinHandle};

pub(crate) use chances::chances;
use client::Client;
pub(crate) use over_loopback::{closed_port, over_loopback};
use told::Ear;

/// A campaign before its start. The default is polite: the documented limits on both sides, no faults, no latency.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the program, or of the rig"
)]
pub(crate) struct Rig {
    pub(crate) mock: MockConfig,
    pub(crate) quota: Quota,
    pub(crate) policy: Policy,
    /// `--skip-busy`
    pub(crate) skip_busy: bool,
    /// `--max-running`
    pub(crate) running: RunningLimits,
    /// `--when-offline defer`, with its `--offline-after`
    pub(crate) offline_after: Option<SignedDuration>,
    pub(crate) brakes: BrakeOptions,
    /// Who is asked whether the others may start.
    pub(crate) asker: Option<Arc<dyn Confirm>>,
    /// Scans are followed: those of canaries before the others start, and all of them if the test does so.
    pub(crate) followed: Option<FollowOptions>,
    /// The client's patience.
    pub(crate) timeout: Duration,
    /// `--give-up-after`
    pub(crate) give_up_after: Option<Duration>,
    /// How far the client's wall clock is ahead of the tenant's.
    pub(crate) ahead: SignedDuration,
    pub(crate) tokens: Arc<dyn TokenSource>,
    /// Real HTTP on loopback; else the tenant is asked directly.
    pub(crate) http: bool,
    /// `--exclude`
    pub(crate) excluded: Excluded,
    /// Hears the machine of each start that leaves.
    pub(crate) sent_to: Arc<Mutex<Vec<String>>>,
    /// Each run has a pacer of its own over one quota ledger, as processes have; else they share a pacer.
    pub(crate) ledger: bool,
    pub(crate) seed: u64,
    /// `--extend`: the rows may be others than those that the campaign began with.
    pub(crate) extend: bool,
    /// Who else is told of the run.
    pub(crate) watched_by: Vec<Arc<dyn Monitor>>,
    /// On a thread of its own, as in the program. Where nobody interferes ([`run`](Self::run)) it is done between
    /// calls: waking a thread for each batch is a tenth of a long campaign's time.
    pub(crate) disk: DiskWork,
}

impl Default for Rig {
    fn default() -> Self {
        Self::against(MockConfig::default())
    }
}

/// What outlives a process: its files, the tenant, the time, and what a ledger knows of the calls.
pub(crate) struct Ground {
    dir: tempfile::TempDir,
    tenant: Arc<Tenant>,
    clock: Arc<TokioClock>,
    pacer: Pacer,
}

/// A campaign that runs.
pub(crate) struct Running {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) signals: mpsc::Sender<Signal>,
    /// The client's.
    pub(crate) clock: Arc<TokioClock>,
    task: JoinHandle<Told>,
}

/// What a campaign left.
pub(crate) struct Told {
    pub(crate) stop: Option<StopReason>,
    pub(crate) tally: Tally,
    pub(crate) header: Vec<String>,
    /// The results file, row by row.
    pub(crate) rows: Vec<Row>,
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) elapsed: Duration,
    /// How long the POSTs that were made take at least.
    pub(crate) lower_bound: Duration,
    pub(crate) attempts: u64,
    pub(crate) notes: Vec<String>,
    /// What the next call was said to wait for.
    pub(crate) waits: BTreeSet<String>,
    /// How long after the start which last call was forecast.
    pub(crate) forecasts: Vec<(Duration, LastCall)>,
    is_followed: bool,
    quota: Quota,
}

/// The cells of one line.
type Row = Vec<String>;

/// Machine number `n`, from 1, as rows of [`fleet`] have it.
pub(crate) fn machine(n: u64) -> String {
    format!("{n:040x}")
}

/// A plain list of machines.
pub(crate) fn fleet(machines: u64) -> String {
    let ids: Vec<_> = (1..=machines).map(machine).collect();
    format!("machine_id\n{}\n", ids.join("\n"))
}

impl Rig {
    pub(crate) fn against(mock: MockConfig) -> Self {
        let token = FixedToken::new(&SecretString::from("t"), "the test").unwrap();
        Self {
            mock,
            quota: Quota::documented(),
            policy: Policy::default(),
            skip_busy: false,
            running: RunningLimits::default(),
            offline_after: None,
            brakes: BrakeOptions::default(),
            asker: None,
            followed: None,
            timeout: Duration::from_secs(30),
            give_up_after: None,
            ahead: SignedDuration::ZERO,
            tokens: Arc::new(token),
            http: false,
            excluded: Excluded::default(),
            sent_to: Arc::default(),
            ledger: false,
            seed: 1,
            extend: false,
            watched_by: Vec::new(),
            disk: DiskWork::Aside,
        }
    }

    /// Runs a campaign over these rows to its end.
    pub(crate) async fn run(mut self, csv: &str) -> Told {
        self.disk = DiskWork::Between;
        self.start(csv).await.end().await
    }

    pub(crate) async fn start(self, csv: &str) -> Running {
        let ground = Arc::new(self.ground());
        self.start_on(&ground, csv).await
    }

    /// Where one campaign can run several times.
    pub(crate) fn ground(&self) -> Ground {
        let clock = self.clock();
        let pacer = Pacer::new(&self.quota, clock.clone());
        self.ground_with(clock, pacer)
    }

    /// The same with a quota of the test's own.
    pub(crate) fn ground_with(&self, clock: Arc<TokioClock>, pacer: Pacer) -> Ground {
        Ground {
            dir: scratch(),
            tenant: Tenant::new(self.mock.clone()),
            pacer,
            clock,
        }
    }

    /// The client's clock.
    pub(crate) fn clock(&self) -> Arc<TokioClock> {
        let clock = Arc::new(TokioClock::starting_at(self.mock.started));
        clock.move_wall(self.ahead);
        clock
    }

    /// Begins the campaign, or goes on with the one that is there.
    pub(crate) async fn start_on(self, ground: &Arc<Ground>, csv: &str) -> Running {
        let tenant = Arc::clone(&ground.tenant);
        let (signals, heard) = mpsc::channel(2);
        let client = Client::new(&self, Arc::clone(&tenant)).await;
        let task = tokio::spawn(self.drain(csv.to_owned(), client, Arc::clone(ground), heard));
        Running {
            tenant,
            signals,
            clock: Arc::clone(&ground.clock),
            task,
        }
    }

    /// The campaign that this rig begins or goes on with.
    pub(crate) fn campaign(&self) -> CampaignId {
        CampaignId::random(&mut fastrand::Rng::with_seed(self.seed))
    }

    pub(super) fn roster(&self, csv: &str) -> Roster<Cursor<String>> {
        let options = Options {
            excluded: self.excluded.clone(),
            ..Options::default()
        };
        Roster::open("in.csv", Cursor::new(csv.to_owned()), &options).unwrap()
    }

    fn pacer(&self, ground: &Ground) -> Pacer {
        if !self.ledger {
            return ground.pacer.clone();
        }
        let place = LedgerPlace {
            file: ground.ledger(),
            cloud: "commercial".into(),
            tenant: "a tenant".into(),
            application: "an application".into(),
        };
        let clock = Arc::clone(&ground.clock);
        let pacer = Pacer::with_ledger(&self.quota, clock, &place, self.timeout).unwrap();
        // A killed process writes no last words, and so nobody does for its pacer.
        std::mem::forget(pacer.clone());
        pacer
    }

    #[expect(
        clippy::too_many_lines,
        reason = "a campaign from its rows to its end, one step after the other"
    )]
    async fn drain(
        self,
        csv: String,
        client: Client,
        ground: Arc<Ground>,
        signals: mpsc::Receiver<Signal>,
    ) -> Told {
        let (clock, tenant) = (Arc::clone(&ground.clock), Arc::clone(&ground.tenant));
        let campaign = self.campaign();
        let results = ground.dir.path().join("r.csv");
        let (journal, targets, tally, left) = begin(
            self.roster(&csv),
            &campaign,
            clock.as_ref(),
            &results,
            self.extend,
        );

        let pacer = self.pacer(&ground);
        let journal = if self.ledger {
            let mark = ground.keep_mark(&pacer, &campaign, targets).await;
            journal.with_ledger(mark)
        } else {
            journal
        };
        let forecast = pacer.forecast(Kind::Start);
        let workers = self.quota.limits().map(Limit::calls).min().unwrap_or(100);
        let workers = workers.min(100) as usize;
        let settings = Settings {
            campaign: campaign.clone(),
            scan_type: "Quick",
            comment: "weekly sweep".into(),
            policy: self.policy,
            capacity: workers,
            risk_taken: false,
            seed: self.seed,
        };
        let ear = Arc::new(Ear::default());
        let mut monitors = self.watched_by;
        monitors.push(ear.clone());
        let monitor: Arc<dyn Monitor> = Arc::new(Several(monitors));
        let reach = if self.brakes == BrakeOptions::default() {
            Reach::default()
        } else {
            Store::open_read_only(&ground.state())
                .unwrap()
                .reach()
                .unwrap()
        };
        let defender = Arc::new(client);
        let patient = Client::direct(Arc::clone(&tenant), INVENTORY_TIMEOUT);
        let follower = self.followed.map(|options| {
            Arc::new(Follower::new(
                &defender,
                &self.tokens,
                &pacer,
                clock.clone(),
                monitor.clone(),
                &ground.state(),
                options,
            ))
        });
        let jury = FollowedCanaries {
            follower,
            word: self
                .asker
                .clone()
                .map_or(Word::Yes("nobody was there to ask"), Word::Asked),
            monitor: monitor.clone(),
        };
        let engine = Engine {
            canary_gate: Some(Arc::new(jury)),
            defender,
            inventory: Arc::new(patient),
            tokens: self.tokens,
            pacer,
            clock: clock.clone(),
            monitor: monitor.clone(),
            workers,
            request_timeout: self.timeout,
            campaign,
            disk: self.disk,
        };
        let began = clock.now();
        let running = {
            let store = Store::open_read_only(&ground.state()).unwrap();
            self.running.find(&store.identity().columns).unwrap();
            self.running.at_start(&store, clock.wall()).unwrap()
        };
        let brakes = gated(self.brakes, self.asker, &ground).await;
        let mut dispatcher = Dispatcher::new(settings, targets, tally)
            .with_brakes(brakes, reach)
            .giving_up_after(self.give_up_after)
            .with_running(&self.running, running, began, clock.wall());
        if let Some(after) = self.offline_after {
            let away = ground.survey(after).await;
            let store = Store::open_read_only(&ground.state()).unwrap();
            dispatcher = dispatcher.with_away(away.at_start(&store).unwrap(), began);
        }
        for one in left {
            dispatcher.left(one, began, clock.wall());
        }
        if self.skip_busy {
            dispatcher.skip_busy(clock.wall());
        }
        let ending = engine.run(dispatcher, journal, signals).await;
        let elapsed = clock.now().since(began);

        // A run that was stopped at once may still be writing the lines of those before it.
        while results.with_file_name(".r.csv.tmp").exists() {
            std::thread::yield_now();
        }
        let as_it_grew = read(&results).1;
        let finished = ending.journal.finish(clock.wall(), "done").await.unwrap();
        let (header, rows) = read(&results);
        monitor.ended();
        let heard = ear.0.lock().unwrap();
        let told = Told {
            stop: ending.stop,
            tally: finished.tally,
            header,
            rows,
            tenant,
            elapsed,
            lower_bound: forecast.lower_bound(ending.attempts),
            attempts: ending.attempts,
            notes: heard.notes.clone(),
            waits: heard.waits.clone(),
            forecasts: heard.forecasts.clone(),
            is_followed: self.followed.is_some() || self.running.is_any(),
            quota: self.quota,
        };
        told.adds_up(targets, &tally, &heard, &as_it_grew);
        told
    }
}

/// Whether the campaigns of the long forms are meant: `FLEETSWEEP_LONG=1`.
pub(crate) fn is_long_form() -> bool {
    std::env::var_os("FLEETSWEEP_LONG").is_some()
}

/// What a test tries in the suite, and what it tries in its long form, which holds all of that.
pub(crate) fn short_or_long<T>(short: T, long: T) -> T {
    if is_long_form() { long } else { short }
}

/// A folder in memory where there is one, unless `TMPDIR` says where: each of a campaign's thousands of commits would
/// wait for the disk.
pub(crate) fn scratch() -> tempfile::TempDir {
    if std::env::var_os("TMPDIR").is_some() {
        return tempfile::tempdir().unwrap();
    }
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// The brakes after what was decided about canaries before, as the program has it.
async fn gated(
    mut brakes: BrakeOptions,
    asker: Option<Arc<dyn Confirm>>,
    ground: &Ground,
) -> BrakeOptions {
    if brakes.canary.is_none() {
        return brakes;
    }
    let mut store = Store::open_unchecked(&ground.state()).unwrap();
    let decisions = store.decisions().unwrap();
    let run = ThisRun {
        in_all: brakes
            .max_machines
            .unwrap_or(u64::MAX)
            .min(store.last_target().unwrap()),
        says_yes: false,
    };
    let stands = gate(brakes.canary, &decisions, run, |covers| {
        store.beyond(covers)
    })
    .unwrap();
    let answer = match stands {
        CanaryStart::Open => {
            brakes.canary = None;
            return brakes;
        }
        CanaryStart::Try { accepted, is_new } => {
            brakes.canaries_before = accepted;
            is_new.then_some("begun")
        }
        CanaryStart::Refused { .. } | CanaryStart::NoEffect { .. } => {
            let asker = asker.expect("somebody can be asked");
            let question = "start the others all the same? [y/N] ";
            assert!(asker.ask(question).await, "the test says no at once");
            brakes.canary = None;
            Some("yes")
        }
    };
    if let Some(answer) = answer {
        let decision = Decision {
            subject: Subject::Canary,
            answer: answer.to_owned(),
            covers: store.last_target().unwrap(),
            who: "the test".to_owned(),
            given: ground.clock.wall(),
        };
        store.decide(&decision).unwrap();
    }
    brakes
}

/// What the ledger remembers of a campaign.
fn remembered(mark: Option<&MarkRow>) -> witness::Ledger {
    mark.map_or(witness::Ledger::Unaware, |mark| {
        witness::Ledger::Marked(mark.committed)
    })
}

fn identity(campaign: &CampaignId, created: jiff::Timestamp) -> Identity {
    Identity {
        campaign: campaign.as_str().to_owned(),
        created,
        tenant: "tenant".into(),
        api: "http://mock".into(),
        scan_type: "quick".into(),
        comment: "weekly sweep".into(),
        columns: Vec::new(),
        id_rule: "hex40".to_owned(),
    }
}

fn begin(
    roster: Roster<Cursor<String>>,
    campaign: &CampaignId,
    clock: &dyn Clock,
    results: &Path,
    extends: bool,
) -> (Journal, u64, Tally, Vec<Left>) {
    let identity = identity(campaign, clock.wall());
    let state = results.with_extension("db");
    let mut store = if state.exists() {
        let mut store = Store::open(&state).unwrap();
        if extends {
            extend(roster, &mut store, "the input").unwrap();
        } else {
            rejoin(roster, &mut store, "in.csv").unwrap();
        }
        store
    } else {
        take_in(roster, &state, identity, &[], || Ok(()))
            .unwrap()
            .store
    };
    let (mut tally, mut targets) = (Tally::default(), 0);
    for (outcome, left_out, count) in store.tally().unwrap() {
        targets += count;
        if let Some(outcome) = outcome {
            if left_out {
                tally.leave_out(count);
                continue;
            }
            tally.add_many(outcome.parse().unwrap(), count);
        }
    }
    let mut left = Vec::new();
    store.each_left(|one| left.push(one)).unwrap();
    let layout = Layout::new(&store.identity().columns, false);
    let run = Run {
        os_user: String::new(),
        host: String::new(),
        version: String::new(),
        command: String::new(),
        tenant: String::new(),
        application: String::new(),
        quota: "{}".to_owned(),
        started: clock.wall(),
    };
    let run = store.begin_run(&run).unwrap();
    let journal = Journal::begin(store, run, results, &layout).unwrap();
    (journal, targets, tally, left)
}

fn read(results: &PathBuf) -> (Vec<String>, Vec<Row>) {
    let mut reader = csv::Reader::from_path(results).unwrap();
    let header = reader.headers().unwrap().iter().map(str::to_owned);
    let header = header.collect();
    let cells = |row: csv::StringRecord| row.iter().map(str::to_owned).collect();
    (
        header,
        reader.records().map(|row| cells(row.unwrap())).collect(),
    )
}

/// Machine and outcome.
fn key(row: &Row) -> (String, String) {
    (row[0].clone(), row[1].clone())
}
