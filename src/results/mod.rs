//! The results CSV: what became of each machine, on disk as soon as it is known.
//!
//! A run begins by writing the file anew ([`Rewrite`]), goes on with a line per ended target ([`ResultsFile`]), and
//! ends by replacing it with one in the input's order (a [`Rewrite`] again). The file is a whole CSV at every moment:
//!
//! ```text
//! probe, owner ─→ Rewrite::start ─ row, row … ─→ install ─→ ResultsFile ─ append, append …
//! at the end:    Rewrite::start ─ row, row … ─→ seal ─→ Finished::place (patient: the file may be open in Excel) ─→
//! Installed
//! ```
//!
//! - [`row`]: one line of the file. [`layout`]: its columns and its dialect.
//! - [`guard`]: cells that a spreadsheet would run.
//! - [`machines`]: the other CSV that is written: an inventory to start a campaign from.
//! - `line`: rows as bytes.
//! - [`append`]: one write a line, cut back where it fails.
//! - [`rewrite`]: the whole file, replaced atomically.
//! - [`read`]: what a file of an earlier run says, row by row.
//! - [`owner`](mod@owner): whose file lies there already, and whether it can be written at all.

pub mod append;
pub mod guard;
pub mod layout;
mod line;
pub mod machines;
pub mod owner;
pub mod read;
pub mod rewrite;
pub mod row;

use std::path::{Path, PathBuf};

pub use append::ResultsFile;
pub use layout::Layout;
pub use machines::Machines;
pub use owner::{Owner, owner, probe};
pub use read::{ReadRow, each_row};
pub use rewrite::{Finished, Installed, Rewrite, beside};
pub use row::Row;

/// The results file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} {}: {why}", .path.display())]
pub struct ResultsError {
    /// What was tried, as in "write the results file".
    act: &'static str,
    path: PathBuf,
    /// What the operating system says, or what is wrong with the path; and what to do.
    why: String,
}

impl ResultsError {
    fn new(act: &'static str, path: &Path, why: &impl ToString) -> Self {
        Self {
            act,
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
