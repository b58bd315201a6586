//! Everything that calls the API except for scan starts: listing scans and machines, reading and cancelling
//! single actions.
//!
//! - [`caller`]: waits for a token and for the quota, makes the call, judges the reply, tries again.
//!   [`call_result`]: what a call comes to. [`reply`]: whether a reply is the service's own, and how its call
//!   counts against the quota. [`outage`]: whether the API can be reached.
//! - [`scans`]: the list of scans. [`machines`]: the tenant's inventory. [`health`]: what devices report of
//!   their antivirus. [`alerts`]: what was found. [`list`](self) and [`paging`](self): how they are read to
//!   their end. [`margins`]: how far back, and how soon, the list of scans is read.
//! - [`diagnosis`]: checks a connection before anything depends on it.
//! - [`server_clock`]: the service's clock. [`token_clock`]: the clock that tokens age by. [`wait`](self):
//!   waiting by the quota's clock. [`wire_time`](self): times as lists write them.
//!
//! Scan starts belong to the engine ([`crate::campaign::engine`]). A scan start is never sent again before it
//! is known what became of the first one, so it cannot use this loop.

pub mod alerts;
pub mod call_result;
pub mod caller;
pub mod diagnosis;
pub mod health;
mod list;
pub mod machines;
pub mod margins;
pub mod outage;
mod paging;
pub mod reply;
pub mod scans;
pub mod server_clock;
pub mod token_clock;
pub(crate) mod wait;
pub(crate) mod wire_time;
