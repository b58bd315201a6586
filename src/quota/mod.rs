//! How many calls may go out, and when.
//!
//! A [`Pacer`] gives leave for calls one by one: [`Pacer::acquire`] returns a [`Permit`] at the first moment that every
//! [`Limit`] of the [`Quota`] allows, and the permit is settled with what became of the call.
//!
//! A limit of L calls per window W is L *lanes*: token buckets of one call each. A call takes a lane of every window
//! when it is let go, and the lane is ready again W after the call was *answered*. So no interval of W, as the server
//! counts, holds more than L calls, whatever the latency: take the call in it that was sent last; all others were
//! answered less than W before that, so each still had a lane.
//!
//! From the inside out; the first six know neither tokio nor a clock nor a file:
//!
//! - `lanes`: lanes on `governor`, which decides whether one is ready. The only user of that crate.
//! - `cut`, `ramp`: how little may be used, and sent at once, after the service has refused calls.
//! - `hold`: no calls of a kind before a moment, and how long a moment is believed.
//! - `window`: one limit: the lanes of each kind, those that are parked, kinds joined.
//! - `limiter`: all windows, the even pace and holds: asks everything, then spends everything. Says why a call has to
//!   [wait](Waiting), how far the windows are [spent](Usage), and [forecasts](Forecast) what is to come.
//! - `state`: the limiter, and what is known of other processes.
//! - `ledger`: what is remembered beyond this process, in a file.
//! - `shared`: one look: the ledger is locked, read into the state, the limiter decides, the call is written.
//! - `pacer`, `permit`: the looks repeated until one succeeds; the ends of calls. `snapshot`: for who only looks.
//! - `clock`: the one source of time; `sleep`: noticing that the computer slept.
//! - `kind`, `limit`, `quota`, `waiting`, `forecast`: the words.

mod clock;
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
pub use permit::{GRACE, PERMIT_LIFE, Permit};
pub use quota::{Pace, Quota};
pub use sleep::SleepWatch;
pub use snapshot::QuotaSnapshot;
pub use waiting::{Cause, Waiting};
