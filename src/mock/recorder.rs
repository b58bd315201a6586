//! What the tenant saw. The recorder records, and the tests assert.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    config::ListOption,
    request::Kind,
    scan_log::{ScanLog, ScanRecord},
};

/// A record of the calls that the quota has counted, and of the scans that they started.
///
/// It holds 16 bytes for each call and about 150 for each scan.
#[derive(Debug)]
pub struct Recorder {
    record: bool,
    /// Whether the kinds share the quota, and so share their holds.
    together: bool,
    seen: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    kinds: [KindRecord; Kind::ALL.len()],
    scans: ScanLog,
    foreign_cancels: u64,
    malformed: u64,
    wrong_tokens: u64,
}

#[derive(Debug, Default)]
struct KindRecord {
    calls: u64,
    throttled: u64,
    over_limit: u64,
    early: u64,
    /// When each call arrived and when it was counted, in nanoseconds since the tenant's start, ordered by the latter.
    times: Vec<(u64, u64)>,
    hold: Option<Hold>,
    /// When calls arrived that an outage kept from the service.
    turned_away: Vec<Duration>,
    /// How many calls had each of the options of listings.
    carried: [u64; 2],
}

/// The time from the answer that told a client to wait until the end of that wait.
#[derive(Debug, Clone, Copy)]
struct Hold {
    told: Duration,
    until: Duration,
}

/// One call, in time since the tenant's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When it arrived.
    pub arrived: Duration,
    /// When it was counted, whether it was admitted or refused.
    pub counted: Duration,
}

impl Recorder {
    pub(super) fn new(record: bool, together: bool) -> Self {
        Self {
            record,
            together,
            seen: Mutex::default(),
        }
    }

    /// The same recorder, which names only the machines that were scanned more than once.
    pub(super) fn with_hashes(self) -> Self {
        self.lock().scans = ScanLog::of_hashes();
        self
    }

    /// How many calls of the kind were counted, refused ones included.
    #[must_use]
    pub fn calls(&self, kind: Kind) -> u64 {
        self.lock().kinds[kind.index()].calls
    }

    /// How many of them were answered with 429.
    #[must_use]
    pub fn throttled(&self, kind: Kind) -> u64 {
        self.lock().kinds[kind.index()].throttled
    }

    /// How many of those were refused because of this client's own calls, whatever others did.
    #[must_use]
    pub fn over_limit(&self, kind: Kind) -> u64 {
        self.lock().kinds[kind.index()].over_limit
    }

    /// How many calls of the kind arrived after a 429 had gone out and before its `Retry-After` had passed.
    #[must_use]
    pub fn early(&self, kind: Kind) -> u64 {
        self.lock().kinds[kind.index()].early
    }

    /// The sum of [`early`](Self::early) over all kinds.
    #[must_use]
    pub fn early_calls(&self) -> u64 {
        Kind::ALL.iter().map(|kind| self.early(*kind)).sum()
    }

    /// The largest number of calls of the kind that were counted in any interval of this length, including both of its
    /// ends. Refused calls are included, because they were received too.
    #[must_use]
    pub fn busiest(&self, kind: Kind, window: Duration) -> usize {
        let record = self.lock();
        busiest(
            record.kinds[kind.index()]
                .times
                .iter()
                .map(|(_, counted)| *counted),
            window,
        )
    }

    /// The same over all kinds except signing in, for a quota that they share.
    pub(super) fn busiest_together(&self, window: Duration) -> usize {
        let record = self.lock();
        let kinds = Kind::ALL.iter().filter(|kind| **kind != Kind::Token);
        let mut all: Vec<_> = kinds
            .flat_map(|kind| &record.kinds[kind.index()].times)
            .map(|(_, at)| *at)
            .collect();
        all.sort_unstable();
        busiest(all.iter().copied(), window)
    }

    /// Every call of the kind, ordered by when it was counted.
    #[must_use]
    pub fn seen(&self, kind: Kind) -> Vec<Seen> {
        let record = self.lock();
        let times = record.kinds[kind.index()].times.iter();
        let seen = times.map(|(arrived, counted)| Seen {
            arrived: Duration::from_nanos(*arrived),
            counted: Duration::from_nanos(*counted),
        });
        seen.collect()
    }

    /// When calls of the kind were made that an outage kept from the service, so that they were not counted. Over
    /// HTTP this does not include calls that could not connect.
    #[must_use]
    pub fn turned_away(&self, kind: Kind) -> Vec<Duration> {
        self.lock().kinds[kind.index()].turned_away.clone()
    }

    /// How many admitted calls of the kind (`Kind::List` or `Kind::Machines`) had this option.
    #[must_use]
    pub fn carried(&self, kind: Kind, option: ListOption) -> u64 {
        self.lock().kinds[kind.index()].carried[option as usize]
    }

    /// How many scans were started by calls.
    #[must_use]
    pub fn scans(&self) -> usize {
        self.lock().scans.total()
    }

    /// How many scans were started by calls on this machine.
    #[must_use]
    pub fn scans_of(&self, machine: &str) -> usize {
        self.lock().scans.of(&machine.to_ascii_lowercase())
    }

    /// The machines that were scanned more than once, ordered by id.
    #[must_use]
    pub fn machines_scanned_more_than_once(&self) -> Vec<String> {
        self.lock().scans.repeated()
    }

