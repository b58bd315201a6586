//! What the devices report of their own antivirus (MDE-API.md, section 7), read page by page.
//!
//! - this file: reading the list. [`report`](self): what is kept of it, and what it says about one machine.
//!
//! The report is a snapshot that the service makes from time to time, so it may be older than what it tells of.

mod report;

use std::{
    borrow::Cow,
    convert::Infallible,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

pub use report::{AvMode, DeviceHealth, HealthReport, LastScan, ScanChoice, UpToDate};

use super::{
    caller::{CallError, Caller},
    list::{self, Broken, Listed, Progress, TOP},
    reply::Said,
};
use crate::defender::{Call, Defender, Order, wire::DeviceAvInfo};

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
            e => match list::missing(&e) {
                Some(said) => Self::Missing(said.clone()),
                None => Self::Call(e),
            },
        }
    }
}

/// The list of reports.
struct Reports;

impl Listed for Reports {
    type Row = DeviceAvInfo;
    const EMPTY_IS_404: bool = false;

    fn call(&self, skip: u32, order: Order) -> Call {
        Call::DeviceAvInfo {
            skip,
            top: TOP,
            order,
        }
    }

    /// The documentation says that a machine has a row for each combination of these. The times are left out, because a
    /// report that is made anew while the list is read is the same row.
    fn key(row: &DeviceAvInfo) -> Cow<'_, str> {
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
        Cow::Owned(format!("{:016x}", hasher.finish()))
    }
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
    let read = list::read(caller, &Reports, |came| {
        match came {
            Progress::Page { rows, new } => {
                report.calls += 1;
                report.rows += u64::try_from(new).unwrap_or(u64::MAX);
                for row in rows {
                    report.add(row);
                }
                progress(&report);
            }
            Progress::Again => report.rows = 0,
        }
        Ok::<_, Infallible>(())
    });
    match read.await {
        Ok(moved) => {
            report.moved = moved;
            Ok(report)
        }
        Err(Broken::Call(e)) => Err(e.into()),
        Err(Broken::NotFound) => Err(HealthError::Missing(list::not_found())),
        Err(Broken::Endless) => Err(HealthError::Endless(report.rows)),
        Err(Broken::Taker(never)) => match never {},
    }
}
