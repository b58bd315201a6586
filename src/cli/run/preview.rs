//! What a run with these options would start with, for `fleetsweep plan`: input or campaign, limits, and how far these
//! are spent. Nothing is sent, and nothing is written.

use std::{path::PathBuf, sync::Arc};

use super::RunArgs;
use crate::{
    campaign::{
        brakes::{Baseline, BrakeOptions, night},
        forecast::Prospect,
        open::{OpenPreview, OpenRequest, UnlockedClaim},
    },
    cli::{
        Failure,
        connect::{Offline, UNKNOWN},
        ledger::{self, QuotaNote},
        yes,
    },
    quota::{Clock, Kind, Quota, QuotaSnapshot},
};

/// What a run would start with.
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
    /// The forecast of the calls that are left.
    pub(in crate::cli) prospect: Prospect,
}

impl RunArgs {
    /// Finds out what a run would start with.
    ///
    /// # Errors
    /// Those of a run: an option has a value that cannot be used, the input is refused, the state belongs to another
    /// campaign, or a file cannot be read. It is no error if nobody can sign in.
    pub(in crate::cli) async fn preview(&self, clock: &Arc<dyn Clock>) -> Result<Preview, Failure> {
        self.validate()?;
        let now = clock.wall();
        let mut brakes = self.brakes.options(now)?;
        let Offline {
            base,
            api,
            account,
            rows,
        } = self.connect.resolve_offline().await?;
        let (quota, _) = self.pace.quota(base.is_loopback(), self.yes.is_some())?;
        let tenant = account.as_ref().ok().map(|(tenant, _)| tenant.clone());
        let meant = self.new_campaign(
            tenant.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
            api,
            now,
            &mut fastrand::Rng::new(),
        )?;
        let places = self.places()?;
        let state = Some(places.state.clone()).filter(|state| !state.as_os_str().is_empty());
        let file = self.pace.quota_file.clone();
        let counts_calls = !quota.is_unlimited() && (!self.connect.mock || file.is_some());
        let ledger = counts_calls
            .then(|| ledger::find(file.clone()))
            .transpose()?;
        let claim = UnlockedClaim::new(OpenRequest {
            tenant_is_known: tenant.is_some(),
            ..self.open_request(places, &rows, meant, ledger)?
        })?;
        let questions = self.questions(claim.needs_inventory);
        let known = self.survey_for_plan(questions, &quota, clock).await?;
        let mut found = claim.preview(known.inventory, known.skips, known.away)?;
        if self.resume.is_nightly() {
            let runs = ledger::run_starts(std::mem::take(&mut found.runs));
            let standing = Baseline::of(&found.reach, &found.tally);
            brakes.before_tonight = Some(night::before(&runs, now, standing));
        }
        let account = account.unwrap_or_else(|why| last_account(&mut found, counts_calls, &why));
        let note = QuotaNote::of(&quota, &base, account, file, self.connect.mock)?;
        let limits = self.running.limits();
        limits.find(&found.columns).map_err(Failure::usage)?;
        self.note_brakes(&brakes, &mut found);
        found.notes.extend(self.note_workbook(found.rows));
        let machines = brakes.most(&found.reach).min(found.due);
        for largest in &mut found.largest {
            *largest = (*largest).min(machines);
        }
        let lengths = limits.lengths(self.scan.scan_type, machines, &found.largest);
        found.notes.extend(lengths);
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

    /// Adds notes about what may stop the run early, or keep it from starting.
    fn note_brakes(&self, brakes: &BrakeOptions, found: &mut OpenPreview) {
        if let Some(canary) = brakes.canary {
            found.notes.push(format!(
                "--canary {canary}: the first {canary} go out first, the rest when they are accepted; the times below \
                 do not include that wait"
            ));
        }
        if let Some(max) = brakes.max_failures {
            let note = format!("--max-failures {max} may stop the campaign before its end");
            found.notes.push(note);
        }
        if found.away > 0 && brakes.times.not_after.is_some() {
            found.notes.push(
                "--when-offline defer: machines that are away may go as late as shortly before --not-after; the times \
                 below take all of them as due"
                    .to_owned(),
            );
        }
        let machines = brakes.most(&found.reach).min(found.due);
        if let Some(why) = yes::why_not_covered(self.yes, machines) {
            found.notes.push(format!("{why}: a run would refuse that"));
        }
    }
}

/// The tenant and application of the campaign's last run, which are used if it is not known who would sign in; `why`
/// says why not. Adds a note about that if calls are counted.
fn last_account(found: &mut OpenPreview, counts_calls: bool, why: &str) -> (String, String) {
    let last = found.last_run.as_ref();
    let last = last.and_then(|run| QuotaNote::from_json(&run.quota)?.account());
    if counts_calls {
        let source = if last.is_some() {
            "taken from the campaign's last run"
        } else {
            "not known, and calls that were made today may be missing from this plan"
        };
        let note = format!("tenant and application are {source}: {why}");
        found.notes.push(note);
    }
    last.unwrap_or_else(|| (UNKNOWN.to_owned(), UNKNOWN.to_owned()))
}
