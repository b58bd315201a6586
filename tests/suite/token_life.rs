//! Campaigns that outlive their tokens, over real HTTP in virtual time.

use std::{
    fmt::Write as _,
    io::Cursor,
    ops::Range,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fleetsweep::{
    campaign::{
        disk::DiskWork,
        engine::{
            Ending, Engine,
            dispatcher::{Dispatcher, Settings},
        },
        journal::Journal,
        open::create::take_in,
        outcome::{Outcome, Tally},
        retry::Policy,
        stop::StopReason,
        tag::CampaignId,
    },
    defender::{ApiBase, HttpDefender, Network, http::HttpOptions, sign_in::Auth},
    mock::{Fault, Kind as Call, MockConfig, Rule, SignIn, Tenant},
    monitor::Silent,
    quota::{Clock, Pacer, Quota, TokioClock},
    results::Layout,
    roster::{Options, Roster},
    store::{Identity, Run},
};
use jiff::Timestamp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

use crate::{
    rig::{over_loopback, short_or_long},
    sign_in::{CLIENT, SECRET, TENANT, app, served, source, strict},
};

/// In memory where that is to be had: thousands of commits that are waited for are the disk's test, not ours.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// What became of a campaign.
struct Came {
    ending: Ending,
    tenant: Arc<Tenant>,
    folder: tempfile::TempDir,
}

/// A campaign over real HTTP, in virtual time, with tokens of this life from a desk that is down at times.
async fn campaign(machines: u64, life: Duration, down: Option<Range<Duration>>) -> Came {
    campaign_meanwhile(machines, life, down, |_| {}).await
}

/// The same, while something happens to its folder between its first hundred calls and the next.
async fn campaign_meanwhile(
    machines: u64,
    life: Duration,
    down: Option<Range<Duration>>,
    meanwhile: impl FnOnce(&Path),
) -> Came {
    let faults = down.map(|span| Rule::new(Fault::CutBefore).kind(Call::Token).during(span));
    let (tenant, base) = served(MockConfig {
        latency: (Duration::from_millis(20)..=Duration::from_millis(400)).into(),
        sign_in: SignIn {
            expires_in: life,
            ..strict()
        },
        faults: faults.into_iter().collect(),
        ..MockConfig::default()
    })
    .await;
    let clock = Arc::new(TokioClock::starting_at(MockConfig::default().started));
    let variables = app(&[("AZURE_CLIENT_SECRET", SECRET.into())]);
    let tokens = source(Auth::Auto, &variables, &base, Arc::clone(&clock));
    let folder = scratch();
    let campaign = CampaignId::random(&mut fastrand::Rng::with_seed(7));
    let (journal, targets) = journal(machines, folder.path(), &campaign, clock.wall());
    let quota = Quota::documented();
    let defender = HttpDefender::new(HttpOptions {
        base: ApiBase::parse(&base).unwrap(),
        request_timeout: Duration::from_secs(30),
        workers: 100,
        network: Network::default(),
    });
    let defender = Arc::new(defender.unwrap());
    let engine = Engine {
        inventory: Arc::clone(&defender),
        defender,
        tokens,
        pacer: Pacer::new(&quota, clock.clone()),
        clock: clock.clone(),
        monitor: Arc::new(Silent),
        workers: 100,
        request_timeout: Duration::from_secs(30),
        campaign: campaign.clone(),
        canary_gate: None,
        disk: DiskWork::Aside,
    };
    let settings = Settings {
        campaign,
        scan_type: "Quick",
        comment: "sweep".into(),
        policy: Policy::default(),
        capacity: 100,
        risk_taken: false,
        seed: 7,
    };
    let dispatcher = Dispatcher::new(settings, targets, Tally::default());
    let (_signal, signals) = mpsc::channel(1);
    let (ending, ()) = tokio::join!(engine.run(dispatcher, journal, signals), async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        meanwhile(folder.path());
    });
    Came {
        ending,
        tenant,
        folder,
    }
}

/// A campaign's journal, `state.db` and `results.csv` in the folder.
pub(crate) fn journal(
    machines: u64,
    folder: &Path,
    campaign: &CampaignId,
    wall: Timestamp,
) -> (Journal, u64) {
    let mut csv = String::from("machine_id\n");
    for n in 1..=machines {
        writeln!(csv, "{n:040x}").unwrap();
    }
    let options = Options::default();
    let roster = Roster::open("fleet.csv", Cursor::new(csv.into_bytes()), &options).unwrap();
    let identity = Identity {
        campaign: campaign.as_str().to_owned(),
        created: wall,
        tenant: TENANT.into(),
        api: "mock".into(),
        scan_type: "quick".into(),
        comment: "sweep".into(),
        columns: Vec::new(),
        id_rule: "hex40".to_owned(),
    };
    let intake = take_in(roster, &folder.join("state.db"), identity, &[], || Ok(())).unwrap();
    let targets = intake.counts.rows();
    let layout = Layout::new(&intake.store.identity().columns, false);
    let run = Run {
        os_user: String::new(),
        host: String::new(),
        version: String::new(),
        command: String::new(),
        tenant: TENANT.into(),
        application: CLIENT.into(),
        quota: String::new(),
        started: wall,
    };
    let mut store = intake.store;
    let run = store.begin_run(&run).unwrap();
    let journal = Journal::begin(store, run, &folder.join("results.csv"), &layout).unwrap();
    (journal, targets)
}

