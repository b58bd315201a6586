//! Whole campaigns in virtual time: rows in, a mock tenant, and what is left when it is over.
//!
//! The engine, the store, the results file and the quota are the real ones. The tenant is asked directly, or over HTTP.

use std::{
    collections::BTreeSet,
    io::Cursor,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use fleetsweep::{
    campaign::{
        brakes::{
            BrakeOptions,
            canary_standing::{CanaryStanding, ThisRun, gate},
        },
        cancel::Canceller,
        engine::{
            Engine,
            canary_gate::{Confirm, FollowedCanaries, Word},
            dispatcher::{Dispatcher, Settings},
        },
        follow::{FollowOptions, Follower},
        journal::Journal,
        open::{
            create::{IntakeError, take_in, take_in_after},
            resume::{extend, rejoin},
        },
        outcome::{Outcome, Tally},
        recover::{self, Evidence, Recovered, witness},
        retry::Policy,
        stop::{Signal, StopReason},
        tag::CampaignId,
    },
    client::{
        caller::{Caller, OnOutage},
        scans::ScanList,
    },
    defender::{
        Answer, ApiBase, Call, Defender, HttpDefender, Lost, Reply,
        http::HttpOptions,
        sign_in::{FixedToken, Token, TokenSource},
    },
    mock::{self, MockConfig, Request, Served, Tenant},
    monitor::{Began, Ended, LastCall, Monitor, State},
    quota::{self, Clock, Kind, LedgerPlace, Limit, Mark, MarkRow, Pacer, Quota, TokioClock},
    results::{Layout, layout::COLUMNS},
    roster::{Options, Roster},
    store::{Decision, Identity, Left, Reach, Run, Store, Subject},
};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::mpsc, task::JoinHandle};

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
    /// Each run has a pacer of its own over one quota ledger, as processes have; else they share a pacer.
    pub(crate) ledger: bool,
    pub(crate) seed: u64,
    /// `--extend`: the rows may be others than those that the campaign began with.
    pub(crate) extend: bool,
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
            brakes: BrakeOptions::default(),
            asker: None,
            followed: None,
            timeout: Duration::from_secs(30),
            give_up_after: None,
            ahead: SignedDuration::ZERO,
            tokens: Arc::new(token),
            http: false,
            ledger: false,
            seed: 1,
            extend: false,
        }
    }

    /// Runs a campaign over these rows to its end.
    pub(crate) async fn run(self, csv: &str) -> Told {
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
        let (journal, targets, tally, left) =
            begin(&csv, &campaign, clock.as_ref(), &results, self.extend);

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
        let monitor = Arc::new(Ear::default());
        let reach = if self.brakes == BrakeOptions::default() {
            Reach::default()
        } else {
            Store::look(&ground.state()).unwrap().reach().unwrap()
        };
        let defender = Arc::new(client);
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
            judge: Some(Arc::new(jury)),
            defender,
            tokens: self.tokens,
            pacer,
            clock: clock.clone(),
            monitor: monitor.clone(),
            workers,
            patience: self.timeout,
            campaign,
        };
        let began = clock.now();
        let brakes = gated(self.brakes, self.asker, &ground).await;
        let mut dispatcher = Dispatcher::new(settings, targets, tally)
            .with_brakes(brakes, reach)
            .giving_up_after(self.give_up_after);
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
        let heard = monitor.0.lock().unwrap();
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
            is_followed: self.followed.is_some(),
            quota: self.quota,
        };
        told.adds_up(targets, &tally, &heard, &as_it_grew);
        told
    }
}

