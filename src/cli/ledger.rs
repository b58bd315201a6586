//! The quota ledger: where it is, and what a campaign's state notes about the limits and the ledger of a run, so that
//! `status` finds them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Failure, connect::Connection, paths::FileUse, run_bounds::RunBounds};
use crate::{
    campaign::brakes::Baseline,
    defender::{ApiBase, cloud::quota_realm},
    quota::{Clock, LONGEST_WAIT, LedgerPlace, Limit, Pace, Pacer, Quota, QuotaSnapshot},
    store::{Store, StoreError},
};

/// How a run counts its calls, as the state notes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaNote {
    /// The limits, with the headroom taken off; empty if there are none.
    limits: Vec<String>,
    /// Whether calls are spread evenly.
    even: bool,
    /// The ledger; `None` without limits, and in a rehearsal.
    place: Option<LedgerPlace>,
    /// What else bounds the calls.
    #[serde(default, rename = "terms")]
    bounds: RunBounds,
}

impl QuotaNote {
    /// The note of a run over this connection. `file` is the ledger that was named, if any.
    ///
    /// # Errors
    /// The ledger that was named does not exist, or there is no folder for the default one.
    pub fn new(
        quota: &Quota,
        connection: &Connection,
        file: Option<PathBuf>,
        is_rehearsal: bool,
    ) -> Result<Self, Failure> {
        let account = (connection.tenant.clone(), connection.application.clone());
        Self::of(quota, &connection.base, account, file, is_rehearsal)
    }

    /// The note of a run whose tenant and application are known without a connection.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn of(
        quota: &Quota,
        base: &ApiBase,
        (tenant, application): (String, String),
        file: Option<PathBuf>,
        is_rehearsal: bool,
    ) -> Result<Self, Failure> {
        let place = if quota.is_unlimited() || (is_rehearsal && file.is_none()) {
            None
        } else {
            Some(LedgerPlace {
                file: find(file)?,
                cloud: quota_realm(base),
                tenant,
                application,
            })
        };
        Ok(Self {
            limits: quota.limits().map(|limit| limit.to_string()).collect(),
            even: quota.pace() == Pace::Even,
            place,
            bounds: RunBounds::default(),
        })
    }

    /// The same note with these bounds.
    #[must_use]
    pub fn with_bounds(&self, bounds: RunBounds) -> Self {
        Self {
            bounds,
            ..self.clone()
        }
    }

    /// What else bounds the calls of the run.
    #[must_use]
    pub fn bounds(&self) -> &RunBounds {
        &self.bounds
    }

    /// The ledger file.
    #[must_use]
    pub fn file(&self) -> Option<&PathBuf> {
        self.place.as_ref().map(|place| &place.file)
    }

    /// The tenant and the application that the calls are counted for.
    #[must_use]
    pub fn account(&self) -> Option<(String, String)> {
        let place = self.place.as_ref()?;
        Some((place.tenant.clone(), place.application.clone()))
    }

    /// The text that the state keeps.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the text that the state keeps; `None` if it is none, as that of a run that noted nothing.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// That of the last run of a campaign; `None` if there was no run.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn of_last_run(store: &Store) -> Result<Option<Self>, StoreError> {
        let last = store.last_run()?;
        Ok(last.and_then(|run| Self::from_json(&run.quota)))
    }

    /// The limits.
    #[must_use]
    pub fn quota(&self) -> Quota {
        if self.limits.is_empty() {
            return Quota::unlimited();
        }
        let limits: Vec<Limit> = self
            .limits
            .iter()
            .filter_map(|limit| limit.parse().ok())
            .collect();
        Quota::new(limits).with_pace(if self.even { Pace::Even } else { Pace::Burst })
    }

    /// A pacer over the ledger, for calls that time out after `request_timeout`.
    ///
    /// # Errors
    /// The ledger cannot be used.
    pub fn pacer(
        &self,
        quota: &Quota,
        clock: &Arc<dyn Clock>,
        request_timeout: Duration,
    ) -> Result<Pacer, Failure> {
        match &self.place {
            None => Ok(Pacer::new(quota, Arc::clone(clock))),
            Some(place) => {
                // In a process that is short of CPU time, a call is given up a little late.
                let longest = request_timeout + LONGEST_WAIT;
                let clock = Arc::clone(clock);
                Ok(Pacer::with_ledger(quota, clock, place, longest)?)
            }
        }
    }

    /// The quota as it is now, read only.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn snapshot(
        &self,
        quota: &Quota,
        clock: &Arc<dyn Clock>,
    ) -> Result<QuotaSnapshot, Failure> {
        match &self.place {
            None => Ok(QuotaSnapshot::unspent(quota, clock.as_ref())),
            Some(place) => Ok(QuotaSnapshot::of_ledger(quota, clock, place)?),
        }
    }
}

/// The folder for this user's state on this computer, if the system has one.
pub(super) fn state_folder() -> Option<PathBuf> {
    let folder = dirs::state_dir().or_else(dirs::data_local_dir)?;
    Some(folder.join("fleetsweep"))
}

/// The folder with the locks of this user's campaigns, by their ids.
pub(super) fn locks() -> Option<PathBuf> {
    Some(state_folder()?.join("locks"))
}

/// The ledger to use: the one that was named, or else this user's default one, which is created when it is needed. A
/// named one is not created, because with a mistyped name calls would be counted separately and break the limits.
///
/// # Errors
/// The named ledger does not exist, or there is no folder for the default one.
pub(super) fn find(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let Some(file) = named else {
        return default_file();
    };
    // The state keeps this path, and later commands may be run from another folder.
    let path = std::path::absolute(&file).unwrap_or_else(|_| file.clone());
    // The name may come from the campaign's last run, which used the default ledger.
    let is_default = default_file().is_ok_and(|default| default == path);
    if is_default || path.exists() {
        return Ok(path);
    }
    Err(Failure::usage(format!(
        "there is no quota ledger {0}, and nothing was sent: check the spelling of --quota-file; to create a new \
         ledger: fleetsweep quota create {0}",
        file.display()
    )))
}

/// The ledger that calls may be counted in, and the files beside it: the named one, or else the default one, except in
/// a rehearsal. A run without limits does not use it, but the check does no harm.
pub(super) fn files(named: Option<&PathBuf>, is_rehearsal: bool) -> Vec<FileUse> {
    let file = match named {
        None if is_rehearsal => None,
        None => default_file().ok(),
        Some(named) => Some(named.clone()),
    };
    file.map(|file| FileUse::ledger(&file)).unwrap_or_default()
}

/// This user's default ledger.
pub(super) fn default_file() -> Result<PathBuf, Failure> {
    let folder = state_folder().ok_or_else(|| {
        Failure::storage(
            "this user has no folder for state: set HOME; or create one quota ledger for all campaigns with \
             `fleetsweep quota create FILE`, and name it with --quota-file each time",
        )
    })?;
    Ok(folder.join("quota.db"))
}

/// When each run of a campaign began, oldest first, and how the campaign stood then, if its note tells.
pub(super) fn run_starts(runs: Vec<(Timestamp, String)>) -> Vec<(Timestamp, Option<Baseline>)> {
    let runs = runs.into_iter().map(|(began, quota)| {
        let note = QuotaNote::from_json(&quota);
        (
            began,
            note.and_then(|note| note.bounds().at_start().cloned()),
        )
    });
    runs.collect()
}
