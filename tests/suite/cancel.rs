//! A campaign called back: its own scans, each once, and nobody else's. The tenant's recorder is the judge.

use std::{sync::Arc, time::Duration};

use fleetsweep::{
    campaign::{
        cancel::{CancelCandidate, Cancelled},
        stop::Signal,
    },
    mock::{CancelOfFinal, Chances, Fault, Kind, MockConfig, Outage, QuotaConfig, Rule, Shape},
    quota::{Kind as Called, Quota},
    store::Store,
};
use tokio::sync::mpsc;

use super::rig::{Ground, Rig, fleet};

const HOUR: Duration = Duration::from_hours(1);

/// Scans that nobody waits for, some of them somebody else's.
fn long_scans() -> MockConfig {
    MockConfig {
        quota: QuotaConfig::none(),
        scan_time: 100 * HOUR..=100 * HOUR,
        chances: Chances {
            busy: 0.2,
            ..Chances::default()
        },
        ..MockConfig::default()
    }
}

async fn drained(mock: MockConfig, machines: u64) -> Arc<Ground> {
    let rig = Rig {
        quota: Quota::unlimited(),
        ..Rig::against(mock)
    };
    let ground = Arc::new(rig.ground());
    let told = rig.start_on(&ground, &fleet(machines)).await.end().await;
    assert_eq!(told.stop, None);
    ground
}

async fn called_back(ground: &Ground) -> Cancelled {
    let canceller = ground.canceller();
    let doomed = canceller.look().await.unwrap();
    let (_sender, mut signals) = mpsc::channel(1);
    canceller.cancel(doomed, &mut signals).await.unwrap()
}

fn state_of(ground: &Ground, status: &str) -> u64 {
    let store = Store::open_read_only(&ground.state()).unwrap();
    let tally = store.action_tally().unwrap();
    let count = tally.iter().find(|(word, _)| word == status);
    count.map_or(0, |(_, count)| *count)
}

