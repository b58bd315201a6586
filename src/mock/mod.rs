//! A tenant in a box: the API of MDE-API.md with a quota, faults and a record of its own.
//!
//! It has two layers, so that a test in virtual time can do without HTTP:
//!
//! ```text
//!   TCP → serve ─┐
//!                ├→ Tenant::handle ─→ fault plan ─→ quota ─→ scans, machines, sign_in ─→ Served
//!   direct call ─┘                    (what gets lost)        └→ Recorder (what it saw)
//! ```
//!
//! - `config`: [`MockConfig`], all settings. By default the tenant is well behaved. `scenario`: [`Scenario`], the same
//!   as a file. [`values`]: how people write them.
//! - `request`: [`Request`], where it goes, and the [`Kind`] of a call. `response`: [`Response`], [`Served`].
//! - `tenant`: [`Tenant`], the service itself, on tokio's time.
//! - `handlers`: the calls start, get and cancel. `listing`: those that list scans and machines, in pages.
//! - `denial`: starts that are refused although their calls are valid.
//! - `fault_rule`: a script of [`Rule`]s. `fault_plan`: what happens to a call on its way, by script or by chance.
//! - `outage`: [`Outage`], spans in which calls do not get through.
//! - `quota`: how many calls a window holds, in three models.
//! - `scans`: the machine actions, from Pending to their end.
//! - `machine`: what a machine is like. `inventory`: the calls on machines besides the list of them. `health`: what
//!   machines report of their antivirus.
//!   `device`: what their antivirus does by itself, and which scans it runs and reports.
//! - `alerts`: the list of alerts. `alert_log`: which there are besides those of scans. `alert`: one of them.
//! - `presence`: machines that come and go.
//! - `filter`, `query`: `OData` filters, `$top`, `$skip`, `$count`, `$orderby`.
//! - `sign_in`: the token endpoint, and who may call what. `token_check`: whether a token request is valid.
//! - `reply`: the answers.
//! - `recorder`, `scan_log`, `summary`: [`Recorder`], what the tenant saw. It records; the tests assert.
//! - `server`: [`serve`] and [`serve_tls`], the tenant over HTTP. `listener`: a listener that can refuse connections.
//!   `connection`: one of them, in HTTP/1.1 or HTTP/2. `tls`: [`Tls`], the certificate for https.
//!
//! The mock uses nothing of the client except its wire types: a bug in code that both sides share would go unnoticed.
//! Time is tokio's, and so virtual under a paused clock. The wall clock is [`MockConfig::started`] plus the time that
//! has passed since.

mod alert;
mod alert_log;
mod alerts;
mod clock;
mod config;
mod connection;
mod denial;
mod device;
mod fault_plan;
mod fault_rule;
mod filter;
mod handlers;
mod health;
mod inventory;
mod listener;
mod listing;
mod machine;
mod outage;
mod presence;
mod query;
mod quota;
mod recorder;
mod reply;
mod request;
mod response;
mod scan_log;
mod scans;
mod scenario;
mod server;
mod sign_in;
mod summary;
mod tenant;
mod tls;
mod token_check;
pub mod values;

pub use alerts::MadeAlert;
pub use config::{
    AlertsConfig, BusyShape, CancelOfFinal, Chances, Coming, Comments, Endless, Ends, Fleet,
    ForbidWords, HealthConfig, Kinds, Latency, Limit, ListOption, MakeUp, MockConfig, Model,
    Moving, QuotaConfig, ReportedTime, RetryAfter, SignIn, Tokens, Vanish,
};
pub use device::{Beginner, TrueScan};
pub use fault_rule::{Fault, Garbling, Rule};
pub use outage::{Affects, Outage, Shape};
pub use presence::Absence;
pub use recorder::{Recorder, Seen};
pub use request::{Kind, Method, Request};
pub use response::{Response, Served};
pub use scans::ScanSpan;
pub use scenario::{Scenario, ScenarioError};
pub use server::{serve, serve_tls};
pub use summary::{Busiest, KindSummary, ScanSummary, Summary};
pub use tenant::Tenant;
pub use tls::{CaPem, Tls, TlsError};

#[cfg(test)]
pub(crate) mod tests;
