//! The nightly form, `run --again --extend`: every night another export, another comment, and no person.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use fleetsweep::{
    campaign::outcome::Outcome,
    mock::{Chances, MockConfig},
    quota::{Clock, SystemClock},
};
use proptest::prelude::*;
use rusqlite::{
    functions::{Context, FunctionFlags},
    types::ValueRef,
};

use super::{
    command_line::{Place, assert_code, outcomes, said},
    program::{Server, look_again},
    rig::{self, Rig},
};

fn machine(n: u64) -> String {
    rig::machine(n)
}

/// An export of these machines.
fn export(machines: impl IntoIterator<Item = u64>) -> String {
    let mut list = "machine_id\n".to_owned();
    for n in machines {
        writeln!(list, "{}", machine(n)).unwrap();
    }
    list
}

/// What a results file tells of each machine.
fn told(results: &str) -> BTreeMap<String, (String, String)> {
    let mut reader = csv::Reader::from_reader(results.as_bytes());
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| (row[0].to_owned(), (row[1].to_owned(), row[6].to_owned())))
        .collect()
}

/// The results of all campaigns that were at this place.
fn all_results(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut results: Vec<_> = names
        .filter(|path| path.to_string_lossy().ends_with(".results.csv"))
        .collect();
    results.sort();
    let read = |path: &std::path::PathBuf| fs::read_to_string(path).unwrap();
    results.iter().map(read).collect()
}

/// One place, one tenant, and a command that is the same every night but for the date.
struct Nights {
    place: Place,
    server: Server,
    machines: BTreeSet<u64>,
}

impl Nights {
    fn new(machines: impl IntoIterator<Item = u64>) -> Self {
        Self {
            place: Place::new(""),
            server: Server::start(&["--scan-time", "1ms", "--latency", "5ms"]),
            machines: machines.into_iter().collect(),
        }
    }

    fn come(&mut self, machines: impl IntoIterator<Item = u64>) {
        self.machines.extend(machines);
    }

    fn go(&mut self, machines: impl IntoIterator<Item = u64>) {
        for n in machines {
            assert!(self.machines.remove(&n), "{n} is not there");
        }
    }

