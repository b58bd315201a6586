//! What one round of following looks for in the list, and what it has found.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    campaign::shared_store::listed_from,
    client::margins::{BLIND_MARGIN, SHOWS_WITHIN, before},
    defender::wire::MachineAction,
    store::{ActionUpdate, OpenAction, is_final},
};

/// How old somebody else's scan may be when its machine is found busy. How long a scan waits for a machine that is
/// off is not documented; an isolation waits for three days (MDE-API.md, section 3).
pub(crate) const OLDEST_FOREIGN: SignedDuration = SignedDuration::from_hours(72);

/// The longest time between sending a call and the time that the service records for it.
const SLACK: SignedDuration = SignedDuration::from_mins(1);

/// One round.
#[derive(Debug, Default)]
pub struct Watch {
    by_id: HashMap<String, OpenAction>,
    /// Machines that were found busy without the reply naming the scan.
    by_machine: HashMap<String, OpenAction>,
    seen: HashSet<u64>,
    updates: Vec<ActionUpdate>,
}

/// What a round was looking for and did not find.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// Scans that a complete listing should have shown and did not.
    pub by_id: Vec<OpenAction>,
    /// Machines whose scan was not found.
    pub machines: Vec<OpenAction>,
}

impl Watch {
    /// A round that looks for these scans.
    #[must_use]
    pub fn new(open: impl IntoIterator<Item = OpenAction>) -> Self {
        let mut watch = Self::default();
        for action in open {
            if action.action_id.is_empty() {
                let machine = action.machine_id.to_lowercase();
                watch.by_machine.insert(machine, action);
            } else {
                let id = action.action_id.to_ascii_lowercase();
                watch.by_id.insert(id, action);
            }
        }
        watch
    }

    /// The time of the service's clock from which on the list has to be read: the creation of the oldest open
    /// scan. `None` if there is nothing to look for.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        let known = self.by_id.values().map(listed_from);
        let sought = self.by_machine.values().map(|action| {
            let asked = action.asked.map_or(Timestamp::MIN, |asked| asked.at);
            before(asked, OLDEST_FOREIGN)
        });
        known.chain(sought).min()
    }

    /// The creation time of the newest known scan.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.by_id.values().filter_map(OpenAction::created_at).max()
    }

    /// Takes in an action of the list, which comes newest first.
    pub fn saw(&mut self, action: &MachineAction) {
        if let Some(open) = self.by_id.get(&action.id.to_ascii_lowercase()) {
            if self.seen.insert(open.n) {
                self.updates.extend(update(open, action));
            }
            return;
        }
        let Some(machine) = &action.machine_id else {
            return;
        };
        if let Some(open) = self.by_machine.get(&machine.to_lowercase())
            && !self.seen.contains(&open.n)
            && was_active(action, open)
        {
            self.seen.insert(open.n);
            self.updates.extend(update(open, action));
        }
    }

    /// Whether every open scan was seen, so that the rest of the list has nothing to add.
    #[must_use]
    pub(crate) fn is_complete(&self) -> bool {
        self.seen.len() == self.by_id.len() + self.by_machine.len()
    }

    /// The changes to write; and what a complete listing, which began at `began` by the service's clock, did
    /// not show although it should have.
    #[must_use]
    pub fn end(self, began: Option<Timestamp>) -> (Vec<ActionUpdate>, Unseen) {
        let seen = &self.seen;
        let shows = |at: Option<Timestamp>| match (at, began) {
            (Some(at), Some(began)) => shows_by(at) <= began,
            _ => true,
        };
        let mut by_id: Vec<_> = self
            .by_id
            .into_values()
            .filter(|open| !seen.contains(&open.n) && shows(open.created_at()))
            .collect();
        by_id.sort_unstable_by_key(|open| open.n);
        let mut machines: Vec<_> = self
            .by_machine
            .into_values()
            .filter(|open| !seen.contains(&open.n))
            .filter(|open| shows(open.asked.filter(|a| a.by_server).map(|a| a.at)))
            .collect();
        machines.sort_unstable_by_key(|open| open.n);
        (self.updates, Unseen { by_id, machines })
    }
}

