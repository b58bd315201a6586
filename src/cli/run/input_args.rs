//! The options that say which rows are sent.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::SignedDuration;

use crate::cli::values;
use crate::roster::{Ambiguous, Delimiter, Where};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Input")]
pub(super) struct InputArgs {
    /// The column with the machine ids, if it is not detected.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(super) id_column: Option<String>,

    /// Look up computer names in the tenant's inventory.
    ///
    /// The column may hold names, short or fully qualified and in any case, Entra device ids and machine ids. The
    /// inventory is listed once before the first call; needs the role Machine.Read.All. A name that fits no machine or
    /// several ends as `invalid`. The campaign keeps what was found: later commands look up new rows only.
    #[arg(long)]
    pub(super) resolve: bool,

    /// With --resolve: what to do if several machines fit a name. They are re-imaged or duplicates, and `newest` takes
    /// the one that was seen last.
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value_t = AmbiguousArg::Invalid,
        requires = "resolve",
        hide_short_help = true
    )]
    pub(super) ambiguous: AmbiguousArg,

    /// What separates the cells: one character, or `tab`. By default it is detected.
    #[arg(long, value_name = "C", hide_short_help = true)]
    pub(super) delimiter: Option<Delimiter>,

    /// The sheet of a workbook (.xlsx) to read, in any case. By default it is the one that holds an id column; hidden
    /// sheets are read only if they are named.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(super) sheet: Option<String>,

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
    /// It is a plain list of ids, or a CSV or a workbook as the input may be; with --resolve, of names too. It can be
    /// given several times, and FLEETSWEEP_EXCLUDE names a standing list. What stands in one ends as `not_attempted`,
    /// which is no failure. The campaign keeps it: later commands need not repeat it.
    #[arg(long, value_name = "FILE")]
    pub(super) exclude: Vec<PathBuf>,

    /// Take back the exclusion of this machine.
    #[arg(long, value_name = "ID", hide_short_help = true)]
    pub(super) lift_exclusion: Vec<String>,

    /// Leave out machines that have completed a scan within this time, as in 3d, by their own report.
    ///
    /// A full scan counts for a quick one. The report is read once before the first call, needs the role
    /// Machine.Read.All, and may be hours old; machines without a report are scanned. They end as `not_attempted`,
    /// which is no failure.
    #[arg(long, value_name = "D", value_parser = values::days, hide_short_help = true)]
    pub(super) skip_scanned_within: Option<SignedDuration>,

    /// Leave out machines that cannot be scanned: their antivirus is disabled by their own report, or the inventory has
    /// them as merged, excluded or restricted. They end as `not_attempted`, which is no failure. Needs the role
    /// Machine.Read.All.
    #[arg(long, hide_short_help = true)]
    pub(super) skip_unscannable: bool,

    /// Send all ids that a URL can carry, even if they are unlike the others in their column: names, GUIDs, ids of
    /// another length.
    #[arg(long, hide_short_help = true, conflicts_with = "resolve")]
    pub(super) any_id: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AmbiguousArg {
    Invalid,
    Newest,
}

impl From<AmbiguousArg> for Ambiguous {
    fn from(how: AmbiguousArg) -> Self {
        match how {
            AmbiguousArg::Invalid => Self::Refuse,
            AmbiguousArg::Newest => Self::Newest,
        }
    }
}
