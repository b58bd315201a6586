//! The targets that wait to be sent, in the order in which they go.
//!
//! By priority (a lower number first); within a priority those that a 429 put back, then fresh ones in the input's order,
//! then retries by the time they became due. Those that were refused three times running go behind all others.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use crate::{
    quota::Moment,
    store::{SentAt, Target},
};

/// A finding that a scan is not listed is good for so long; then it is void (DESIGN.md, "The engine").
pub(super) const FINDING: Duration = Duration::from_mins(1);

/// So long before its time a retry is read from the store again: more than the second between two looks of a run at rest.
const AHEAD: Duration = Duration::from_secs(2);

/// So many retries are at hand as a rule, a fifth of a second's work at 20,000 calls a second: the first ones of those that
/// are due, then those that are due soon.
const AT_HAND: usize = 4096;

/// A target in the hands of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The target.
    pub target: Target,
    /// How many times running it was answered 429.
    pub throttled: u8,
    /// The number of the token with which its last attempt was answered 401.
    pub unauthorized: Option<u64>,
    /// What is not known about its earlier attempts.
    pub doubt: Option<Doubt>,
}

/// One or more attempts of a target may have started a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// When the first such attempt was sent.
    pub sent: SentAt,
    /// How long after that the last one may have started a scan.
    pub lasted: Duration,
    /// When the last one was given up.
    pub gave_up: Moment,
    /// When the listing began that did not show a scan of ours.
    pub absent: Option<Moment>,
    /// The service has said since that a scan is under way: if it is not ours, it is somebody else's.
    pub pending: bool,
    /// The operator would rather risk a second scan than none, where it cannot be looked up.
    pub risk_taken: bool,
}

impl Doubt {
    /// An attempt was sent, and given up so long after.
    #[must_use]
    pub fn new(sent: SentAt, lasted: Duration, gave_up: Moment) -> Self {
        Self {
            sent,
            lasted,
            gave_up,
            absent: None,
            pending: false,
            risk_taken: false,
        }
    }

    /// Until when the target may be sent again; `None` until it has been looked up.
    #[must_use]
    pub fn send_by(&self) -> Option<Moment> {
        self.absent.map(|began| began + FINDING)
    }
}

impl Due {
    /// A target that nothing is in doubt about.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            throttled: 0,
            unauthorized: None,
            doubt: None,
        }
    }

    /// Whether the store has all there is to know of it.
    fn is_plain(&self) -> bool {
        self.throttled == 0 && self.unauthorized.is_none() && self.doubt.is_none()
    }

    fn priority(&self) -> i64 {
        self.target.priority.unwrap_or(i64::MAX)
    }
}

/// The waiting targets. A retry with nothing in doubt waits in the store: here is only its place, some thirty bytes, until it
/// is [recalled](Self::recall) shortly before its time.
#[derive(Debug, Default)]
pub struct Queue {
    back: BTreeMap<(i64, u64), Due>,
    fresh: VecDeque<Due>,
    due: BTreeMap<(i64, Moment, u64), Option<Box<Due>>>,
    later: BTreeMap<(Moment, u64), (i64, Option<Box<Due>>)>,
    behind: VecDeque<Due>,
    /// How many of the retries are in the store only.
    stored: usize,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Back,
    Fresh,
    Due,
    Behind,
}

/// A retry's place, by which a recalled target finds it: when it becomes due, and its number.
pub type Place = (Moment, u64);

impl Queue {
    /// Adds a page of fresh targets, which come in their order.
    pub fn add_fresh(&mut self, page: Vec<Target>) {
        self.fresh.extend(page.into_iter().map(Due::new));
    }

    /// How many fresh ones are at hand.
    #[must_use]
    pub fn fresh(&self) -> usize {
        self.fresh.len()
    }

    /// Puts a target to the front of its priority.
    pub fn put_back(&mut self, due: Due) {
        self.back.insert((due.priority(), due.target.n), due);
    }

    /// Puts a target behind all others.
    pub fn put_behind(&mut self, due: Due) {
        self.behind.push_back(due);
    }

