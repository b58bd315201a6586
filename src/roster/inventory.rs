//! The tenant's machines, as an index for finding them by what people call them. It is filled from one listing.

use std::collections::BTreeSet;

use jiff::Timestamp;

/// How many candidates a message names.
const SHOWN: usize = 5;
/// More steps than machines are ever merged in a row. A longer chain is a circle.
const LONGEST_CHAIN: usize = 16;

/// A machine as the inventory lists it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Listed<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its DNS name, with or without a domain.
    pub dns_name: Option<&'a str>,
    /// Its device id in Entra ID, a GUID.
    pub entra_id: Option<&'a str>,
    /// When it was last seen.
    pub last_seen: Option<Timestamp>,
    /// The id of the machine that it was merged into.
    pub merged_into: Option<&'a str>,
}

/// The tenant's machines. An id, a name of 30 characters and the places in the indexes take some 130 bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Sorted by id once the listing is complete.
    machines: Vec<Machine>,
    /// Sorted by host, the name's first label.
    by_name: Vec<u32>,
    by_entra_id: Vec<(u128, u32)>,
    /// Those that were merged, sorted by the id that they lead to.
    merged: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Machine {
    /// In lower case.
    id: Box<str>,
    /// In lower case, without a full stop at its end.
    name: Box<str>,
    last_seen: Option<Timestamp>,
    merged_into: Option<Box<str>>,
}

/// A machine that a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate<'a> {
    /// Its id in lower case: that of the machine that it was merged into, if it was.
    pub(super) id: &'a str,
    /// The id that was merged into this one.
    pub(super) merged_from: Option<&'a str>,
    name: &'a str,
    pub(super) last_seen: Option<Timestamp>,
}

/// Takes in a listing.
#[derive(Debug, Default)]
pub struct InventoryBuilder {
    machines: Vec<Machine>,
    entra_ids: Vec<(u128, Box<str>)>,
}

impl InventoryBuilder {
    /// Adds a machine. A second one with the same id has no effect.
    pub fn add(&mut self, listed: Listed<'_>) {
        let id: Box<str> = listed.id.to_ascii_lowercase().into();
        // A device that is not registered has the id zero.
        if let Some(entra_id) = listed.entra_id.and_then(guid).filter(|&id| id != 0) {
            self.entra_ids.push((entra_id, id.clone()));
        }
        let merged_into = listed
            .merged_into
            .map(str::trim)
            .filter(|into| !into.is_empty());
        self.machines.push(Machine {
            id,
            name: plain_name(listed.dns_name.unwrap_or_default()).into(),
            last_seen: listed.last_seen,
            merged_into: merged_into.map(|into| into.to_ascii_lowercase().into()),
        });
    }

    /// Builds the index.
    #[must_use]
    pub fn build(self) -> Inventory {
        let mut machines = self.machines;
        machines.sort_by(|a, b| a.id.cmp(&b.id));
        machines.dedup_by(|a, b| a.id == b.id);
        let place = |id: &str| place(&machines, id).and_then(|at| u32::try_from(at).ok());
        let mut by_entra_id: Vec<_> = self
            .entra_ids
            .into_iter()
            .filter_map(|(entra_id, id)| Some((entra_id, place(&id)?)))
            .collect();
        by_entra_id.sort_unstable();
        let named = (0..)
            .zip(&machines)
            .filter(|(_, machine)| !machine.name.is_empty());
        let mut by_name: Vec<u32> = named.map(|(at, _)| at).collect();
        by_name.sort_by_key(|&at| host(&machines[at as usize].name));
        let merged = (0..)
            .zip(&machines)
            .filter(|(_, machine)| machine.merged_into.is_some());
        let mut merged: Vec<u32> = merged.map(|(at, _)| at).collect();
        let mut inventory = Inventory {
            machines,
            by_name,
            by_entra_id,
            merged: Vec::new(),
        };
        merged.sort_by_key(|&at| inventory.candidate(at as usize).id);
        inventory.merged = merged;
        inventory
    }
}

impl Inventory {
    /// The ids of all machines that an id, a name or an Entra device id may mean, with all ids that were merged into
    /// one with them.
    pub(super) fn every_id(&self, text: &str) -> Vec<String> {
        let id = text.to_ascii_lowercase();
        let by_id = place(&self.machines, &id);
        let places = match (by_id, guid(text)) {
            (Some(at), _) => vec![at],
            (None, Some(entra_id)) => self.places_by_entra_id(entra_id),
            (None, None) => self.places_by_name(&plain_name(text)),
        };
        // Machines lead to a merged one that is not listed itself.
        let mut ids: BTreeSet<&str> = self.merged_into(&id).collect();
        for at in places {
            let end = self.candidate(at).id;
            ids.extend([&*self.machines[at].id, end]);
            ids.extend(self.merged_into(end));
        }
        ids.into_iter().map(str::to_owned).collect()
    }

