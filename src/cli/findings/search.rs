//! A look at the alerts.

use super::report::Report;
use crate::{
    campaign::findings::{Findings, Machines, Wanted},
    cli::{ExitCode, Failure, api::ApiClient, existing_campaign::ExistingCampaign},
    client::{
        alerts::{AlertList, AlertsError},
        caller::CallError,
    },
    store::{Store, StoreError},
};

/// The alerts of a campaign, and what was found among them.
pub(super) struct Search {
    pub(super) campaign: ExistingCampaign,
    pub(super) alerts: AlertList<ApiClient>,
    pub(super) wanted: Wanted,
    /// Which alerts are asked for, in words.
    pub(super) which: String,
    pub(super) findings: Findings,
    /// How many machines the last look asked about.
    pub(super) asked_about: u64,
    /// Whether it was said that the findings are not kept.
    pub(super) has_complained: bool,
}

/// Why a look at the alerts has failed.
pub(super) enum LookError {
    /// The service did not answer. The next look may succeed.
    Unanswered(Failure),
    /// The next look would fail as well.
    Final(Failure),
}

impl From<LookError> for Failure {
    fn from(e: LookError) -> Self {
        match e {
            LookError::Unanswered(failure) | LookError::Final(failure) => failure,
        }
    }
}

impl Search {
    /// Looks at the alerts, and keeps what was found in the state.
    ///
    /// # Errors
    /// The alerts or the state cannot be read.
    pub(super) async fn look(&mut self) -> Result<(), LookError> {
        let path = &self.campaign.state;
        let machines = Machines::of(&Store::open_unchecked_read_only(path).map_err(final_error)?);
        let machines = machines.map_err(final_error)?;
        self.asked_about = machines.asked_about(&self.wanted);
        let look = self.findings.look(&self.alerts, &machines, &self.wanted);
        if !look.await.map_err(failure)? {
            return Ok(());
        }
        let now = self.campaign.api.clock.wall();
        let kept = Store::open_unchecked(path)
            .and_then(|mut store| store.put_findings(self.findings.all(), now, &self.which));
        if let Err(e) = kept
            && !self.has_complained
        {
            self.has_complained = true;
            let monitor = &self.campaign.api.monitor;
            monitor.say(&format!(
                "the findings are not kept for `fleetsweep status`: {e}"
            ));
        }
        Ok(())
    }

    /// What was found so far.
    pub(super) fn report(&self) -> Report<'_> {
        let campaign = self.campaign.id.as_str();
        Report::new(campaign, &self.which, self.asked_about, &self.findings)
    }
}

fn final_error(e: StoreError) -> LookError {
    LookError::Final(e.into())
}

fn failure(e: AlertsError) -> LookError {
    match e {
        AlertsError::Call(CallError::Ledger(e)) => LookError::Final(e.into()),
        e @ AlertsError::Call(CallError::Unanswered { .. }) => {
            let why = format!("{e}; nothing was changed, try again");
            LookError::Unanswered(Failure::new(ExitCode::Tenant, why))
        }
        e => LookError::Final(Failure::new(ExitCode::Tenant, e)),
    }
}
