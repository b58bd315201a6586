//! The report of a campaign, for those who were not there: what was asked, what was done, what came of it.
//!
//! ```text
//! state (store) ─→ Report ─→ JSON, for programs
//!                     └────→ page.html (askama) ─→ one file, for a browser
//! ```
//!
//! - [`Report`] (`facts`): everything that the report tells, read from the state.
//! - `calls`: how the scan starts used the limits. `latency`: how long they took. `troubles`: what went wrong.
//!   `machines`: the rows that the report lists. `found`: what the devices and the alerts tell.
//! - [`html`] (`page`): the page. `words`: its sentences. `figures`: which figures it has. `chart`: a figure as SVG.
//!   `packed`: the listed machines, small enough to be in it.
//!
//! Texts of others are made one plain line as they are read; the templates escape them.

mod calls;
mod chart;
mod facts;
mod figures;
mod found;
mod latency;
mod machines;
mod packed;
mod page;
mod troubles;
mod words;

pub use facts::{About, Report, Setting};
pub use page::{MARK, html};
