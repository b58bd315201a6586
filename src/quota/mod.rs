//! How many calls may go out, and when.

mod clock;

pub use clock::{Clock, Moment, SystemClock, TokioClock};
