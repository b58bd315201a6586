//! A campaign that runs, and what it left: rows, calls, and what the monitor heard.

use super::*;

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
    pub(super) fn adds_up(
        &self,
        targets: u64,
        at_start: &Tally,
        heard: &Heard,
        as_it_grew: &[Row],
    ) {
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

/// Hears what a test asks about, and forgets the rest: a long campaign has a state for every second.
#[derive(Default)]
pub(super) struct Ear(pub(super) Mutex<Heard>);

#[derive(Default)]
pub(super) struct Heard {
    pub(super) notes: Vec<String>,
    pub(super) ended: Vec<(String, String)>,
    pub(super) tally: Vec<(&'static str, u64)>,
    pub(super) waits: BTreeSet<String>,
    pub(super) forecasts: Vec<(Duration, LastCall)>,
    /// How many scans there were when they were last looked at.
    pub(super) scans: u64,
}

/// At every moment what is shown adds up to the targets, and no window is spent beyond its limit.
fn assert_adds_up(state: &State) {
    let tally = state.tally.iter().map(|(_, count)| count).sum::<u64>();
    let standing = state.standing.in_words().map(|(_, count)| count);
    let open = standing.iter().sum::<u64>();
    assert_eq!(tally, state.ended, "{state:?}");
    assert_eq!(state.ended + open, state.targets, "{state:?}");
    for window in &state.windows {
        assert!(window.used <= window.limit, "{window:?}");
        assert!(window.usable <= window.limit, "{window:?}");
    }
}

impl Monitor for Ear {
    fn target_ended(&self, ended: &Ended<'_>) {
        let ended = (ended.machine_id.to_owned(), ended.outcome.to_owned());
        self.0.lock().unwrap().ended.push(ended);
    }

    fn state(&self, state: &State) {
        assert_adds_up(state);
        let mut heard = self.0.lock().unwrap();
        heard.tally.clone_from(&state.tally);
        heard.forecasts.push((state.elapsed, state.last_call));
        if let Some(waiting) = &state.waiting {
            heard.waits.insert(waiting.what.clone());
        }
    }

    fn scans(&self, scans: &Scans) {
        let mut heard = self.0.lock().unwrap();
        assert!(heard.scans <= scans.total(), "scans never become fewer");
        assert!(scans.over <= scans.total(), "{scans:?}");
        heard.scans = scans.total();
    }

    fn note(&self, text: &str) {
        self.0.lock().unwrap().notes.push(text.to_owned());
    }
}
