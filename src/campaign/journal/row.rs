//! A stored row in the form of the results file.

use std::str::FromStr;

use super::JournalError;
use crate::{
    campaign::outcome::Outcome,
    results::{DeviceCells, Layout, Rewrite, Row},
    roster::split_extra,
    store::{Identity, Store, StoreError, StoredRow},
};

/// The columns and the dialect of a campaign's results.
///
/// # Errors
/// The state cannot be read.
pub fn layout(store: &Store, excel: bool) -> Result<Layout, StoreError> {
    let columns = &store.identity().columns;
    Ok(Layout::with(columns, excel, store.is_verified()?))
}

pub(super) fn put(
    file: &mut Rewrite,
    row: &StoredRow,
    outcome: Outcome,
    identity: &Identity,
) -> Result<(), JournalError> {
    let extra = split_extra(&row.extra);
    Ok(file.row(&result(row, outcome, identity, &extra))?)
}

/// A stored row as the results show it.
pub(super) fn result<'a>(
    row: &'a StoredRow,
    outcome: Outcome,
    identity: &'a Identity,
    extra: &'a [String],
) -> Row<'a> {
    Row {
        machine_id: &row.machine_id,
        outcome: outcome.as_str(),
        action_id: &row.action_id,
        action_status: &row.action_status,
        http_status: row.http_status,
        error_code: &row.error_code,
        message: message(row, outcome),
        attempts: row.attempts,
        first_sent: row.first_sent,
        last_answer: row.last_answer,
        scan_type: row.scan_type.as_deref().unwrap_or(&identity.scan_type),
        correlation_id: &row.correlation_id,
        campaign: &identity.campaign,
        action_created: &row.action_created,
        device: row
            .device
            .as_ref()
            .map_or_else(DeviceCells::default, |device| DeviceCells {
                scanned: device.scanned,
                result: &device.result,
                verified: &device.verified,
            }),
        extra,
    }
}

/// The reason for this outcome, as text.
#[must_use]
pub fn message(row: &StoredRow, outcome: Outcome) -> &str {
    match (&row.outcome, outcome) {
        (None, Outcome::Unsure) => {
            "a scan may have been started; the next run of the same command looks it up"
        }
        (None, Outcome::NotAttempted) if row.message.is_empty() => {
            "not reached before the campaign stopped"
        }
        _ => &row.message,
    }
}

/// The outcome that a row has if the run ends now.
#[must_use]
pub fn outcome(row: &StoredRow) -> Outcome {
    match &row.outcome {
        Some(word) => Outcome::from_str(word).unwrap_or(Outcome::Unsure),
        None if row.unsure => Outcome::Unsure,
        None => Outcome::NotAttempted,
    }
}
