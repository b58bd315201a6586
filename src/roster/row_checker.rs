//! Classifies rows: to be sent, excluded, left out, skipped, invalid or duplicate.

use std::sync::Arc;

use csv::StringRecord;

use super::{
    bare::{trim, unwrap},
    counts::Guids,
    excluded::Excluded,
    id_rule::IdRule,
    machine_id::{Digest, digest},
    note::{NoteKind, Notes},
    row::RowKind,
    row_error::{RowError, excerpt},
    row_fields::{FieldColumns, RowFields},
    seen::Seen,
    skips::Skips,
    slip,
    tenants::Tenants,
    where_clause::Where,
};

/// How results say that a machine is excluded.
pub(crate) const EXCLUDED: &str = "excluded";

/// The machine that a row means.
pub(super) struct Meant<'a> {
    /// Its id, or what is there in its place.
    pub(super) id: &'a str,
    /// What the row holds.
    typed: &'a str,
    digest: Option<Digest>,
    /// Whether a name was looked up to find it, and why that failed if it did.
    named: Option<Result<(), RowError>>,
}

impl<'a> Meant<'a> {
    /// The machine with the id that the row holds.
    pub(super) const fn id(id: &'a str, digest: Option<Digest>) -> Self {
        Self {
            id,
            typed: id,
            digest,
            named: None,
        }
    }

    /// The machine that the row names.
    pub(super) fn named(typed: &'a str, id: &'a str, flaw: Option<RowError>) -> Self {
        Self {
            id,
            typed,
            digest: digest(id),
            named: Some(flaw.map_or(Ok(()), Err)),
        }
    }

    /// Whether there is an id that a call can carry.
    fn check(&mut self, rule: IdRule) -> Result<(), RowError> {
        match (self.named.take(), self.digest, rule) {
            (Some(named), ..) => named.and_then(|()| slip::check(self.id, IdRule::Any)),
            (None, Some(_), IdRule::Hex40 | IdRule::Any | IdRule::AsTyped) => Ok(()),
            (None, ..) => slip::check(self.id, rule),
        }
    }
}

/// Classifies the rows of one input, in their order.
#[derive(Debug)]
pub(super) struct RowChecker {
    rule: IdRule,
    /// How many columns the input has.
    width: usize,
    wheres: Vec<(usize, Where)>,
    excluded: Excluded,
    skips: Arc<Skips>,
    /// The places of outcome and message, if the input is a results file.
    results: Option<(usize, usize)>,
    fields: FieldColumns,
    guids: Guids,
    seen: Seen,
    /// Present if the tenant of the sign-in is not known.
    tenants: Option<Tenants>,
}

impl RowChecker {
    /// Each condition comes with the index of its column. With `one_tenant`, rows of several tenants are detected.
    pub(super) fn new(
        (rule, width): (IdRule, usize),
        (wheres, excluded, skips): (Vec<(usize, Where)>, Excluded, Arc<Skips>),
        results: Option<(usize, usize)>,
        fields: FieldColumns,
        one_tenant: bool,
    ) -> Self {
        Self {
            tenants: one_tenant.then(Tenants::default),
            rule,
            width,
            wheres,
            excluded,
            skips,
            results,
            fields,
            guids: Guids::default(),
            seen: Seen::default(),
        }
    }

    /// The row's kind, and what it says about its own scan. The id of a row that is left out or invalid is not
    /// remembered, so that a valid row with the same machine is not a duplicate.
    pub(super) fn classify<'a>(
        &mut self,
        record: &'a StringRecord,
        mut meant: Meant<'_>,
        line: u64,
        notes: &mut Notes,
    ) -> (RowKind, RowFields<'a>) {
        let Meant {
            id, typed, digest, ..
        } = meant;
        // First of all: whatever else the row says, this machine is not sent to.
        let is_excluded = self.excluded.is_named_in(id) || self.excluded.is_named_in(typed);
        if is_excluded || self.was_excluded(record) {
            return (RowKind::Excluded, RowFields::default());
        }
        let admits = |(place, clause): &(usize, Where)| {
            clause.admits(record.get(*place).unwrap_or_default())
        };
        if !self.wheres.iter().all(admits) {
            return (RowKind::LeftOut, RowFields::default());
        }
        if let (Some(tenants), Some(tenant)) = (&mut self.tenants, self.fields.tenant(record)) {
            tenants.add(tenant, line);
            if let Some(tenant) = tenants.only() {
                notes.add(NoteKind::UntoldTenant(excerpt(tenant)), line);
            }
        }
        if meant.named.is_none() {
            self.guids.add(id, line);
        }
        if let Some(ids) = self.ids_beside(record) {
            return (RowKind::Invalid(ids), RowFields::default());
        }
        let said = match meant
            .check(self.rule)
            .and_then(|()| self.fields.read(record))
        {
            Ok(said) => said,
            Err(error) => return (RowKind::Invalid(error), RowFields::default()),
        };
        if let Some(why) = self.skips.reason(id, said.scan_type) {
            return (RowKind::Skipped(why.into()), said);
        }
        if let Some(cell) = said.bad_priority {
            notes.add(NoteKind::Priority(excerpt(cell)), line);
        }
        if digest.is_none() {
            notes.add(NoteKind::UnusualId, line);
        }
        let kind = match self.seen.insert(id, digest, line) {
            Some(first_line) => RowKind::Duplicate { first_line },
            None => RowKind::Due,
        };
        (kind, said)
    }

    /// Whether the input is a results file, and the campaign that wrote it never sent to this row's machine.
    fn was_excluded(&self, record: &StringRecord) -> bool {
        let cell = |place: usize| record.get(place).map(str::trim);
        self.results.is_some_and(|(outcome, message)| {
            cell(outcome) == Some("not_attempted") && cell(message) == Some(EXCLUDED)
        })
    }

    /// How many ids the row has, if some are beyond its columns. This happens when a list of ids has lost its quotes,
    /// and then we cannot know which one is meant.
    fn ids_beside(&self, record: &StringRecord) -> Option<RowError> {
        if record.len() <= self.width || self.rule == IdRule::AsTyped {
            return None;
        }
        // Anything beside the only name of a row is another name.
        let is_list_of_names = self.rule == IdRule::Named && self.width == 1;
        let is_another =
            |cell: &&str| holds_id(cell, self.rule) || (is_list_of_names && !trim(cell).is_empty());
        let ids = record.iter().skip(self.width).filter(is_another).count();
        (ids > 0).then_some(if is_list_of_names {
            RowError::SeveralNames(ids + 1)
        } else {
            RowError::SeveralIds(ids + 1)
        })
    }

    /// How many of the ids were GUIDs.
    pub(super) const fn guids(&self) -> &Guids {
        &self.guids
    }

    /// The tenants, if rows are of several and the tenant of the sign-in is not known.
    pub(super) fn tenants(&self) -> Option<&Tenants> {
        self.tenants.as_ref().filter(|tenants| tenants.are_many())
    }

    /// The columns with a meaning for the scan.
    pub(super) fn recognised(&self) -> Vec<&'static str> {
        self.fields.recognised()
    }
}

/// Whether the cell is an id, perhaps with something around it.
fn holds_id(cell: &str, rule: IdRule) -> bool {
    let cell = trim(cell);
    rule.is_certain(cell) || unwrap(cell, rule).is_some()
}
