//! The list of what machines report of their own antivirus (MDE-API.md, section 7).
//!
//! A report is made from time to time, so it lags behind: it has the scans of this tenant that had ended when it was
//! made, and before those the scans that the machine had by itself.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    clock::stamp,
    config::{ReportedTime, within},
    device::Drawn,
    filter::{Row, Type, Value},
    machine::{Machine, stable},
    query,
    reply::{Error, Reply, guid},
    request::{Kind, Request},
    scans::{Action, Status},
    tenant::{State, Tenant},
};

const CONTEXT: &str = "https://api.security.microsoft.com/api/$metadata#DeviceAvInfo";

/// How much older each further row of a machine is.
const ROW_AGE: SignedDuration = SignedDuration::from_hours(24);

/// The scans of this tenant, by the machine's id and whether they are full ones.
type EndedScans<'a> = HashMap<(&'a str, bool), Vec<&'a Action>>;

/// One row of the list.
#[derive(Debug, Clone)]
struct Report<'a> {
    machine: &'a Machine,
    id: u128,
    mode: &'static str,
    signatures: &'static str,
    refreshed: Timestamp,
    quick: Option<(Timestamp, &'static str)>,
    full: Option<(Timestamp, &'static str)>,
}

impl Tenant {
    /// A page of the reports.
    pub(super) fn health(
        &self,
        state: &State,
        request: &Request,
        now: Duration,
    ) -> Result<Reply, Error> {
        if self.config.health.missing {
            let text = "No HTTP resource was found that matches the request URI";
            return Err(Error::new(404, "NotFound", text).of_this_tenant());
        }
        let usual = query::PAGE_OF_REPORTS;
        let listing = self.listing::<Report<'_>>(&request.query, Kind::Health, usual)?;
        let all = state.scans.all();
        let scans = ended_scans(all.filter(|scan| !scan.is_active(now) && self.is_reported(scan)));
        let reports = |machine| self.reports(machine, &scans, now);
        let rows = listing.admitted(state.inventory.iter().flat_map(reports));
        let strangers: Vec<_> = listing
            .beyond(rows.len())
            .map(|n| Machine::number(state.inventory.len() + n, &self.config, &self.clock))
            .collect();
        let made_up = strangers
            .iter()
            .filter_map(|machine| self.report(machine, 0, &scans, now));
        Ok(listing.page(CONTEXT, rows, made_up, Report::item))
    }

    /// The rows of a machine. The newest is the first of them or the last.
    fn reports<'a>(
        &self,
        machine: &'a Machine,
        scans: &EndedScans<'_>,
        now: Duration,
    ) -> Vec<Report<'a>> {
        let config = &self.config.health;
        let mut dice = stable(self.config.seed, &format!("rows {}", machine.id));
        let rows = match (dice.f64() < config.never, dice.f64() < config.repeated) {
            (true, _) => 0,
            (false, true) => config.rows.max(1),
            (false, false) => 1,
        };
        let mut reports: Vec<_> = (0..rows)
            .filter_map(|row| self.report(machine, row, scans, now))
            .collect();
        if dice.bool() {
            reports.reverse();
        }
        reports
    }

    /// One row of a machine; row 0 is the newest.
    fn report<'a>(
        &self,
        machine: &'a Machine,
        row: u32,
        scans: &EndedScans<'_>,
        now: Duration,
    ) -> Option<Report<'a>> {
        let lag = within(
            &mut stable(self.config.seed, &format!("lag {}", machine.id)),
            &self.config.health.lag,
        );
        let drawn = Drawn::of(&machine.id, row, &self.config);
        let older = SignedDuration::try_from(lag).ok()? + ROW_AGE * i32::try_from(row).ok()?;
        let clock = &self.clock;
        let began = clock.wall(Duration::ZERO).checked_sub(older).ok()?;
        let own = |ago: Option<i64>| {
            let at = began.checked_sub(SignedDuration::from_secs(ago?));
            at.ok().map(|at| (at, "Completed"))
        };
        let refreshed = clock.wall(now).checked_sub(older).ok()?;
        let seen = |is_full| {
            let mut newest_first = scans.get(&(machine.id.as_str(), is_full))?.iter().rev();
            newest_first.find_map(|action| self.scan_of(action, refreshed, now))
        };
        let scheduled = || {
            let then = now.checked_sub(Duration::try_from(older).ok()?)?;
            let (began, ended) = self.last_scheduled(&machine.id, then)?;
            Some((self.reported_time(began, ended), "Completed"))
        };
        Some(Report {
            machine,
            id: drawn.id,
            mode: drawn.mode,
            signatures: up_to_date(drawn.old_signatures),
            refreshed,
            quick: seen(false).max(scheduled()).or_else(|| own(drawn.quick)),
            full: seen(true).or_else(|| own(drawn.full)),
        })
    }

    /// A scan as a report that was made at `refreshed` has it.
    fn scan_of(
        &self,
        action: &Action,
        refreshed: Timestamp,
        now: Duration,
    ) -> Option<(Timestamp, &'static str)> {
        let result = match action.status(now) {
            Status::Succeeded => "Completed",
            Status::Failed => "Failed",
            Status::Cancelled => "Cancelled",
            // It never ran, or runs still.
            Status::TimeOut | Status::Pending | Status::InProgress => return None,
        };
        let ended = action.span().ends;
        let time = self.reported_time(action.begins.min(ended), ended);
        (self.clock.wall(ended) <= refreshed).then_some((time, result))
    }

    fn reported_time(&self, began: Duration, ended: Duration) -> Timestamp {
        self.clock.wall(match self.config.health.time {
            ReportedTime::Start => began,
            ReportedTime::End => ended,
        })
    }
}