    /// The ids of the machines that were merged into this one, over however many steps.
    fn merged_into(&self, id: &str) -> impl Iterator<Item = &str> {
        let end = |at: u32| self.candidate(at as usize).id;
        let first = self.merged.partition_point(|&at| end(at) < id);
        let rest = self.merged[first..].iter();
        rest.take_while(move |&&at| end(at) == id)
            .map(|&at| &*self.machines[at as usize].id)
    }

    /// The machine with this id, which may have been merged into another one. `None` if it is not listed.
    pub(super) fn by_id(&self, id: &str) -> Option<Candidate<'_>> {
        Some(self.candidate(place(&self.machines, &id.to_ascii_lowercase())?))
    }

    /// The machines that a computer name or an Entra device id stands for. Two machines that were merged into one are
    /// one.
    pub(super) fn by_text(&self, text: &str) -> Vec<Candidate<'_>> {
        let mut found: Vec<_> = match guid(text) {
            Some(entra_id) => self.places_by_entra_id(entra_id),
            None => self.places_by_name(&plain_name(text)),
        }
        .into_iter()
        .map(|at| self.candidate(at))
        .collect();
        // Of one machine that was found by several of its ids, the one that needs no explanation.
        found.sort_by_key(|one| (one.id, one.merged_from.is_some()));
        found.dedup_by(|a, b| a.id == b.id);
        found.sort_by(|a, b| b.last_seen.cmp(&a.last_seen).then(a.id.cmp(b.id)));
        found
    }

    /// A name without a domain fits any domain. One with a domain fits only that.
    fn places_by_name(&self, name: &str) -> Vec<usize> {
        if name.is_empty() {
            return Vec::new();
        }
        self.with_host(host(name))
            .filter(|&at| !name.contains('.') || *self.machines[at].name == *name)
            .collect()
    }

    fn with_host(&self, wanted: &str) -> impl Iterator<Item = usize> {
        let host_at = |at: u32| host(&self.machines[at as usize].name);
        let first = self.by_name.partition_point(|&at| host_at(at) < wanted);
        let rest = self.by_name[first..].iter().map(|&at| at as usize);
        rest.take_while(move |&at| host(&self.machines[at].name) == wanted)
    }

    fn places_by_entra_id(&self, entra_id: u128) -> Vec<usize> {
        let first = self.by_entra_id.partition_point(|&(id, _)| id < entra_id);
        let rest = self.by_entra_id[first..].iter();
        rest.take_while(|&&(id, _)| id == entra_id)
            .map(|&(_, at)| at as usize)
            .collect()
    }

    /// The machine at a place, or the one that it was merged into, however many steps that takes.
    fn candidate(&self, at: usize) -> Candidate<'_> {
        let first = &self.machines[at];
        let mut last = first;
        let mut id: &str = &first.id;
        for _ in 0..LONGEST_CHAIN {
            let Some(into) = &last.merged_into else {
                return Candidate {
                    id,
                    merged_from: (*id != *first.id).then_some(&*first.id),
                    name: &last.name,
                    last_seen: last.last_seen,
                };
            };
            id = into;
            match place(&self.machines, into) {
                Some(at) => last = &self.machines[at],
                None => break,
            }
        }
        // The machine at the end is not listed, or there is none, because the chain is a circle.
        let is_listed = place(&self.machines, id).is_some();
        let id = if is_listed { &first.id } else { id };
        Candidate {
            id,
            merged_from: (*id != *first.id).then_some(&*first.id),
            name: &first.name,
            last_seen: first.last_seen,
        }
    }

    /// A name with a domain whose host is listed without one, or the other way round: what the inventory calls it.
    pub(super) fn similar(&self, text: &str) -> Option<&str> {
        let name = plain_name(text);
        let at = self.with_host(host(&name)).next()?;
        Some(&self.machines[at].name)
    }
}

/// The candidates for a message, the newest first.
pub(super) fn words(candidates: &[Candidate<'_>]) -> String {
    let mut words: Vec<_> = candidates
        .iter()
        .take(SHOWN)
        .map(|one| {
            let seen = one.last_seen.map_or_else(
                || "never seen".to_owned(),
                |seen| format!("last seen {}", seen.strftime("%Y-%m-%dT%H:%MZ")),
            );
            format!("{} ({}, {seen})", one.id, one.name)
        })
        .collect();
    if candidates.len() > SHOWN {
        words.push(format!("{} more", candidates.len() - SHOWN));
    }
    words.join(", ")
}

/// A name as it is compared: in lower case, without a full stop at its end or the `$` of an account name.
pub(super) fn plain_name(text: &str) -> String {
    let text = text.trim();
    let text = text.strip_suffix('.').unwrap_or(text);
    text.strip_suffix('$').unwrap_or(text).to_lowercase()
}

fn host(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

fn place(machines: &[Machine], id: &str) -> Option<usize> {
    machines
        .binary_search_by(|machine| (*machine.id).cmp(id))
        .ok()
}

/// The number that a GUID is, in braces or not.
fn guid(text: &str) -> Option<u128> {
    let text = text.trim();
    if !super::machine_id::is_guid(text) {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).ok()
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
mod tests;
