//! When scan calls may go out by the wall clock. Pure: nothing here knows about calls, quotas or campaigns.
//!
//! - [`daily_window`]: the hours of the day (`--window`). [`deadline`]: the instant after which nothing is
//!   sent (`--not-after`).
//! - [`send_times`]: both combined.

pub mod daily_window;
pub mod deadline;
pub mod send_times;