    /// Every machine with the scans that were started on it by calls, ordered by id.
    pub(super) fn scans_by_machine(&self) -> Vec<(Arc<str>, Vec<ScanRecord>)> {
        self.lock().scans.by_machine()
    }

    /// How many machines were scanned, and how many scans the client was not told about.
    pub(super) fn scanned(&self) -> (usize, usize) {
        let scans = &self.lock().scans;
        (scans.machines(), scans.answers_lost())
    }

    /// How many scans were cancelled that no call had started.
    #[must_use]
    pub fn foreign_cancels(&self) -> u64 {
        self.lock().foreign_cancels
    }

    /// How many calls led nowhere, or had a query or a body that the API does not define.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.lock().malformed
    }

    /// How many calls had no token, or one that this tenant never issued.
    #[must_use]
    pub fn wrong_tokens(&self) -> u64 {
        self.lock().wrong_tokens
    }

    pub(super) fn saw_malformed(&self) {
        self.lock().malformed += 1;
    }

    pub(super) fn saw_wrong_token(&self) {
        self.lock().wrong_tokens += 1;
    }

    pub(super) fn arrived(&self, kind: Kind, at: Duration) {
        let mut record = self.lock();
        // Signing in has no quota, and so no hold.
        let too_soon = |hold: &Hold| kind != Kind::Token && hold.told < at && at < hold.until;
        if record.kinds[self.hold_of(kind)]
            .hold
            .as_ref()
            .is_some_and(too_soon)
        {
            record.kinds[kind.index()].early += 1;
        }
    }

    pub(super) fn turn_away(&self, kind: Kind, at: Duration) {
        if self.record {
            self.lock().kinds[kind.index()].turned_away.push(at);
        }
    }

    pub(super) fn carried_option(&self, kind: Kind, option: ListOption) {
        self.lock().kinds[kind.index()].carried[option as usize] += 1;
    }

    pub(super) fn counted(&self, kind: Kind, arrived: Duration, at: Duration) {
        let mut record = self.lock();
        let kind = &mut record.kinds[kind.index()];
        kind.calls += 1;
        if self.record {
            kind.times.push((nanos(arrived), nanos(at)));
        }
    }

    /// Records that a call was refused. Its client learns at `told`, if at all, that it has to wait until `until`.
    /// `over` says whether its own calls were too many.
    pub(super) fn refused(&self, kind: Kind, told: Option<Duration>, until: Duration, over: bool) {
        let mut record = self.lock();
        record.kinds[kind.index()].throttled += 1;
        record.kinds[kind.index()].over_limit += u64::from(over);
        let Some(told) = told else { return };
        let hold = &mut record.kinds[self.hold_of(kind)].hold;
        // A client that was told twice has known it since the first time.
        *hold = Some(match *hold {
            Some(running) if told < running.until => Hold {
                told: running.told.min(told),
                until: running.until.max(until),
            },
            _ => Hold { told, until },
        });
    }

    pub(super) fn started(&self, machine: &Arc<str>, scan: ScanRecord) {
        if self.record {
            self.lock().scans.started(machine, scan);
        }
    }

    pub(super) fn cancelled_foreign(&self) {
        self.lock().foreign_cancels += 1;
    }

    fn hold_of(&self, kind: Kind) -> usize {
        if self.together { 0 } else { kind.index() }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Slides a window over the times, which are in order.
fn busiest(times: impl Iterator<Item = u64> + Clone, window: Duration) -> usize {
    let window = nanos(window);
    let mut first = times.clone().peekable();
    let (mut inside, mut most) = (0, 0);
    for last in times {
        inside += 1;
        while first.next_if(|at| last - at > window).is_some() {
            inside -= 1;
        }
        most = most.max(inside);
    }
    most
}

/// 64 bits of nanoseconds last 584 years.
fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_busiest_interval_includes_both_of_its_ends() {
        let recorder = Recorder::new(true, false);
        for at in [0, 1, 60, 61, 61, 200] {
            recorder.counted(Kind::Start, s(at), s(at));
        }
        assert_eq!(recorder.busiest(Kind::Start, s(60)), 4);
        assert_eq!(recorder.busiest(Kind::Start, s(59)), 3);
        assert_eq!(recorder.busiest(Kind::Start, s(0)), 2);
        assert_eq!(recorder.busiest(Kind::List, s(60)), 0);
        recorder.counted(Kind::List, s(61), s(61));
        assert_eq!(recorder.busiest_together(s(0)), 3);
    }

    #[test]
    fn a_call_is_early_between_the_refusal_that_was_told_and_its_deadline() {
        for (together, other_kind_is_early) in [(false, 0), (true, 1)] {
            let recorder = Recorder::new(true, together);
            recorder.refused(Kind::Start, Some(s(10)), s(40), true);
            recorder.refused(Kind::Start, Some(s(11)), s(50), true);
            for at in [9, 10, 30, 45, 50] {
                recorder.arrived(Kind::Start, s(at));
            }
            assert_eq!(recorder.early(Kind::Start), 2, "those at 30 and 45 s");
            recorder.arrived(Kind::List, s(20));
            assert_eq!(recorder.early(Kind::List), other_kind_is_early);
        }
    }
}
