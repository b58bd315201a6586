//! How many calls may go out, and when.
//!
//! A [`Pacer`] hands out permits one by one: [`Pacer::acquire`] returns a [`Permit`] at the first moment that every
//! [`Limit`] of the [`Quota`] allows. The caller settles the permit with what became of the call.
//!
//! A limit of L calls per window W is L *lanes*: token buckets of one call each. A permitted call takes one lane of
//! every window, and the lane is ready again W after the call was *answered*. So no interval of length W holds more
//! than L calls as the server counts them, whatever the latency. To see this, take the last call that was sent in such
//! an interval: all others were answered less than W before that, so each of them still occupied a lane.
//!
//! From the inside out (the first five know neither tokio nor a clock nor a file):
//!
//! - `lanes`: lanes on top of `governor`, which decides whether a lane is ready. The only user of that crate.
//! - `cut`, `ramp`: how much of a limit may be used, and how many calls may be in flight, after a refusal.
//! - `hold`: kinds of call that the service has asked us not to make before some moment.
//! - `window`: one limit: the lanes of each kind, those that are parked, and joined kinds.
//! - `limiter`: all windows, the even pace and the holds. It checks everything first and then spends everything. It
//!   says why a call has to [wait](Waiting) and how far the windows are [spent](Usage), and makes a [`Forecast`].
//! - `limiter_state`: the limiter, and what is known of other processes' calls.
//! - `ledger`: what is remembered beyond this process, in a file.
//! - `shared`: one decision: lock the ledger, read it into the state, let the limiter decide, write the call.
//! - `pacer`, `permit`: decisions repeated until one succeeds, and how calls end. `snapshot`: read-only access.
//! - `call_life`: how long a call may take until it is sent, given up and counted.
//! - `clock`: the only source of time. `sleep`: detects that the computer slept.
//! - `kind`, `limit`, `quota`, `waiting`, `forecast`: the values that these pass around.

mod call_life;
mod clock;
#[cfg(test)]
pub(crate) mod cpu_time_for_tests;
mod cut;
mod forecast;
mod hold;
mod kind;
mod lanes;
mod ledger;
mod limit;
mod limiter;
mod limiter_state;
mod pacer;
mod permit;
#[expect(
    clippy::module_inception,
    reason = "a quota is the noun of this module"
)]
mod quota;
mod ramp;
mod shared;
mod sleep;
mod snapshot;
mod waiting;
mod window;

#[cfg(test)]
mod tests;

pub use call_life::{GRACE, INVENTORY_TIMEOUT, PERMIT_LIFE};
pub use clock::{Clock, Moment, SystemClock, TokioClock};
pub use forecast::{Forecast, Schedule};
pub use hold::Throttle;
pub use kind::Kind;
pub use ledger::{
    Account, LedgerError, LedgerPlace, Lifted, Mark, MarkRow, Process, abandon, accounts, create,
    finish, lift, marks, processes,
};
pub use limit::{Limit, LimitError};
pub use limiter::Usage;
pub use pacer::{LONGEST_WAIT, Pacer};
pub use permit::Permit;
pub use quota::{Pace, Quota};
pub use sleep::SleepWatch;
pub use snapshot::QuotaSnapshot;
pub use waiting::{Cause, Waiting};
