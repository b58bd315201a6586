//! Finds machines of a campaign that are also in another unfinished campaign of this user. The promise of one scan a
//! machine holds within a campaign; people rely on it for all their campaigns together.

use std::{
    collections::HashSet,
    fmt,
    fs::File,
    hash::{BuildHasher, RandomState},
    io::ErrorKind,
    path::{Path, PathBuf, absolute},
};

use jiff::{SignedDuration, Timestamp};

use super::Failure;
use crate::{
    campaign::open::STDIN,
    quota::{self, MarkRow},
    store::{Lock, Store, StoreError},
};

/// Another unfinished campaign that has some of the same machines.
#[derive(Debug)]
pub(super) struct Overlap {
    campaign: String,
    state: PathBuf,
    is_running: bool,
    machines: Shared,
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.machines {
            Shared::Counted(1) => write!(f, "1 of these machines stands")?,
            Shared::Counted(machines) => write!(f, "{machines} of these machines stand")?,
            Shared::Gone => write!(f, "the machines of this input stand")?,
            Shared::Lost | Shared::Unreadable => write!(f, "any of these machines may stand")?,
        }
        write!(f, " in campaign {} too, which ", self.campaign)?;
        f.write_str(if self.is_running {
            "is running"
        } else {
            "has not finished"
        })?;
        write!(f, " (its state is {}", self.state.display())?;
        f.write_str(match self.machines {
            Shared::Unreadable => ", which this account may not read)",
            Shared::Lost => ", which is gone or damaged)",
            Shared::Counted(_) | Shared::Gone => ")",
        })
    }
}

/// What is known of the machines that stand in another campaign too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shared {
    /// This many of ours.
    Counted(u64),
    /// Its input is ours. Its state is gone, or is no campaign's any more, which its own next run reports.
    Gone,
    /// Its state is gone, and its input was another one, which may have the same machines.
    Lost,
    /// Its state is another account's, which shares the ledger.
    Unreadable,
}

/// All other campaigns that have some of the same machines.
#[derive(Debug)]
pub(super) struct Overlaps(Vec<Overlap>);

/// For how long a campaign whose state is gone is taken for one that somebody means to go on with, perhaps from a copy
/// of its input.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// How many of them a message names.
const NAMED: usize = 5;

impl Overlaps {
    /// What should be finished first: "that campaign" or "those campaigns".
    pub(super) fn to_finish_first(&self) -> &'static str {
        if self.0.len() == 1 {
            "that campaign"
        } else {
            "those campaigns"
        }
    }
}

impl fmt::Display for Overlaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, overlap) in self.0.iter().take(NAMED).enumerate() {
            let separator = if at > 0 { "; " } else { "" };
            write!(f, "{separator}{overlap}")?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// Looks for overlaps with the campaigns that the ledger remembers, except the one that is to be given up.
///
/// # Errors
/// The ledger or the campaign's own state cannot be read.
pub(super) fn find(
    store: &Store,
    ledger: Option<&PathBuf>,
    input: &Path,
    abandoned: Option<&str>,
    now: Timestamp,
) -> Result<Option<Overlaps>, Failure> {
    let Some(ledger) = ledger else {
        return Ok(None);
    };
    let ours = store.identity();
    let is_stdin = input.as_os_str() == STDIN;
    let input = absolute(input).unwrap_or_else(|_| input.to_owned());
    let others = quota::marks(ledger)?
        .into_iter()
        .filter(|mark| mark.ended.is_none() && mark.campaign != ours.campaign)
        .filter(|mark| abandoned != Some(&mark.campaign))
        .filter(|mark| mark.tenant == ours.tenant);
    let mut overlaps = Vec::new();
    for mark in others {
        let mut machines = shared(store, &mark)?;
        // All inputs from standard input have the same name.
        if machines == Shared::Gone && (is_stdin || mark.input != input) {
            machines = Shared::Lost;
        }
        let overlaps_ours = match machines {
            Shared::Counted(machines) => machines > 0,
            Shared::Gone | Shared::Unreadable => true,
            Shared::Lost => now.duration_since(mark.touched) < REMEMBERED,
        };
        if overlaps_ours {
            overlaps.push(Overlap {
                is_running: Lock::is_held(&mark.state),
                campaign: mark.campaign,
                state: mark.state,
                machines,
            });
        }
    }
    Ok(Some(Overlaps(overlaps)).filter(|found| !found.0.is_empty()))
}

/// How many of our open targets are machines of the other campaign.
fn shared(store: &Store, other: &MarkRow) -> Result<Shared, StoreError> {
    let Ok(theirs) = Store::open_unchecked_read_only(&other.state) else {
        let why = File::open(&other.state).map_err(|e| e.kind());
        return Ok(without_state(why.err()));
    };
    if theirs.identity().campaign != other.campaign {
        return Ok(Shared::Gone);
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
    Ok(Shared::Counted(shared.count() as u64))
}

/// What is known where the state cannot be opened; `why` is what the system says about the file.
fn without_state(why: Option<ErrorKind>) -> Shared {
    match why {
        Some(ErrorKind::PermissionDenied) => Shared::Unreadable,
        _ => Shared::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_are_named_and_the_others_counted() {
        let overlap = |n: u64| Overlap {
            campaign: format!("c{n}"),
            state: format!("{n}.campaign.db").into(),
            is_running: n == 1,
            machines: Shared::Counted(n),
        };
        let of = |n| Overlaps((1..=n).map(overlap).collect());
        assert_eq!(
            of(2).to_string(),
            "1 of these machines stands in campaign c1 too, which is running (its state is 1.campaign.db); 2 of these \
             machines stand in campaign c2 too, which has not finished (its state is 2.campaign.db)"
        );
        assert!(of(5).to_string().ends_with("(its state is 5.campaign.db)"));
        assert!(
            of(7)
                .to_string()
                .ends_with("(its state is 5.campaign.db); and 2 more")
        );
        assert_eq!(
            without_state(Some(ErrorKind::PermissionDenied)),
            Shared::Unreadable
        );
        assert_eq!(without_state(Some(ErrorKind::NotFound)), Shared::Gone);
        let unreadable = Overlap {
            machines: Shared::Unreadable,
            ..overlap(2)
        };
        assert_eq!(
            unreadable.to_string(),
            "any of these machines may stand in campaign c2 too, which has not finished (its state is 2.campaign.db, \
             which this account may not read)"
        );
        assert_eq!(
            (of(1).to_finish_first(), of(2).to_finish_first()),
            ("that campaign", "those campaigns")
        );
    }
}
