//! A drain of 20,000 targets over loopback without limits, side by side with a bare `reqwest` loop: same bodies, same
//! parsing, same concurrency, same mock in a process of its own. The drain is a real one: each attempt is on the disk
//! before its call, each outcome after it, each line in the results.
//!
//! The goal is three quarters of the bare loop's calls per second, on a disk that confirms a write (`fdatasync`) within
//! 0.5 ms. The two take turns, because a machine that is busy with something else is so for seconds; medians are
//! compared.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use fleetsweep::{
    campaign::{
        disk::DiskWork,
        engine::{
            Engine,
            dispatcher::{Dispatcher, Settings},
        },
        journal::Journal,
        open::create::take_in,
        outcome::{Outcome, Tally},
        retry::{OnPending, Policy},
        tag::{CampaignId, DEFAULT_TEXT},
    },
    defender::{
        ApiBase, Network,
        http::{HttpDefender, HttpOptions},
        sign_in::FixedToken,
        wire::{MachineAction, StartScan},
    },
    monitor::Silent,
    quota::{Clock, Pacer, Quota, SystemClock},
    results::Layout,
    roster::{Options, Roster},
    store::{Identity, Run},
};
use secrecy::SecretString;
use tokio::sync::{Mutex, mpsc};

/// How many machines a drain has.
const TARGETS: u64 = 20_000;

/// Calls on their way at once: what `fleetsweep run --limit none` has.
const WORKERS: usize = 100;

/// Turns of each; odd, so that the median is one of them.
const TURNS: u32 = 5;

/// The slowest disk that the goal is for.
const GOOD_DISK: Duration = Duration::from_micros(500);

fn main() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mock = Mock::start()?;
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let sync = fdatasync(disk.path())?;
    let mut out = io::stdout();
    writeln!(
        out,
        "{TARGETS} targets, {WORKERS} at once; fdatasync takes {:.2} ms here (median)",
        sync.as_secs_f64() * 1000.0
    )?;
    runtime.block_on(compare(&mock.url, disk.path(), &mut out))?;
    if sync > GOOD_DISK {
        writeln!(
            out,
            "the goal is for a disk of at most {:.1} ms: this one is slower",
            GOOD_DISK.as_secs_f64() * 1000.0
        )?;
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            let memory = tempfile::tempdir_in(memory)?;
            writeln!(out, "the same with state and results in memory:")?;
            runtime.block_on(compare(&mock.url, memory.path(), &mut out))?;
        }
    }
    Ok(())
}

/// Lets the two take turns, and tells how they compare.
async fn compare(url: &str, folder: &Path, out: &mut impl Write) -> io::Result<()> {
    let (mut bare, mut drains) = (Vec::new(), Vec::new());
    // The first turn of each only warms up.
    for turn in 0..=TURNS {
        let bare_rate = rate(bare_loop(url, ids()).await);
        let drain_rate = rate(Box::pin(drain(url, folder, turn)).await);
        if turn > 0 {
            bare.push(bare_rate);
            drains.push(drain_rate);
        }
    }
    let (bare, drains) = (median(&mut bare), median(&mut drains));
    writeln!(out, "  bare reqwest loop: {bare:>8.0} calls/s")?;
    writeln!(out, "  fleetsweep drain:  {drains:>8.0} calls/s")?;
    writeln!(out, "  ratio: {:.2} (goal: 0.75)", drains / bare)
}

