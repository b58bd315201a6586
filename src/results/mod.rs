//! The results CSV: how each target ended, written to disk as soon as it is known.
//!
//! A run begins by rewriting the file from the store ([`Rewrite`]), appends a line for each target that ends
//! ([`ResultsFile`]), and finally replaces the file with one in the input's order (a [`Rewrite`] again). The file is
//! a valid CSV at every moment:
//!
//! ```text
//! probe, owner ─→ Rewrite::start ─ row, row … ─→ install ─→ ResultsFile ─ append, append …
//! at the end:     Rewrite::start ─ row, row … ─→ seal ─→ Finished::place (retries: Excel may hold it) ─→ Installed
//! ```
//!
//! - [`row`]: one line of the file. [`layout`]: its columns and its dialect. `line`: formats rows.
//! - `guard`: cells that a spreadsheet would run as a formula.
//! - [`append`]: appends lines, and cuts off what could not be written completely.
//! - [`rewrite`]: writes the whole file and replaces the old one atomically.
//! - [`workbook`]: writes the same rows as a workbook. `cells`: what a row's cells hold, for both.
//! - [`fresh`]: a new file, and how it replaces the old one.
//! - [`read`]: reads the file of an earlier run, row by row.
//! - [`owner`](mod@owner): whose file is there already, and whether it can be written.
//! - [`table`]: other CSVs: an inventory that a campaign can start from, and findings. [`partial`]: a file that appears
//!   only when it is whole.

pub mod append;
mod cells;
pub mod fresh;
mod guard;
pub mod layout;
mod line;
pub mod owner;
pub mod partial;
pub mod read;
pub mod rewrite;
pub mod row;
pub mod table;
pub mod workbook;

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

pub use append::ResultsFile;
pub use fresh::{Installed, beside};
pub use layout::Layout;
pub use owner::{Owner, check_path, owner, probe};
pub use partial::Partial;
pub use read::{ReadRow, each_row};
pub use rewrite::{Finished, Rewrite};
pub use row::{DeviceCells, Row};
pub use table::Table;
pub use workbook::Workbook;

/// Why the results file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} {}: {why}", .path.display())]
pub struct ResultsError {
    /// What was tried, such as "write the results file".
    act: Cow<'static, str>,
    path: PathBuf,
    /// What the operating system says, or what is wrong with the path, and what to do about it.
    why: String,
}

impl ResultsError {
    fn new(act: impl Into<Cow<'static, str>>, path: &Path, why: &impl ToString) -> Self {
        Self {
            act: act.into(),
            path: path.to_owned(),
            why: why.to_string(),
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
