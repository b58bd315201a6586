//! The options that say what a run writes.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// The results file. [default: the input's name with .results.csv, beside the input]
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(super) results: Option<PathBuf>,

    /// The campaign's state. [default: the results' name with .campaign.db; with --mock a temporary folder]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(super) state: Option<PathBuf>,

    /// Overwrite a results file that this campaign did not write, but never that of an unfinished campaign.
    #[arg(long, hide_short_help = true)]
    pub(super) force: bool,

    /// Write a summary of the run as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(super) summary: Option<PathBuf>,

    /// Write a report for those who were not there, as a page for a browser, when the run ends.
    #[arg(long, value_name = "FILE.html", hide_short_help = true)]
    pub(super) report: Option<PathBuf>,

    /// Write the results so that a double click opens them in Excel: with BOM, CRLF and `;`.
    #[arg(long, hide_short_help = true)]
    pub(super) excel: bool,

    /// Write the results as a workbook (.xlsx) too, when the run ends: texts as texts in every locale, the header
    /// frozen and with filters. At most 1,048,575 rows.
    #[arg(long, value_name = "FILE.xlsx", hide_short_help = true)]
    pub(super) xlsx: Option<PathBuf>,
}
