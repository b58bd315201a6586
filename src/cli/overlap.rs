//! Whether the machines of a campaign stand in another one of this user that has not finished. One scan a machine is promised
//! for a campaign; people read it as a promise for all of them.

use std::{
    collections::HashSet,
    fmt,
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf, absolute},
};

use super::{Failure, paths};
use crate::{
    quota::{self, MarkRow},
    store::{Lock, Store, StoreError},
};

/// Another campaign that has not finished, and machines that it names too.
#[derive(Debug)]
pub(super) struct Overlap {
    campaign: String,
    state: PathBuf,
    is_running: bool,
    /// How many; none where its state is gone and the input is the same.
    machines: Option<u64>,
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.machines {
            Some(1) => write!(f, "1 of these machines stands")?,
            Some(machines) => write!(f, "{machines} of these machines stand")?,
            None => write!(f, "the machines of this input stand")?,
        }
        write!(f, " in campaign {} too, which ", self.campaign)?;
        f.write_str(if self.is_running {
            "is running"
        } else {
            "has not finished"
        })?;
        write!(f, " (its state is {})", self.state.display())
    }
}

/// Looks for one among the campaigns that the ledger remembers.
///
/// # Errors
/// The ledger or the campaign's own state cannot be read.
pub(super) fn find(
    store: &Store,
    ledger: Option<&PathBuf>,
    input: &Path,
) -> Result<Option<Overlap>, Failure> {
    let Some(ledger) = ledger else {
        return Ok(None);
    };
    let ours = store.identity();
    let is_stdin = input.as_os_str() == paths::STDIN;
    let input = absolute(input).unwrap_or_else(|_| input.to_owned());
    let marks = quota::marks(ledger).map_err(Failure::storage)?;
    let others = marks
        .into_iter()
        .filter(|mark| mark.ended.is_none() && mark.campaign != ours.campaign)
        .filter(|mark| mark.tenant == ours.tenant);
    for mark in others {
        let machines = shared(store, &mark).map_err(Failure::storage)?;
        let is_meant = match machines {
            Some(machines) => machines > 0,
            // Every list from standard input has the same name.
            None => mark.input == input && !is_stdin,
        };
        if is_meant {
            return Ok(Some(Overlap {
                is_running: Lock::is_held(&mark.state),
                campaign: mark.campaign,
                state: mark.state,
                machines,
            }));
        }
    }
    Ok(None)
}

/// How many of our open targets name a machine of the other campaign; `None` where its state is not there, or cannot be read:
/// that is for its own next run to say.
fn shared(store: &Store, other: &MarkRow) -> Result<Option<u64>, StoreError> {
    let Ok(theirs) = Store::peek(&other.state) else {
        return Ok(None);
    };
    if theirs.identity().campaign != other.campaign {
        return Ok(None);
    }
    let digest = RandomState::new();
    let mut machines = HashSet::new();
    theirs.each_machine(|machine| {
        machines.insert(digest.hash_one(machine));
    })?;
    let open = store.open_targets()?;
    let shared = open
        .iter()
        .filter(|target| machines.contains(&digest.hash_one(target.machine.as_str())));
    Ok(Some(shared.count() as u64))
}
