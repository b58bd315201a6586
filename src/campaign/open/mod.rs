//! From the input to the store, and back to a campaign that is there.
//!
//! - [`create`]: every row becomes a target. [`resume`]: the same campaign, the next day; [`reconcile`](self): what an extended
//!   input changes about its targets; [`columns`](self): which of its cells are carried.

mod columns;
pub mod create;
mod reconcile;
pub mod resume;