    /// Writes the night's export and gives the words of its command.
    fn words<'a>(&self, date: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let newest_first = self.machines.iter().rev().copied();
        fs::write(self.place.path("fleet.csv"), export(newest_first)).unwrap();
        let words = [
            "fleet.csv",
            "--again",
            "--extend",
            "--yes",
            "--comment",
            date,
        ];
        [&words[..], more].concat()
    }

    fn night(&self, date: &str, more: &[&str]) -> Output {
        let words = self.words(date, more);
        let mut command: Command = self.place.run_against(&self.server, &words);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(!said(&output).contains("[y/N]"), "{}", said(&output));
        output
    }

    /// A night whose process is killed when its results tell of so many accepted machines.
    fn killed(&self, date: &str, more: &[&str], accepted: usize) {
        let words = self.words(date, more);
        let read = || fs::read_to_string(self.place.path("fleet.results.csv")).unwrap_or_default();
        let before = read();
        let mut command = self.place.run_against(&self.server, &words);
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        loop {
            let results = read();
            let there = results.matches(",accepted,").count();
            if results != before && there >= accepted {
                break;
            }
            assert_eq!(child.try_wait().unwrap(), None, "it ended before");
            look_again();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// What has happened until now was so many hours ago.
    fn pass(&self, hours: i64) {
        let state = rusqlite::Connection::open(self.place.path("fleet.campaign.db")).unwrap();
        let flags = FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
        state
            .create_scalar_function("row_sum", -1, flags, row_sum)
            .unwrap();
        let sql = "UPDATE run SET started = started - ?1, ended = ended - ?1";
        state.execute(sql, [hours * 3_600_000]).unwrap();
    }

    /// So many machines ended so, and each has one row.
    #[track_caller]
    fn assert_counts(&self, counts: &[(&str, usize)]) {
        let results = self.place.read("fleet.results.csv");
        let words = outcomes(&results);
        for (outcome, count) in counts {
            let there = words.iter().filter(|word| word == outcome).count();
            assert_eq!(there, *count, "{outcome}: {results}");
        }
        let rows = told(&results);
        assert_eq!(rows.len(), words.len(), "a machine has two rows");
    }

    /// Each machine was scanned once for each campaign that says so, and never else.
    #[track_caller]
    fn assert_one_scan_a_campaign(&self) {
        let mut accepted = BTreeMap::<String, u64>::new();
        for results in all_results(self.place.0.path()) {
            for (machine, (outcome, _)) in told(&results) {
                *accepted.entry(machine).or_default() += u64::from(outcome == "accepted");
            }
        }
        accepted.retain(|_, count| *count > 0);
        let scans = self.server.saw("/mock/scans");
        let scans = scans.as_array().unwrap().iter().map(|row| {
            let machine = row["machineId"].as_str().unwrap().to_owned();
            (machine, row["count"].as_u64().unwrap())
        });
        assert_eq!(scans.collect::<BTreeMap<_, _>>(), accepted);
    }
}

/// The sum of a state's row, as `fleetsweep` makes it: whoever changes a cell changes that too.
#[expect(clippy::unnecessary_wraps, reason = "the shape that rusqlite wants")]
fn row_sum(cells: &Context<'_>) -> rusqlite::Result<i64> {
    let mut words = Vec::new();
    for at in 0..cells.len() {
        match cells.get_raw(at) {
            ValueRef::Null => words.push(1),
            ValueRef::Integer(number) => words.extend([2, number.cast_unsigned()]),
            ValueRef::Text(bytes) => {
                words.push(4 | (bytes.len() as u64) << 8);
                for chunk in bytes.chunks(8) {
                    let mut word = [0; 8];
                    word[..chunk.len()].copy_from_slice(chunk);
                    words.push(u64::from_le_bytes(word));
                }
            }
            other => panic!("{other:?}"),
        }
    }
    let sum = words
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, word| {
            let mixed = (sum ^ word).wrapping_mul(0x0100_0000_01b3);
            mixed ^ (mixed >> 32)
        });
    Ok(sum.cast_signed())
}

#[test]
fn nights_that_finish_are_braked_or_killed_need_nobody_and_scan_each_machine_once_a_campaign() {
    let slow = ["--limit", "4/1s"];
    let fast = ["--limit", "none"];
    let mut nights = Nights::new(1..=12);
    assert_code(&nights.night("sweep of 24 November", &fast), 0);
    nights.assert_counts(&[("accepted", 12)]);

    // Finished: a new campaign, which its brake stops.
    nights.come([13, 14]);
    let soon = SystemClock.wall() + Duration::from_millis(1_800);
    let soon = soon.to_string();
    let brake = ["--not-after", &soon];
    let braked = nights.night("sweep of 25 November", &[&slow[..], &brake].concat());
    assert_code(&braked, 3);
    assert!(!said(&braked).contains("waits"), "{}", said(&braked));
    assert_eq!(all_results(nights.place.0.path()).len(), 2);
    let before = told(&nights.place.read("fleet.results.csv"));
    assert_eq!(before.len(), 14);
    let is = |n: u64, outcome: &str| before[&machine(n)].0 == outcome;
    let sent = (1..=14).find(|n| is(*n, "accepted")).unwrap();
    let open: Vec<_> = (1..=14).filter(|n| is(*n, "not_attempted")).collect();
    assert!(open.len() >= 4, "{open:?}");

    // Unfinished: extended, under the comment that it began with, and killed in the middle.
    nights.come([15, 16]);
    nights.go([sent, open[0], open[1]]);
    let date = "sweep of 26 November";
    nights.killed(date, &slow, 14 - open.len() + 2);
    nights.come([open[0]]);
    let last = nights.night("sweep of 27 November", &fast);
    assert_code(&last, 0);
    let line = said(&last);
    let line = line.lines().find(|line| line.contains("for the next one"));
    let line = line.unwrap_or_else(|| panic!("{}", said(&last)));
    assert!(
        line.contains("27 November") && line.contains("25 November"),
        "{line}"
    );
    nights.assert_counts(&[("accepted", 15), ("not_attempted", 1)]);
    let results = told(&nights.place.read("fleet.results.csv"));
    let gone = (
        "not_attempted".to_owned(),
        "no longer in the input".to_owned(),
    );
    assert_eq!(results[&machine(open[1])], gone);

    // Killed while its scans are followed: every row has ended, so the next night begins anew.
    nights.killed(
        "sweep of 28 November",
        &[&fast[..], &["--follow"]].concat(),
        14,
    );
    assert_code(&nights.night("sweep of 29 November", &fast), 0);
    nights.assert_counts(&[("accepted", 14), ("not_attempted", 0)]);
    let results = all_results(nights.place.0.path());
    assert_eq!(results.len(), 4);
    for results in results {
        let words = outcomes(&results);
        assert!(
            words
                .iter()
                .all(|word| word == "accepted" || word == "not_attempted")
        );
    }
    nights.assert_one_scan_a_campaign();
    let scans = nights.server.saw("/mock/scans");
    let comments = scans
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["comment"].to_string());
    assert!(
        comments
            .filter(|comment| comment.contains("27 November"))
            .count()
            == 0
    );
}

