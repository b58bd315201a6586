//! What becomes of each row.

use csv::StringRecord;

use super::{
    bare::{trim, unwrap},
    counts::Guids,
    id_rule::IdRule,
    machine_id::Digest,
    note::{NoteKind, Notes},
    row::RowKind,
    row_error::{RowError, excerpt},
    row_fields::{Particular, RowFields},
    seen::Seen,
    slip,
    tenants::Tenants,
    where_clause::Where,
};

/// Judges the rows of one input, in their order.
#[derive(Debug)]
pub(super) struct Judge {
    rule: IdRule,
    /// Columns of the input.
    width: usize,
    wheres: Vec<(usize, Where)>,
    fields: RowFields,
    guids: Guids,
    seen: Seen,
    /// There where nobody knows which tenant the rows go to.
    tenants: Option<Tenants>,
}

impl Judge {
    /// Each condition comes with the place of its column. Rows of more than `one_tenant` are looked for if that is asked.
    pub(super) fn new(
        (rule, width): (IdRule, usize),
        wheres: Vec<(usize, Where)>,
        fields: RowFields,
        one_tenant: bool,
    ) -> Self {
        Self {
            tenants: one_tenant.then(Tenants::default),
            rule,
            width,
            wheres,
            fields,
            guids: Guids::default(),
            seen: Seen::default(),
        }
    }

    /// What becomes of the row, and what it says about its scan. A row that is left out or invalid leaves no trace among
    /// the ids met, so that it never stands in the way of a sound row of its machine.
    pub(super) fn judge<'a>(
        &mut self,
        record: &'a StringRecord,
        (id, digest): (&str, Option<Digest>),
        line: u64,
        notes: &mut Notes,
    ) -> (RowKind, Particular<'a>) {
        let admits = |(place, clause): &(usize, Where)| {
            clause.admits(record.get(*place).unwrap_or_default())
        };
        if !self.wheres.iter().all(admits) {
            return (RowKind::LeftOut, Particular::default());
        }
        if let (Some(tenants), Some(tenant)) = (&mut self.tenants, self.fields.tenant(record)) {
            tenants.add(tenant, line);
            if let Some(tenant) = tenants.only() {
                notes.add(NoteKind::UntoldTenant(excerpt(tenant)), line);
            }
        }
        self.guids.add(id, line);
        if let Some(ids) = self.ids_beside(record) {
            return (
                RowKind::Invalid(RowError::SeveralIds(ids)),
                Particular::default(),
            );
        }
        let is_id = match (digest, self.rule) {
            (Some(_), IdRule::Hex40 | IdRule::Any | IdRule::AsTyped) => Ok(()),
            _ => slip::judge(id, self.rule),
        };
        let said = match is_id.and_then(|()| self.fields.read(record)) {
            Ok(said) => said,
            Err(flaw) => return (RowKind::Invalid(flaw), Particular::default()),
        };
        if let Some(cell) = said.bad_priority {
            notes.add(NoteKind::Priority(excerpt(cell)), line);
        }
        if digest.is_none() {
            notes.add(NoteKind::UnusualId, line);
        }
        let fate = match self.seen.insert(id, digest, line) {
            Some(first_line) => RowKind::Duplicate { first_line },
            None => RowKind::Due,
        };
        (fate, said)
    }

    /// How many ids the row has, if there are some beyond its columns: a list of ids has lost its quotes, and nobody knows which
    /// of them is meant.
    fn ids_beside(&self, record: &StringRecord) -> Option<usize> {
        if record.len() <= self.width || self.rule == IdRule::AsTyped {
            return None;
        }
        let cells = record.iter().skip(self.width);
        let ids = cells.filter(|cell| holds_id(cell, self.rule)).count();
        (ids > 0).then_some(ids + 1)
    }

    /// How many of the ids were GUIDs.
    pub(super) const fn guids(&self) -> &Guids {
        &self.guids
    }

    /// Two tenants that rows are of, though nobody knows which of them they would go to.
    pub(super) fn tenants(&self) -> Option<&Tenants> {
        self.tenants.as_ref().filter(|tenants| tenants.are_many())
    }

    /// The columns that are there and have a meaning for the scan.
    pub(super) fn recognised(&self) -> Vec<&'static str> {
        self.fields.recognised()
    }
}

/// Whether the cell is an id, in a wrapping perhaps.
fn holds_id(cell: &str, rule: IdRule) -> bool {
    let cell = trim(cell);
    rule.is_certain(cell) || unwrap(cell, rule).is_some()
}
