//! One line of the results.

use jiff::Timestamp;

/// What became of one target. Empty text is an empty cell.
#[derive(Debug, Clone, Default)]
pub struct Row<'a> {
    /// The id as it was typed.
    pub machine_id: &'a str,
    /// The outcome's name.
    pub outcome: &'a str,
    /// The scan's action.
    pub action_id: &'a str,
    /// The scan's last known state.
    pub action_status: &'a str,
    /// The status of the last answer.
    pub http_status: Option<u16>,
    /// The code of the last error.
    pub error_code: &'a str,
    /// Why, in words.
    pub message: &'a str,
    /// How many times the scan was asked for.
    pub attempts: u32,
    /// When it was asked for first.
    pub first_sent: Option<Timestamp>,
    /// When the last answer came.
    pub last_answer: Option<Timestamp>,
    /// `Quick` or `Full`.
    pub scan_type: &'a str,
    /// What to give to Microsoft's support.
    pub correlation_id: &'a str,
    /// The campaign's id: by it a file is known again.
    pub campaign: &'a str,
    /// When the action was made, as the service wrote it.
    pub action_created: &'a str,
    /// The input's other columns, in the layout's order. Missing ones are empty.
    pub extra: &'a [String],
}