impl Ground {
    /// The time since some moment that stays the same.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.now().since(quota::Moment::ZERO)
    }

    pub(crate) fn tenant(&self) -> &Arc<Tenant> {
        &self.tenant
    }

    pub(crate) fn pacer(&self) -> &Pacer {
        &self.pacer
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("r.db")
    }

    pub(crate) fn results(&self) -> PathBuf {
        self.dir.path().join("r.csv")
    }

    fn ledger(&self) -> PathBuf {
        self.dir.path().join("quota.db")
    }

    /// As far as the ledger remembers a campaign.
    fn mark_of(&self, campaign: &CampaignId) -> Option<MarkRow> {
        let marks = quota::marks(&self.ledger()).unwrap();
        marks
            .into_iter()
            .find(|mark| mark.campaign == campaign.as_str())
    }

    async fn keep_mark(&self, pacer: &Pacer, campaign: &CampaignId, targets: u64) -> Arc<Mark> {
        let committed = Store::look(&self.state()).unwrap().committed().unwrap();
        let mark = Mark::new(campaign.as_str(), committed);
        let now = self.clock.wall();
        let row = MarkRow {
            campaign: campaign.as_str().to_owned(),
            committed,
            state: self.state(),
            results: self.results(),
            input: PathBuf::new(),
            cloud: "commercial".into(),
            tenant: "a tenant".into(),
            application: "an application".into(),
            targets,
            started: now,
            touched: now,
            ended: None,
            abandoned: false,
        };
        pacer.keep_mark(Arc::clone(&mark), row).await.unwrap();
        mark
    }

    /// Whether the campaign's state is as far as its witnesses say, as a run asks before it sends anything. One that
    /// cannot be read, and one that is gone, is not.
    pub(crate) fn is_whole(&self, rig: &Rig) -> bool {
        let Ok(store) = Store::open(&self.state()) else {
            return false;
        };
        let mark = self.mark_of(&rig.campaign());
        witness::compare(&store, remembered(mark.as_ref()), &self.results()).is_ok()
    }

    /// Makes the campaign whole as `--recover` does, from whatever is there.
    pub(crate) async fn recover(&self, rig: &Rig, csv: &str) -> Recovered {
        let campaign = rig.campaign();
        let mark = self.mark_of(&campaign);
        let mut store = if let Ok(store) = Store::open(&self.state()) {
            store
        } else {
            for ending in ["", "-wal", "-shm", "-journal"] {
                let mut name = self.state().into_os_string();
                name.push(ending);
                let _ = std::fs::remove_file(name);
            }
            let made = mark
                .as_ref()
                .map_or_else(|| rig.mock.started, |mark| mark.started);
            let identity = identity(&campaign, made);
            let begun = recover::begun(self.clock.wall(), 0);
            let taken = take_in_after::<_, IntakeError>(
                roster(csv),
                &self.state(),
                identity,
                Some(&begun),
                || Ok(()),
            );
            taken.unwrap().store
        };
        let client = Client::Direct(Arc::clone(&self.tenant), rig.timeout);
        let clock: Arc<dyn Clock> = self.clock.clone();
        let list = ScanList::new(Caller::new(
            Arc::new(client),
            Arc::clone(&rig.tokens),
            rig.pacer(self),
            Arc::clone(&clock),
            OnOutage::Holds {
                at_most: None,
                monitor: Arc::new(Ear::default()),
            },
        ));
        let results = self.results();
        let evidence = Evidence {
            results: &results,
            ledger: remembered(mark.as_ref()),
            last_sent: clock.wall(),
            patience: rig.timeout,
        };
        let ear = Ear::default();
        let recovering = recover::recover(&mut store, &list, &evidence, clock.as_ref(), &ear);
        recovering.await.unwrap()
    }

    /// A canceller of the campaign's scans.
    pub(crate) fn canceller(&self) -> Canceller<impl Defender> {
        let rig = Rig::default();
        let client = Client::Direct(Arc::clone(&self.tenant), rig.timeout);
        let store = Store::look(&self.state()).unwrap();
        let clock: Arc<dyn Clock> = self.clock.clone();
        let monitor: Arc<dyn Monitor> = Arc::new(Ear::default());
        Canceller::new(
            &Arc::new(client),
            &rig.tokens,
            &self.pacer,
            &clock,
            &monitor,
            &self.state(),
            CampaignId::known(store.identity().campaign.as_str()),
            100,
        )
    }

    /// A follower of the campaign's scans, and what it says.
    pub(crate) fn follower(&self, options: FollowOptions) -> Follower<impl Defender> {
        let rig = Rig::default();
        let client = Client::Direct(Arc::clone(&self.tenant), rig.timeout);
        Follower::new(
            &Arc::new(client),
            &rig.tokens,
            &self.pacer,
            self.clock.clone(),
            Arc::new(Ear::default()),
            &self.state(),
            options,
        )
    }
}

impl Running {
    /// Waits for its end.
    pub(crate) async fn end(self) -> Told {
        self.task.await.unwrap()
    }

    /// Ends it as a killed process ends: whatever is under way is never finished.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|e| e.is_cancelled()));
        // A batch that is being written gets to the disk; time stands still until then.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    pub(crate) async fn signal(&self, signal: Signal) {
        self.signals.send(signal).await.unwrap();
    }
}

impl Told {
    pub(crate) fn of(&self, outcome: Outcome) -> u64 {
        self.tally.of(outcome)
    }

