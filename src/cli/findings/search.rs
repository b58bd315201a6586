//! A look at the alerts.

use super::report::Report;
use crate::{
    campaign::findings::{Findings, Machines, Wanted},
    cli::{ExitCode, Failure, api::ApiClient, existing_campaign::ExistingCampaign},
    client::{
        alerts::{AlertList, AlertsError},
        caller::CallError,
    },
    store::Store,
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
}

impl Search {
    /// Looks at the alerts, and keeps what was found in the state.
    ///
    /// # Errors
    /// The alerts or the state cannot be read.
    pub(super) async fn look(&mut self) -> Result<(), Failure> {
        let path = &self.campaign.state;
        let machines = Machines::of(&Store::open_unchecked_read_only(path)?)?;
        self.asked_about = machines.asked_about(&self.wanted);
        let look = self.findings.look(&self.alerts, &machines, &self.wanted);
        if !look.await.map_err(failure)? {
            return Ok(());
        }
        let now = self.campaign.api.clock.wall();
        let kept = Store::open_unchecked(path)
            .and_then(|mut store| store.put_findings(self.findings.all(), now, &self.which));
        if let Err(e) = kept {
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

fn failure(e: AlertsError) -> Failure {
    match e {
        AlertsError::Call(CallError::Ledger(e)) => e.into(),
        e @ AlertsError::Call(CallError::Unanswered { .. }) => Failure::new(
            ExitCode::Tenant,
            format!("{e}; nothing was changed, try again"),
        ),
        e => Failure::new(ExitCode::Tenant, e),
    }
}
