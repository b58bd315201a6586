//! Targets that are set aside because the scans under way leave no place for a machine of their site or host, or
//! because their machine is away, so that others go first.
//!
//! Each waits in the list of one group that is full. When a scan of that group has ended, the first of its list
//! is tried; if another of its groups is full by then, it waits in that one's list. Those whose machines are away wait
//! in a list of their own, [`AWAY`], and go over to [`BACK`] when they may be sent.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{
    campaign::{
        engine::pending::PendingTarget,
        running::{Aside, Group},
    },
    store::{Progress, Target},
};

/// How many targets to which nothing has happened are kept in memory. Of the others only the numbers are kept.
const AT_HAND: usize = 4096;

/// A target's place in its list: its priority and its number.
pub(super) type Key = (i64, u64);

/// In place of a group: the targets whose machines are away, for which there is no room.
pub(super) const AWAY: Group = (usize::MAX, 0);

/// Those whose machines are back, which may go.
pub(super) const BACK: Group = (usize::MAX, 1);

/// How many of those are at hand at most.
pub(super) const BACK_AT_HAND: u64 = AT_HAND as u64;

/// The targets that are set aside.
#[derive(Debug, Default)]
pub(super) struct Parked {
    lists: BTreeMap<Group, BTreeMap<Key, Option<Box<PendingTarget>>>>,
    at_hand: usize,
    /// How many of them were sent to before.
    begun: usize,
}

impl Parked {
    /// Sets a target aside until `group` has room.
    pub(super) fn put(&mut self, group: Group, pending: PendingTarget) {
        let key = (pending.priority(), pending.target.n);
        let is_untouched = pending.is_plain() && pending.target.progress == Progress::default();
        let is_kept = !is_untouched || self.at_hand < AT_HAND;
        self.at_hand += usize::from(is_kept);
        self.begun += usize::from(is_begun(&pending));
        let pending = is_kept.then(|| Box::new(pending));
        self.lists.entry(group).or_default().insert(key, pending);
    }

    /// Sets a target aside that is only in the store.
    pub(super) fn put_stored(&mut self, group: Group, key: Key) {
        self.lists.entry(group).or_default().insert(key, None);
    }

    /// Moves a target to another list, if it is in the first one.
    pub(super) fn move_over(&mut self, key: Key, from: Group, to: Group) {
        let Some(list) = self.lists.get_mut(&from) else {
            return;
        };
        let moved = list.remove(&key);
        if list.is_empty() {
            self.lists.remove(&from);
        }
        if let Some(pending) = moved {
            self.lists.entry(to).or_default().insert(key, pending);
        }
    }

    /// Whether nobody is set aside but those whose machines are away.
    pub(super) fn has_only_away(&self) -> bool {
        self.lists.keys().all(|group| *group == AWAY)
    }

    /// How many are back and have not gone yet.
    pub(super) fn back(&self) -> u64 {
        self.lists.get(&BACK).map_or(0, |list| list.len() as u64)
    }

    /// Whether nobody is set aside.
    pub(super) fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// How many of them were sent to before.
    pub(super) fn begun(&self) -> usize {
        self.begun
    }

    /// Whether somebody waits for a group that has no room.
    pub(super) fn waits(&self, room: impl Fn(Group) -> u64) -> bool {
        let mut groups = self.lists.keys().filter(|group| **group != AWAY);
        groups.any(|&group| room(group) == 0)
    }

    /// How many may go before others, because their groups have room.
    pub(super) fn ready(&self, room: impl Fn(Group) -> u64) -> usize {
        let groups = self.lists.iter();
        let ready = groups.map(|(group, list)| {
            usize::try_from(room(*group)).map_or(list.len(), |room| room.min(list.len()))
        });
        ready.sum()
    }

    /// The priority of the first whose group has room, if it is at hand.
    pub(super) fn first(&self, room: impl Fn(Group) -> u64) -> Option<i64> {
        self.next(room).map(|(_, (priority, _))| priority)
    }

