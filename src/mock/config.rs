//! The settings of the mock.

use std::{ops::RangeInclusive, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;

use super::{fault_rule::Rule, outage::Outage};

mod alerts;
mod health;
mod latency;
mod listing;
mod quota;
mod sign_in;

pub use alerts::AlertsConfig;
pub use health::{HealthConfig, ReportedTime};
pub use latency::Latency;
pub(super) use latency::within;
pub use listing::{Endless, ListOption, Moving, Vanish};
pub use quota::{Kinds, Limit, Model, QuotaConfig, RetryAfter};
pub use sign_in::{SignIn, Tokens};

/// The tenant's settings. By default it has the documented quota, no faults and no latency.
#[derive(Debug, Clone)]
pub struct MockConfig {
    /// The seed of all random decisions: the same seed and the same calls give the same answers.
    pub seed: u64,
    /// The server's wall clock when the tenant is created. The `Date` header and creation times continue from it.
    pub started: Timestamp,
    /// How many calls it takes.
    pub quota: QuotaConfig,
    /// The time from a call's arrival to its answer. The call is counted at a random moment in between.
    pub latency: Latency,
    /// How long an action stays out of listings after its creation.
    pub listing_lag: RangeInclusive<Duration>,
    /// The time from a scan's creation to its end. Up to a third of it is `Pending`.
    pub scan_time: RangeInclusive<Duration>,
    /// The same for scans of others, from when they are first seen. `None` means [`scan_time`](Self::scan_time).
    pub foreign_scan_time: Option<RangeInclusive<Duration>>,
    /// How long a scan of a machine that is away stays `Pending` until it ends as `TimeOut`.
    pub offline_time_out: Duration,
    /// If set, the machines that are away come and go. Those that are here were seen just now, by the inventory.
    pub coming: Option<Coming>,
    /// How scans end.
    pub ends: Ends,
    /// What goes wrong.
    pub chances: Chances,
    /// The answer to a start on a machine that is being scanned.
    pub busy_shape: BusyShape,
    /// How comments are returned.
    pub comments: Comments,
    /// The answer to cancelling an action that has ended.
    pub cancel_of_final: CancelOfFinal,
    /// Which machines exist.
    pub fleet: Fleet,
    /// What the inventory's machines are like.
    pub make_up: MakeUp,
    /// How many machines the inventory lists, unless [`Fleet::Only`] names them. Their ids depend on the seed.
    pub machines: usize,
    /// One machine in this many of that inventory was merged into the one before it, and as many are excluded. 0 means
    /// none.
    pub departed_every: usize,
    /// Whether a filter that no machine matches is answered with 404 instead of an empty list.
    pub empty_inventory_is_404: bool,
    /// What the machines report of their antivirus.
    pub health: HealthConfig,
    /// The alerts.
    pub alerts: AlertsConfig,
    /// Tokens and roles.
    pub sign_in: SignIn,
    /// When the network or the service is down. Outages take precedence over faults and chances.
    pub outages: Vec<Outage>,
    /// Machines on which every start is answered with 500 and starts no scan.
    pub poison: Vec<String>,
    /// Machines on which every start is answered with the service's own 403, whose text names no role. In the inventory
    /// they have the tag `Restricted security operations`.
    pub restricted: Vec<String>,
    /// From this time after the tenant's start on, every start is answered with the service's own 403.
    pub forbid_starts_from: Option<Duration>,
    /// What that 403 says.
    pub forbid_words: ForbidWords,
    /// The most rows in a page of actions or machines, whatever `$top` says.
    pub page_limit: Option<u32>,
    /// How the list of actions changes while it is read.
    pub moving: Moving,
    /// Whether and how lists have no end.
    pub endless: Option<Endless>,
    /// Options of listings that are answered with 400.
    pub refuses: Vec<ListOption>,
    /// A script of faults. The first rule that matches a call decides, and then chances do not apply.
    pub faults: Vec<Rule>,
    /// How long after its end a scan is remembered, so that long campaigns need little memory. `None` means for ever.
    /// Where it is set, the recorder keeps the ids only of machines that were scanned more than once.
    pub forgets_after: Option<Duration>,
    /// If this is off, the recorder only counts calls, and keeps neither times nor scans. For benchmarks.
    pub record: bool,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            // Any time will do, as long as it is the same in every run.
            started: Timestamp::constant(1_767_225_600, 0),
            quota: QuotaConfig::default(),
            latency: Latency::NONE,
            listing_lag: Duration::ZERO..=Duration::ZERO,
            scan_time: Duration::from_secs(30)..=Duration::from_mins(2),
            foreign_scan_time: None,
            // Documented for isolation only (MDE-API.md, section 3).
            offline_time_out: Duration::from_hours(72),
            coming: None,
            ends: Ends::default(),
            chances: Chances::default(),
            busy_shape: BusyShape::Error,
            comments: Comments::Whole,
            cancel_of_final: CancelOfFinal::Refuse,
            fleet: Fleet::Any,
            make_up: MakeUp::default(),
            machines: 100,
            departed_every: 0,
            empty_inventory_is_404: false,
            health: HealthConfig::default(),
            alerts: AlertsConfig::default(),
            sign_in: SignIn::default(),
            outages: Vec::new(),
            poison: Vec::new(),
            restricted: Vec::new(),
            forbid_starts_from: None,
            forbid_words: ForbidWords::Roles,
            page_limit: None,
            moving: Moving::default(),
            endless: None,
            refuses: Vec::new(),
            faults: Vec::new(),
            forgets_after: None,
            record: true,
        }
    }
}

