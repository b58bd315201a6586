//! `--skip-busy`: one listing before the first call of a run shows all machines that are being scanned
//! already, and no call is spent on them.

use jiff::Timestamp;

use super::Dispatcher;
use crate::{
    campaign::{
        engine::{
            active_scans::ActiveScans,
            lookup::{Listing, ListingError},
            pending::{FINDING, PendingTarget},
            verdict::Scan,
        },
        follow::watch::OLDEST_FOREIGN,
        stop::StopReason,
    },
    client::margins::{BLIND_MARGIN, before},
    monitor::count,
    quota::Moment,
    store::Target,
};

/// Whether machines that were busy before the start are skipped.
#[derive(Debug, Default)]
pub(super) enum Skip {
    #[default]
    No,
    /// The list has yet to be read, from this time of the server's clock on.
    Asking(Timestamp),
    /// The list was read.
    Asked {
        running: ActiveScans,
        began: Moment,
        /// This computer's time at that moment.
        wall: Timestamp,
    },
}

impl Skip {
    /// Whether the list has to be read before the first call.
    pub(super) fn is_asking(&self) -> bool {
        matches!(self, Self::Asking(_))
    }

    /// From which time on all scans are wanted, if they are.
    pub(super) fn all_since(&self) -> Option<Timestamp> {
        match self {
            Self::Asking(since) => Some(*since),
            Self::No | Self::Asked { .. } => None,
        }
    }

    /// Whether a machine that was not being scanned then is still known to be free.
    pub(super) fn is_news(&self, now: Moment) -> bool {
        matches!(self, Self::Asked { running, began, .. } if !running.is_cut() && *began + FINDING >= now)
    }

    /// The scan that was under way on this machine before the first call, and when it was seen. It is
    /// returned only once.
    pub(super) fn take(
        &mut self,
        target: &Target,
        now: Moment,
    ) -> Option<(Scan, Moment, Timestamp)> {
        let Self::Asked {
            running,
            began,
            wall,
        } = self
        else {
            return None;
        };
        // If the machine was found busy before, a newer check says more.
        let is_void = target.progress.pending_tries > 0 && *began + FINDING < now;
        if running.is_empty() || is_void {
            return None;
        }
        let scan = running.take(&target.machine_id.to_lowercase())?;
        Some((scan, *began, *wall))
    }
}

impl Dispatcher {
    /// Skips the machines that are being scanned before the first call. `wall` is this computer's time.
    pub fn skip_busy(&mut self, wall: Timestamp) {
        self.busy.skip = Skip::Asking(before(wall, OLDEST_FOREIGN + BLIND_MARGIN));
    }

    /// Takes in all machines that are being scanned, if they were wanted.
    pub(super) fn settle_skip(&mut self, listing: &mut Listing, wall: Timestamp) {
        let Some(running) = listing.running.take() else {
            return;
        };
        let cut = if running.is_cut() {
            ", and more that cannot be remembered: those get their call"
        } else {
            ""
        };
        self.notes.push(format!(
            "--skip-busy: {} of the tenant {} being scanned already{cut}",
            count::of(running.len() as u64, "machine"),
            count::word(running.len() as u64, "is", "are")
        ));
        self.busy.skip = Skip::Asked {
            running,
            began: listing.began,
            wall,
        };
    }

    /// The list could not be read, so nothing may be sent: without it, `--skip-busy` cannot be kept.
    pub(super) fn stop_unasked(&mut self, why: &ListingError) {
        self.stop(StopReason::Tenant(format!(
            "the list of scans cannot be read ({why}), so --skip-busy cannot tell which machines are busy: grant the \
             application the role Machine.Read.All, or leave --skip-busy out; nothing was sent"
        )));
    }

    /// The targets of a page whose machines were not being scanned. The others wait or end.
    pub(super) fn without_busy(&mut self, page: Vec<Target>) -> Vec<Target> {
        if !matches!(&self.busy.skip, Skip::Asked { running, .. } if !running.is_empty()) {
            return page;
        }
        let mut left = Vec::with_capacity(page.len());
        for target in page {
            match self.busy.skip.take(&target, Moment::ZERO) {
                None => left.push(target),
                Some((scan, began, wall)) => {
                    self.was_busy(PendingTarget::new(target), scan, began, wall);
                }
            }
        }
        left
    }

    /// The list showed before the first call that a scan was under way.
    pub(super) fn was_busy(
        &mut self,
        pending: PendingTarget,
        scan: Scan,
        began: Moment,
        wall: Timestamp,
    ) {
        let told = "a scan was under way before the start, as the list of scans showed: no call was spent \
            (--skip-busy)";
        self.found_busy(pending, scan, told, began, wall);
    }
}
