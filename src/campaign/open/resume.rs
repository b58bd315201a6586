//! Resumes a campaign: checks that today's input is the one it began with, and applies what the new command
//! changes.

use std::{collections::HashMap, io::Read};

use super::{
    Difference, OpenError, Opening,
    columns::ColumnMap,
    create::new_row,
    exclusions::Exclusions,
    mode::id_of,
    reconcile::{Reconciliation, admitted, ended},
};
use crate::campaign::outcome::{EXCLUDED, LEFT_OUT, SKIPPED};
use crate::{
    roster::{IdRule, Note, Roster, RosterError, Row, RowError, RowKind, ScanType},
    store::{Amendment, Extension, Identity, Known, MachineMatch, Store, StoreError},
};

/// The result of rejoining the campaign.
#[derive(Debug, Default)]
pub struct Rejoined {
    /// Rows that were added.
    pub added: u64,
    /// Targets that have changed: left out, admitted, or ended by being read.
    pub changed: u64,
    /// What the person should know about the input.
    pub notes: Vec<Note>,
    /// What the person should know about what this campaign does with it.
    pub remarks: Vec<String>,
}

impl Opening {
    /// Compares command and input with the campaign that is there, and changes what they change about it. The results
    /// must be the campaign's.
    ///
    /// # Errors
    /// The command or the input describes another campaign, or a file cannot be used.
    pub(super) fn join(&self, store: &mut Store) -> Result<Rejoined, OpenError> {
        let request = &self.request;
        let mut meant = request.meant.clone();
        // An input that is exported every night may bring another comment every night.
        let put_off = (request.again && request.extend)
            .then(|| put_off(store.identity(), &mut meant))
            .flatten();
        check_identity(store.identity(), &meant)?;
        let campaign = id_of(store);
        self.check_results(Some(&campaign))?;
        let rule = store.identity().id_rule.parse()?;
        let names = self.names_of(store)?;
        let mut exclusions = Exclusions::of_campaign(store, request)?;
        exclusions.add_named(request, &self.excluded_by_name(names.as_deref()));
        self.complete(&mut exclusions);
        let idle = request.idle_resolve(store, names.as_deref());
        let roster = request.roster(Some(rule), exclusions.machines, names)?;
        for decision in &exclusions.decisions {
            store.decide(decision)?;
        }
        // First, so that the input has the last word about what is tried again.
        for outcome in &request.retry {
            store.reopen(outcome.as_str())?;
        }
        let mut joined = if request.extend {
            extend(roster, store, &request.input_name())?
        } else {
            rejoin(roster, store, &request.input_name())?
        };
        joined.remarks.extend(put_off);
        joined.remarks.extend(exclusions.remarks);
        joined.remarks.extend(idle);
        if request.options.any_id && rule != IdRule::Any {
            joined.remarks.push(format!(
                "--any-id has no effect on campaign {campaign}, which began without it: rows that are invalid there \
                 stay so. Another campaign takes such ids: give it files of its own with -o and --state"
            ));
        }
        Ok(joined)
    }
}

/// Adapts `meant` to the campaign that is there if only the scan type or the comment differ, and says so:
/// those wait for the next campaign.
fn put_off(there: &Identity, meant: &mut Identity) -> Option<String> {
    let mut waits = Vec::new();
    let words = [
        ("scan type", &there.scan_type, &mut meant.scan_type),
        ("comment", &there.comment, &mut meant.comment),
    ];
    for (what, there, meant) in words {
        if there != meant {
            waits.push(format!("the {what} `{meant}` (`{there}` in this one)"));
            meant.clone_from(there);
        }
    }
    (!waits.is_empty()).then(|| {
        format!(
            "campaign {} has not finished and goes on; {} {} for the next one",
            there.campaign,
            waits.join(" and "),
            if waits.len() == 1 { "waits" } else { "wait" }
        )
    })
}

