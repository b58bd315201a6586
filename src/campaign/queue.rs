//! The targets that wait to be sent, in the order in which they go.
//!
//! By priority (a lower number first); within a priority those that a 429 put back, then fresh ones in the input's order,
//! then retries by the time they became due. Those that were refused three times running go behind all others.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    time::Duration,
};

use crate::{
    quota::Moment,
    store::{SentAt, Target},
};

/// A finding that a scan is not listed is good for so long; then it is void (DESIGN.md, "The engine").
const FINDING: Duration = Duration::from_mins(1);

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

    fn priority(&self) -> i64 {
        self.target.priority.unwrap_or(i64::MAX)
    }
}

/// The waiting targets.
#[derive(Debug, Default)]
pub struct Queue {
    back: BTreeMap<(i64, u64), Due>,
    fresh: VecDeque<Due>,
    due: BTreeMap<(i64, Moment, u64), Due>,
    later: BTreeMap<(Moment, u64), Due>,
    behind: VecDeque<Due>,
}

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

    /// Keeps a target until `not_before`.
    pub fn put_later(&mut self, due: Due, not_before: Moment) {
        self.later.insert((not_before, due.target.n), due);
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

    /// Whether one can go now.
    #[must_use]
    pub fn has_due(&self, now: Moment) -> bool {
        !(self.back.is_empty()
            && self.fresh.is_empty()
            && self.due.is_empty()
            && self.behind.is_empty())
            || self.next_later().is_some_and(|t| t <= now)
    }

    /// Whether one of `these` can go now. Fresh ones are none of them.
    #[must_use]
    pub fn has_due_of(&self, these: &HashSet<u64>, now: Moment) -> bool {
        let later = self.later.range(..=(now, u64::MAX));
        let mut all = (self.back.values())
            .chain(self.due.values())
            .chain(later.map(|(_, due)| due))
            .chain(&self.behind);
        all.any(|due| these.contains(&due.target.n))
    }

    /// Drops the targets that nothing was ever sent to.
    pub fn drop_new(&mut self) {
        let begun = |due: &Due| due.target.progress.attempts > 0;
        self.fresh.clear();
        self.back.retain(|_, due| begun(due));
        self.due.retain(|_, due| begun(due));
        self.later.retain(|_, due| begun(due));
        self.behind.retain(begun);
    }

    /// When the first of those that wait for later becomes due.
    #[must_use]
    pub fn next_later(&self) -> Option<Moment> {
        self.later
            .first_key_value()
            .map(|(&(not_before, _), _)| not_before)
    }

    /// Takes the one of `these` that goes next. Fresh ones are none of them.
    pub fn pop_of(&mut self, these: &HashSet<u64>, now: Moment) -> Option<Due> {
        self.wake(now);
        let is_meant = |due: &Due| these.contains(&due.target.n);
        let back = self.back.iter().find(|(_, due)| is_meant(due));
        let back = back.map(|(key, _)| *key);
        let due = self.due.iter().find(|(_, due)| is_meant(due));
        let due = due.map(|(key, _)| *key);
        match (back, due) {
            (Some(back), due) if due.is_none_or(|due| back.0 <= due.0) => self.back.remove(&back),
            (_, Some(due)) => self.due.remove(&due),
            _ => {
                let at = self.behind.iter().position(is_meant)?;
                self.behind.remove(at)
            }
        }
    }

    /// Takes the target that goes next.
    pub fn pop(&mut self, now: Moment) -> Option<Due> {
        self.wake(now);
        let back = self.back.first_key_value().map(|(key, _)| (key.0, 0));
        let fresh = self.fresh.front().map(|due| (due.priority(), 1));
        let due = self.due.first_key_value().map(|(key, _)| (key.0, 2));
        match [back, fresh, due].into_iter().flatten().min() {
            Some((_, 0)) => self.back.pop_first().map(|(_, due)| due),
            Some((_, 1)) => self.fresh.pop_front(),
            Some(_) => self.due.pop_first().map(|(_, due)| due),
            None => self.behind.pop_front(),
        }
    }

    /// Those that have waited for long enough are due.
    fn wake(&mut self, now: Moment) {
        while let Some(entry) = self.later.first_entry()
            && entry.key().0 <= now
        {
            let ((since, n), due) = entry.remove_entry();
            self.due.insert((due.priority(), since, n), due);
        }
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
        queue.put_later(due(5, Some(1)), at(9));
        queue.put_later(due(6, Some(1)), at(8));
        queue.put_later(due(7, Some(0)), at(11));
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

    #[test]
    fn of_some_alone_the_order_is_the_same() {
        let mut queue = Queue::default();
        queue.add_fresh(vec![target(1, Some(0))]);
        queue.put_behind(due(2, Some(0)));
        queue.put_behind(due(3, Some(0)));
        queue.put_later(due(4, Some(2)), at(1));
        queue.put_later(due(5, Some(2)), at(1));
        queue.put_later(due(6, Some(1)), at(11));
        queue.put_back(due(7, Some(2)));
        queue.put_back(due(8, Some(3)));
        let these = HashSet::from([3, 5, 6, 7, 8]);
        let mut order = Vec::new();
        while queue.has_due_of(&these, at(10)) {
            order.extend(queue.pop_of(&these, at(10)).map(|d| d.target.n));
        }
        assert_eq!(order, [7, 5, 8, 3]);
        assert_eq!(queue.pop_of(&these, at(10)), None);
        assert_eq!(queue.pop_of(&these, at(11)).map(|d| d.target.n), Some(6));
        assert_eq!(queue.len(), 3);
    }

    #[test]
    fn what_nothing_was_sent_to_can_be_dropped() {
        let begun = |n| {
            let mut due = due(n, None);
            due.target.progress.attempts = 1;
            due
        };
        let mut queue = Queue::default();
        queue.add_fresh(vec![target(1, None)]);
        for (n, due) in [(2, due(2, None)), (3, begun(3))] {
            queue.put_back(due.clone());
            for (copy, at) in [(10, at(1)), (20, at(11))] {
                let mut due = due.clone();
                due.target.n = n + copy;
                queue.put_later(due, at);
            }
            let mut due = due.clone();
            due.target.n = n + 30;
            queue.put_behind(due);
        }
        queue.drop_new();
        let left = std::iter::from_fn(|| queue.pop(at(20)));
        assert_eq!(
            left.map(|d| d.target.n).collect::<Vec<_>>(),
            [3, 13, 23, 33]
        );
    }
}
