//! A campaign: one roster to be drained once, in one run or in several.
//!
//! - [`open`]: opens the campaign that is there, or a new one, for `run` and for `plan`. [`recover`]: rebuilds a state
//!   that lost its end. `counts`: how many of its targets have ended.
//! - [`disk`]: where work on the disk is done. [`engine`]: drives a run: what is sent, what the replies mean, what
//!   happens next.
//! - [`journal`]: what a run has on disk, and in which order it gets there.
//! - [`brakes`]: what stops a campaign before it does harm.
//! - [`follow`]: watches started scans to their end. [`cancel`]: cancels the campaign's own scans.
//!   [`shared_store`](self): the state, while another process may be running the campaign.
//! - [`findings`]: which alerts are on the machines since their scans began.
//! - [`forecast`]: when the remaining calls go out.
//! - [`outcome`]: how a target ends, and the tally. [`stop`]: why a campaign stops before its end.
//!   [`summary`]: the result of a run. [`tag`]: how a scan is recognised as ours. [`retry`]: when a target is
//!   tried again. [`running`]: how many scans may be under way at once. [`away`]: which machines are away.

pub mod away;
pub mod brakes;
pub mod cancel;
pub(crate) mod counts;
pub mod disk;
pub mod engine;
pub mod findings;
pub mod follow;
pub mod forecast;
pub mod journal;
pub mod open;
mod optional;
pub mod outcome;
pub mod recover;
pub mod retry;
pub mod running;
mod shared_store;
pub mod stop;
pub mod summary;
pub mod tag;
