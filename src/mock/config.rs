//! Every setting of the mock.

use std::{ops::RangeInclusive, time::Duration};

use jiff::Timestamp;

use super::{
    fault_plan::Rule,
    listing::{Endless, ListOption, Moving},
    outage::Outage,
};

/// The tenant's settings. The default is polite: the documented quota, no faults, no latency.
#[derive(Debug, Clone)]
pub struct MockConfig {
    /// Everything random comes from here: the same seed and the same calls give the same answers.
    pub seed: u64,
    /// The server's wall clock when the tenant is made; the `Date` header and creation times go on from it.
    pub started: Timestamp,
    /// How many calls it takes.
    pub quota: QuotaConfig,
    /// Time from a call's arrival to its answer. The call is counted at a random moment in between.
    pub latency: RangeInclusive<Duration>,
    /// How long an action stays out of listings after its creation.
    pub listing_lag: RangeInclusive<Duration>,
    /// A scan's time from its creation to its end, of which up to a third is `Pending`.
    pub scan_time: RangeInclusive<Duration>,
    /// The same of somebody else's scans, from when they are first seen; without it, as long as the others take.
    pub foreign_scan_time: Option<RangeInclusive<Duration>>,
    /// How scans end.
    pub ends: Ends,
    /// What goes wrong.
    pub chances: Chances,
    /// What a second start on a machine under scan is answered with.
    pub busy_shape: BusyShape,
    /// How comments come back.
    pub comments: Comments,
    /// What cancelling an ended action is answered with.
    pub cancel_of_final: CancelOfFinal,
    /// Which machines there are.
    pub fleet: Fleet,
    /// How many machines the inventory lists, where the fleet is not named one by one; their ids come from the seed.
    pub machines: usize,
    /// Every so many-th machine of that inventory was merged into the one before it, and as many are excluded; 0 for
    /// none.
    pub departed_every: usize,
    /// No matching machine is answered with 404 and not with an empty list.
    pub empty_inventory_is_404: bool,
    /// Tokens and roles.
    pub sign_in: SignIn,
    /// When the network or the service is down. An outage decides before a script and chances do.
    pub outages: Vec<Outage>,
    /// Machines each start on which gets a 500 from the service, and no scan.
    pub poison: Vec<String>,
    /// Machines each start on which gets the service's own 403, with words that name no role.
    pub restricted: Vec<String>,
    /// From this moment after the tenant's start on every start gets the service's own 403.
    pub forbid_starts_from: Option<Duration>,
    /// What that 403 says.
    pub forbid_words: ForbidWords,
    /// The most rows of any page of actions or machines, whatever `$top` says.
    pub page_limit: Option<u32>,
    /// How the list of actions moves while it is read.
    pub moving: Moving,
    /// Whether, and how, lists have no end.
    pub endless: Option<Endless>,
    /// Options of listings that are answered with 400.
    pub refuses: Vec<ListOption>,
    /// A script of faults; the first rule that matches a call decides it, and chances are not drawn.
    pub faults: Vec<Rule>,
    /// Off, the recorder only counts calls and keeps neither times nor scans: for benchmarks.
    pub record: bool,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            // Any moment will do, as long as it is the same in every run.
            started: Timestamp::constant(1_767_225_600, 0),
            quota: QuotaConfig::default(),
            latency: Duration::ZERO..=Duration::ZERO,
            listing_lag: Duration::ZERO..=Duration::ZERO,
            scan_time: Duration::from_secs(30)..=Duration::from_mins(2),
            foreign_scan_time: None,
            ends: Ends::default(),
            chances: Chances::default(),
            busy_shape: BusyShape::Error,
            comments: Comments::Whole,
            cancel_of_final: CancelOfFinal::Refuse,
            fleet: Fleet::Any,
            machines: 100,
            departed_every: 0,
            empty_inventory_is_404: false,
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
            record: true,
        }
    }
}

impl MockConfig {
    /// A tenant that is nice to watch: a little latency, some busy machines, scans that end within seconds.
    #[must_use]
    pub fn demo() -> Self {
        Self {
            latency: Duration::from_millis(20)..=Duration::from_millis(150),
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

/// Which machines a tenant knows; a start on any other is answered with 404.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fleet {
    /// Any that can be named.
    #[default]
    Any,
    /// Those whose ids are 40 hex digits, as the service makes them.
    Hex40,
    /// Those, and others whose ids are 32 hex digits.
    Hex,
    /// These, by their ids; they are the inventory.
    Only(Vec<String>),
}

/// So many calls in a window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Calls a window holds.
    pub calls: u32,
    /// The window's length; one of no length limits nothing.
    pub window: Duration,
}

/// How a window is counted. Microsoft has not said which it is (MDE-API.md, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// Any interval of the window's length, both of its ends included.
    Sliding,
    /// Windows back to back; one begins this long after the tenant's start.
    Fixed {
        /// Where the windows begin.
        phase: Duration,
    },
    /// A bucket of tokens, full at the start, refilled steadily with a limit's calls in each of its windows.
    Bucket {
        /// What the bucket holds; without a size as many as the limit's calls.
        size: Option<u32>,
    },
}