#[test]
fn the_results_of_a_night_that_was_killed_at_its_end_are_in_order_when_the_next_begins() {
    let nights = Nights::new(1..=30);
    nights.killed("one", &["--limit", "none", "--follow"], 30);
    let grown = nights.place.read("fleet.results.csv");
    assert_code(&nights.night("two", &["--limit", "none"]), 0);
    let results = all_results(nights.place.0.path());
    assert_eq!(results.len(), 2);
    let newest_first: Vec<_> = (1..=30).rev().map(machine).collect();
    for results in results {
        assert_eq!(results.lines().count(), grown.lines().count());
        let ids = results.lines().skip(1).map(|line| &line[..40]);
        assert!(ids.eq(newest_first.iter()), "{results}");
    }
    nights.assert_one_scan_a_campaign();
}

#[test]
fn a_changed_comment_or_scan_type_is_refused_where_a_person_is_there() {
    let nights = Nights::new(1..=3);
    let words = ["--limit", "none", "--max-machines", "1"];
    assert_code(&nights.night("one", &words), 3);
    for form in [&["--again"][..], &["--extend"], &[]] {
        let run = |more: &[&str]| {
            let words = [&["fleet.csv", "--yes", "--limit", "none"], form, more].concat();
            let mut command = nights.place.run_against(&nights.server, &words);
            command.output().unwrap()
        };
        let refused = run(&["--comment", "two"]);
        assert_code(&refused, 2);
        assert!(
            said(&refused).contains("the comment is now `two`"),
            "{}",
            said(&refused)
        );
        let refused = run(&["--comment", "one", "--scan-type", "full"]);
        assert_code(&refused, 2);
        assert!(said(&refused).contains("scan type"), "{}", said(&refused));
    }
    let more = ["--limit", "none", "--scan-type", "full"];
    let went_on = nights.night("two", &more);
    assert_code(&went_on, 0);
    let line = "the scan type `full` (`quick` in this one) and the comment `two`";
    assert!(said(&went_on).contains(line), "{}", said(&went_on));
    let types = nights.place.read("fleet.results.csv");
    assert!(!types.contains(",full,"), "{types}");
    nights.assert_one_scan_a_campaign();
}

