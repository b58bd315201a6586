//! The options that say which rows are sent.

use std::path::PathBuf;

use clap::Args;

use crate::roster::{Delimiter, Where};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Input")]
pub(super) struct InputArgs {
    /// The column with the machine ids, if it is not detected.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(super) id_column: Option<String>,

    /// What separates the cells: one character, or `tab`. By default it is detected.
    #[arg(long, value_name = "C", hide_short_help = true)]
    pub(super) delimiter: Option<Delimiter>,

    /// Only rows whose cell has one of these values.
    ///
    /// `!=` takes those with none of the values, `~` those whose cell contains one of them, and `COLUMN is empty` and
    /// `COLUMN is not empty` ask whether it is blank. A value with a comma stands between double quotes. It can be
    /// given several times, and all must hold. Rows that are left out are counted as `not_attempted`, which is no
    /// failure.
    #[arg(long = "where", value_name = "COLUMN=VALUE[,…]")]
    pub(super) wheres: Vec<Where>,

    /// Never send to the machines in this file.
    ///
    /// It is a plain list of ids, or a CSV as the input may be. It can be given several times, and FLEETSWEEP_EXCLUDE
    /// names a standing list. What stands in one ends as `not_attempted`, which is no failure. The campaign keeps it:
    /// later commands need not repeat it.
    #[arg(long, value_name = "FILE")]
    pub(super) exclude: Vec<PathBuf>,

    /// Take back the exclusion of this machine.
    #[arg(long, value_name = "ID", hide_short_help = true)]
    pub(super) lift_exclusion: Vec<String>,

    /// Send all ids that a URL can carry, even if they are unlike the others in their column: names, GUIDs, ids of
    /// another length.
    #[arg(long, hide_short_help = true)]
    pub(super) any_id: bool,
}
