//! Whether the scans have run by the devices' own word, which may differ from the service's: an action can be
//! `Succeeded` while the device's last scan is older than the action.
//!
//! The devices' report is a snapshot that lags by hours (MDE-API.md, section 7). So "not yet" is not "no", and it is
//! read again every ten minutes.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{FollowError, Follower};
use crate::{
    client::{
        caller::CallError,
        health::{self, DeviceHealth, HealthError, HealthReport, LastScan},
    },
    defender::Defender,
    monitor::{count, span},
    quota::{Kind, Moment},
    store::{DeviceWord, EndedScan},
};

/// The pause between two looks at the report.
const PAUSE: Duration = Duration::from_mins(10);

/// A look is put off if the quota would keep it waiting for longer than this: the scans are followed meanwhile.
const PATIENCE: Duration = Duration::from_mins(2);

/// When this has passed without a scan that ended, or was confirmed by its device, nobody waits for the others.
const NOTHING_NEW: Duration = Duration::from_hours(24);

/// A scan that a device reports must be later than our scan's creation by this much. Whether the reported time is the
/// scan's start or its end is not documented, so a scan that began before ours may be reported as ended after that.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// A time further ahead than this is a mistake of the device's clock.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_hours(24);

/// How many words of devices are written to the state at once.
const PAGE: usize = 10_000;

/// What a device says about the scan that it was asked about.
mod word {
    pub(super) const YES: &str = "yes";
    pub(super) const NOT_YET: &str = "not yet";
    pub(super) const NO_REPORT: &str = "no report";
}

/// What is remembered between two looks at the report.
#[derive(Debug, Default)]
pub(super) struct Looks {
    next: Option<Moment>,
    /// How many scans were not confirmed at the last look.
    left: u64,
    /// How many of them were spoken of last.
    noted: u64,
    /// When a device last confirmed a scan, or a scan ended.
    news: Option<Moment>,
    /// Whether it was said that nobody waits any longer for what is left.
    has_given_up: bool,
    /// Whether it was said that the report cannot be read at the moment.
    has_failed: bool,
    /// Whether the report cannot be had at all.
    is_over: bool,
}

impl<D: Defender> Follower<D> {
    /// Looks at the devices' report if that is due. Returns when the next look is due; `None` if nobody waits for a
    /// report.
    pub(super) async fn verify(&self, looks: &mut Looks) -> Result<Option<Moment>, FollowError> {
        if !self.options.verify || looks.is_over {
            return Ok(None);
        }
        let left = self.state.with(|store| store.unconfirmed_scans()).await?;
        if left == 0 || !self.is_waited_for(looks, left) {
            return Ok(None);
        }
        if let Some(next) = looks.next.filter(|next| *next > self.clock.now()) {
            return Ok(Some(next));
        }
        let next = self.clock.now() + PAUSE;
        looks.next = Some(next);
        let wait = self.reports.waits(Kind::Health);
        if wait > PATIENCE {
            self.monitor.note(&format!(
                "the quota has no call for the devices' report for {}",
                span::in_words(wait)
            ));
            return Ok(Some(next));
        }
        let Some(report) = self.read_report(looks).await? else {
            return Ok((!looks.is_over).then_some(next));
        };
        let confirmed = self.put(&report).await?;
        if confirmed > 0 {
            looks.news = Some(self.clock.now());
        }
        let still = self.state.with(|store| store.unconfirmed_scans()).await?;
        looks.left = still;
        if still == 0 {
            return Ok(None);
        }
        if still != looks.noted {
            looks.noted = still;
            self.monitor.note(&format!(
                "{} not yet reported by the devices, whose reports lag; a look every {}",
                count::of(still, "ended scan"),
                span::in_words(PAUSE)
            ));
        }
        Ok(Some(next))
    }

    /// Whether the devices of these scans are waited for any longer. It is said once if they are not.
    fn is_waited_for(&self, looks: &mut Looks, left: u64) -> bool {
        let now = self.clock.now();
        if left > looks.left || looks.news.is_none() {
            looks.news = Some(now);
            looks.has_given_up = false;
            looks.left = left;
        }
        if looks.news.is_none_or(|news| now.since(news) < NOTHING_NEW) {
            return true;
        }
        if !looks.has_given_up {
            looks.has_given_up = true;
            self.monitor.say(&format!(
                "--verify: for 24 h no device has reported one of the {} that are not verified; `fleetsweep follow \
                 --verify` looks again",
                count::of(left, "ended scan")
            ));
        }
        false
    }

