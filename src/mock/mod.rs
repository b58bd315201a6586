//! A tenant in a box: the API of MDE-API.md with a quota, faults and a memory of its own.
//!
//! Two layers, so that a test in virtual time can leave HTTP out:
//!
//! ```text
//!   TCP → serve ─┐
//!                ├→ Tenant::handle ─→ fate ─→ quota ─→ scans, machines, sign_in ─→ Served
//!   direct call ─┘                      (what is lost)          └→ Recorder (what it saw)
//! ```
//!
//! - `config`: [`MockConfig`], every setting, polite by default.
//! - `request`: [`Request`], [`Response`], [`Served`], and the [`Kind`] of a call.
//! - `tenant`: [`Tenant`], the service itself, on tokio's time.
//! - `acts`: the calls: start, list, get, cancel, machines.
//! - `denial`: starts that are not carried out although their calls are in order.
//! - `fate`: what happens to a call on its way, by chance or by a script of [`Rule`]s.
//! - `outage`: [`Outage`], spans in which calls do not get through.
//! - `quota`: the calls a window holds, in three models.
//! - `scans`: the machine actions, from Pending to their end.
//! - `machine`: what a machine is like, and the inventory.
//! - `listing`: pages, and lists that are hard to read.
//! - `filter`, `query`: `OData` filters, `$top`, `$skip`, `$count`, `$orderby`.
//! - `sign_in`: the token endpoint, and who may call what. `judge`: to whom it issues one. `base64url`: how it is written.
//! - `reply`: the answers' shapes.
//! - `recorder`, `summary`: [`Recorder`], what the tenant saw. It records and does not judge.
//! - `server`: [`serve`], the tenant over HTTP. `door`: where clients connect, or cannot.
//!
//! Nothing of the client is used here but its wire types: a bug that both sides share would agree with itself. Time is
//! tokio's, hence virtual under a paused clock; the wall is [`MockConfig::started`] and what has passed since.

mod base64url;
mod clock;
mod config;
mod denial;
mod door;
mod fault_plan;
mod filter;
mod handlers;
mod judge;
mod listing;
mod machine;
mod outage;
mod query;
mod quota;
mod recorder;
mod reply;
mod request;
mod scans;
mod server;
mod sign_in;
mod summary;
mod tenant;

pub use config::{
    BusyShape, CancelOfFinal, Chances, Comments, Ends, Fleet, ForbidWords, Kinds, Limit,
    MockConfig, Model, QuotaConfig, SignIn, Tokens,
};
pub use fault_plan::{Fault, Rule};
pub use listing::{Endless, ListOption, Moving, Vanish};
pub use outage::{Affects, Outage, Shape};
pub use recorder::{Recorder, ScanRecord, Seen};
pub use request::{Kind, Method, Request, Response, Served};
pub use server::serve;
pub use summary::{Busiest, KindSummary, ScanSummary, Summary};
pub use tenant::Tenant;

#[cfg(test)]
mod tests;
