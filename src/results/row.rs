//! One line of the results.

use jiff::Timestamp;

/// What a device reports of its last scan.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeviceCells<'a> {
    /// When that scan was.
    pub scanned: Option<Timestamp>,
    /// How it ended, in the device's words.
    pub result: &'a str,
    /// Whether it is the scan that was asked for: `yes`, `not yet`, `no report`, or nothing if it was not asked.
    pub verified: &'a str,
}

/// How one target ended. An empty text is an empty cell.
#[derive(Debug, Clone, Default)]
pub struct Row<'a> {
    /// The id as typed.
    pub machine_id: &'a str,
    /// The outcome.
    pub outcome: &'a str,
    /// The id of the scan's action.
    pub action_id: &'a str,
    /// The scan's last known status.
    pub action_status: &'a str,
    /// The status of the last answer.
    pub http_status: Option<u16>,
    /// The code of the last error.
    pub error_code: &'a str,
    /// The reason, as text.
    pub message: &'a str,
    /// How many POSTs were sent.
    pub attempts: u32,
    /// When the first POST was sent.
    pub first_sent: Option<Timestamp>,
    /// When the last answer came.
    pub last_answer: Option<Timestamp>,
    /// `Quick` or `Full`.
    pub scan_type: &'a str,
    /// The id to quote to Microsoft's support.
    pub correlation_id: &'a str,
    /// The campaign's id, by which a file's owner is recognised.
    pub campaign: &'a str,
    /// When the action was created, as the service wrote it.
    pub action_created: &'a str,
    /// What the device itself reports of its scan. It is written where the layout has columns for it.
    pub device: DeviceCells<'a>,
    /// The input's other columns, in the layout's order. Missing ones are empty.
    pub extra: &'a [String],
}
