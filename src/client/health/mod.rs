//! What the devices report of their own antivirus (MDE-API.md, section 7), read page by page.
//!
//! - this file: reading the list. [`report`](self): what is kept of it, and what it says about one machine.
//!
//! The report is a snapshot that the service makes from time to time, so it may be older than what it tells of.

mod report;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

pub use report::{AvMode, DeviceHealth, HealthReport, LastScan, ScanChoice, UpToDate};

use super::{
    caller::{Answered, CallError, Caller},
    paging::{Paging, Step},
    reply::Said,
};
use crate::{
    defender::{
        Call, Defender, Order,
        wire::{self, DeviceAvInfo, Page},
    },
    quota::Kind,
};

/// The largest page that the API returns. It returns 20 rows where none is named (MDE-API.md, section 7).
const TOP: u32 = 10_000;

/// How many times the list is read in all if its rows move while it is read.
const MAX_READS: u32 = 3;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The application may not read it.
    #[error(
        "the application may not read the devices' antivirus report: {}; it needs the role Machine.Read.All, with an \
         administrator's consent",
        .0.words()
    )]
    Forbidden(Said),
    /// The API at this address does not have it.
    #[error(
        "the API at this address has no antivirus report of the devices (HTTP {}: {}); some clouds do not",
        .0.status,
        .0.words()
    )]
    Missing(Said),
    /// The service shows the same rows again, or ever more.
    #[error(
        "the devices' antivirus report has no end: after {0} rows the service shows the same or ever more"
    )]
    Endless(u64),
    /// A call failed.
    #[error("the devices' antivirus report could not be read: {0}")]
    Call(CallError),
}

impl From<CallError> for HealthError {
    fn from(e: CallError) -> Self {
        match e {
            CallError::Refused(said) if said.status == 403 => Self::Forbidden(said),
            CallError::Refused(said) if is_missing(said.status) => Self::Missing(said),
            CallError::Unanswered { trouble, .. } if is_missing(trouble.said.status) => {
                Self::Missing(trouble.said)
            }
            e => Self::Call(e),
        }
    }
}

/// The statuses of a call that the service does not know.
const fn is_missing(status: u16) -> bool {
    matches!(status, 400 | 404 | 405 | 410)
}

/// Reads the report to its end: one call for ten thousand rows, at most 30 calls a minute. `progress` is called after
/// each page.
///
/// # Errors
/// The application may not read it, the API does not have it, it has no end, or a call failed.
pub async fn read<D: Defender>(
    caller: &Caller<D>,
    mut progress: impl FnMut(&HealthReport),
) -> Result<HealthReport, HealthError> {
    let mut report = HealthReport::default();
    let mut paging = Paging::default();
    let mut order = Order {
        count: true,
        newest_first: false,
    };
    let mut reads = 1;
    loop {
        let Page { value, count } = page(caller, paging.skip(), &mut order).await?;
        let keys: Vec<String> = value.iter().map(key).collect();
        let new = keys.iter().filter(|key| paging.is_new(key)).count();
        let step = paging.came(keys.iter().map(String::as_str), new, count);
        report.calls += 1;
        report.rows += u64::try_from(new).unwrap_or(u64::MAX);
        for row in &value {
            report.add(row);
        }
        progress(&report);
        match step {
            Step::More => {}
            Step::End => return Ok(report),
            Step::Moved if reads < MAX_READS => {
                reads += 1;
                paging = Paging::default();
                report.rows = 0;
            }
            Step::Moved => {
                report.moved = true;
                return Ok(report);
            }
            Step::Endless => return Err(HealthError::Endless(report.rows)),
        }
    }
}

async fn page<D: Defender>(
    caller: &Caller<D>,
    skip: u32,
    order: &mut Order,
) -> Result<Page<DeviceAvInfo>, HealthError> {
    loop {
        let call = Call::DeviceAvInfo {
            skip,
            top: TOP,
            order: *order,
        };
        return match caller.ask(Kind::Health, &call).await {
            Ok(Answered::Found(answer)) => Ok(wire::json(&answer.body).unwrap_or(Page {
                value: Vec::new(),
                count: None,
            })),
            Ok(Answered::NotFound) => Err(HealthError::Missing(Said {
                status: 404,
                ..Said::default()
            })),
            // `$count` is not documented for this list.
            Err(CallError::Refused(said)) if said.status == 400 && order.count => {
                order.count = false;
                continue;
            }
            Err(e) => Err(e.into()),
        };
    }
}

/// What tells a row from all others: the documentation says that a machine has one for each combination of these. The
/// times are left out, because a report that is made anew while the list is read is the same row.
fn key(row: &DeviceAvInfo) -> String {
    let mut hasher = DefaultHasher::new();
    (
        &row.id,
        row.machine_id.as_deref().map(str::to_ascii_lowercase),
        &row.computer_dns_name,
        &row.av_mode,
        (
            &row.av_is_signature_up_to_date,
            &row.av_is_engine_up_to_date,
        ),
        (&row.quick_scan_result, &row.full_scan_result),
    )
        .hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