/// Checks that the campaign that is there is the one that is `meant`, apart from the targets.
fn check_identity(there: &Identity, meant: &Identity) -> Result<(), OpenError> {
    let table = [
        ("the tenant", &there.tenant, &meant.tenant),
        ("the API's address", &there.api, &meant.api),
        ("the scan type", &there.scan_type, &meant.scan_type),
        ("the comment", &there.comment, &meant.comment),
    ];
    match table.into_iter().find(|(_, there, meant)| there != meant) {
        None => Ok(()),
        Some((what, was, is)) => {
            let (is, was) = (is.clone(), was.clone());
            Err(another(there, Difference::Command { what, is, was }))
        }
    }
}

fn another(there: &Identity, difference: Difference) -> OpenError {
    OpenError::Another {
        campaign: there.campaign.clone(),
        difference,
    }
}

/// Checks that the input's targets are the campaign's, in order, and applies what a new `--where` changes.
///
/// # Errors
/// They are not, or the store cannot be written. Then nothing is changed.
pub fn rejoin<R: Read>(
    mut roster: Roster<R>,
    store: &mut Store,
    input: &str,
) -> Result<Rejoined, OpenError> {
    let mut amendments = Vec::new();
    store.each_known(|known| {
        let Some(row) = roster.next_row()? else {
            let difference = Difference::InputEnds {
                input: input.to_owned(),
                n: known.n,
                machine: known.machine_id.to_owned(),
            };
            return Err(another(store.identity(), difference));
        };
        if let Some(difference) = difference(&known, &row, input) {
            return Err(another(store.identity(), difference));
        }
        check_looked_up(&row, input)?;
        amendments.extend(amendment(&known, &row));
        Ok(())
    })?;
    if let Some(row) = roster.next_row()? {
        let difference = Difference::RowMore {
            input: input.to_owned(),
            line: row.line,
            machine: row.machine_id.to_owned(),
        };
        return Err(another(store.identity(), difference));
    }
    Ok(Rejoined {
        changed: store.amend(&amendments)?,
        notes: roster.notes().to_vec(),
        ..Rejoined::default()
    })
}

/// Adds the rows whose machines are new, applies what today's `--where` changes about the others, and
/// withdraws targets whose machines are gone from the input. Cells are assigned by the names of their
/// columns.
///
/// # Errors
/// The input is refused, or the store cannot be written. Then nothing is changed.
pub fn extend<R: Read>(
    mut roster: Roster<R>,
    store: &mut Store,
    input: &str,
) -> Result<Rejoined, OpenError> {
    let mut columns = columns_between(&roster, &store.identity().columns);
    let (mut added, mut changed) = (0, 0);
    let mut reconciliation = Reconciliation::default();
    let mut slips = HashMap::new();
    store.extend::<OpenError>(|extension| {
        while let Some(row) = roster.next_row()? {
            check_looked_up(&row, input)?;
            match match_row(extension, &row, &mut slips)? {
                MachineMatch::New => {
                    let extra = columns.reorder(row.extra);
                    new_row(&Row { extra, ..row }, |row| extension.add(row))?;
                }
                MachineMatch::Old(targets) => {
                    reconciliation.reconcile(&row, &targets);
                    if row.is_new_name {
                        let first_line = extension.line_of(targets[0].n)?;
                        let extra = columns.reorder(row.extra);
                        let kind = RowKind::Duplicate { first_line };
                        let repeated = Row { kind, extra, ..row };
                        new_row(&repeated, |row| extension.add(row))?;
                    }
                }
            }
        }
        changed = extension.amend(&reconciliation.amendments(extension.old()))?;
        added = extension.added();
        Ok(())
    })?;
    Ok(Rejoined {
        added,
        changed,
        notes: roster.notes().to_vec(),
        remarks: columns.note().into_iter().collect(),
    })
}

