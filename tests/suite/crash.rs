//! A campaign whose process is killed again and again, over a tenant that loses answers.
//!
//! The suite kills it a few times. The long form is one command, and takes about six minutes:
//!
//! ```text
//! FLEETSWEEP_KILLS=200 cargo test --test suite crash -- --nocapture
//! ```
//!
//! `FLEETSWEEP_SEED` repeats a run's dice; the kernel's are its own.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "in a test a panic is the verdict, and what is printed tells of it; processes have no virtual time, and \
              somebody has to wait for them"
)]

use std::{
    collections::HashMap,
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use super::program::{Server, fleet, fleetsweep, quota_file};

/// Long enough for whatever the last kill left to do, in the long form too.
const STUCK: Duration = Duration::from_mins(10);

/// What a process is killed at.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after its start: anything, and mostly what comes before the first call.
    After(Duration),
    /// When its results have grown by so many bytes since its first call.
    Grown(u64),
    /// When it has said that the campaign begins, and so long after: while first calls, and lookups, are on their way.
    Begun(Duration),
}

impl Moment {
    fn draw(dice: &mut fastrand::Rng) -> Self {
        match dice.u8(..10) {
            0 | 1 => Self::After(Duration::from_micros(dice.u64(..150_000))),
            2..=5 => Self::Begun(Duration::from_micros(dice.u64(..500_000))),
            _ => Self::Grown(dice.u64(1..4000)),
        }
    }
}

struct Campaign {
    folder: tempfile::TempDir,
    url: String,
}

impl Campaign {
    fn results(&self) -> PathBuf {
        self.folder.path().join("fleet.results.csv")
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// How many have ended, as far as the results tell.
    fn rows(&self) -> usize {
        fs::read_to_string(self.results()).map_or(0, |text| text.lines().count())
    }

    /// The same command every time.
    fn start(&self) -> Child {
        let folder = self.folder.path();
        fleetsweep(folder)
            .args(["run", "fleet.csv", "--api-url", &self.url])
            .args(["--limit", "40/1s", "--limit", "400/20s", "--workers", "8"])
            .args(["--quota-file", quota_file(folder)])
            .args(["--progress", "lines", "--yes"])
            // What a killed process has sent counts for twice that and some seconds.
            .args(["--max-attempts", "40", "--request-timeout", "2s"])
            .env("FLEETSWEEP_TOKEN", "x")
            .stderr(File::create(folder.join("stderr")).unwrap())
            .spawn()
            .unwrap()
    }

    /// Waits for that moment, not before so many rows have ended, or for the end; if the process ends before: how.
    fn wait(&self, child: &mut Child, moment: Option<Moment>, rows: usize) -> Option<ExitStatus> {
        let started = Instant::now();
        let mut begun = None;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return Some(status);
            }
            if begun.is_none() && self.said().contains("campaign") && self.rows() >= rows {
                begun = Some((Instant::now(), length(&self.results())));
            }
            let is_now = match (moment, begun) {
                (Some(Moment::After(span)), _) => started.elapsed() >= span,
                (Some(Moment::Begun(span)), Some((since, _))) => since.elapsed() >= span,
                // Dead processes' calls hold their lanes for a while, and then nothing grows.
                (Some(Moment::Grown(bytes)), Some((since, before))) => {
                    length(&self.results()) >= before + bytes || since.elapsed() >= SECOND
                }
                (None, _) | (_, None) => false,
            };
            if is_now {
                return None;
            }
            assert!(started.elapsed() < STUCK, "{}", self.said());
            thread::sleep(Duration::from_millis(1));
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// The results as they lie there, whole: machine and outcome.
fn results(path: &Path) -> HashMap<String, String> {
    let text = match fs::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return HashMap::new(),
        text => text.unwrap(),
    };
    assert!(text.ends_with('\n'), "the last line is torn: {text}");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut found = HashMap::new();
    for row in reader.records() {
        let row = row.unwrap();
        let twice = found.insert(row[0].to_owned(), row[1].to_owned());
        assert!(twice.is_none(), "{} has two lines", &row[0]);
    }
    found
}

/// `12:00:10 57/400 · …`: how many had ended.
fn said_ended(said: &str) -> usize {
    let counts = said.lines().filter_map(|line| {
        let (ended, _) = line.split_whitespace().nth(1)?.split_once('/')?;
        ended.parse().ok()
    });
    counts.max().unwrap_or(0)
}

#[test]
fn a_campaign_that_is_killed_at_any_moment_starts_one_scan_a_machine() {
    let setting = |name: &str| {
        env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let kills = u32::try_from(setting("FLEETSWEEP_KILLS").unwrap_or(12)).unwrap();
    let seed = setting("FLEETSWEEP_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("FLEETSWEEP_SEED={seed}");
    let mut dice = fastrand::Rng::with_seed(seed);

    let seed = seed.to_string();
    // Each answer that is lost near the end makes that ten seconds later, so the suite has few of them.
    let (machines, chance) = if kills > 20 {
        (10 * kills, "3%")
    } else {
        (240, "0.5%")
    };
    // Scans are over soon, so that a second one would not be refused because of the first.
    let server = Server::start(&[
        "--limit",
        "40/1s",
        "--limit",
        "400/20s",
        "--latency",
        "5ms-300ms",
        "--listing-lag",
        "0s-5s",
        "--reset-before",
        chance,
        "--reset-after",
        chance,
        "--error-before",
        chance,
        "--error-after",
        chance,
        "--scan-time",
        "300ms-1500ms",
        "--seed",
        &seed,
    ]);
    let campaign = Campaign {
        folder: tempfile::tempdir().unwrap(),
        url: server.url(),
    };
    fs::write(campaign.folder.path().join("fleet.csv"), fleet(machines)).unwrap();

    let began = Instant::now();
    let mut reported = HashMap::new();
    let mut killed = 0;
    let status = loop {
        let mut child = campaign.start();
        let moment = (killed < kills).then(|| Moment::draw(&mut dice));
        // So that they are spread over the whole campaign, however little is done between two of them.
        let rows = machines * killed / kills.max(1);
        let ended = campaign.wait(&mut child, moment, rows as usize);
        if ended.is_none() {
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
        }
        let said = campaign.said();
        assert!(!said.contains("panicked"), "{moment:?}: {said}");
        let there = results(&campaign.results());
        assert!(there.len() >= said_ended(&said), "{moment:?}: {said}");
        for (machine, outcome) in &reported {
            assert_eq!(
                there.get(machine),
                Some(outcome),
                "{machine}, {moment:?}: {said}"
            );
        }
        reported = there;
        if let Some(status) = ended {
            break status;
        }
    };

    let said = campaign.said();
    println!(
        "{killed} kills over {machines} machines in {:.0?}, {} calls, {} answers lost\n{said}",
        began.elapsed(),
        server.saw("/mock/witness")["kinds"]["start"]["calls"],
        server.saw("/mock/witness")["scans"]["answers_lost"],
    );
    // 6 where the last kill came between the end that was written and the process's own.
    assert!(matches!(status.code(), Some(0 | 6)), "{said}");
    assert!(killed > kills / 2, "it was over before it could be killed");
    assert_eq!(reported.len(), machines as usize);
    assert!(
        reported.values().all(|outcome| outcome == "accepted"),
        "{reported:?}"
    );
    server.assert_one_scan_each(machines);
    server.assert_never_over();
}
