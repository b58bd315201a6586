//! The list of alerts: those of scans, those of before, and those of others.

use std::{cmp::Reverse, time::Duration};

use jiff::Timestamp;

use super::{
    alert::{Alert, Shown},
    query::LARGEST_PAGE,
    reply::{Error, Reply},
    request::{Kind, Request},
    tenant::{State, Tenant},
};

const CONTEXT: &str = "https://api.security.microsoft.com/api/$metadata#Alerts";

/// An alert that was created. For tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeAlert {
    /// Its id.
    pub id: String,
    /// The machine's id, in lower case.
    pub machine: String,
    /// `alertCreationTime`.
    pub created: Timestamp,
    /// From when on the list shows it, in time since the tenant's start. Zero stands for any time before, too.
    pub seen_from: Duration,
    /// `detectionSource`; `WindowsDefenderAv` is the antivirus.
    pub source: &'static str,
    /// Whether one of the scans has found it that calls started or somebody else did.
    pub by_scan: bool,
}

impl Tenant {
    /// A page of the alerts, the newest first where no order is asked for.
    pub(super) fn alerts(
        &self,
        state: &mut State,
        request: &Request,
        now: Duration,
    ) -> Result<Reply, Error> {
        let config = &self.config;
        if config.alerts.missing {
            let text = "No HTTP resource was found that matches the request URI";
            return Err(Error::new(404, "NotFound", text).of_this_tenant());
        }
        let listing = self.listing::<Shown<'_>>(&request.query, Kind::Alerts, LARGEST_PAGE)?;
        let wall = self.clock.wall(now);
        let mut all = self.all_alerts(state, now);
        all.retain(|alert| alert.seen_from <= now);
        all.sort_by_key(|alert| Reverse(alert.created));
        let rows = listing.admitted(all.iter().map(|alert| alert.at(wall)));
        let made_up: Vec<_> = listing
            .beyond(rows.len())
            .map(|n| config.alerts.existing.saturating_add(n))
            .map(|n| Alert::existing(n, &state.inventory, config, &self.clock))
            .collect();
        let made_up = made_up.iter().map(|alert| alert.at(wall));
        Ok(listing.page(CONTEXT, rows, made_up, Shown::item))
    }

    /// All alerts that were created by now, and those whose time has still to come of scans that have begun.
    fn all_alerts(&self, state: &mut State, now: Duration) -> Vec<Alert> {
        let State {
            alerts,
            inventory,
            scans,
            ..
        } = state;
        alerts.go_on(now, &self.config, inventory, &self.clock);
        let found = scans
            .all()
            .filter_map(|action| Alert::of_scan(action, &self.config, &self.clock));
        alerts.made.iter().cloned().chain(found).collect()
    }

    /// All alerts that were created by now, also those that the list does not show yet, in the order of their creation.
    /// For tests.
    #[must_use]
    pub fn made_alerts(&self) -> Vec<MadeAlert> {
        let state = &mut *self.lock();
        let now = self.clock.now();
        let mut all = self.all_alerts(state, now);
        let wall = self.clock.wall(now);
        all.retain(|alert| alert.created <= wall);
        all.sort_by_key(|alert| alert.created);
        let made = all.into_iter().map(|alert| MadeAlert {
            machine: alert.machine.to_lowercase(),
            id: alert.id,
            created: alert.created,
            seen_from: alert.seen_from,
            source: alert.source,
            by_scan: alert.by_scan,
        });
        made.collect()
    }
}