/// How the input's columns fit the campaign's. The first two of a campaign of names are what was typed and how it was
/// found, whatever the input's column is called today.
fn columns_between<R: Read>(roster: &Roster<R>, known: &[String]) -> ColumnMap {
    let mut found = roster.columns().to_vec();
    if roster.rule() == IdRule::Named {
        for (found, known) in found.iter_mut().zip(known).take(2) {
            found.clone_from(known);
        }
    }
    ColumnMap::between(&found, known)
}

/// Refuses a new row whose name was not looked up.
fn check_looked_up(row: &Row<'_>, input: &str) -> Result<(), RosterError> {
    match &row.kind {
        RowKind::Invalid(RowError::NotLookedUp(name)) => Err(RosterError::NewName {
            file: input.to_owned(),
            line: row.line,
            name: name.clone(),
        }),
        _ => Ok(()),
    }
}

/// Finds the targets of a row's machine. An invalid id is not a machine: each row with the same text is a
/// target of its own, and the first such row of today is the first one of then.
fn match_row(
    extension: &Extension<'_>,
    row: &Row<'_>,
    slips: &mut HashMap<String, usize>,
) -> Result<MachineMatch, StoreError> {
    let stands = extension.find_machine(row.machine_id)?;
    let is_slip = matches!(&row.kind, RowKind::Invalid(flaw) if flaw.is_of_the_id());
    let (MachineMatch::Old(targets), true) = (&stands, is_slip) else {
        return Ok(stands);
    };
    // As the store compares ids.
    let before = slips
        .entry(row.machine_id.to_ascii_lowercase())
        .or_default();
    let target = targets.get(*before).copied();
    *before += 1;
    Ok(target.map_or(MachineMatch::New, |target| MachineMatch::Old(vec![target])))
}

/// How a row of the input differs from its target.
fn difference(known: &Known<'_>, row: &Row<'_>, input: &str) -> Option<Difference> {
    if !known.machine_id.eq_ignore_ascii_case(row.machine_id) {
        return Some(Difference::Machine {
            input: input.to_owned(),
            line: row.line,
            is: row.machine_id.to_owned(),
            was: known.machine_id.to_owned(),
        });
    }
    // What was not read then, or is not read now, cannot be compared.
    let was_read = !(known.invalid || known.duplicate || known.left_out);
    if !was_read || row.kind != RowKind::Due {
        return None;
    }
    let word =
        |text: Option<&str>| text.map_or_else(|| "none".to_owned(), |text| format!("`{text}`"));
    let number = |priority: Option<i64>| priority.map(|priority| priority.to_string());
    let table = [
        (
            "scan type",
            word(row.scan_type.map(ScanType::as_str)),
            word(known.scan_type),
        ),
        ("comment", word(row.comment.as_deref()), word(known.comment)),
        (
            "priority",
            word(number(row.priority).as_deref()),
            word(number(known.priority).as_deref()),
        ),
    ];
    let (what, is, was) = table.into_iter().find(|(_, is, was)| is != was)?;
    Some(Difference::Row {
        input: input.to_owned(),
        line: row.line,
        what,
        is,
        was,
    })
}

/// What today's row changes about its target.
fn amendment(known: &Known<'_>, row: &Row<'_>) -> Option<Amendment> {
    match &row.kind {
        // A duplicate becomes due when the row that it repeats is now left out.
        RowKind::Due if known.left_out || known.duplicate => Some(admitted(known.n, row)),
        _ if known.invalid || known.duplicate => None,
        RowKind::LeftOut => Some(Amendment::LeaveOut {
            n: known.n,
            message: LEFT_OUT.into(),
        }),
        RowKind::Skipped(why) => Some(Amendment::LeaveOut {
            n: known.n,
            message: format!("{SKIPPED}{why}").into(),
        }),
        RowKind::Excluded => Some(Amendment::Withdraw {
            n: known.n,
            message: EXCLUDED,
        }),
        RowKind::Due => None,
        RowKind::Invalid(_) | RowKind::Duplicate { .. } => ended(known.n, row),
    }
}
