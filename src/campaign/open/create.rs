//! From the input to the store: every row becomes a target, and rows that cannot be sent end at once.

use std::{borrow::Cow, io::Read, path::Path};

use super::OpenError;
use crate::campaign::outcome::{EXCLUDED, LEFT_OUT, Outcome, SKIPPED};
use crate::{
    roster::{Counts, Note, Roster, Row, RowKind, ScanType},
    store::{Decision, Identity, NewRow, Store, StoreError},
};

/// A new campaign.
#[derive(Debug)]
pub struct Intake {
    /// Its store.
    pub store: Store,
    /// Its rows, by kind.
    pub counts: Counts,
    /// What the person should know about the input.
    pub notes: Vec<Note>,
}

/// Takes all rows into a new store at `state`, or none. `decided` are decisions that the campaign begins
/// with. `make_room` is called when the whole input has been read and is valid, before the new store takes
/// its place.
///
/// # Errors
/// The input is refused, the store cannot be written, or `make_room` failed.
pub fn take_in<R: Read>(
    mut roster: Roster<R>,
    state: &Path,
    mut identity: Identity,
    decided: &[Decision],
    make_room: impl FnOnce() -> Result<(), OpenError>,
) -> Result<Intake, OpenError> {
    identity.columns = roster.columns().to_vec();
    roster.rule().as_str().clone_into(&mut identity.id_rule);
    let mut loader = Store::create(state, &identity)?;
    while let Some(row) = roster.next_row()? {
        new_row(&row, |row| loader.insert(&row))?;
    }
    for decision in decided {
        loader.decide(decision)?;
    }
    let (counts, notes) = (roster.counts(), roster.notes().to_vec());
    make_room()?;
    Ok(Intake {
        store: loader.finish()?,
        counts,
        notes,
    })
}

/// How a row that is not sent ends, and why; `None` for a row that is sent.
pub(super) fn ended_by_reading(kind: &RowKind) -> Option<(Outcome, Cow<'static, str>)> {
    match kind {
        RowKind::Due => None,
        RowKind::LeftOut => Some((Outcome::NotAttempted, LEFT_OUT.into())),
        RowKind::Skipped(why) => Some((Outcome::NotAttempted, format!("{SKIPPED}{why}").into())),
        RowKind::Excluded => Some((Outcome::NotAttempted, EXCLUDED.into())),
        RowKind::Invalid(flaw) => Some((Outcome::Invalid, flaw.to_string().into())),
        RowKind::Duplicate { first_line } => {
            let why = format!("the same machine stands in line {first_line}");
            Some((Outcome::Duplicate, why.into()))
        }
    }
}

/// Passes a row on in the store's form. Rows that cannot be sent have ended already.
pub(crate) fn new_row(
    row: &Row<'_>,
    take: impl FnOnce(NewRow<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let ended = ended_by_reading(&row.kind);
    take(NewRow {
        n: row.n,
        line: row.line,
        machine_id: row.machine_id,
        scan_type: row.scan_type.map(ScanType::as_str),
        comment: row.comment.as_deref(),
        priority: row.priority,
        extra: row.extra,
        ended: ended
            .as_ref()
            .map(|(outcome, message)| (outcome.as_str(), message.as_ref())),
        error_code: &row.error_code,
        left_out: matches!(
            row.kind,
            RowKind::LeftOut | RowKind::Skipped(_) | RowKind::Excluded
        ),
    })
}
