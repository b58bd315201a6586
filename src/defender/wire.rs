//! The API's JSON bodies (MDE-API.md, sections 1 to 3). The mock tenant shares these and nothing else.

use serde::{Deserialize, Deserializer, Serialize};

use crate::plain_text::kept;

/// The body that starts a scan. The names are case-sensitive, and both are required.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StartScan<'a> {
    /// The comment, which the portal shows.
    pub comment: std::borrow::Cow<'a, str>,
    /// `Quick` or `Full`.
    pub scan_type: std::borrow::Cow<'a, str>,
}

/// The body that cancels an action.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Cancel<'a> {
    /// Shown beside the action in the portal.
    pub comment: std::borrow::Cow<'a, str>,
}

/// An action: one scan on one machine. Only `id` is certain; every other field may be null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineAction {
    /// The action's id, a GUID.
    #[serde(deserialize_with = "plain")]
    pub id: String,
    /// `RunAntiVirusScan` for scans.
    #[serde(default, rename = "type", deserialize_with = "plain")]
    pub kind: Option<String>,
    /// The display name or the id of the application that requested it.
    #[serde(default, deserialize_with = "plain")]
    pub requestor: Option<String>,
    /// The comment of the request, which contains our tag.
    #[serde(default, deserialize_with = "plain")]
    pub requestor_comment: Option<String>,
    /// `Pending`, `InProgress`, `Succeeded`, `Failed`, `TimeOut` or `Cancelled`. An unknown status is not final.
    #[serde(default, deserialize_with = "plain")]
    pub status: Option<String>,
    /// The machine's id.
    #[serde(default, deserialize_with = "plain")]
    pub machine_id: Option<String>,
    /// The machine's DNS name.
    #[serde(default, deserialize_with = "plain")]
    pub computer_dns_name: Option<String>,
    /// When it was created: RFC 3339 with 0 to 7 fraction digits, UTC.
    #[serde(default, deserialize_with = "plain")]
    pub creation_date_time_utc: Option<String>,
    /// When it was last updated, in the same format. The documentation calls it `lastUpdateTimeUtc`, the service
    /// `lastUpdateDateTimeUtc`; both are read.
    #[serde(default, alias = "lastUpdateTimeUtc", deserialize_with = "plain")]
    pub last_update_date_time_utc: Option<String>,
}

/// A machine of the inventory (MDE-API.md, section 4). Only `id` is certain; every other field may be null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// 40 hex digits.
    #[serde(deserialize_with = "plain")]
    pub id: String,
    /// The DNS name. Several machines can have the same.
    #[serde(default, deserialize_with = "plain")]
    pub computer_dns_name: Option<String>,
    /// `Windows11`, `Linux`, ….
    #[serde(default, deserialize_with = "plain")]
    pub os_platform: Option<String>,
    /// `Active`, `Inactive`, ….
    #[serde(default, deserialize_with = "plain")]
    pub health_status: Option<String>,
    /// `Onboarded`, `CanBeOnboarded`, ….
    #[serde(default, deserialize_with = "plain")]
    pub onboarding_status: Option<String>,
    /// `None`, `Low`, `Medium`, `High`.
    #[serde(default, deserialize_with = "plain")]
    pub risk_score: Option<String>,
    /// `None`, `Low`, `Medium`, `High`.
    #[serde(default, deserialize_with = "plain")]
    pub exposure_level: Option<String>,
    /// The device group.
    #[serde(default, deserialize_with = "plain")]
    pub rbac_group_name: Option<String>,
    /// Tags, in no particular order.
    #[serde(default, deserialize_with = "plain")]
    pub machine_tags: Option<Vec<String>>,
    /// When it was last seen: RFC 3339, UTC.
    #[serde(default, deserialize_with = "plain")]
    pub last_seen: Option<String>,
    /// The device's id in Entra ID.
    #[serde(default, deserialize_with = "plain")]
    pub aad_device_id: Option<String>,
    /// Whether it was excluded from the views of vulnerability management.
    #[serde(default)]
    pub is_excluded: Option<bool>,
    /// Why it was excluded.
    #[serde(default)]
    pub exclusion_reason: Option<String>,
    /// The id of the machine that it was merged into, because they are the same.
    #[serde(default)]
    pub merged_into_machine_id: Option<String>,
}