    /// Reads the report; `None` if it cannot be read now, or not at all.
    async fn read_report(&self, looks: &mut Looks) -> Result<Option<HealthReport>, FollowError> {
        match health::read(&self.reports, |_| {}).await {
            Ok(report) => return Ok(Some(report)),
            Err(HealthError::Call(e @ CallError::Unanswered { .. })) => {
                if !looks.has_failed {
                    looks.has_failed = true;
                    self.monitor.say(&format!(
                        "--verify: the devices' report could not be read: {e}. It is tried again every {}",
                        span::in_words(PAUSE)
                    ));
                }
            }
            Err(HealthError::Call(e)) if !matches!(e, CallError::Refused(_)) => {
                return Err(e.into());
            }
            Err(e) => {
                looks.is_over = true;
                self.monitor.say(&format!(
                    "--verify: {e}. The scans are followed without it, and nothing more is verified"
                ));
            }
        }
        Ok(None)
    }

    /// Writes what the report says of the ended scans. Returns how many it has confirmed.
    async fn put(&self, report: &HealthReport) -> Result<usize, FollowError> {
        let wall = self.clock.wall();
        let ended = self.state.with(|store| store.unverified_scans()).await?;
        let mut words = Vec::new();
        for scan in &ended {
            let word = judge(scan, report.of(&scan.machine_id), wall);
            // A list that moved while it was read may lack a machine.
            let is_unsure = report.moved && word.verified == word::NO_REPORT;
            if !is_unsure && scan.device.as_ref() != Some(&word) {
                words.push((scan.n, word));
            }
        }
        let confirmed = words.iter().filter(|(_, word)| word.verified == word::YES);
        let confirmed = confirmed.count();
        for chunk in words.chunks(PAGE) {
            let chunk = chunk.to_vec();
            self.state
                .with(move |store| store.put_device_words(&chunk, wall))
                .await?;
        }
        Ok(confirmed)
    }
}

/// What this report says about the scan, at `now`.
fn judge(scan: &EndedScan, health: Option<&DeviceHealth>, now: Timestamp) -> DeviceWord {
    let Some(health) = health else {
        // A report that is not there this time does not undo what was reported before.
        return scan.device.clone().unwrap_or_else(|| DeviceWord {
            action_id: scan.action_id.clone(),
            verified: word::NO_REPORT.to_owned(),
            ..DeviceWord::default()
        });
    };
    let last = last_scan(scan, health);
    let began = scan.created.parse().ok().or(scan.sent);
    let is_since = |at: Timestamp, began: Timestamp| {
        let from = began.saturating_add(MARGIN).unwrap_or(Timestamp::MAX);
        let until = now.saturating_add(CLOCKS_DIFFER).unwrap_or(Timestamp::MAX);
        // A report that is older than the scan cannot know of it, whatever the device's clock says.
        let is_newer = health.reported.is_none_or(|reported| reported >= began);
        is_newer && (from..=until).contains(&at)
    };
    let confirms = last
        .at
        .zip(began)
        .is_some_and(|(at, began)| is_since(at, began));
    DeviceWord {
        action_id: scan.action_id.clone(),
        scanned: last.at,
        result: last.result.as_deref().unwrap_or_default().to_owned(),
        reported: health.reported,
        verified: if confirms { word::YES } else { word::NOT_YET }.to_owned(),
    }
}

/// The device's last scan of the type that was asked for. Of somebody else's scan the type is not known.
fn last_scan<'a>(scan: &EndedScan, health: &'a DeviceHealth) -> &'a LastScan {
    let (quick, full) = (&health.quick, &health.full);
    match scan.scan_type.as_str() {
        _ if !scan.ours && full.at > quick.at => full,
        _ if !scan.ours => quick,
        full_scan if full_scan.eq_ignore_ascii_case("full") => full,
        _ => quick,
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
