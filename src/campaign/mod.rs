//! A campaign: one roster to be drained once, in one run or several.
//!
//! - [`open`]: from the input to the store, and the same campaign on the next day. [`recover`]: a state that lost its end.
//! - [`engine`]: drives a run: what is sent, what its replies mean, what happens next.
//! - [`journal`]: what is on disk of it, and in which order that gets there.
//! - [`brakes`]: what stops a campaign before it does harm.
//! - [`follow`]: started scans to their end. [`cancel`]: its own scans called back. [`shared_store`](self): the state that both
//!   leave to the run that is at work on it.
//! - [`forecast`]: when the calls that are left go out.
//! - [`outcome`]: how a target ends, and the tally. [`stop`]: why a campaign stops before its end. [`summary`]: what a run came
//!   to. [`tag`]: how a scan is known as ours.
//!   [`retry`]: when a target is tried again.

pub mod brakes;
pub mod cancel;
pub mod engine;
pub mod follow;
pub mod forecast;
pub mod journal;
pub mod open;
mod optional;
pub mod outcome;
pub mod recover;
pub mod retry;
mod shared_store;
pub mod stop;
pub mod summary;
pub mod tag;
