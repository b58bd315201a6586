//! The state file that a command line names.

use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use super::{Failure, ledger};
use crate::{
    campaign::{
        open::{self, Places},
        tag::CampaignId,
    },
    store::MarkFile,
};

/// The state file that is meant by itself, or by the input or the results beside which it lies.
///
/// # Errors
/// There is none, or it is gone.
pub(super) fn state_of(named: &Path) -> Result<PathBuf, Failure> {
    let default = Places::default_state(named);
    if is_state(named)? {
        Ok(named.to_owned())
    } else if default.exists() {
        is_state(&default)?;
        Ok(default)
    } else {
        Err(lost(named, &default)?.unwrap_or_else(|| {
            Failure::usage(format!(
                "there is no campaign at {} or {}; name its state file (which is beside the results if `fleetsweep \
                 run` had -o), or the input of `fleetsweep run`. A rehearsal (--mock) keeps none without --state",
                named.display(),
                default.display()
            ))
        }))
    }
}

/// Whether the file is a state, which is known by its first bytes, whatever its name.
///
/// # Errors
/// It is there, and may not be read.
pub(super) fn is_state(file: &Path) -> Result<bool, Failure> {
    let mut head = [0; 15];
    match File::open(file).and_then(|mut file| file.read_exact(&mut head)) {
        Ok(()) => Ok(&head == b"SQLite format 3"),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Err(Failure::storage(format!(
            "{} cannot be read: {e}. A state is for the account alone that began the campaign: give this command as \
             that account, or as its owner let yours read and write the file and those beside it",
            file.display()
        ))),
        Err(_) => Ok(false),
    }
}

/// The failure if an unfinished campaign had its state at this place, as the mark beside it or the user's ledger tells.
fn lost(named: &Path, state: &Path) -> Result<Option<Failure>, Failure> {
    let marks = open::Marks::read(ledger::default_file().ok().filter(|file| file.exists()))?;
    let beside = MarkFile::read(state)?.map(|(id, _)| (id, MarkFile::place(state)));
    let beside = beside.filter(|(id, _)| {
        !CampaignId::known(id.as_str()).is_rehearsal() && marks.has_ended(id) != Some(true)
    });
    let of_ledger = || {
        let (id, ledger) = marks.unfinished_at(state)?;
        Some((id.to_string(), ledger.to_owned()))
    };
    Ok(beside.or_else(of_ledger).map(|(campaign, witness)| {
        Failure::storage(format!(
            "campaign {campaign} has not finished, as far as {} tells, and its state {} is gone. Nothing was changed. \
             Put the state back if you have it. Otherwise rebuild it: the campaign's own run command with --recover \
             and --max-machines 1, and without --again, --canary and another --max-machines. That takes five minutes, \
             and starts one scan at most, and none if one was started before; then this command works on {}",
            witness.display(),
            state.display(),
            named.display()
        ))
    }))
}