#[test]
fn canaries_that_come_too_late_keep_no_night_waiting_and_a_no_does() {
    let nights = Nights::new(1..=6);
    let words = |more: &[&'static str]| [&["--limit", "none"], more].concat();
    let braked = nights.night("one", &words(&["--max-machines", "3"]));
    assert_code(&braked, 3);
    let no = ["--canary", "4", "--canary-answer", "no"];
    assert_code(&nights.night("two", &words(&no)), 3);
    let held = nights.night("three", &words(&["--canary", "4"]));
    assert_code(&held, 3);
    assert!(
        said(&held).contains("--canary-answer yes"),
        "{}",
        said(&held)
    );

    let nights = Nights::new(1..=6);
    let run = |more: &[&'static str]| {
        let mut command = nights.place.run_against(&nights.server, &words(more));
        let form = ["fleet.csv", "--again", "--extend"];
        command.args(form).stdin(Stdio::null()).output().unwrap()
    };
    fs::write(nights.place.path("fleet.csv"), export(1..=6)).unwrap();
    assert_code(&run(&["--max-machines", "3"]), 3);
    assert_code(&run(&["--canary", "2"]), 0);
    nights.assert_counts(&[("accepted", 6)]);
}

#[test]
fn each_night_sends_to_as_many_machines_as_max_machines_says_and_the_last_one_finishes() {
    let nights = Nights::new(1..=8);
    let words = ["--limit", "none", "--max-machines", "3"];
    let first = nights.night("one", &words);
    assert_code(&first, 3);
    let told = said(&first);
    let line = "--max-machines 3: 3 machines have been sent to tonight, 5 rows are left; the same command goes on \
         tomorrow night";
    assert!(told.contains(line), "{told}");
    for hours in [0, 19] {
        nights.pass(hours);
        let again = nights.night("one", &words);
        assert_code(&again, 3);
        assert!(said(&again).contains("0 calls in"), "{}", said(&again));
        nights.assert_counts(&[("accepted", 3), ("not_attempted", 5)]);
    }
    // What was allowed by hand beyond that counts for tonight too.
    let more = ["--limit", "none", "--max-machines", "4"];
    assert_code(&nights.night("one", &more), 3);
    nights.assert_counts(&[("accepted", 4)]);
    nights.pass(5);
    assert_code(&nights.night("two", &words), 3);
    nights.assert_counts(&[("accepted", 7), ("not_attempted", 1)]);
    nights.pass(24);
    assert_code(&nights.night("three", &words), 0);
    nights.assert_counts(&[("accepted", 8)]);
    nights.assert_one_scan_a_campaign();
    // Whoever does not come every night counts the whole campaign.
    let place = &nights.place;
    fs::write(place.path("fleet.csv"), export(1..=8)).unwrap();
    nights.pass(24);
    for code in [3, 3] {
        let words = [
            "fleet.csv",
            "--again",
            "--yes",
            "--limit",
            "none",
            "--max-machines",
            "3",
        ];
        let output = place.run_against(&nights.server, &words).output().unwrap();
        assert_code(&output, code);
        nights.assert_counts(&[("not_attempted", 5)]);
        nights.pass(24);
    }
}

#[test]
fn too_many_failures_hold_the_night_and_no_later_one() {
    let mut nights = Nights::new(1..=60);
    let restricted = [55, 40, 10].map(machine);
    let mut words = vec!["--limit", "none", "--scan-time", "1ms"];
    for id in &restricted {
        words.extend(["--restricted", id]);
    }
    nights.server = Server::start(&words);
    let refused = |output: &Output| {
        let results = outcomes(&nights.place.read("fleet.results.csv"));
        let of = |outcome: &str| results.iter().filter(|o| *o == outcome).count();
        let all = (of("refused"), of("not_attempted"));
        assert!(
            all.1 > 0 || output.status.code() != Some(3),
            "{}",
            said(output)
        );
        all
    };
    // The last machines go first. A 403 may try others at random, which are restricted too.
    let words = ["--limit", "none", "--workers", "1", "--max-failures", "1"];
    let mut last = (0, 60);
    for night in 1..=4 {
        let first = nights.night("tonight", &words);
        if first.status.code() != Some(3) {
            assert!(night > 1);
            break;
        }
        let told = said(&first);
        assert!(told.contains("ended badly tonight"), "{told}");
        let now = refused(&first);
        assert!(now.0 > last.0 && now.1 < last.1, "{now:?} after {last:?}");
        let again = nights.night("tonight", &words);
        assert_code(&again, 3);
        assert!(said(&again).contains("0 calls in"), "{}", said(&again));
        assert_eq!(refused(&again), now);
        last = now;
        nights.pass(24);
    }
    nights.assert_counts(&[("accepted", 57), ("refused", 3)]);
    nights.assert_one_scan_a_campaign();
}

#[test]
fn columns_and_their_order_may_change_and_cells_go_where_their_names_are() {
    let nights = Nights::new(1..=2);
    let run = |input: String, more: &[&str]| {
        fs::write(nights.place.path("fleet.csv"), input).unwrap();
        let words = [&["fleet.csv", "--extend", "--limit", "none"], more].concat();
        let mut command = nights.place.run_against(&nights.server, &words);
        command.output().unwrap()
    };
    let [one, two, three, four] = [1, 2, 3, 4].map(machine);
    let input = format!("machine_id,os,site\n{one},w,\"a,b\"\n{two},l,c\n");
    assert_code(&run(input, &["--max-machines", "1"]), 3);
    let input = format!(
        "Site,tag,id,priority\nd,new,{three},1\n\"e,f\",new,{four},\nc,new,{two},\na,new,{one},\n"
    );
    let output = run(input, &[]);
    assert_code(&output, 0);
    let told = said(&output);
    let note = "the columns `tag`, `priority` are not in this campaign's results";
    assert_eq!(told.matches(note).count(), 1, "{told}");
    assert!(told.contains("2 rows were added"), "{told}");
    let results = nights.place.read("fleet.results.csv");
    let mut reader = csv::Reader::from_reader(results.as_bytes());
    let header = reader.headers().unwrap().clone();
    assert_eq!(header.iter().skip(14).collect::<Vec<_>>(), ["os", "site"]);
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let cells = |row: &csv::StringRecord| [0, 14, 15].map(|at| row[at].to_owned());
    assert_eq!(cells(&rows[0]), [one.as_str(), "w", "a,b"]);
    assert_eq!(cells(&rows[2]), [three.as_str(), "", "d"]);
    assert_eq!(cells(&rows[3]), [four.as_str(), "", "e,f"]);
    assert_eq!(outcomes(&results), ["accepted"; 4]);
}

#[test]
fn what_is_gone_from_the_input_is_no_failure_and_what_was_mended_is_gone() {
    let nights = Nights::new(1..=3);
    let run = |input: String, more: &[&str]| {
        fs::write(nights.place.path("fleet.csv"), input).unwrap();
        let words = [&["fleet.csv", "--extend", "--limit", "none"], more].concat();
        let mut command = nights.place.run_against(&nights.server, &words);
        command.output().unwrap()
    };
    let with_slip = format!("{}not/an/id\n", export(1..=3));
    assert_code(&run(with_slip.clone(), &["--max-machines", "1"]), 3);
    // All that was open is gone: the campaign is over, and that is told once.
    let output = run(export(1..=1), &[]);
    assert_code(&output, 0);
    nights.assert_counts(&[("accepted", 1), ("not_attempted", 3), ("invalid", 0)]);
    assert_code(&run(export(1..=1), &[]), 6);
    let output = run(with_slip, &[]);
    assert_code(&output, 1);
    nights.assert_counts(&[("accepted", 3), ("invalid", 1)]);
    // What was sent to keeps its outcome, in the input or not.
    let output = run(export([2, 4]), &["--retry", "failed"]);
    assert_code(&output, 0);
    nights.assert_counts(&[("accepted", 4), ("not_attempted", 1), ("invalid", 0)]);
    nights.assert_one_scan_a_campaign();
}

#[test]
fn each_slip_has_a_row_of_its_own_and_a_row_that_was_mended_is_sent() {
    let nights = Nights::new(1..=3);
    let run = |input: String, more: &[&str]| {
        fs::write(nights.place.path("fleet.csv"), input).unwrap();
        let words = [&["fleet.csv", "--extend", "--limit", "none"], more].concat();
        let mut command = nights.place.run_against(&nights.server, &words);
        command.output().unwrap()
    };
    let rows = |remark: &str, slips: &str| {
        let [one, two, three] = [1, 2, 3].map(machine);
        format!("machine_id,comment\n{one},\n{two},{remark}\n{three},\n{slips}")
    };
    let counts = || {
        let all = outcomes(&nights.place.read("fleet.results.csv"));
        let of = |outcome: &str| all.iter().filter(|one| *one == outcome).count();
        assert_eq!(all.len(), of("accepted") + of("invalid"));
        (of("accepted"), of("invalid"))
    };
    let first = rows("[fleetsweep: bad", "null,\n");
    assert_code(&run(first, &["--max-machines", "1"]), 3);
    let more = rows(
        "mended",
        "null,\nnull,\nNULL,\n1.23E+39,\n1.23E+39,\n,x\n,y\n",
    );
    assert_code(&run(more.clone(), &[]), 1);
    assert_eq!(counts(), (3, 7));
    // The same again adds nothing.
    assert_code(&run(more, &[]), 6);
    assert_eq!(counts(), (3, 7));
    nights.assert_one_scan_a_campaign();
}

/// What is in the input of one night, of ten machines.
fn input() -> impl Strategy<Value = BTreeSet<u64>> {
    prop::collection::btree_set(1..=10_u64, 1..=10)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: rig::short_or_long(16, 48), ..ProptestConfig::default() })]

    #[test]
    fn a_machine_that_is_gone_while_its_scan_is_in_doubt_is_looked_up_and_never_sent(
        inputs in prop::collection::vec((input(), 0..70_u64), 1..6),
        seed in 0..1000_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(come_and_go(&inputs, seed));
    }
}

