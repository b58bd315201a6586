//! What a run with these options would begin with, without a run: input or campaign, limits, and what is spent of them.
//! Nothing is sent, and nothing is written.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::RunArgs;
use crate::{
    campaign::{
        brakes::{Baseline, night},
        forecast::Prospect,
        open::{OpenPreview, OpenRequest, preview},
        tag::{CampaignId, comment_text},
    },
    cli::{
        Failure,
        connect::{Offline, UNKNOWN},
        ledger::{self, QuotaNote},
        yes,
    },
    quota::{Clock, Kind, Quota, QuotaSnapshot},
    store::Identity,
};

/// What a run would begin with.
pub(in crate::cli) struct Preview {
    /// The input's name.
    pub(in crate::cli) input: String,
    /// The state file, if the run would keep one.
    pub(in crate::cli) state: Option<PathBuf>,
    /// The targets.
    pub(in crate::cli) found: OpenPreview,
    /// The limits.
    pub(in crate::cli) quota: Quota,
    /// Where calls are counted.
    pub(in crate::cli) note: QuotaNote,
    /// How far the limits are spent.
    pub(in crate::cli) snapshot: QuotaSnapshot,
    /// What the time of the last call depends on.
    pub(in crate::cli) prospect: Prospect,
}

impl RunArgs {
    /// Where the summary goes.
    pub(in crate::cli) fn summary(&self) -> Option<&Path> {
        self.output.summary.as_deref()
    }

    /// Finds out what a run would begin with.
    ///
    /// # Errors
    /// As of a run: an option cannot be meant, the input is refused, the campaign that is there is another one, or a
    /// file cannot be read. That nobody can sign in is no error.
    pub(in crate::cli) async fn preview(&self, clock: &Arc<dyn Clock>) -> Result<Preview, Failure> {
        self.keep_apart()?;
        let mut brakes = self.brakes.options(clock.wall())?;
        let Offline {
            base,
            api,
            whose,
            rows,
        } = self.connect.resolve_offline().await?;
        let (quota, _) = self.pace.quota(base.is_loopback(), self.yes.is_some())?;
        let comment = comment_text(self.scan.comment.as_deref().unwrap_or_default())
            .map_err(|e| Failure::usage(format!("--comment: {e}")))?;
        let places = self.places()?;
        let state = Some(places.state.clone()).filter(|state| !state.as_os_str().is_empty());
        let tenant = whose.as_ref().ok().map(|(tenant, _)| tenant.clone());
        let mut rng = fastrand::Rng::new();
        let campaign = if self.connect.mock {
            CampaignId::rehearsal(&mut rng)
        } else {
            CampaignId::random(&mut rng)
        };
        let meant = Identity {
            campaign: campaign.as_str().to_owned(),
            created: clock.wall(),
            tenant: tenant.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
            api,
            scan_type: self.scan_type().as_str().to_owned(),
            comment,
            columns: Vec::new(),
            id_rule: String::new(),
        };
        let file = self.pace.quota_file.clone();
        let counts_calls = !quota.is_unlimited() && (!self.connect.mock || file.is_some());
        let ledger = counts_calls
            .then(|| ledger::find(file.clone()))
            .transpose()?;
        let mut found = preview(OpenRequest {
            tenant_is_known: tenant.is_some(),
            ..self.open_request(places, &rows, meant, ledger)?
        })?;
        if self.resume.is_nightly() {
            let standing = Baseline::of(&found.reach, &found.tally);
            brakes.before_tonight = Some(night::before(
                &ledger::stood(std::mem::take(&mut found.runs)),
                clock.wall(),
                standing,
            ));
        }
        let whose = whose.unwrap_or_else(|why| {
            let last = found
                .last_run
                .as_ref()
                .and_then(|run| QuotaNote::from_json(&run.quota)?.whose());
            let whose = if last.is_some() {
                "taken from the campaign's last run"
            } else {
                "not known, and calls that were made today may be missing from this plan"
            };
            if counts_calls {
                let note = format!("tenant and application are {whose}: {why}");
                found.notes.push(note);
            }
            last.unwrap_or_else(|| (UNKNOWN.to_owned(), UNKNOWN.to_owned()))
        });
        let note = QuotaNote::of(&quota, &base, whose, file, self.connect.mock)?;
        if let Some(canary) = brakes.canary {
            found.notes.push(format!(
                "--canary {canary}: the first {canary} go out first, the rest when they are accepted; the times below \
                 do not know how long that takes"
            ));
        }
        if let Some(max) = brakes.max_failures {
            let note = format!("--max-failures {max} may stop the campaign before its end");
            found.notes.push(note);
        }
        let machines = brakes.most(&found.reach).min(found.due);
        if let Some(why) = yes::too_small(self.yes, machines) {
            found.notes.push(format!("{why}: a run would refuse that"));
        }
        let snapshot = note.snapshot(&quota, clock)?;
        let fresh = found.due.saturating_sub(found.begun.targets());
        let bounds = brakes.bounds(&found.reach);
        let prospect = Prospect {
            begun: std::mem::take(&mut found.begun),
            on_pending: self.policy().on_pending,
            ..Prospect::new(snapshot.forecast(Kind::Start), fresh, bounds, clock.wall())
        };
        Ok(Preview {
            input: self.targets.display().to_string(),
            state,
            found,
            snapshot,
            quota,
            note,
            prospect,
        })
    }
}