/// Whether the kinds of calls (start, list, get, cancel, machines) are counted by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinds {
    /// Each kind has windows of its own.
    Apart,
    /// All kinds share the windows.
    Together,
}

/// The tenant's quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaConfig {
    /// The limits, all of which hold at once. None: everything is admitted.
    pub limits: Vec<Limit>,
    /// How the windows are counted.
    pub model: Model,
    /// Refused calls take a place in the windows too.
    pub count_refused: bool,
    /// Whether the kinds are counted by themselves.
    pub kinds: Kinds,
}

impl Default for QuotaConfig {
    /// The documented limits: 100 calls a minute and 1500 an hour for each kind, in sliding windows.
    fn default() -> Self {
        let limit = |calls, seconds| Limit {
            calls,
            window: Duration::from_secs(seconds),
        };
        Self {
            limits: vec![limit(100, 60), limit(1500, 3600)],
            model: Model::Sliding,
            count_refused: false,
            kinds: Kinds::Apart,
        }
    }
}

impl QuotaConfig {
    /// No limits at all.
    #[must_use]
    pub fn none() -> Self {
        Self {
            limits: Vec::new(),
            ..Self::default()
        }
    }
}

/// Chances of what can go wrong, each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Chances {
    /// A machine that is being scanned for somebody else when it is first called.
    pub busy: f64,
    /// A machine that the tenant does not know.
    pub unknown: f64,
    /// A machine that cannot be scanned.
    pub unsupported: f64,
    /// A start answered with 404 although the machine exists.
    pub spurious_404: f64,
    /// A 5xx answer to a call that was not carried out.
    pub error_before: f64,
    /// A 5xx answer to a call that was carried out.
    pub error_after: f64,
    /// A connection that is cut before the call was carried out; it may have been counted.
    pub reset_before: f64,
    /// A connection that is cut after the call was carried out.
    pub reset_after: f64,
    /// Of the 5xx answers: the share that goes out before the call is counted, which is up to 4 s later.
    pub early: f64,
}

/// How scans end: shares from 0 to 1 of those that do not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ends {
    /// `Failed`
    pub failed: f64,
    /// `TimeOut`
    pub timed_out: f64,
    /// `Cancelled`, by nobody in particular.
    pub cancelled: f64,
}

/// The answer to a start on a machine that is being scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusyShape {
    /// 400 `ActiveRequestAlreadyExists`.
    Error,
    /// The same after a byte-order mark.
    ErrorWithMark,
    /// The same with its code in lower case, `activerequestalreadyexists`.
    ErrorInLowerCase,
    /// 400 `BadRequest`, which says it in the message alone.
    BadRequest,
    /// 200 with the action that runs.
    Success200,
    /// 201 with the action that runs.
    Success201,
    /// [`Self::Error`] or either success, at random.
    Mixed,
}

/// How an action's comment comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comments {
    /// As it was sent.
    Whole,
    /// Cut off after so many characters.
    Truncated(usize),
    /// Not at all.
    Null,
}

/// What the 403 says that every start gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForbidWords {
    /// `Missing application roles. …`, as after a consent was revoked.
    Roles,
    /// Words that name no role.
    Plain,
}

/// The answer to the cancelling of an action that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOfFinal {
    /// 400 `BadRequest`.
    Refuse,
    /// 200 with the action as it is.
    Answer,
}

/// Tokens and roles.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// A token's life.
    pub expires_in: Duration,
    /// The client secret that is right; without one, any is.
    pub secret: Option<String>,
    /// The right secret has expired.
    pub secret_expired: bool,
    /// The only directory there is; without one, any is there.
    pub tenant: Option<String>,
    /// The only application there is, and the only user-assigned identity; without one, any is there.
    pub client: Option<String>,
    /// The only resource that tokens are issued for; without one, for any.
    pub resource: Option<String>,
    /// The thumbprint (`x5t#S256`) of the registered certificate; without one, any is. Signatures are not looked at.
    pub thumbprint: Option<String>,
    /// What App Service expects in `X-IDENTITY-HEADER`; without one, the metadata service is a virtual machine's.
    pub identity_header: Option<String>,
    /// Lives are written as strings, as some endpoints do.
    pub lives_as_strings: bool,
    /// What is written into a token as its directory, where that is not the one that was asked.
    pub token_tenant: Option<String>,
    /// The application's roles.
    pub roles: Vec<String>,
    /// Which bearer tokens are taken.
    pub tokens: Tokens,
}

impl Default for SignIn {
    fn default() -> Self {
        Self {
            expires_in: Duration::from_secs(3599),
            secret: None,
            secret_expired: false,
            tenant: None,
            client: None,
            resource: None,
            thumbprint: None,
            identity_header: None,
            lives_as_strings: false,
            token_tenant: None,
            roles: vec!["Machine.Scan".to_owned(), "Machine.Read.All".to_owned()],
            tokens: Tokens::Any,
        }
    }
}

/// Which bearer tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tokens {
    /// Any that is not empty.
    Any,
    /// This one.
    Only(String),
    /// Those that this tenant issued, until they expire.
    Issued,
}
