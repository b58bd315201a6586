//! What the names in an input stand for (`--resolve`). A new campaign looks all of them up in one listing of the
//! inventory. A campaign that is there knows those that it began with, and looks up only those that `--extend` adds.

use std::sync::Arc;

use super::{OpenError, OpenRequest, Opening, mode::OpenMode};
use crate::{
    campaign::outcome::Outcome,
    monitor::count,
    results::{self, ResultsError},
    roster::{Ambiguous, IdRule, Inventory, Names, Resolved, RowError, is_machine_id, split_extra},
    store::{Selection, Store},
};

/// How names are looked up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resolve {
    /// What is done if several machines fit a name.
    pub(crate) ambiguous: Ambiguous,
    /// Names in exclusion lists. All machines that fit one are excluded.
    pub(crate) excluded: Vec<String>,
}

/// The codes of rows whose names stand for no machine.
const CODES: [&str; 2] = ["unknown_name", "ambiguous_name"];

/// How many names a message shows.
const SHOWN: usize = 5;

impl Opening {
    /// Whether opening has to know the inventory. Nothing is changed.
    ///
    /// # Errors
    /// The same as [`mode`](Self::mode).
    pub(super) fn needs_inventory(&self) -> Result<bool, OpenError> {
        let request = &self.request;
        let Some(resolve) = &request.resolve else {
            return Ok(false);
        };
        Ok(match self.mode(Store::open_dry_run)? {
            OpenMode::Resume(store) => {
                !resolve.excluded.is_empty() || (request.extend && is_of_names(&store))
            }
            OpenMode::Succeed(_) | OpenMode::Begin { .. } | OpenMode::Rebuild { .. } => true,
        })
    }

    /// Takes in the inventory, and finds the machines in it that exclusion lists name.
    pub(super) fn know(&mut self, inventory: Inventory) {
        let resolve = self.request.resolve.clone().unwrap_or_default();
        let names = Names::of(inventory, resolve.ambiguous);
        let mut unknown = Vec::new();
        let mut ids = Vec::new();
        for name in &resolve.excluded {
            let found = names.all_of(name);
            if is_machine_id(name) {
                ids.push(name.clone());
            } else if found.is_empty() {
                unknown.push(format!("`{name}`"));
            }
            ids.extend(found);
        }
        self.request.exclude.extend(ids);
        self.remarks.extend(not_protected(&unknown));
        self.names = names;
    }

    /// What the names of a new campaign stand for; `None` if its input holds ids. If it is rebuilt, what its results
    /// tell is not looked up again.
    ///
    /// # Errors
    /// The results cannot be read.
    pub(super) fn names_of_new(&self, campaign: &str) -> Result<Option<Arc<Names>>, OpenError> {
        if self.request.resolve.is_none() {
            return Ok(None);
        }
        Ok(Some(Arc::new(self.names_told(campaign)?)))
    }

    /// The names, with what the campaign's results tell about them.
    fn names_told(&self, campaign: &str) -> Result<Names, OpenError> {
        let mut names = self.names.clone();
        results::each_row::<ResultsError>(&self.request.places.results, campaign, |row| {
            let [cell, how] = &row.named;
            let found = (row.machine_id.as_str(), how.as_str());
            let invalid = (
                row.outcome.as_str(),
                row.error_code.as_str(),
                row.message.as_str(),
            );
            names.extend_with(cell, found, invalid);
            Ok(())
        })?;
        Ok(names)
    }

    /// The machines of the campaign that is there whose names stand in exclusion lists, whatever else those names stand
    /// for by now.
    pub(super) fn excluded_by_name(&self, names: Option<&Names>) -> Vec<String> {
        let (Some(resolve), Some(names)) = (&self.request.resolve, names) else {
            return Vec::new();
        };
        let known = resolve.excluded.iter().filter_map(|name| names.known(name));
        let ids = known.filter_map(|known| match known {
            Resolved::Machine { id, .. } => Some(id.clone()),
            Resolved::Flaw(_) => None,
        });
        ids.collect()
    }

    /// All ids of these machines, if the inventory is known: they may have been merged with others.
    pub(super) fn merged_with(&self, ids: &[String]) -> Vec<String> {
        ids.iter().flat_map(|id| self.names.all_of(id)).collect()
    }

    /// What the names of the campaign that is there stand for; `None` if its input holds ids.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn names_of(&self, store: &Store) -> Result<Option<Arc<Names>>, OpenError> {
        if !is_of_names(store) {
            return Ok(None);
        }
        let campaign = &store.identity().campaign;
        let told = self.request.recover.then(|| self.names_told(campaign));
        let mut names = told.transpose()?.unwrap_or_else(|| self.names.clone());
        store.each_row::<OpenError>(Selection::All, |row| {
            let cells = split_extra(&row.extra);
            if let [cell, how, ..] = &cells[..] {
                let outcome = row.outcome.as_deref().unwrap_or_default();
                let invalid = (outcome, row.error_code.as_str(), row.message.as_str());
                names.extend_with(cell, (&row.machine_id, how), invalid);
            }
            Ok(())
        })?;
        Ok(Some(Arc::new(names)))
    }
}

impl Names {
    /// Adds what a row of the campaign tells about its cell: the machine and how it was found, or why there is none, by
    /// the outcome, its code and the reason.
    fn extend_with(
        &mut self,
        cell: &str,
        (machine_id, how): (&str, &str),
        (outcome, code, message): (&str, &str, &str),
    ) {
        if !how.is_empty() {
            let id = machine_id.to_owned();
            let how = how.to_owned();
            self.know(cell, Resolved::Machine { id, how });
        } else if CODES.contains(&code) {
            // A row that was left out has another message.
            let message = if outcome == Outcome::Invalid.as_str() {
                message.to_owned()
            } else {
                format!("`{cell}` stood for no machine, or for several, when the campaign began")
            };
            let code = code.to_owned();
            self.know(cell, Resolved::Flaw(RowError::Unresolved { code, message }));
        }
    }
}

impl OpenRequest {
    /// A remark about `--resolve` or `--ambiguous newest`, if that has no effect on the campaign that is there.
    pub(super) fn idle_resolve(&self, store: &Store, names: Option<&Names>) -> Option<String> {
        let resolve = self.resolve.as_ref()?;
        let campaign = &store.identity().campaign;
        match names.map(Names::ambiguous) {
            None => Some(format!(
                "--resolve has no effect on campaign {campaign}, which began with machine ids"
            )),
            Some(many @ 1..) if resolve.ambiguous == Ambiguous::Newest => Some(format!(
                "--ambiguous newest has no effect on {} that campaign {campaign} has found to fit several machines: \
                 write the id of the one that is meant into the input and give --extend",
                count::of(many as u64, "name")
            )),
            Some(_) => None,
        }
    }
}

/// Whether the campaign's input holds names.
fn is_of_names(store: &Store) -> bool {
    store.identity().id_rule == IdRule::Named.as_str()
}

/// What to say about names of exclusion lists that fit no machine.
fn not_protected(unknown: &[String]) -> Option<String> {
    let more = unknown.len().saturating_sub(SHOWN);
    let and_more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    (!unknown.is_empty()).then(|| {
        format!(
            "{} of the exclusion lists {} no machine of the inventory, so nothing is excluded by {}: {}{and_more}",
            count::of(unknown.len() as u64, "name"),
            count::word(unknown.len() as u64, "fits", "fit"),
            count::word(unknown.len() as u64, "it", "them"),
            unknown[..unknown.len().min(SHOWN)].join(", "),
        )
    })
}
