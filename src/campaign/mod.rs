//! The engine: drains one roster, once.
//!
//! - [`engine`]: drives a run; draws the flow. [`dispatcher`]: owns the run's state and decides. [`worker`](self): sends.
//! - [`verdict`]: what one reply means. [`retry`]: when a target is tried again. [`queue`]: in which order targets go.
//! - [`lookup`]: what became of attempts without an answer, and of scans that kept machines busy. [`running`]: which machines
//!   are being scanned. [`server_clock`]: the time that the service goes by.
//! - [`outcome`]: how a target ends, and the tally. [`stop`]: why a campaign ends before its end.
//! - [`brakes`]: what stops a campaign before it does harm. [`canaries`]: whether the others may start.
//! - [`hours`]: the hours of the day in which calls may go out. [`deadline`]: the instant after which none may.
//! - [`tag`]: how a scan is known as ours.
//! - [`intake`]: from the input to the store. [`resume`]: the same campaign, the next day; [`revision`](self): what an
//!   extended input changes about it; [`columns`](self): which of its cells are carried.
//!   [`summary`]: what a run came to.
//! - [`witness`]: whether the state is as far as the marks and the results say. [`recover`]: a state that is not, made whole.
//! - [`reply`]: whose a reply is, and how long its call counts. [`outage`]: whether the API can be reached. [`caller`]: one way to make a
//!   call that is not a scan start. [`inventory`]: the tenant's machines. [`checkup`]: what is wrong with a connection, before
//!   anything depends on it. [`sign_in_time`]: the clock that tokens age by.
//! - [`paging`](self): how a listing is read to its end. [`listing`]: the list of scans. [`follow`]: started scans to their end; [`watch`]: what one round of it looks for. [`cancel`]: its own scans called back.
//!   [`borrowed`](self): the state that both leave to whoever runs the campaign.
//! - [`forecast`]: when the calls that are left go out; [`experience`]: by what was seen so far. [`timeline`]: the same on one
//!   screen; [`slots`]: by stretches of time.
//! - [`timeline`]: when the calls go out, reckoned beforehand; [`slots`]: by stretches of time.
//! - [`trail`]: what the log tells of it all.
//! - [`journal`]: what is on disk, and in which order it gets there. [`anew`](self): the results file, while it is being
//!   written anew. [`conclusion`](self): how both end.

mod anew;
mod borrowed;
pub mod brakes;
pub mod caller;
pub mod canaries;
pub mod cancel;
pub mod checkup;
mod columns;
mod conclusion;
pub mod deadline;
pub mod dispatcher;
pub mod due;
pub mod engine;
pub mod experience;
pub mod follow;
pub mod forecast;
pub mod hours;
pub mod intake;
pub mod inventory;
pub mod journal;
pub mod listing;
pub mod lookup;
pub mod outage;
pub mod outcome;
mod paging;
pub mod queue;
pub mod recover;
pub mod reply;
pub mod resume;
pub mod retry;
mod revision;
pub mod running;
pub mod server_clock;
pub mod sign_in_time;
pub mod slots;
pub mod stop;
pub mod summary;
pub mod tag;
pub mod timeline;
pub mod trail;
pub mod verdict;
pub mod watch;
pub mod witness;
mod worker;