    /// Keeps a target until `not_before`. If the store has all of it, and it is not due at once, it is only recalled then.
    pub fn put_later(&mut self, due: Due, not_before: Moment, now: Moment) {
        let is_soon = not_before <= now + AHEAD && self.at_hand() < AT_HAND;
        let place = (not_before, due.target.n);
        let priority = due.priority();
        let kept = (is_soon || !due.is_plain()).then(|| Box::new(due));
        self.stored += usize::from(kept.is_none());
        self.later.insert(place, (priority, kept));
    }

    /// Keeps a place for a target that is in the store, until `not_before`.
    pub fn put_stored(&mut self, n: u64, priority: Option<i64>, not_before: Moment) {
        self.stored += 1;
        let priority = priority.unwrap_or(i64::MAX);
        self.later.insert((not_before, n), (priority, None));
    }

    /// How many wait, now or for later.
    #[must_use]
    pub fn len(&self) -> usize {
        self.back.len() + self.fresh.len() + self.due.len() + self.later.len() + self.behind.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether one can go now. One whose turn it is and that is in the store still lets nobody go before it.
    pub fn has_due(&mut self, now: Moment) -> bool {
        match self.turn(now) {
            Some(Turn::Due) => self
                .due
                .first_key_value()
                .is_some_and(|(_, at_hand)| at_hand.is_some()),
            turn => turn.is_some(),
        }
    }

    /// When the first of those that wait for later becomes due.
    #[must_use]
    pub fn next_later(&self) -> Option<Moment> {
        self.later
            .first_key_value()
            .map(|(&(not_before, _), _)| not_before)
    }

    /// Takes the target that goes next.
    pub fn pop(&mut self, now: Moment) -> Option<Due> {
        match self.turn(now)? {
            Turn::Back => self.back.pop_first().map(|(_, due)| due),
            Turn::Fresh => self.fresh.pop_front(),
            Turn::Due => {
                let first = self.due.first_entry()?;
                first.get().as_ref()?;
                first.remove().map(|due| *due)
            }
            Turn::Behind => self.behind.pop_front(),
        }
    }

    /// The places of the stored targets that are to be read now: those that go first of the due ones, and as many of those
    /// that are due soon as there is room for.
    pub fn recall(&mut self, now: Moment) -> Vec<Place> {
        if self.stored == 0 {
            return Vec::new();
        }
        self.ripen(now);
        let room = AT_HAND.saturating_sub(self.at_hand());
        let due = self
            .due
            .iter()
            .take(AT_HAND)
            .filter(|(_, at_hand)| at_hand.is_none())
            .map(|(&(_, since, n), _)| (since, n));
        let soon = self
            .later
            .range(..=(now + AHEAD, u64::MAX))
            .filter(|(_, (_, at_hand))| at_hand.is_none())
            .map(|(&place, _)| place);
        due.chain(soon.take(room)).collect()
    }

    /// What was [recalled](Self::recall) has come: the target of each place, or none if the store has it no more.
    pub fn recalled(&mut self, places: &[Place], targets: Vec<Target>) {
        let mut targets: HashMap<u64, Target> = targets
            .into_iter()
            .map(|target| (target.n, target))
            .collect();
        for &(since, n) in places {
            self.stored -= 1;
            let later = self.later.remove(&(since, n));
            let Some(target) = targets.remove(&n) else {
                // It waits in both, or in neither: nobody ends a target that waits.
                self.due.retain(|&(_, _, other), _| other != n);
                continue;
            };
            let due = Due::new(target);
            let priority = due.priority();
            let due = Some(Box::new(due));
            match later {
                Some(_) => drop(self.later.insert((since, n), (priority, due))),
                None => drop(self.due.insert((priority, since, n), due)),
            }
        }
    }

    /// Retries that are at hand.
    fn at_hand(&self) -> usize {
        self.due.len() + self.later.len() - self.stored
    }

    /// Puts those whose time has come among the due ones.
    fn ripen(&mut self, now: Moment) {
        while let Some(entry) = self.later.first_entry()
            && entry.key().0 <= now
        {
            let ((since, n), (priority, due)) = entry.remove_entry();
            self.due.insert((priority, since, n), due);
        }
    }

    fn turn(&mut self, now: Moment) -> Option<Turn> {
        self.ripen(now);
        let back = self
            .back
            .first_key_value()
            .map(|(key, _)| (key.0, Turn::Back));
        let fresh = self.fresh.front().map(|due| (due.priority(), Turn::Fresh));
        let due = self
            .due
            .first_key_value()
            .map(|(key, _)| (key.0, Turn::Due));
        let first = [back, fresh, due].into_iter().flatten().min();
        let behind = || (!self.behind.is_empty()).then_some(Turn::Behind);
        first.map(|(_, turn)| turn).or_else(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Progress;

    fn due(n: u64, priority: Option<i64>) -> Due {
        Due::new(target(n, priority))
    }

    fn target(n: u64, priority: Option<i64>) -> Target {
        Target {
            n,
            line: n + 1,
            machine_id: format!("{n:040x}"),
            scan_type: None,
            comment: None,
            priority,
            progress: Progress::default(),
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn the_order_is_priority_then_put_back_fresh_retries_and_last_the_refused() {
        let mut queue = Queue::default();
        queue.add_fresh(vec![
            target(1, Some(1)),
            target(2, Some(2)),
            target(3, None),
        ]);
        queue.put_behind(due(4, Some(0)));
        queue.put_later(due(5, Some(1)), at(9), at(8));
        queue.put_later(due(6, Some(1)), at(8), at(8));
        queue.put_later(due(7, Some(0)), at(11), at(10));
        queue.put_back(due(8, Some(2)));
        queue.put_back(due(9, None));
        let order: Vec<u64> = std::iter::from_fn(|| queue.pop(at(10)))
            .map(|d| d.target.n)
            .collect();
        assert_eq!(order, [1, 6, 5, 8, 2, 9, 3, 4]);
        assert!(!queue.has_due(at(10)));
        assert_eq!(queue.next_later(), Some(at(11)));
        assert_eq!(queue.pop(at(11)).map(|d| d.target.n), Some(7));
        assert!(queue.is_empty());
    }

    /// Reads whatever the queue wants, as the store would.
    fn read(queue: &mut Queue, now: Moment) -> usize {
        let places = queue.recall(now);
        let targets = places.iter().map(|&(_, n)| target(n, priority(n)));
        queue.recalled(&places, targets.collect());
        places.len()
    }

    fn priority(n: u64) -> Option<i64> {
        (n % 3 != 0).then_some((n % 3).cast_signed())
    }

    #[test]
    fn many_retries_are_places_and_only_the_next_ones_are_at_hand() {
        let mut queue = Queue::default();
        for n in 1..=200_000 {
            queue.put_later(due(n, priority(n)), at(100 + n / 1_000), at(0));
        }
        assert_eq!(queue.at_hand(), 0);
        assert_eq!(read(&mut queue, at(90)), 0, "none is due soon");
        for now in 99..400 {
            read(&mut queue, at(now));
            assert!(queue.at_hand() <= 2 * AT_HAND, "{}", queue.at_hand());
        }
        let mut sent = 0;
        while !queue.is_empty() {
            let popped = std::iter::from_fn(|| queue.pop(at(400))).count();
            assert!(popped > 0, "everything is due, so something goes");
            sent += popped;
            read(&mut queue, at(400));
        }
        assert_eq!(sent, 200_000);
    }

    proptest::proptest! {
        #[test]
        fn who_waits_in_the_store_goes_exactly_when_it_would_have_gone_from_memory(
            delays in proptest::collection::vec(0..20_u64, 1..40),
            late in proptest::collection::vec(proptest::bool::ANY, 40),
        ) {
            let (mut all, mut some) = (Queue::default(), Queue::default());
            for (n, &delay) in (1..).zip(&delays) {
                let one = due(n, priority(n));
                all.later.insert((at(delay), n), (one.priority(), Some(Box::new(one.clone()))));
                if late[delay as usize] {
                    some.put_stored(n, priority(n), at(delay));
                } else {
                    some.put_later(one, at(delay), at(0));
                }
            }
            for second in 0..40 {
                // Sometimes the store is slow: then nobody goes before those who wait for it.
                if !late[39 - second as usize] || second > 30 {
                    read(&mut some, at(second));
                }
                for _ in 0..2 {
                    if some.has_due(at(second)) {
                        let (expected, got) = (all.pop(at(second)), some.pop(at(second)));
                        proptest::prop_assert_eq!(expected, got);
                    } else {
                        proptest::prop_assert_eq!(some.pop(at(second)), None);
                    }
                }
            }
            proptest::prop_assert!(!some.has_due(at(40)) || !all.is_empty());
        }
    }
}