    /// Takes it.
    pub(super) fn take(&mut self, room: impl Fn(Group) -> u64) -> Option<PendingTarget> {
        let (group, key) = self.next(room)?;
        self.remove(group, key)
    }

    /// Whether one of `these` is in a group that has room.
    pub(super) fn has_of(&self, these: &HashSet<u64>, room: impl Fn(Group) -> u64) -> bool {
        self.find_of(these, room).is_some()
    }

    /// Takes it.
    pub(super) fn take_of(
        &mut self,
        these: &HashSet<u64>,
        room: impl Fn(Group) -> u64,
    ) -> Option<PendingTarget> {
        let (group, key) = self.find_of(these, room)?;
        self.remove(group, key)
    }

    /// Those that have to be read from the store, for they may go now.
    pub(super) fn wanted(&self, room: impl Fn(Group) -> u64) -> Vec<Aside> {
        let open = self.lists.iter().flat_map(|(group, list)| {
            let room = usize::try_from(room(*group)).unwrap_or(usize::MAX);
            list.iter().take(room).map(|entry| (*group, entry))
        });
        let away = open.filter(|(_, (_, pending))| pending.is_none());
        let away = away.map(|(group, (key, _))| (group, *key));
        away.take(AT_HAND).collect()
    }

    /// Takes in those that were [wanted](Self::wanted). Whatever is missing needs no place any more.
    pub(super) fn came(&mut self, wanted: &[Aside], targets: Vec<Target>) {
        let targets = targets.into_iter().map(|target| (target.n, target));
        let mut targets: HashMap<u64, Target> = targets.collect();
        for (group, key) in wanted {
            let Some(list) = self.lists.get_mut(group) else {
                continue;
            };
            let Some(place @ None) = list.get_mut(key) else {
                continue;
            };
            if let Some(target) = targets.remove(&key.1) {
                *place = Some(Box::new(PendingTarget::new(target)));
                self.at_hand += 1;
            } else {
                list.remove(key);
            }
        }
        self.lists.retain(|_, list| !list.is_empty());
    }

    /// Drops the targets that were never sent to.
    pub(super) fn drop_new(&mut self) {
        for list in self.lists.values_mut() {
            list.retain(|_, pending| pending.as_deref().is_some_and(is_begun));
        }
        self.lists.retain(|_, list| !list.is_empty());
        self.at_hand = self.begun;
    }

    /// The first of all whose group has room.
    fn next(&self, room: impl Fn(Group) -> u64) -> Option<(Group, Key)> {
        let open = self.lists.iter().filter(|(group, _)| room(**group) > 0);
        let first = open.filter_map(|(group, list)| {
            let (key, pending) = list.first_key_value()?;
            pending.as_ref().map(|_| (*key, *group))
        });
        first.min().map(|(key, group)| (group, key))
    }

    fn find_of(&self, these: &HashSet<u64>, room: impl Fn(Group) -> u64) -> Option<(Group, Key)> {
        let mut open = self.lists.iter().filter(|(group, _)| room(**group) > 0);
        open.find_map(|(group, list)| {
            let mut list = list.iter();
            let found = list.find(|((_, n), pending)| these.contains(n) && pending.is_some());
            found.map(|(key, _)| (*group, *key))
        })
    }

    fn remove(&mut self, group: Group, key: Key) -> Option<PendingTarget> {
        let list = self.lists.get_mut(&group)?;
        let pending = list.remove(&key).flatten();
        if list.is_empty() {
            self.lists.remove(&group);
        }
        self.at_hand -= usize::from(pending.is_some());
        self.begun -= usize::from(pending.as_deref().is_some_and(is_begun));
        pending.map(|pending| *pending)
    }
}

fn is_begun(pending: &PendingTarget) -> bool {
    pending.target.progress.attempts > 0
}
