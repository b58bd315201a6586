//! The state file that a command line names.

use std::path::{Path, PathBuf};

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
    // A state file is known by its first bytes, whatever its name.
    let is_state = std::fs::File::open(named).is_ok_and(|mut file| {
        let mut head = [0; 15];
        std::io::Read::read_exact(&mut file, &mut head).is_ok() && &head == b"SQLite format 3"
    });
    if is_state {
        Ok(named.to_owned())
    } else if default.exists() {
        Ok(default)
    } else {
        Err(lost(named, &default)?.unwrap_or_else(|| {
            Failure::usage(format!(
                "there is no campaign at {} or {}; name its state file, or the input of `fleetsweep run`",
                named.display(),
                default.display()
            ))
        }))
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
            "campaign {campaign} has not finished, and its state {} is gone; {} tells of it. Nothing was changed. Put \
             the state back if you have it. Otherwise rebuild it by the campaign's own run command with --recover \
             --max-machines 1, which takes five minutes and starts no scan if one was started before; then this \
             command works on {}",
            state.display(),
            witness.display(),
            named.display()
        ))
    }))
}
