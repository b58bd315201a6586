//! What went wrong, put together by outcome, status and error code.

use std::collections::BTreeMap;

use serde::Serialize;

use super::machines::cut;
use crate::{
    campaign::summary::Troubles,
    plain_text::one_line,
    store::{BadEnd, Store, StoreError},
};

/// Targets that ended in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Trouble {
    pub(super) outcome: String,
    pub(super) http_status: Option<u16>,
    pub(super) error_code: String,
    pub(super) count: u64,
    /// The most frequent messages.
    pub(super) messages: Vec<Message>,
    /// The first of these targets.
    pub(super) examples: Vec<Example>,
    /// The command that tries all targets with this outcome again.
    pub(super) again: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Message {
    pub(super) message: String,
    pub(super) count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Example {
    pub(super) line: u64,
    pub(super) machine_id: String,
}

/// As many characters of a text are kept.
const LONGEST_CELL: usize = 200;

/// How many messages and examples are named for each kind.
const NAMED: usize = 3;

/// How many kinds are told apart. There are about twenty; more would be the work of a service gone wrong.
const KINDS: usize = 200;

#[derive(Default)]
struct Group {
    count: u64,
    messages: Troubles,
    first: Vec<u64>,
}

type Key = (String, Option<u16>, String);

/// What went wrong, the most frequent kind first. `again` makes the command that tries targets with this outcome again.
pub(super) fn troubles(
    store: &Store,
    again: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Trouble>, StoreError> {
    let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
    store.each_bad_end(|end| add(&mut groups, end))?;
    let mut troubles = Vec::new();
    for ((outcome, http_status, error_code), group) in groups {
        let messages = group.messages.most_frequent(NAMED).into_iter();
        let messages = messages.map(|one| Message {
            message: cut(&one.message, LONGEST_CELL),
            count: one.count,
        });
        let examples = store.lines_of(&group.first)?.into_iter();
        let examples = examples.map(|(line, machine_id)| Example {
            line,
            machine_id: cut(&one_line(&machine_id), LONGEST_CELL),
        });
        troubles.push(Trouble {
            again: again(&outcome),
            outcome,
            http_status,
            error_code,
            count: group.count,
            messages: messages.collect(),
            examples: examples.collect(),
        });
    }
    troubles.sort_by_key(|trouble| std::cmp::Reverse(trouble.count));
    Ok(troubles)
}

fn add(groups: &mut BTreeMap<Key, Group>, end: BadEnd) {
    let code = one_line(&end.error_code).into_owned();
    let mut key = (end.outcome, end.status, code);
    if groups.len() >= KINDS && !groups.contains_key(&key) {
        key = (key.0, None, String::new());
    }
    let group = groups.entry(key).or_default();
    group.count += 1;
    group.messages.add("", &one_line(&end.message));
    if group.first.len() < NAMED {
        group.first.push(end.n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(n: u64, code: &str) -> BadEnd {
        BadEnd {
            n,
            outcome: "failed".to_owned(),
            status: Some(500),
            error_code: code.to_owned(),
            message: format!("m{}", n % 2),
        }
    }

    #[test]
    fn each_target_is_counted_once_however_many_kinds_there_are() {
        let mut groups = BTreeMap::new();
        for n in 1..=1_000 {
            add(&mut groups, end(n, &format!("code {n}")));
        }
        assert_eq!(groups.len(), KINDS + 1);
        let counts: u64 = groups.values().map(|group| group.count).sum();
        assert_eq!(counts, 1_000);
    }

    #[test]
    fn the_first_targets_are_examples() {
        let mut groups = BTreeMap::new();
        for n in 1..=10 {
            add(&mut groups, end(n, "x"));
        }
        let group = groups.into_values().next().unwrap();
        assert_eq!(group.first, [1, 2, 3]);
        assert_eq!(group.messages.most_frequent(9).len(), 2);
    }
}
