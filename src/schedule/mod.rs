//! When calls may go out by the clock on the wall. Pure time: nothing here knows of calls, quotas or campaigns.
//!
//! - [`daily_window`]: the hours of the day (`--window`). [`deadline`]: the instant after which nothing goes (`--not-after`).
//! - [`send_times`]: both together.

pub mod daily_window;
pub mod deadline;
pub mod send_times;