/// What an action adds to what is known of this target; `None` if it adds nothing.
pub(crate) fn update(open: &OpenAction, action: &MachineAction) -> Option<ActionUpdate> {
    let status = action.status.clone().unwrap_or_default();
    let is_known = status.is_empty() || status == open.status;
    let is_same = open.action_id.eq_ignore_ascii_case(&action.id);
    (!is_same || !is_known).then(|| ActionUpdate {
        n: open.n,
        action_id: action.id.clone(),
        status,
        created: action.creation_date_time_utc.clone().unwrap_or_default(),
    })
}

/// Whether this action was under way when the service reported the machine busy.
fn was_active(action: &MachineAction, open: &OpenAction) -> bool {
    let Some(asked) = open.asked else {
        return true;
    };
    let slack = if asked.by_server { SLACK } else { BLIND_MARGIN };
    let time = |text: &Option<String>| text.as_deref()?.parse::<Timestamp>().ok();
    let had_begun = time(&action.creation_date_time_utc)
        .is_none_or(|created| asked.at.duration_until(created) <= slack);
    let had_ended = is_final(action.status.as_deref().unwrap_or_default())
        && time(&action.last_update_date_time_utc)
            .is_some_and(|ended| ended.duration_until(asked.at) > slack);
    had_begun && !had_ended
}

/// When a listing may begin at the earliest to show a scan of this time.
fn shows_by(at: Timestamp) -> Timestamp {
    at.saturating_add(SHOWS_WITHIN).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SentAt;

    const NOON: &str = "2026-11-23T12:00:00Z";

    fn open(n: u64, id: &str) -> OpenAction {
        OpenAction {
            n,
            machine_id: format!("M{n}"),
            ours: !id.is_empty(),
            action_id: id.into(),
            status: "Pending".into(),
            created: if id.is_empty() {
                String::new()
            } else {
                NOON.into()
            },
            asked: Some(SentAt {
                at: NOON.parse().unwrap(),
                by_server: true,
            }),
        }
    }

    fn action(id: &str, machine: &str, status: &str, created: &str, ended: &str) -> MachineAction {
        serde_json::from_value(serde_json::json!({
            "id": id, "machineId": machine, "status": status,
            "creationDateTimeUtc": created, "lastUpdateDateTimeUtc": ended,
        }))
        .unwrap()
    }

    #[test]
    fn only_what_is_new_is_written_and_an_unknown_state_is_kept() {
        let mut watch = Watch::new([open(1, "a"), open(2, "b")]);
        watch.saw(&action("a", "m1", "Pending", NOON, NOON));
        assert!(!watch.is_complete());
        watch.saw(&action("B", "m2", "Dreaming", NOON, NOON));
        assert!(watch.is_complete());
        let (updates, unseen) = watch.end(None);
        assert_eq!(updates.len(), 1);
        assert_eq!(updates[0].status, "Dreaming");
        assert_eq!(unseen, Unseen::default());
        assert!(!is_final("Dreaming"));
    }

    #[test]
    fn a_busy_machines_scan_is_the_newest_that_was_active_when_it_was_asked() {
        let mut watch = Watch::new([open(1, "")]);
        let later = "2026-11-23T12:30:00Z";
        watch.saw(&action("later", "m1", "Pending", later, later));
        watch.saw(&action(
            "right",
            "m1",
            "Succeeded",
            "2026-11-23T11:30:00Z",
            later,
        ));
        watch.saw(&action(
            "older",
            "m1",
            "Succeeded",
            "2026-11-23T10:00:00Z",
            "2026-11-23T11:00:00Z",
        ));
        let (updates, _) = watch.end(None);
        assert_eq!(updates.len(), 1);
        assert_eq!(updates[0].action_id, "right");
    }

    #[test]
    fn what_is_too_new_to_be_listed_is_not_missed() {
        let at = |text: &str| Some(text.parse().unwrap());
        let young = Watch::new([open(1, "a")]).end(at("2026-11-23T12:00:29Z"));
        assert!(young.1.by_id.is_empty());
        let old = Watch::new([open(1, "a")]).end(at("2026-11-23T12:00:30Z"));
        assert_eq!(old.1.by_id.len(), 1);
    }
}
