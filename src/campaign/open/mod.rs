//! From the input to the store, and back to an existing campaign.
//!
//! - [`create`]: every row becomes a target. [`resume`]: the same campaign with today's input.
//!   [`reconcile`](self): what an extended input changes about existing targets. [`columns`](self): how its
//!   cells fit the campaign's columns.

mod columns;
pub mod create;
mod reconcile;
pub mod resume;