#[tokio::test(start_paused = true)]
async fn its_own_scans_are_cancelled_and_nobody_elses() {
    let ground = drained(long_scans(), 200).await;
    let ours = ground.tenant().recorder().scans() as u64;
    assert!(ours < 190, "some machines were busy");
    let done = called_back(&ground).await;
    assert_eq!((done.cancelled, done.left), (ours, 0));
    let recorder = ground.tenant().recorder();
    assert_eq!(recorder.foreign_cancels(), 0);
    assert_eq!(recorder.calls(Kind::Cancel), ours);
    assert_eq!(state_of(&ground, "Cancelled"), ours);
    assert!(ground.canceller().look().await.unwrap().is_empty());
    assert_eq!(called_back(&ground).await.cancelled, 0);
    assert_eq!(ground.tenant().recorder().calls(Kind::Cancel), ours);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_waited_for_and_what_is_in_the_way_gives_up_with_a_count() {
    let second = Duration::from_secs(1);
    let through = |shape, until| MockConfig {
        outages: vec![Outage::of_everything(10 * second, until, shape)],
        ..long_scans()
    };
    for shape in [Shape::Refused, Shape::TimesOut, Shape::Page { status: 502 }] {
        let ground = drained(through(shape.clone(), HOUR), 50).await;
        let ours = ground.tenant().recorder().scans() as u64;
        let began = ground.elapsed();
        let doomed = ground.canceller().look().await.unwrap();
        tokio::time::sleep(11 * second).await;
        let (_sender, mut signals) = mpsc::channel(1);
        let done = ground.canceller().cancel(doomed, &mut signals).await;
        let done = done.unwrap();
        assert_eq!((done.cancelled, done.left), (ours, 0), "{shape:?}");
        let took = ground.elapsed().saturating_sub(began);
        assert!(took < HOUR + HOUR / 20, "{shape:?}: {took:?}");
    }
    let ground = drained(through(Shape::Page { status: 200 }, 100 * HOUR), 50).await;
    let doomed = ground.canceller().look().await.unwrap();
    let all = doomed.len() as u64;
    tokio::time::sleep(11 * second).await;
    let (_sender, mut signals) = mpsc::channel(1);
    let done = ground.canceller().cancel(doomed, &mut signals).await;
    let done = done.unwrap();
    assert_eq!((done.cancelled, done.left, done.gave_up), (0, all, true));
    assert!(done.why.contains("a page of its own"), "{}", done.why);
}

#[tokio::test(start_paused = true)]
async fn what_has_not_begun_goes_first_and_the_newest_before_the_oldest() {
    let ground = drained(long_scans(), 60).await;
    tokio::time::sleep(20 * HOUR).await;
    let doomed = ground.canceller().look().await.unwrap();
    let key = |scan: &CancelCandidate| (scan.status == "Pending", scan.created.clone());
    assert!(doomed.windows(2).all(|two| key(&two[0]) >= key(&two[1])));
    let pending = doomed.iter().filter(|scan| scan.status == "Pending");
    assert!((1..doomed.len()).contains(&pending.count()));
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_moment_it_loses_nothing_and_cancels_nothing_twice() {
    let mock = MockConfig {
        latency: (Duration::from_millis(50)..=Duration::from_millis(900)).into(),
        ..long_scans()
    };
    let ground = drained(mock, 120).await;
    let ours = ground.tenant().recorder().scans() as u64;
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..30 {
        let span = Duration::from_millis(rng.u64(0..40_000));
        let _ = tokio::time::timeout(span, called_back(&ground)).await;
    }
    assert_eq!(called_back(&ground).await.left, 0);
    let recorder = ground.tenant().recorder();
    assert_eq!(recorder.calls(Kind::Cancel), ours, "one call a scan");
    assert_eq!(recorder.foreign_cancels(), 0);
    assert_eq!(state_of(&ground, "Cancelled"), ours);
}

#[tokio::test(start_paused = true)]
async fn killed_while_many_calls_are_under_way_it_cancels_nothing_twice_and_is_never_over() {
    let mock = MockConfig {
        latency: (Duration::from_millis(50)..=Duration::from_secs(3)).into(),
        quota: QuotaConfig::default(),
        ..long_scans()
    };
    let rig = Rig::against(mock);
    let ground = Arc::new(rig.ground());
    rig.start_on(&ground, &fleet(400)).await.end().await;
    let ours = ground.tenant().recorder().scans() as u64;
    let mut rng = fastrand::Rng::with_seed(17);
    for _ in 0..20 {
        let span = Duration::from_millis(rng.u64(29_000..34_000));
        let _ = tokio::time::timeout(span, called_back(&ground)).await;
    }
    assert_eq!(called_back(&ground).await.left, 0);
    let recorder = ground.tenant().recorder();
    assert_eq!(recorder.calls(Kind::Cancel), ours, "one call a scan");
    assert_eq!(recorder.foreign_cancels(), 0);
    assert!(recorder.busiest(Kind::Cancel, Duration::from_mins(1)) <= 100);
    assert_eq!(state_of(&ground, "Cancelled"), ours);
}

#[tokio::test(start_paused = true)]
async fn it_is_never_over_its_quota_and_never_slow_whatever_the_latency() {
    let slowest = Duration::from_secs(2);
    let mock = MockConfig {
        latency: (Duration::ZERO..=slowest).into(),
        quota: QuotaConfig::default(),
        chances: Chances::default(),
        ..long_scans()
    };
    let rig = Rig::against(mock);
    let ground = Arc::new(rig.ground());
    rig.start_on(&ground, &fleet(1_700)).await.end().await;
    let canceller = ground.canceller();
    let doomed = canceller.look().await.unwrap();
    let count = doomed.len() as u64;
    assert_eq!(count, 1_700);
    let least = ground.pacer().lower_bound(Called::Cancel, count);
    assert!(least >= HOUR);
    let began = tokio::time::Instant::now();
    let (_sender, mut signals) = mpsc::channel(1);
    let done = canceller.cancel(doomed, &mut signals).await.unwrap();
    let elapsed = began.elapsed();
    assert_eq!((done.cancelled, done.left), (count, 0));
    let most = least.mul_f64(1.01) + slowest * 18;
    assert!(elapsed <= most, "{elapsed:?} where {most:?} is allowed");
    let recorder = ground.tenant().recorder();
    assert_eq!(recorder.calls(Kind::Cancel), count);
    assert_eq!(recorder.throttled(Kind::Cancel), 0);
    assert!(recorder.busiest(Kind::Cancel, Duration::from_mins(1)) <= 100);
    assert!(recorder.busiest(Kind::Cancel, HOUR) <= 1_500);
}

#[tokio::test(start_paused = true)]
async fn where_somebody_says_stop_calls_under_way_are_waited_for_and_the_rest_is_left() {
    let mock = MockConfig {
        latency: (Duration::from_secs(2)..=Duration::from_secs(2)).into(),
        quota: QuotaConfig::default(),
        chances: Chances::default(),
        ..long_scans()
    };
    let rig = Rig::against(mock);
    let ground = Arc::new(rig.ground());
    rig.start_on(&ground, &fleet(200)).await.end().await;
    let canceller = ground.canceller();
    let doomed = canceller.look().await.unwrap();
    let (sender, mut signals) = mpsc::channel(1);
    let (done, ()) = tokio::join!(canceller.cancel(doomed, &mut signals), async {
        // The first call has gone alone, and 99 are under way.
        tokio::time::sleep(Duration::from_secs(3)).await;
        sender.send(Signal::Drain).await.unwrap();
    });
    let done = done.unwrap();
    assert!(done.interrupted);
    assert_eq!((done.cancelled, done.left), (100, 100));
    assert_eq!(state_of(&ground, "Cancelled"), 100);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_up_before_the_call_is_made_again() {
    for fault in [Fault::CutAfter, Fault::CutBefore] {
        let mock = MockConfig {
            faults: vec![
                Rule::new(fault.clone()).kind(Kind::Cancel).nth(1),
                Rule::new(fault.clone()).kind(Kind::Cancel).nth(3),
            ],
            chances: Chances::default(),
            ..long_scans()
        };
        let ground = drained(mock, 10).await;
        let done = called_back(&ground).await;
        assert_eq!((done.cancelled, done.left), (10, 0), "{fault:?}");
        let again = if matches!(fault, Fault::CutAfter) {
            0
        } else {
            2
        };
        assert!(ground.tenant().recorder().calls(Kind::Cancel) <= 10 + again);
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_ended_meanwhile_is_reported_as_such() {
    for cancel_of_final in [CancelOfFinal::Refuse, CancelOfFinal::Answer] {
        let mock = MockConfig {
            scan_time: HOUR..=HOUR,
            chances: Chances::default(),
            cancel_of_final,
            ..long_scans()
        };
        let ground = drained(mock, 5).await;
        let canceller = ground.canceller();
        let doomed = canceller.look().await.unwrap();
        assert_eq!(doomed.len(), 5);
        tokio::time::sleep(2 * HOUR).await;
        let (_sender, mut signals) = mpsc::channel(1);
        let done = canceller.cancel(doomed, &mut signals).await.unwrap();
        assert_eq!((done.cancelled, done.left), (0, 0));
        assert_eq!(done.ended["Succeeded"], 5);
        assert_eq!(state_of(&ground, "Succeeded"), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_whose_answer_never_came_is_known_by_its_tag() {
    let mock = MockConfig {
        faults: vec![Rule::new(Fault::CutAfter).kind(Kind::Start).nth(4)],
        chances: Chances::default(),
        latency: (Duration::from_millis(100)..=Duration::from_millis(100)).into(),
        ..long_scans()
    };
    let rig = Rig {
        quota: Quota::unlimited(),
        ..Rig::against(mock)
    };
    let ground = Arc::new(rig.ground());
    let running = rig.start_on(&ground, &fleet(8)).await;
    // Its answer is lost by now, and not looked up yet.
    tokio::time::sleep(Duration::from_secs(5)).await;
    running.kill().await;
    assert_eq!(ground.tenant().recorder().scans(), 8);
    let done = called_back(&ground).await;
    assert_eq!((done.cancelled, done.left), (8, 0));
}

#[cfg(unix)]
#[test]
fn a_live_run_is_stopped_its_scans_are_cancelled_and_the_results_say_so() {
    use crate::{
        command_line::Place,
        program::{Server, fleet, fleetsweep, look_again},
    };
    let server = Server::start(&["--scan-time", "2h-3h"]);
    let place = Place::new(&fleet(200));
    let attached = |words: &[&str]| {
        let mut command = fleetsweep(place.0.path());
        command.args(words).args(["--api-url", &server.url()]);
        command.env("FLEETSWEEP_TOKEN", "mock").output().unwrap()
    };
    let mut run = place
        .run_against(&server, &["fleet.csv", "-q"])
        .spawn()
        .unwrap();
    // A hundred go out at once, the others a minute later.
    let store = || Store::open_read_only(&place.path("fleet.campaign.db")).ok();
    let accepted = || {
        let tally = store().and_then(|store| store.action_tally().ok());
        tally.map_or(0, |tally| tally.iter().map(|(_, count)| count).sum::<u64>())
    };
    while accepted() < 100 {
        look_again();
    }
    let asked = attached(&["cancel", "fleet.csv"]);
    assert_eq!(asked.status.code(), Some(2), "no terminal, no --yes");
    let dry = attached(&["cancel", "fleet.csv", "--dry-run"]);
    assert_eq!(dry.status.code(), Some(0));
    let said = String::from_utf8(dry.stderr).unwrap();
    assert!(said.contains("100 scans of campaign"), "{said}");
    let done = attached(&["cancel", "fleet.csv", "--yes"]);
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(0), "{said}");
    assert!(said.contains("100 scans cancelled"), "{said}");
    assert_eq!(run.wait().unwrap().code(), Some(3));
    let results = place.read("fleet.results.csv");
    assert_eq!(results.matches(",Cancelled,").count(), 100);
    assert_eq!(results.matches(",not_attempted,").count(), 100);
    let mut status = fleetsweep(place.0.path());
    let status = status.args(["status", "fleet.csv"]).output().unwrap();
    let told = String::from_utf8(status.stdout).unwrap();
    let scans = "scans, as last heard: 100 Cancelled (100 by fleetsweep cancel)";
    assert!(told.contains(scans), "{told}");
    let followed = attached(&["follow", "fleet.csv"]);
    let said = String::from_utf8(followed.stderr).unwrap();
    assert_eq!(followed.status.code(), Some(1), "{said}");
    assert!(said.contains("100 Cancelled"), "{said}");
}

/// `follow` and `cancel` hear Ctrl-C from their first line on, as a script starts them that does not: a child of it
/// ignores Ctrl-C until it listens.
#[cfg(unix)]
mod interrupted {
    use std::{
        fs::File,
        io::{BufRead, BufReader, Read},
        net::TcpListener,
        path::PathBuf,
        process::{Child, Command, Stdio},
    };

    use fleetsweep::store::Lock;

    use crate::{
        command_line::Place,
        program::{BINARY, Server, fleet, interrupt, state_home},
    };

    /// Ten scans that go on for hours, at a tenant that takes a second to answer.
    fn begun(place: &Place) -> Server {
        let server = Server::start(&["--scan-time", "2h-3h", "--latency", "1s-1s"]);
        let ran = place.run_against(&server, &["fleet.csv", "-q"]).status();
        assert_eq!(ran.unwrap().code(), Some(0));
        server
    }

    /// The program as a script that ignores Ctrl-C starts it.
    fn deaf(place: &Place, words: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' INT; exec \"$0\" \"$@\"", BINARY])
            .args(words)
            .current_dir(place.0.path())
            .env_remove("RUST_LOG")
            .env("XDG_STATE_HOME", state_home(place.0.path()))
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    fn against(place: &Place, server: &Server, words: &[&str]) -> Child {
        let mut command = deaf(place, words);
        command.args(["--api-url", &server.url()]);
        command.env("FLEETSWEEP_TOKEN", "mock").spawn().unwrap()
    }

    /// Interrupts it, twice for good measure, once it has said this; gives its exit code and what else it says.
    fn interrupted_after(mut child: Child, words: &str) -> (Option<i32>, String) {
        let mut report = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(report.read_line(&mut line).unwrap() > 0, "never: {words}");
        }
        interrupt(&child);
        // It may be gone by now.
        let _ = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .stderr(Stdio::null())
            .status();
        let mut said = String::new();
        report.read_to_string(&mut said).unwrap();
        (child.wait().unwrap().code(), said)
    }

    fn calls(server: &Server, kind: &str) -> u64 {
        server.saw("/mock/witness")["kinds"][kind]["calls"]
            .as_u64()
            .unwrap_or_default()
    }

    #[test]
    fn while_the_scans_are_looked_for_nothing_is_cancelled() {
        let place = Place::new(&fleet(10));
        let server = begun(&place);
        let child = against(&place, &server, &["cancel", "fleet.csv", "--yes"]);
        let (code, said) = interrupted_after(child, "signed in");
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("nothing was cancelled"), "{said}");
        assert_eq!(calls(&server, "cancel"), 0, "{said}");
    }

    #[test]
    fn while_a_run_is_waited_for_nothing_is_cancelled_and_it_is_said_that_the_run_was_told_to_stop()
    {
        let place = Place::new(&fleet(10));
        let server = begun(&place);
        let _at_work = Lock::take(&place.path("fleet.campaign.db")).unwrap();
        let child = against(&place, &server, &["cancel", "fleet.csv", "--yes"]);
        let (code, said) = interrupted_after(child, "told to stop");
        assert_eq!(code, Some(130), "{said}");
        assert!(
            said.contains("nothing was cancelled; the run was told"),
            "{said}"
        );
        assert_eq!(calls(&server, "cancel"), 0, "{said}");
    }

    #[test]
    fn after_its_first_call_it_ends_in_good_order() {
        let place = Place::new(&fleet(10));
        let server = begun(&place);
        let child = against(&place, &server, &["cancel", "fleet.csv", "--yes"]);
        let (code, said) = interrupted_after(child, "cancelling 10 scans");
        assert_eq!(code, Some(130), "{said}");
        assert!(calls(&server, "cancel") <= 1, "{said}");
    }

    #[test]
    fn a_sign_in_that_hangs_keeps_nobody() {
        let place = Place::new(&fleet(10));
        drop(begun(&place));
        for (command, told) in [
            ("cancel", "nothing was cancelled"),
            ("follow", "nothing was changed"),
        ] {
            // Taken by the system, and never answered.
            let authority = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = format!("http://{}", authority.local_addr().unwrap());
            let log: PathBuf = place.path("log");
            let words = ["fleet.csv", "--yes", "--authority-url", &address];
            let mut hanging = deaf(&place, &[command]);
            hanging
                .args(words)
                .args(["--api-url", "http://127.0.0.1:9", "--auth", "secret"])
                .env_remove("FLEETSWEEP_TOKEN")
                .env("AZURE_TENANT_ID", "9b1e7a32-5d0c-4b64-8f3e-2c7d90a1b5ef")
                .env("AZURE_CLIENT_ID", "2f3b1c7e-0a5d-4f5e-9a53-7d4d3c2b1a00")
                .env("AZURE_CLIENT_SECRET", "x")
                .stderr(File::create(&log).unwrap());
            let mut child = hanging.spawn().unwrap();
            let _asked = authority.accept().unwrap();
            interrupt(&child);
            assert_eq!(child.wait().unwrap().code(), Some(130), "{command}");
            let said = std::fs::read_to_string(log).unwrap();
            assert!(said.contains(told), "{command}: {said}");
        }
    }
}