/// What a device reports of its antivirus (MDE-API.md, section 7). Several rows of one machine are possible. A field
/// that is null, missing or of another type than documented counts as missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeviceAvInfo {
    /// The row's id, a GUID.
    #[serde(deserialize_with = "loose")]
    pub id: Option<String>,
    /// The machine's id.
    #[serde(deserialize_with = "loose")]
    pub machine_id: Option<String>,
    /// The DNS name.
    #[serde(deserialize_with = "loose")]
    pub computer_dns_name: Option<String>,
    /// A number from 0 to 5, as text.
    #[serde(deserialize_with = "loose")]
    pub av_mode: Option<String>,
    /// `True`, `False` or `Unknown`.
    #[serde(deserialize_with = "loose")]
    pub av_is_signature_up_to_date: Option<String>,
    /// `True`, `False` or `Unknown`.
    #[serde(deserialize_with = "loose")]
    pub av_is_engine_up_to_date: Option<String>,
    /// `Completed` in the documentation's example; other words are not documented.
    #[serde(deserialize_with = "loose")]
    pub quick_scan_result: Option<String>,
    /// RFC 3339, UTC.
    #[serde(deserialize_with = "loose")]
    pub quick_scan_time: Option<String>,
    /// As that of the quick scan.
    #[serde(deserialize_with = "loose")]
    pub full_scan_result: Option<String>,
    /// RFC 3339, UTC.
    #[serde(deserialize_with = "loose")]
    pub full_scan_time: Option<String>,
    /// When the report was made: RFC 3339, UTC.
    #[serde(deserialize_with = "loose")]
    pub data_refresh_timestamp: Option<String>,
}

/// An alert (MDE-API.md, section 8), without what it says about people. A field that is null, missing or of another
/// type than documented counts as missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Alert {
    /// The alert's id.
    #[serde(deserialize_with = "loose")]
    pub id: Option<String>,
    /// The incident that it belongs to; a number, as text.
    #[serde(deserialize_with = "loose")]
    pub incident_id: Option<String>,
    /// The machine's id.
    #[serde(deserialize_with = "loose")]
    pub machine_id: Option<String>,
    /// The DNS name.
    #[serde(deserialize_with = "loose")]
    pub computer_dns_name: Option<String>,
    /// `UnSpecified`, `Informational`, `Low`, `Medium` or `High`.
    #[serde(deserialize_with = "loose")]
    pub severity: Option<String>,
    /// `New`, `InProgress`, `Resolved`, ….
    #[serde(deserialize_with = "loose")]
    pub status: Option<String>,
    /// `Malware`, ….
    #[serde(deserialize_with = "loose")]
    pub category: Option<String>,
    /// `WindowsDefenderAv` is the antivirus.
    #[serde(deserialize_with = "loose")]
    pub detection_source: Option<String>,
    /// The family of what was found.
    #[serde(deserialize_with = "loose")]
    pub threat_family_name: Option<String>,
    /// What was found.
    #[serde(deserialize_with = "loose")]
    pub threat_name: Option<String>,
    /// The title.
    #[serde(deserialize_with = "loose")]
    pub title: Option<String>,
    /// When the alert was created: RFC 3339, UTC.
    #[serde(deserialize_with = "loose")]
    pub alert_creation_time: Option<String>,
    /// When the last event of it was.
    #[serde(deserialize_with = "loose")]
    pub last_event_time: Option<String>,
    /// When it was last changed.
    #[serde(deserialize_with = "loose")]
    pub last_update_time: Option<String>,
}

/// A page of a listing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page<T> {
    /// The page's items, newest first.
    pub value: Vec<T>,
    /// How many items the whole listing has, if that was asked for.
    #[serde(
        rename = "@odata.count",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub count: Option<u64>,
}

/// Parses a body, which may begin with a byte-order mark. `None` if it is something else.
#[must_use]
pub fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    serde_json::from_slice(without_mark(body)).ok()
}

/// The body without a byte-order mark.
#[must_use]
pub fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// Text from the service. It may have been written by anybody who may name a machine or write a comment.
trait Plain {
    fn plain(self) -> Self;
}

impl Plain for String {
    fn plain(self) -> Self {
        kept(&self)
    }
}

impl<T: Plain> Plain for Option<T> {
    fn plain(self) -> Self {
        self.map(T::plain)
    }
}

impl<T: Plain> Plain for Vec<T> {
    fn plain(self) -> Self {
        self.into_iter().map(T::plain).collect()
    }
}

/// Reads text as [one plain line](kept).
fn plain<'de, D: Deserializer<'de>, T: Plain + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    T::deserialize(from).map(T::plain)
}

/// Reads text, and numbers and booleans as text, as [one plain line](kept). Anything else is missing.
fn loose<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(match value {
        serde_json::Value::String(text) => Some(text.plain()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(is) => Some(is.to_string()),
        _ => None,
    })
}

/// The envelope of every error.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
    /// The error.
    pub error: ErrorBody,
}

/// An error of the service. Any field may be missing.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The code, which decisions are based on.
    #[serde(default, deserialize_with = "plain")]
    pub code: Option<String>,
    /// Free text that may change.
    #[serde(default, deserialize_with = "plain")]
    pub message: Option<String>,
    /// The correlation id to quote to support.
    #[serde(default, deserialize_with = "plain")]
    pub target: Option<String>,
}
