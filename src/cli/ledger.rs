//! Which ledger a run's calls are counted in, noted in the campaign's state so that `status` can look there.

use std::{path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Failure, connect::Connection, paths::FileUse, terms::Terms};
use crate::{
    campaign::{brakes::Baseline, recover::witness},
    defender::{ApiBase, cloud::quota_realm},
    quota::{self, Clock, LONGEST_WAIT, LedgerPlace, Limit, Pace, Pacer, Quota, QuotaSnapshot},
    store::{Store, StoreError},
};

/// How a run counts its calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaNote {
    /// The limits, headroom taken off; none means no limits.
    limits: Vec<String>,
    /// Whether calls are spread evenly.
    even: bool,
    /// The ledger; none where no limits hold, and in a rehearsal.
    place: Option<Place>,
    /// What else bounds its calls.
    #[serde(default)]
    terms: Terms,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    file: PathBuf,
    cloud: String,
    tenant: String,
    application: String,
}

impl QuotaNote {
    /// How a run over this connection counts.
    ///
    /// # Errors
    /// There is no place for the ledger, or one was named that is not there.
    pub fn new(
        quota: &Quota,
        connection: &Connection,
        file: Option<PathBuf>,
        is_rehearsal: bool,
    ) -> Result<Self, Failure> {
        let whose = (connection.tenant.clone(), connection.application.clone());
        Self::of(quota, &connection.base, whose, file, is_rehearsal)
    }

    /// How a run would count whose tenant and application are known beforehand.
    ///
    /// # Errors
    /// There is no place for the ledger, or one was named that is not there.
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
            Some(Place {
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
            terms: Terms::default(),
        })
    }

    /// The same of a run on these terms.
    #[must_use]
    pub fn on(&self, terms: Terms) -> Self {
        Self {
            terms,
            ..self.clone()
        }
    }

    /// The run's terms.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The ledger's file.
    #[must_use]
    pub fn file(&self) -> Option<&PathBuf> {
        self.place.as_ref().map(|place| &place.file)
    }

    /// Tenant and application that the calls are counted for.
    #[must_use]
    pub fn whose(&self) -> Option<(String, String)> {
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
        match self.ledger() {
            None => Ok(Pacer::new(quota, Arc::clone(clock))),
            Some(place) => {
                // In a process that is short of CPU time, a call is given up a little later than it should be.
                let given_up_after = request_timeout + LONGEST_WAIT;
                Pacer::with_ledger(quota, Arc::clone(clock), &place, given_up_after)
                    .map_err(Failure::storage)
            }
        }
    }

    /// The quota as it stands, for who only looks.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn snapshot(
        &self,
        quota: &Quota,
        clock: &Arc<dyn Clock>,
    ) -> Result<QuotaSnapshot, Failure> {
        match self.ledger() {
            None => Ok(QuotaSnapshot::unspent(quota, clock.as_ref())),
            Some(place) => QuotaSnapshot::of_ledger(quota, clock, &place).map_err(Failure::storage),
        }
    }

    fn ledger(&self) -> Option<LedgerPlace> {
        self.place.clone().map(|place| LedgerPlace {
            file: place.file,
            cloud: place.cloud,
            tenant: place.tenant,
            application: place.application,
        })
    }
}

/// What a ledger, if there is one, remembers of a campaign.
///
/// # Errors
/// It cannot be read.
pub(super) fn remembers(
    file: Option<&PathBuf>,
    campaign: &str,
) -> Result<witness::Ledger, Failure> {
    let Some(file) = file else {
        return Ok(witness::Ledger::None);
    };
    let marks = quota::marks(file).map_err(Failure::storage)?;
    let mark = marks.into_iter().find(|mark| mark.campaign == campaign);
    Ok(mark.map_or(witness::Ledger::Unaware, |mark| {
        witness::Ledger::Marked(mark.committed)
    }))
}

/// This user's folder for state on this computer, if there is a place for it.
pub(super) fn state_folder() -> Option<PathBuf> {
    let folder = dirs::state_dir().or_else(dirs::data_local_dir)?;
    Some(folder.join("fleetsweep"))
}

/// The ledger that is meant: the one that was named, else this user's on this computer, which is made when it is
/// needed. One that was named is not: calls that a mistyped name counts by themselves would break the limits.
///
/// # Errors
/// The one that was named is not there, or this user has no place for one.
pub(super) fn find(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let Some(file) = named else {
        return default_file();
    };
    // Whoever looks from another folder finds it too.
    let whole = std::path::absolute(&file).unwrap_or_else(|_| file.clone());
    // A campaign's last run may name the default one too.
    let is_default = default_file().is_ok_and(|default| default == whole);
    if is_default || whole.exists() {
        return Ok(whole);
    }
    Err(Failure::usage(format!(
        "there is no quota ledger {0}, and nothing was sent: look at how --quota-file is typed; to make a new ledger: \
         fleetsweep quota create {0}",
        file.display()
    )))
}

/// The ledger that calls may be counted in, and what lies beside it; the one of this user where none is named, unless
/// this is a rehearsal. A run without limits does not touch it, and does not lose by its being kept apart.
pub(super) fn files(named: Option<&PathBuf>, is_rehearsal: bool) -> Vec<FileUse> {
    let file = match named {
        None if is_rehearsal => None,
        None => default_file().ok(),
        Some(named) => Some(named.clone()),
    };
    file.map(|file| FileUse::ledger(&file)).unwrap_or_default()
}

/// The ledger of this user on this computer.
fn default_file() -> Result<PathBuf, Failure> {
    let folder = state_folder().ok_or_else(|| {
        Failure::storage(
            "this user has no folder for state: set HOME; or make one quota ledger for all campaigns with `fleetsweep \
             quota create FILE`, and name it with --quota-file each time",
        )
    })?;
    Ok(folder.join("quota.db"))
}
/// When each run of a campaign began, oldest first, and how the campaign stood then, where that was noted.
///
/// # Errors
/// The state cannot be read.
pub(super) fn run_starts(store: &Store) -> Result<Vec<(Timestamp, Option<Baseline>)>, StoreError> {
    let runs = store.run_starts()?.into_iter().map(|(began, quota)| {
        let note = QuotaNote::from_json(&quota);
        (began, note.and_then(|note| note.terms().stood().cloned()))
    });
    Ok(runs.collect())
}