    /// The cell of a row, from 1, by its column's name.
    pub(crate) fn cell(&self, row: usize, column: &str) -> &str {
        let at = self.header.iter().position(|name| name == column).unwrap();
        &self.rows[row - 1][at]
    }

    /// Outcome, tries on the wire and error code of a row, from 1.
    pub(crate) fn row(&self, row: usize) -> (&str, &str, &str) {
        let cell = |name| self.cell(row, name);
        (cell("outcome"), cell("attempts"), cell("error_code"))
    }

    /// Promise 4: every row has one outcome, and whoever counts comes to the same counts.
    fn adds_up(&self, targets: u64, at_start: &Tally, heard: &Heard, as_it_grew: &[Row]) {
        assert_eq!(self.rows.len() as u64, targets);
        assert_eq!(self.tally.total(), targets);
        let outcomes = COLUMNS.iter().position(|name| *name == "outcome").unwrap();
        let mut counted = Tally::default();
        for row in &self.rows {
            counted.add(row[outcomes].parse().unwrap());
        }
        assert!(counted.iter().eq(self.tally.iter()), "{:?}", self.tally);
        // What was told while it ran was in the file by then, each end once, in its final words.
        let before = as_it_grew.len() - heard.ended.len();
        assert_eq!(
            before as u64,
            at_start.total(),
            "told of, or not in the file"
        );
        let ends = as_it_grew[before..].iter().map(key);
        assert!(
            ends.eq(heard.ended.iter().cloned()),
            "told in another order"
        );
        let whole: std::collections::HashSet<_> = self.rows.iter().collect();
        // What is heard of followed scans goes into the last writing of the file.
        assert!(self.is_followed || as_it_grew.iter().all(|row| whole.contains(row)));
        let ended = heard.tally.iter().map(|(_, count)| count).sum::<u64>();
        assert_eq!(ended, as_it_grew.len() as u64);
    }

    /// Promise 1, as the tenant saw it.
    pub(crate) fn assert_never_over(&self) {
        let recorder = self.tenant.recorder();
        for kind in [mock::Kind::Start, mock::Kind::List] {
            assert_eq!(recorder.throttled(kind), 0, "{} refused", kind.name());
            for limit in self.quota.limits() {
                let most = recorder.busiest(kind, limit.window());
                let calls = limit.calls() as usize;
                assert!(most <= calls, "{} {most} in {limit}", kind.name());
            }
        }
    }

    /// Promise 2: 1 % over the lower bound, and the slowest answer once for each minute window filled.
    pub(crate) fn assert_never_slow(&self, slowest: Duration) {
        let windows = u32::try_from(self.attempts / 100).unwrap() + 1;
        let most = self.lower_bound.mul_f64(1.01) + slowest * windows;
        assert!(
            self.elapsed <= most,
            "{:?} where {most:?} is allowed and {:?} the least",
            self.elapsed,
            self.lower_bound
        );
    }

