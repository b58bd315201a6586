//! Which machines were scanned, and how often.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};

/// One scan that a call started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScanRecord {
    /// The comment it was started with.
    pub(super) comment: Arc<str>,
    /// Whether the client was not told, because the connection was cut or another answer was sent.
    pub(super) answer_lost: bool,
}

/// The scans that calls started.
#[derive(Debug, Default)]
pub(super) struct ScanLog {
    total: usize,
    answers_lost: usize,
    machines: Machines,
}

#[derive(Debug)]
enum Machines {
    /// Each with its scans.
    Named(HashMap<Arc<str>, Vec<ScanRecord>>),
    /// The hashes of all, and the ids of those that were scanned more than once.
    Hashed {
        hasher: RandomState,
        all: HashSet<u64>,
        repeated: BTreeSet<String>,
    },
}

impl Default for Machines {
    fn default() -> Self {
        Self::Named(HashMap::new())
    }
}

impl ScanLog {
    /// A log that names only the machines that were scanned more than once.
    pub(super) fn of_hashes() -> Self {
        Self {
            machines: Machines::Hashed {
                hasher: RandomState::new(),
                all: HashSet::new(),
                repeated: BTreeSet::new(),
            },
            ..Self::default()
        }
    }

    pub(super) fn started(&mut self, machine: &Arc<str>, scan: ScanRecord) {
        self.total += 1;
        self.answers_lost += usize::from(scan.answer_lost);
        match &mut self.machines {
            Machines::Named(all) => {
                // Nearly every machine is scanned only once.
                let scans = all.entry(Arc::clone(machine));
                scans.or_insert_with(|| Vec::with_capacity(1)).push(scan);
            }
            Machines::Hashed {
                hasher,
                all,
                repeated,
            } => {
                if !all.insert(hasher.hash_one(machine)) {
                    repeated.insert(machine.to_string());
                }
            }
        }
    }

    /// How many scans there were.
    pub(super) const fn total(&self) -> usize {
        self.total
    }

    /// How many of them the client was not told about.
    pub(super) const fn answers_lost(&self) -> usize {
        self.answers_lost
    }

    /// On how many machines.
    pub(super) fn machines(&self) -> usize {
        match &self.machines {
            Machines::Named(all) => all.len(),
            Machines::Hashed { all, .. } => all.len(),
        }
    }

    /// How many there were on this machine. A log of hashes does not know more than two.
    pub(super) fn of(&self, machine: &str) -> usize {
        match &self.machines {
            Machines::Named(all) => all.get(machine).map_or(0, Vec::len),
            Machines::Hashed {
                hasher,
                all,
                repeated,
            } => {
                let is_known = all.contains(&hasher.hash_one(machine));
                usize::from(is_known) + usize::from(repeated.contains(machine))
            }
        }
    }

    /// The machines that were scanned more than once, ordered by id.
    pub(super) fn repeated(&self) -> Vec<String> {
        match &self.machines {
            Machines::Named(all) => {
                let repeated = all.iter().filter(|(_, scans)| scans.len() > 1);
                let mut ids: Vec<_> = repeated.map(|(machine, _)| machine.to_string()).collect();
                ids.sort_unstable();
                ids
            }
            Machines::Hashed { repeated, .. } => repeated.iter().cloned().collect(),
        }
    }

    /// Every machine with its scans, ordered by id. A log of hashes has none.
    pub(super) fn by_machine(&self) -> Vec<(Arc<str>, Vec<ScanRecord>)> {
        let Machines::Named(all) = &self.machines else {
            return Vec::new();
        };
        let all = all
            .iter()
            .map(|(machine, scans)| (Arc::clone(machine), scans.clone()));
        let mut all: Vec<_> = all.collect();
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_of_hashes_counts_as_the_other_one_does() {
        let mut logs = [ScanLog::default(), ScanLog::of_hashes()];
        for log in &mut logs {
            for (machine, answer_lost) in [("aa", false), ("bb", true), ("aa", false)] {
                let comment = "c".into();
                log.started(
                    &machine.into(),
                    ScanRecord {
                        comment,
                        answer_lost,
                    },
                );
            }
            let counts = (log.total(), log.machines(), log.answers_lost());
            assert_eq!(counts, (3, 2, 1));
            assert_eq!(["aa", "bb", "cc"].map(|machine| log.of(machine)), [2, 1, 0]);
            assert_eq!(log.repeated(), ["aa"]);
        }
        assert_eq!(logs[0].by_machine().len(), 2);
    }
}