fn rate(took: Duration) -> f64 {
    f64::from(u32::try_from(TARGETS).expect("few targets")) / took.as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Ids that no earlier turn has used: a machine under scan is answered otherwise.
fn ids() -> Vec<String> {
    (0..TARGETS)
        .map(|_| format!("{:032x}{:08x}", fastrand::u128(..), fastrand::u32(..)))
        .collect()
}

fn comment(campaign: &CampaignId, n: usize) -> String {
    campaign.comment(n as u64, DEFAULT_TEXT)
}

/// What anybody would write without a campaign around it.
async fn bare_loop(url: &str, ids: Vec<String>) -> Duration {
    let client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(WORKERS)
        .build()
        .expect("a client");
    let campaign = CampaignId::random(&mut fastrand::Rng::new());
    let ids = Arc::new(ids);
    let (sender, orders) = mpsc::channel::<usize>(WORKERS);
    let orders = Arc::new(Mutex::new(orders));
    let mut tasks = tokio::task::JoinSet::new();
    let began = SystemClock.now();
    for _ in 0..WORKERS {
        let (client, orders) = (client.clone(), Arc::clone(&orders));
        let (url, campaign, ids) = (url.to_owned(), campaign.clone(), Arc::clone(&ids));
        tasks.spawn(async move {
            loop {
                let Some(n) = orders.lock().await.recv().await else {
                    return;
                };
                let body = StartScan {
                    comment: comment(&campaign, n).into(),
                    scan_type: "Quick".into(),
                };
                let answer = client
                    .post(format!("{url}/api/machines/{}/runAntiVirusScan", ids[n]))
                    .bearer_auth("mock")
                    .header("content-type", "application/json")
                    .body(serde_json::to_vec(&body).expect("a body"))
                    .send()
                    .await
                    .expect("an answer");
                let answer = answer.bytes().await.expect("a body");
                let action: MachineAction = serde_json::from_slice(&answer).expect("an action");
                assert!(!action.id.is_empty());
            }
        });
    }
    for n in 0..ids.len() {
        sender.send(n).await.expect("workers");
    }
    drop(sender);
    while let Some(done) = tasks.join_next().await {
        done.expect("no worker panics");
    }
    SystemClock.now().since(began)
}

/// A campaign as `fleetsweep run` runs it, its calls timed: from the first permit to the last outcome on disk.
async fn drain(url: &str, folder: &Path, turn: u32) -> Duration {
    let mut rng = fastrand::Rng::new();
    let campaign = CampaignId::random(&mut rng);
    let base = ApiBase::parse(url).expect("the mock's address");
    let identity = Identity {
        campaign: campaign.as_str().to_owned(),
        created: SystemClock.wall(),
        tenant: "bench".into(),
        api: url.to_owned(),
        scan_type: "quick".into(),
        comment: DEFAULT_TEXT.to_owned(),
        columns: Vec::new(),
        id_rule: "hex40".to_owned(),
    };
    let fleet = format!("machine_id\n{}\n", ids().join("\n"));
    let roster = Roster::open("fleet.csv", fleet.as_bytes(), &Options::default()).expect("a fleet");
    let place = folder.join(turn.to_string());
    fs::create_dir(&place).expect("a folder");
    let intake =
        take_in(roster, &place.join("campaign.db"), identity, &[], || Ok(())).expect("a store");
    let mut store = intake.store;
    let run = store.begin_run(&Run::default()).expect("a run");
    let results = place.join("results.csv");
    let journal =
        Journal::begin(store, run, &results, &Layout::new(&[], false)).expect("the results");
    let settings = Settings {
        campaign: campaign.clone(),
        scan_type: "Quick",
        comment: DEFAULT_TEXT.to_owned(),
        policy: Policy {
            max_attempts: 5,
            on_pending: OnPending::Skip,
        },
        capacity: 2 * WORKERS,
        risk_taken: false,
        seed: 1,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let token = FixedToken::new(&SecretString::from("mock"), "the bench").expect("a token");
    let defender = HttpDefender::new(HttpOptions {
        base,
        request_timeout: Duration::from_secs(30),
        workers: WORKERS,
        network: Network::default(),
    });
    let defender = Arc::new(defender.expect("a client"));
    let engine = Engine {
        inventory: Arc::clone(&defender),
        defender,
        tokens: Arc::new(token),
        pacer: Pacer::new(&Quota::unlimited(), Arc::clone(&clock)),
        clock: Arc::clone(&clock),
        monitor: Arc::new(Silent),
        workers: WORKERS,
        request_timeout: Duration::from_secs(30),
        campaign,
        canary_gate: None,
        disk: DiskWork::Aside,
    };
    let dispatcher = Dispatcher::new(settings, TARGETS, Tally::default());
    let (_signal, signals) = mpsc::channel(1);
    let began = clock.now();
    let ending = engine.run(dispatcher, journal, signals).await;
    let took = clock.now().since(began);
    assert!(ending.stop.is_none(), "stopped: {:?}", ending.stop);
    let finished = ending.journal.finish(clock.wall(), "done").await;
    let tally = finished.expect("whole results").tally;
    assert_eq!(tally.of(Outcome::Accepted), TARGETS);
    fs::remove_dir_all(place).expect("a folder of ours");
    took
}

/// The median time that the disk takes to confirm 4 KiB.
fn fdatasync(folder: &Path) -> io::Result<Duration> {
    let mut file = File::create(folder.join("probe"))?;
    let mut times = Vec::new();
    for _ in 0..200 {
        file.write_all(&[7; 4096])?;
        let began = SystemClock.now();
        file.sync_data()?;
        times.push(SystemClock.now().since(began));
    }
    times.sort();
    Ok(times[times.len() / 2])
}

/// The mock in a process of its own.
struct Mock {
    child: Child,
    url: String,
}

impl Mock {
    fn start() -> io::Result<Self> {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_fleetsweep"));
        let mut child = Command::new(binary)
            .args(["mock", "--limit", "none", "--no-record"])
            .args(["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(report) = child.stderr.take() {
            BufReader::new(report).read_line(&mut line)?;
        }
        let url = line.split_once("http://").and_then(|(_, rest)| {
            let (address, _) = rest.split_once(',')?;
            Some(format!("http://{address}"))
        });
        match url {
            Some(url) => Ok(Self { child, url }),
            None => Err(io::Error::other(format!("the mock said {line:?}"))),
        }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
