//! What the devices report of their scans, and which alerts there were since, as far as somebody asked.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    campaign::findings::{Severity, family},
    plain_text::one_line,
    store::{Finding, Store, StoreError},
};

/// What the service and the devices say of the scans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Scans {
    /// How many scans have each of the service's states; the empty state stands for those that are not known.
    pub(super) by_status: BTreeMap<String, u64>,
    /// How many of them `fleetsweep cancel` has cancelled.
    pub(super) cancelled_by_us: u64,
    /// How many ended scans their devices report too; `None` if nobody has asked (`follow --verify`).
    pub(super) verified: Option<BTreeMap<String, u64>>,
    /// How the devices say that these scans ended, in their words.
    pub(super) device_results: BTreeMap<String, u64>,
}

impl Scans {
    pub(super) fn of(store: &Store) -> Result<Self, StoreError> {
        let plain = |(word, count): (String, u64)| (one_line(&word).into_owned(), count);
        Ok(Self {
            by_status: summed(store.action_tally()?.into_iter().map(plain)),
            cancelled_by_us: store.cancelled()?,
            verified: store.verified_tally()?,
            device_results: summed(store.device_results()?.into_iter().map(plain)),
        })
    }
}

fn summed(counts: impl Iterator<Item = (String, u64)>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (word, count) in counts {
        *sums.entry(word).or_default() += count;
    }
    sums
}

/// The alerts on the campaign's machines, as `fleetsweep findings` has found them last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Found {
    /// When the alerts were read.
    pub(super) asked: Timestamp,
    /// Which alerts were asked for, in words.
    pub(super) which: String,
    pub(super) count: u64,
    pub(super) machines: u64,
    pub(super) by_severity: BTreeMap<&'static str, u64>,
    pub(super) by_family: BTreeMap<String, u64>,
    /// The gravest of them, and of these the latest first.
    pub(super) gravest: Vec<Alert>,
    /// How many each target has.
    #[serde(skip)]
    pub(super) by_target: BTreeMap<u64, u64>,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Alert {
    pub(super) created: String,
    pub(super) severity: &'static str,
    pub(super) computer: String,
    pub(super) machine_id: String,
    pub(super) threat: String,
    pub(super) title: String,
    pub(super) status: String,
}

/// How many alerts are listed. The findings' CSV has all of them.
const LISTED: usize = 100;

impl Found {
    /// `None` if nobody has asked.
    pub(super) fn of(store: &Store) -> Result<Option<Self>, StoreError> {
        let Some((asked, which)) = store.findings_asked()? else {
            return Ok(None);
        };
        let mut all = store.findings()?;
        let mut found = Self {
            asked,
            which: one_line(&which).into_owned(),
            count: all.len() as u64,
            machines: 0,
            by_severity: BTreeMap::new(),
            by_family: BTreeMap::new(),
            gravest: Vec::new(),
            by_target: BTreeMap::new(),
        };
        for finding in &all {
            let severity = Severity::of(&finding.severity).as_str();
            *found.by_severity.entry(severity).or_default() += 1;
            let family = one_line(family(finding)).into_owned();
            *found.by_family.entry(family).or_default() += 1;
            *found.by_target.entry(finding.n).or_default() += 1;
        }
        found.machines = found.by_target.len() as u64;
        let grave = |finding: &Finding| Severity::of(&finding.severity);
        all.sort_by(|a, b| (grave(b), &b.created).cmp(&(grave(a), &a.created)));
        found.gravest = all.iter().take(LISTED).map(Alert::of).collect();
        Ok(Some(found))
    }
}

impl Alert {
    fn of(finding: &Finding) -> Self {
        let plain = |text: &str| one_line(text).into_owned();
        Self {
            created: plain(&finding.created),
            severity: Severity::of(&finding.severity).as_str(),
            computer: plain(&finding.computer),
            machine_id: plain(&finding.machine_id),
            threat: plain(if finding.threat.is_empty() {
                family(finding)
            } else {
                &finding.threat
            }),
            title: plain(&finding.title),
            status: plain(&finding.status),
        }
    }
}
