//! Why an input is refused.

use std::{fmt, io};

use super::{foreign::Foreign, named::Columns, row_error::RowError, workbook::WorkbookError};

/// Why an input is refused. Nothing has been sent yet when this happens.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// The file or pipe cannot be read.
    #[error("{file}: cannot be read: {source}")]
    Read {
        /// The input's name.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a table.
    #[error("{file}: {what}")]
    Foreign {
        /// The input's name.
        file: String,
        /// What it is.
        what: Foreign,
    },
    /// The workbook cannot be read.
    #[error("{file}: {why}")]
    Workbook {
        /// The input's name.
        file: String,
        /// Why.
        why: WorkbookError,
    },
    /// `--sheet` for an input that has no sheets.
    #[error(
        "{file}: this is no workbook, so it has no sheet that --sheet could name; leave that out"
    )]
    NoSheets {
        /// The input's name.
        file: String,
    },
    /// `--delimiter` for a workbook.
    #[error(
        "{file}: this is a workbook, whose cells nothing has to separate; leave --delimiter out"
    )]
    Delimited {
        /// The input's name.
        file: String,
    },
    /// `--sheet` names a sheet that is not there.
    #[error("{file}: there is no sheet `{name}`, which --sheet names (sheets: {sheets})")]
    NoSuchSheet {
        /// The input's name.
        file: String,
        /// The name.
        name: String,
        /// The sheets.
        sheets: Columns,
    },
    /// All sheets are hidden.
    #[error("{file}: all sheets are hidden ({sheets}); say which one to read with --sheet")]
    HiddenSheets {
        /// The input's name.
        file: String,
        /// The sheets.
        sheets: Columns,
    },
    /// Several sheets could be the input.
    #[error(
        "{file}: several sheets have a column of machine ids: {sheets}; say which one with --sheet"
    )]
    ManySheets {
        /// The input's name.
        file: String,
        /// Those sheets.
        sheets: Columns,
    },
    /// The sheet is not looked for, because that would take too long.
    #[error(
        "{file}: which sheet holds the machine ids is not looked for in this workbook, because {why}; say which one \
         to read with --sheet"
    )]
    NoSearch {
        /// The input's name.
        file: String,
        /// Why.
        why: String,
    },
    /// None of several sheets could be the input.
    #[error(
        "{file}: no sheet has a column that is known to hold the machine ids (looked at: {sheets}{}); --sheet says \
         which one to read. Of the first it is to be said: {why}",
        and_hidden(*hidden)
    )]
    NoSheet {
        /// The input's name.
        file: String,
        /// The sheets that can be seen.
        sheets: Columns,
        /// How many sheets are hidden.
        hidden: usize,
        /// Why the first one is refused.
        why: Box<RosterError>,
    },
    /// The file has the results of a campaign. Its name differs from that of the input only in the ending.
    #[error(
        "{file}: this is the results file of a campaign, not its input. To go on with that campaign, or to try again \
         what failed: `fleetsweep run {} --retry failed,unsure` (with the input that it began with). To begin another \
         campaign with machines from here, say which: `fleetsweep run {file} --only-status Failed,TimeOut`, or with \
         --where outcome=…",
        input_of(file)
    )]
    Results {
        /// The input's name.
        file: String,
    },
    /// The file is a list of names.
    #[error(
        "{file}: this is a list of names (`{first}`), and the API wants machine ids, which have 40 hex digits. With \
         --resolve, the names are looked up in the tenant's inventory. (If these are ids all the same, put a line \
         `machine_id` above them: below it --any-id takes them.)"
    )]
    Names {
        /// The input's name.
        file: String,
        /// One of the names.
        first: String,
    },
    /// There are only blank lines.
    #[error(
        "{file}: the input is empty; it should hold a CSV with a column `machine_id`, or one machine id a line"
    )]
    Empty {
        /// The input's name.
        file: String,
    },
    /// There is a header and no row.
    #[error("{file}: there is no row below the header")]
    NoRows {
        /// The input's name.
        file: String,
    },
    /// No column can be recognised as that of the ids.
    #[error(
        "{file}: no column is known to hold the machine ids, by its values or by its name; name it with --id-column \
         (columns seen: {columns}). Names of machines are no ids: with --resolve they are looked up, and --id-column \
         says in which column they are"
    )]
    NoIdColumn {
        /// The input's name.
        file: String,
        /// The header.
        columns: Columns,
    },
    /// No column holds machine ids, and this one seems to hold names.
    #[error(
        "{file}: no column holds machine ids, but column `{name}` seems to hold names, and with --resolve they are \
         looked up in the tenant's inventory. If the ids are in another column, name it with --id-column (columns \
         seen: {columns})"
    )]
    NameColumn {
        /// The input's name.
        file: String,
        /// The column with the names.
        name: String,
        /// The header.
        columns: Columns,
    },
    /// No column is known to tell machines (`--resolve`).
    #[error(
        "{file}: no column is known to hold names or ids of machines; name it with --id-column (columns seen: \
         {columns})"
    )]
    NoNameColumn {
        /// The input's name.
        file: String,
        /// The header.
        columns: Columns,
    },
    /// A row that is new has a name, and names are not looked up.
    #[error(
        "{file}, line {line}: `{name}` is new in the input, and its machine is not known: give --resolve, with which \
         new names are looked up"
    )]
    NewName {
        /// The input's name.
        file: String,
        /// The line.
        line: u64,
        /// The cell, or its beginning.
        name: String,
    },
    /// Several columns look like machine ids, and the names do not decide.
    #[error(
        "{file}: several columns look like machine ids: {columns}; say which one with --id-column"
    )]
    ManyIdColumns {
        /// The input's name.
        file: String,
        /// Those columns.
        columns: Columns,
    },
    /// There are several columns, and the first line is a row.
    #[error(
        "{file}, line {line}: the first line holds a machine id, so the header is missing; \
         put one above it in which the column of the ids is named `machine_id`"
    )]
    NoHeader {
        /// The input's name.
        file: String,
        /// The line.
        line: u64,
    },
    /// The first line has several ids, where it should have a header or one id.
    #[error(
        "{file}, line {line}: the first line holds several machine ids side by side; put each of them on a line of its \
         own"
    )]
    SideBySide {
        /// The input's name.
        file: String,
        /// The line.
        line: u64,
    },
    /// An option names a column that does not exist.
    #[error("{file}: there is no column `{name}`, which {option} names (columns seen: {columns})")]
    NoSuchColumn {
        /// The input's name.
        file: String,
        /// The option.
        option: &'static str,
        /// The column that it names.
        name: String,
        /// The header.
        columns: Columns,
    },
    /// A missing quote makes the rest of the file part of one cell.
    #[error(
        "{file}, line {line}: a quoted cell begins in this row and is never closed; add the missing `\"`"
    )]
    UnclosedQuote {
        /// The input's name.
        file: String,
        /// The line that the row begins on.
        line: u64,
    },
    /// Most ids are GUIDs, as in Entra or Intune.
    #[error(
        "{file}: {guids} of {ids} ids are GUIDs (the first on line {line}): Entra and Intune ids are not Defender's, \
         which have 40 hex digits; export the device inventory of the Defender portal, choose another column with \
         --id-column, or insist with --any-id"
    )]
    Guids {
        /// The input's name.
        file: String,
        /// How many ids are GUIDs.
        guids: u64,
        /// How many ids were examined.
        ids: u64,
        /// The line of the first GUID.
        line: u64,
    },
    /// The rows are of several tenants, and it is not known which one the token is for.
    #[error(
        "{file}: the rows are of more than one tenant (`{}` on line {}, `{}` on line {}), and this token does not \
         tell which one it is for, so all of them would be sent to one tenant; sign in so that the token tells its \
         tenant, or set AZURE_TENANT_ID to the id of the token's tenant, or take the rows of one tenant with --where \
         tenant_id={}",
        first.0, first.1, other.0, other.1, first.0
    )]
    Tenants {
        /// The input's name.
        file: String,
        /// The first tenant, and the line of its first row.
        first: (String, u64),
        /// The second tenant, and the line of its first row.
        other: (String, u64),
    },
    /// Every row is invalid or left out.
    #[error(
        "{file}: nothing is left to send: {}",
        Reasons { invalid: *invalid, left_out: *left_out, first: first.as_ref() }
    )]
    NothingLeft {
        /// The input's name.
        file: String,
        /// How many rows are invalid.
        invalid: u64,
        /// How many rows `--where` left out.
        left_out: u64,
        /// The first invalid row's line, and what is wrong with it.
        first: Option<(u64, RowError)>,
    },
}

/// The usual name of the input of a campaign whose results have this name.
fn input_of(results: &str) -> String {
    results
        .strip_suffix(".results.csv")
        .map_or_else(|| "INPUT.csv".to_owned(), |stem| format!("{stem}.csv"))
}

fn and_hidden(sheets: usize) -> String {
    match sheets {
        0 => String::new(),
        1 => "; one is hidden".to_owned(),
        _ => format!("; {sheets} are hidden"),
    }
}

fn rows(count: u64) -> String {
    match count {
        1 => "1 row".to_owned(),
        _ => format!("{count} rows"),
    }
}

struct Reasons<'a> {
    invalid: u64,
    left_out: u64,
    first: Option<&'a (u64, RowError)>,
}

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.left_out > 0 {
            write!(
                f,
                "--where or --only-status leaves out {}",
                rows(self.left_out)
            )?;
        }
        if self.left_out > 0 && self.invalid > 0 {
            write!(f, ", ")?;
        }
        if self.invalid > 0 {
            let are = if self.invalid == 1 { "is" } else { "are" };
            write!(f, "{} {are} invalid", rows(self.invalid))?;
        }
        match self.first {
            Some((line, error)) => write!(f, " (line {line}: {error})"),
            None => Ok(()),
        }
    }
}