/// The scans that have ended of each machine and type, in the order in which they were started.
fn ended_scans<'a>(actions: impl Iterator<Item = &'a Action>) -> EndedScans<'a> {
    let mut scans = EndedScans::new();
    for action in actions {
        let of_machine = scans.entry((&*action.machine, action.full));
        of_machine.or_default().push(action);
    }
    scans
}

const fn up_to_date(is_old: bool) -> &'static str {
    if is_old { "False" } else { "True" }
}

impl<'a> Report<'a> {
    /// The row as it is sent.
    fn item(self) -> Item<'a> {
        let time = |scan: Option<(Timestamp, _)>| scan.map(|(at, _)| stamp(at));
        Item {
            id: guid(self.id),
            machine_id: &self.machine.id,
            computer_dns_name: &self.machine.computer_dns_name,
            os_kind: self.os_kind(),
            os_platform: self.machine.os_platform,
            os_version: OS_VERSION,
            av_mode: self.mode,
            av_signature_version: SIGNATURES,
            av_engine_version: ENGINE,
            av_platform_version: PLATFORM,
            last_seen_time: &self.machine.last_seen,
            quick_scan_result: result(self.quick),
            quick_scan_error: "",
            quick_scan_time: time(self.quick),
            full_scan_result: result(self.full),
            full_scan_error: "",
            full_scan_time: time(self.full),
            data_refresh_timestamp: stamp(self.refreshed),
            av_is_signature_up_to_date: self.signatures,
            av_is_engine_up_to_date: "True",
            av_is_platform_up_to_date: "Unknown",
            rbac_group_name: &self.machine.rbac_group_name,
            rbac_group_id: self.machine.rbac_group_id,
        }
    }

    fn os_kind(&self) -> &'static str {
        match self.machine.os_platform {
            "Linux" => "linux",
            "macOS" => "mac",
            _ => "windows",
        }
    }
}

const OS_VERSION: &str = "10.0.22631.4460";
const SIGNATURES: &str = "1.421.1279.0";
const ENGINE: &str = "1.1.24090.11";
const PLATFORM: &str = "4.18.24090.11";

fn result(scan: Option<(Timestamp, &'static str)>) -> &'static str {
    scan.map_or("", |(_, result)| result)
}

/// A row as it is sent, with the documented fields in their order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    id: String,
    machine_id: &'a str,
    computer_dns_name: &'a str,
    os_kind: &'static str,
    os_platform: &'static str,
    os_version: &'static str,
    av_mode: &'static str,
    av_signature_version: &'static str,
    av_engine_version: &'static str,
    av_platform_version: &'static str,
    last_seen_time: &'a str,
    quick_scan_result: &'static str,
    quick_scan_error: &'static str,
    quick_scan_time: Option<String>,
    full_scan_result: &'static str,
    full_scan_error: &'static str,
    full_scan_time: Option<String>,
    data_refresh_timestamp: String,
    av_is_signature_up_to_date: &'static str,
    av_is_engine_up_to_date: &'static str,
    av_is_platform_up_to_date: &'static str,
    rbac_group_name: &'a str,
    rbac_group_id: u32,
}

impl Row for Report<'_> {
    /// The documented ones; no time is among them.
    const FIELDS: &'static [(&'static str, Type)] = &[
        ("machineId", Type::Text),
        ("computerDnsName", Type::Text),
        ("osKind", Type::Text),
        ("osPlatform", Type::Text),
        ("osVersion", Type::Text),
        ("avMode", Type::Text),
        ("avSignatureVersion", Type::Text),
        ("avEngineVersion", Type::Text),
        ("avPlatformVersion", Type::Text),
        ("quickScanResult", Type::Text),
        ("quickScanError", Type::Text),
        ("fullScanResult", Type::Text),
        ("fullScanError", Type::Text),
        ("avIsSignatureUpToDate", Type::Text),
        ("avIsEngineUpToDate", Type::Text),
        ("avIsPlatformUpToDate", Type::Text),
        ("rbacGroupId", Type::Number),
    ];

    fn value(&self, field: &str) -> Value<'_> {
        Value::Text(Cow::Borrowed(match field {
            "machineId" => &self.machine.id,
            "computerDnsName" => &self.machine.computer_dns_name,
            "osKind" => self.os_kind(),
            "osPlatform" => self.machine.os_platform,
            "osVersion" => OS_VERSION,
            "avMode" => self.mode,
            "avSignatureVersion" => SIGNATURES,
            "avEngineVersion" => ENGINE,
            "avPlatformVersion" => PLATFORM,
            "quickScanResult" => result(self.quick),
            "fullScanResult" => result(self.full),
            "quickScanError" | "fullScanError" => "",
            "avIsSignatureUpToDate" => self.signatures,
            "avIsEngineUpToDate" => "True",
            "avIsPlatformUpToDate" => "Unknown",
            "rbacGroupId" => return Value::Number(self.machine.rbac_group_id.into()),
            _ => return Value::Null,
        }))
    }
}