/// How many were accepted in a campaign that nothing stopped.
async fn accepted(came: Came) -> (u64, Arc<Tenant>) {
    let stop = came.ending.stop.as_ref().map(StopReason::to_string);
    assert_eq!(stop, None);
    let finished = came
        .ending
        .journal
        .finish(Timestamp::UNIX_EPOCH, "done")
        .await
        .unwrap();
    (finished.tally.of(Outcome::Accepted), came.tenant)
}

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn three_thousand_machines_outlive_thirty_tokens_of_a_minute() {
    let (accepted, tenant) = accepted(campaign(3000, MINUTE, None).await).await;
    assert_eq!(accepted, 3000);
    let fetched = tenant.recorder().calls(Call::Token);
    assert!((15..120).contains(&fetched), "{fetched} tokens");
    assert_eq!(tenant.recorder().throttled(Call::Start), 0);
    assert_eq!(
        tenant.recorder().machines_scanned_more_than_once(),
        Vec::<String>::new()
    );
}

/// Ten minutes of machines; hours of them in the long form.
#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_is_down_for_a_minute_fails_nobody() {
    let machines = short_or_long(1000, 3000);
    let down = 5 * MINUTE..6 * MINUTE;
    let (accepted, tenant) = accepted(campaign(machines, MINUTE, Some(down)).await).await;
    assert_eq!(accepted, machines);
    // Waiting for a token sends nothing, so nothing is refused either.
    let starts = tenant.recorder().calls(Call::Start);
    assert!(
        starts < machines + 50,
        "{starts} calls for {machines} machines"
    );
    assert_eq!(
        tenant.recorder().machines_scanned_more_than_once(),
        Vec::<String>::new()
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_after_it_was_written_stops_the_run_and_leaves_no_machine_in_doubt() {
    let life = Duration::from_hours(1);
    let came = campaign_meanwhile(300, life, None, |folder| {
        let state = rusqlite::Connection::open(folder.join("state.db")).unwrap();
        state.execute_batch("DROP TABLE target").unwrap();
    })
    .await;
    let Some(StopReason::Disk(why)) = &came.ending.stop else {
        panic!("{:?}", came.ending.stop);
    };
    assert!(why.contains("state.db"), "{why}");
    let state = rusqlite::Connection::open(came.folder.path().join("state.db")).unwrap();
    let count = |sql: &str| -> u64 { state.query_row(sql, [], |row| row.get(0)).unwrap() };
    // Each attempt that is noted went out and has its end: those that were called back are not there any more.
    let open = count("SELECT count(*) FROM attempt WHERE ended IS NULL");
    assert_eq!(open, 0, "{why}");
    let noted = count("SELECT count(*) FROM attempt");
    assert!((101..300).contains(&noted), "{noted}");
    assert_eq!(noted, came.tenant.recorder().calls(Call::Start));
}

/// A desk that gives this answer to each who asks, and says how many did.
pub(crate) async fn desk(status: &'static str, answer: String) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut bytes = [0; 4096];
            let _ = socket.read(&mut bytes).await;
            counted.fetch_add(1, Ordering::Relaxed);
            let length = answer.len();
            let whole = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: \
                 close\r\n\r\n{answer}"
            );
            let _ = socket.write_all(whole.as_bytes()).await;
        }
    });
    (base, asked)
}

#[test]
fn a_life_beyond_all_measure_or_none_at_all_is_no_storm_of_sign_ins() {
    over_loopback(async {
        for life in ["1e18", "1000000000000000000", "-1", "0", "\"soon\"", "null"] {
            let answer =
                format!(r#"{{"token_type":"Bearer","expires_in":{life},"access_token":"t"}}"#);
            let (base, asked) = desk("200 OK", answer).await;
            let clock = Arc::new(TokioClock::starting_at(Timestamp::UNIX_EPOCH));
            let variables = app(&[("AZURE_CLIENT_SECRET", SECRET.into())]);
            let tokens = source(Auth::Auto, &variables, &base, clock);
            for _ in 0..60 {
                tokens.token().await.unwrap();
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
            let asked = asked.load(Ordering::Relaxed);
            assert!(
                (1..=3).contains(&asked),
                "expires_in {life}: {asked} sign-ins in 10 min"
            );
        }
    });
}
