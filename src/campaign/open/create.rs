//! From the input to the store: every row becomes a target, and rows that cannot be sent end at once.

use std::{
    borrow::Cow,
    io::Read,
    panic::resume_unwind,
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use super::OpenError;
use crate::campaign::outcome::{EXCLUDED, LEFT_OUT, Outcome, SKIPPED};
use crate::{
    roster::{Counts, Note, Roster, Row, RowKind, ScanType},
    store::{Decision, Identity, Loader, NewRow, Store, StoreError},
};

/// How many rows are passed to the store's thread at once, and after how many bytes of long rows.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 1 << 18;

/// How many batches may wait for the store.
const WAITING: usize = 4;

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
    let mut loader = load(&mut roster, Store::create(state, &identity)?)?;
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

/// Reads all rows. A thread of its own stores them meanwhile, because the one takes about as long as the other.
fn load<R: Read>(roster: &mut Roster<R>, loader: Loader) -> Result<Loader, OpenError> {
    let (sender, batches) = sync_channel(WAITING);
    thread::scope(|scope| {
        let storing = scope.spawn(|| store(loader, batches));
        let read = read(roster, &sender);
        drop(sender);
        // If the store has failed, that also ended the reading.
        let loader = storing
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))?;
        read?;
        Ok(loader)
    })
}

/// Reads to the end of the input, or until nobody takes the rows any more.
fn read<R: Read>(
    roster: &mut Roster<R>,
    batches: &SyncSender<Vec<OwnedRow>>,
) -> Result<(), OpenError> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut bytes = 0;
    while let Some(row) = roster.next_row()? {
        bytes += row.machine_id.len() + row.extra.len();
        batch.push(OwnedRow::of(row));
        if batch.len() == BATCH || bytes >= BATCH_BYTES {
            bytes = 0;
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            if batches.send(full).is_err() {
                return Ok(());
            }
        }
    }
    // If nobody takes it, the store has failed, and its error is reported.
    let _ = batches.send(batch);
    Ok(())
}

fn store(mut loader: Loader, batches: Receiver<Vec<OwnedRow>>) -> Result<Loader, StoreError> {
    for row in batches.into_iter().flatten() {
        row.insert(&mut loader)?;
    }
    Ok(loader)
}

/// A row that outlives the reader's buffer.
struct OwnedRow {
    n: u64,
    line: u64,
    machine_id: String,
    scan_type: Option<ScanType>,
    comment: Option<String>,
    priority: Option<i64>,
    kind: RowKind,
    error_code: String,
    extra: String,
}

impl OwnedRow {
    fn of(row: Row<'_>) -> Self {
        Self {
            n: row.n,
            line: row.line,
            machine_id: row.machine_id.to_owned(),
            scan_type: row.scan_type,
            comment: row.comment.map(Cow::into_owned),
            priority: row.priority,
            kind: row.kind,
            error_code: row.error_code.into_owned(),
            extra: row.extra.to_owned(),
        }
    }

    fn insert(self, loader: &mut Loader) -> Result<(), StoreError> {
        let row = Row {
            n: self.n,
            line: self.line,
            machine_id: &self.machine_id,
            scan_type: self.scan_type,
            comment: self.comment.as_deref().map(Cow::Borrowed),
            priority: self.priority,
            kind: self.kind,
            error_code: self.error_code.as_str().into(),
            is_new_name: false,
            extra: &self.extra,
        };
        new_row(&row, |row| loader.insert(&row))
    }
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

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::{
        roster::{Options, split_extra},
        store::Selection,
    };

    #[test]
    fn every_row_is_stored_in_order_however_many_and_however_long_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(BATCH_BYTES / 3);
        let rows = 2 * BATCH + 7;
        let id = |n: usize| format!("{n:040x}");
        let cell = |n: usize| if n.is_multiple_of(100) { &*long } else { "" };
        let mut csv = "machine_id,note\n".to_owned();
        for n in 1..=rows {
            writeln!(csv, "{},{}", id(n), cell(n)).unwrap();
        }
        let roster = Roster::open("in.csv", csv.as_bytes(), &Options::default()).unwrap();
        let identity = Identity {
            campaign: "ab12cd34ef".into(),
            created: jiff::Timestamp::UNIX_EPOCH,
            tenant: "t".into(),
            api: "https://a".into(),
            scan_type: "quick".into(),
            comment: "c".into(),
            columns: Vec::new(),
            id_rule: String::new(),
        };
        let state = folder.path().join("a.campaign.db");
        let intake = take_in(roster, &state, identity, &[], || Ok(())).unwrap();
        let mut stored = Vec::new();
        let seen = intake.store.each_row(Selection::All, |row| {
            let note = split_extra(&row.extra).concat();
            stored.push((row.n, row.machine_id.clone(), note.len()));
            Ok::<_, StoreError>(())
        });
        seen.unwrap();
        let expected = (1..=rows).map(|n| (n as u64, id(n), cell(n).len()));
        assert_eq!(stored, expected.collect::<Vec<_>>());
    }
}