async fn come_and_go(inputs: &[(BTreeSet<u64>, u64)], seed: u64) {
    let mock = MockConfig {
        seed,
        chances: Chances {
            reset_before: 0.2,
            reset_after: 0.2,
            error_before: 0.1,
            error_after: 0.1,
            busy: 0.1,
            ..Chances::default()
        },
        latency: (Duration::ZERO..=Duration::from_secs(8)).into(),
        scan_time: Duration::from_secs(1)..=Duration::from_secs(40),
        ..MockConfig::default()
    };
    let rig = || Rig {
        seed,
        extend: true,
        ..Rig::against(mock.clone())
    };
    let ground = Arc::new(rig().ground());
    let (last, nights) = inputs.split_last().unwrap();
    for (machines, seconds) in nights {
        let running = rig()
            .start_on(&ground, &export(machines.iter().copied()))
            .await;
        tokio::time::sleep(Duration::from_secs(*seconds)).await;
        if running.is_over() {
            running.end().await;
        } else {
            running.kill().await;
        }
    }
    let before: Vec<_> = (1..=10)
        .map(|n| ground.tenant().recorder().scans_of(&machine(n)))
        .collect();
    let input = export(last.0.iter().copied());
    let told = rig().start_on(&ground, &input).await.end().await;
    told.assert_one_scan_each();
    for row in 1..=told.rows.len() {
        let id = told.cell(row, "machine_id").to_owned();
        let n = (1..=10).find(|n| machine(*n) == id).unwrap();
        let is_in = last.0.contains(&n);
        let scans = told.tenant.recorder().scans_of(&id);
        let (outcome, _, _) = told.row(row);
        if is_in {
            assert_ne!(outcome, "not_attempted");
            continue;
        }
        // A call of a process that is gone may still be carried out; this one makes none.
        assert!(outcome != "accepted" || scans == 1);
        assert!(scans <= before[usize::try_from(n).unwrap() - 1].max(1));
        if outcome == "not_attempted" {
            assert_eq!(told.cell(row, "message"), "no longer in the input");
            assert_eq!(scans, 0, "{id} was forgotten");
        }
    }
    assert_eq!(told.of(Outcome::Invalid), 0);
}