impl MockConfig {
    /// A tenant for demonstrations: a little latency, some busy machines, and scans that end within seconds.
    #[must_use]
    pub fn demo() -> Self {
        Self {
            latency: (Duration::from_millis(20)..=Duration::from_millis(150)).into(),
            scan_time: Duration::from_secs(4)..=Duration::from_secs(12),
            ends: Ends {
                failed: 0.02,
                ..Ends::default()
            },
            chances: Chances {
                busy: 0.05,
                ..Chances::default()
            },
            busy_shape: BusyShape::Mixed,
            departed_every: 25,
            ..Self::default()
        }
    }
}

/// Which machines a tenant knows. A start on any other is answered with 404.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fleet {
    /// Any.
    #[default]
    Any,
    /// Those whose ids are 40 hex digits, like the service's own.
    Hex40,
    /// Those whose ids are 40 or 32 hex digits.
    Hex,
    /// Those with these ids. They are also the inventory.
    Only(Vec<String>),
}

/// What the inventory's machines are like.
#[derive(Debug, Clone, PartialEq)]
pub struct MakeUp {
    /// The device groups, each with as many machines as any other. They are numbered from 1.
    pub groups: Vec<String>,
    /// The tags, each on as many machines as any other. An empty one leaves machines without a tag.
    pub tags: Vec<String>,
    /// The share of machines, from 0 to 1, whose `healthStatus` is `Inactive`.
    pub inactive: f64,
    /// The share of machines, from 0 to 1, that have the name of the one before, as after a computer was set up anew.
    pub repeated_names: f64,
    /// What follows the host in each name, without a dot between them; empty for short names.
    pub domain: String,
}

impl Default for MakeUp {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            groups: words(&["Workstations", "Servers", "Laboratory"]),
            tags: words(&["", "", "pilot", "kiosk"]),
            inactive: 0.2,
            repeated_names: 0.0,
            domain: String::new(),
        }
    }
}

/// The chances that something goes wrong, each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Chances {
    /// A machine that is being scanned for somebody else when the first start on it arrives.
    pub busy: f64,
    /// A machine that the tenant does not know.
    pub unknown: f64,
    /// A machine that cannot be scanned.
    pub unsupported: f64,
    /// A machine that is away: its scan stays `Pending` until [`MockConfig::offline_time_out`], or until it is back, if
    /// such machines are [`coming`](MockConfig::coming) and going.
    pub offline: f64,
    /// A start answered with 404 although the machine exists.
    pub spurious_404: f64,
    /// A 5xx answer to a call that was not carried out.
    pub error_before: f64,
    /// A 5xx answer to a call that was carried out.
    pub error_after: f64,
    /// A connection that is cut before the call was carried out. The call may have been counted.
    pub reset_before: f64,
    /// A connection that is cut after the call was carried out.
    pub reset_after: f64,
    /// A 429 to a call that the windows have room for, because earlier calls took too much of the service's time.
    pub cpu_429: f64,
    /// An answer to a call that was carried out whose body is cut off.
    pub truncated: f64,
    /// An answer to a call that was carried out whose body is not JSON.
    pub not_json: f64,
    /// An answer to a call that was carried out whose body is a page of HTML.
    pub html: f64,
    /// The share of the 5xx answers that go out before the call is counted, which then happens up to 4 s later.
    pub early: f64,
}

/// How the machines come and go that are away when the tenant starts ([`Chances::offline`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coming {
    /// For how long one is away, each time.
    pub away_for: RangeInclusive<Duration>,
    /// For how long it is here in between; `None` means that it stays once it is back.
    pub here_for: Option<RangeInclusive<Duration>>,
}

/// How scans end: the shares, from 0 to 1, of those that do not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ends {
    /// `Failed`
    pub failed: f64,
    /// `TimeOut`
    pub timed_out: f64,
    /// `Cancelled`, although nobody cancelled them.
    pub cancelled: f64,
}

/// The answer to a start on a machine that is being scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BusyShape {
    /// 400 `ActiveRequestAlreadyExists`.
    Error,
    /// The same error after a byte-order mark.
    ErrorWithMark,
    /// The same error with its code in lower case, `activerequestalreadyexists`.
    ErrorInLowerCase,
    /// 400 `BadRequest`, where only the message says so.
    BadRequest,
    /// 200 with the running action.
    #[serde(rename = "success-200")]
    Success200,
    /// 201 with the running action.
    #[serde(rename = "success")]
    Success201,
    /// [`Self::Error`] or either success, at random.
    Mixed,
}

/// How an action's comment is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comments {
    /// As it was sent.
    Whole,
    /// Cut off after this many characters.
    Truncated(usize),
    /// Not at all.
    Null,
}

/// The text of the 403 that every start is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForbidWords {
    /// `Missing application roles. …`, as after a consent was revoked.
    Roles,
    /// A text that names no role.
    Plain,
}

/// The answer to cancelling an action that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CancelOfFinal {
    /// 400 `BadRequest`.
    Refuse,
    /// 200 with the unchanged action.
    Answer,
}