    /// Promise 3: an accepted machine has exactly one scan, and no other has any.
    pub(crate) fn assert_one_scan_each(&self) {
        let recorder = self.tenant.recorder();
        assert_eq!(
            recorder.machines_scanned_more_than_once(),
            Vec::<String>::new()
        );
        for row in 1..=self.rows.len() {
            let (machine, outcome) = (self.cell(row, "machine_id"), self.cell(row, "outcome"));
            let scans = recorder.scans_of(machine);
            if outcome == "accepted" {
                assert_eq!(scans, 1, "{machine}");
            } else if outcome != "unsure" && outcome != "duplicate" {
                assert_eq!(scans, 0, "{machine} ended as {outcome}");
            }
        }
    }
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
        CanaryStanding::Open => {
            brakes.canary = None;
            return brakes;
        }
        CanaryStanding::Try { accepted, is_new } => {
            brakes.canaries_before = accepted;
            is_new.then_some("begun")
        }
        CanaryStanding::Refused { .. } | CanaryStanding::NoEffect { .. } => {
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

fn roster(csv: &str) -> Roster<Cursor<String>> {
    Roster::open("in.csv", Cursor::new(csv.to_owned()), &Options::default()).unwrap()
}

fn begin(
    csv: &str,
    campaign: &CampaignId,
    clock: &dyn Clock,
    results: &Path,
    extends: bool,
) -> (Journal, u64, Tally, Vec<Left>) {
    let identity = identity(campaign, clock.wall());
    let roster = roster(csv);
    let state = results.with_extension("db");
    let mut store = if state.exists() {
        let mut store = Store::open(&state).unwrap();
        if extends {
            extend(roster, &mut store).unwrap();
        } else {
            rejoin(roster, &mut store, "in.csv").unwrap();
        }
        store
    } else {
        take_in(roster, &state, identity).unwrap().store
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
        quota: String::new(),
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

/// Hears what a test asks about, and forgets the rest: a long campaign has a state for every second.
#[derive(Default)]
struct Ear(Mutex<Heard>);

#[derive(Default)]
struct Heard {
    notes: Vec<String>,
    ended: Vec<(String, String)>,
    tally: Vec<(&'static str, u64)>,
    waits: BTreeSet<String>,
    forecasts: Vec<(Duration, LastCall)>,
}

impl Monitor for Ear {
    fn began(&self, _: &Began<'_>) {}

    fn target_ended(&self, ended: &Ended<'_>) {
        let ended = (ended.machine_id.to_owned(), ended.outcome.to_owned());
        self.0.lock().unwrap().ended.push(ended);
    }

    fn state(&self, state: &State) {
        let mut heard = self.0.lock().unwrap();
        heard.tally.clone_from(&state.tally);
        heard.forecasts.push((state.elapsed, state.last_call));
        if let Some(waiting) = &state.waiting {
            heard.waits.insert(waiting.what.clone());
        }
    }

    fn note(&self, text: &str) {
        self.0.lock().unwrap().notes.push(text.to_owned());
    }

    fn ended(&self) {}
}

/// Either way to the tenant.
enum Client {
    Direct(Arc<Tenant>, Duration),
    Http(HttpDefender),
}

impl Client {
    async fn new(rig: &Rig, tenant: Arc<Tenant>) -> Self {
        if !rig.http {
            return Self::Direct(tenant, rig.timeout);
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(mock::serve(listener, tenant, std::future::pending()));
        let options = HttpOptions {
            base: ApiBase::parse(&base).unwrap(),
            request_timeout: rig.timeout,
            workers: 100,
            network: fleetsweep::defender::Network::default(),
        };
        Self::Http(HttpDefender::new(options).unwrap())
    }
}

impl Defender for Client {
    async fn call(&self, call: &Call, token: &Token) -> Reply {
        match self {
            Self::Http(client) => client.call(call, token).await,
            Self::Direct(tenant, timeout) => {
                let request = request(call, token.secret.expose_secret());
                // The tenant goes on with a call whatever becomes of its caller.
                let tenant = Arc::clone(tenant);
                let handled = tokio::spawn(async move { tenant.handle(request).await });
                match tokio::time::timeout(*timeout, handled)
                    .await
                    .map(Result::unwrap)
                {
                    Err(_) => Err(Lost::TimedOut(*timeout)),
                    Ok(Served::Refused) => Err(Lost::NotSent("the connection was refused".into())),
                    Ok(Served::Cut) => Err(Lost::Unknown("the connection was cut".into())),
                    Ok(Served::Response(response)) => Ok(Answer {
                        date: response.header("date").and_then(date),
                        retry_after: response.header("retry-after").map(str::to_owned),
                        status: response.status,
                        body: response.body,
                    }),
                }
            }
        }
    }
}

fn date(text: &str) -> Option<jiff::Timestamp> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(text).ok()
}

fn request(call: &Call, token: &str) -> Request {
    match call {
        Call::StartScan {
            machine,
            scan_type,
            comment,
        } => {
            let body = format!(r#"{{"Comment":{comment:?},"ScanType":"{scan_type}"}}"#);
            let path = format!("/api/machines/{machine}/runAntiVirusScan");
            Request::post(&path, token, body)
        }
        Call::ListScans {
            since,
            skip,
            top,
            order,
        } => {
            let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
            let filter = format!("type eq 'RunAntiVirusScan' and creationDateTimeUtc ge {since}");
            let mut path = format!("/api/machineactions?$filter={filter}&$top={top}&$skip={skip}");
            if order.count {
                path += "&$count=true";
            }
            if order.newest_first {
                path += "&$orderby=creationDateTimeUtc desc";
            }
            Request::get(&path, token)
        }
        Call::GetAction { id } => Request::get(&format!("/api/machineactions/{id}"), token),
        Call::CancelAction { id, comment } => {
            let path = format!("/api/machineactions/{id}/cancel");
            Request::post(&path, token, format!(r#"{{"Comment":{comment:?}}}"#))
        }
        other @ Call::Machines { .. } => unreachable!("no campaign makes such a call: {other:?}"),
    }
}
