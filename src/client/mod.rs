//! One way to make a call that is not a scan start: listing scans and machines, reading single ones, cancelling.
//!
//! - [`caller`]: waits for a token and the quota, makes the call, judges the reply, tries again. [`reply`]: whose a reply is, and
//!   how long its call counts. [`outage`]: whether the API can be reached.
//! - [`scans`]: the list of scans. [`machines`]: the tenant's inventory. [`paging`](self): how both are read to their end.
//! - [`diagnosis`]: what is wrong with a connection, before anything depends on it.
//! - [`server_clock`]: the time that the service goes by. [`token_clock`]: the time that tokens age by.
//!
//! Scan starts are the engine's ([`crate::campaign::engine`]): one is never made a second time before it is known what became
//! of the first.

pub mod call_result;
pub mod caller;
pub mod diagnosis;
pub mod machines;
pub mod margins;
pub mod outage;
mod paging;
pub mod reply;
pub mod scans;
pub mod server_clock;
pub mod token_clock;
pub(crate) mod wait;
