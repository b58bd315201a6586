//! The input: reads the CSV files and plain lists of machine ids that people really have, as rows.
//!
//! - [`Roster`] (`reader`): reads and classifies one row after the other, and refuses an input that must be a mistake.
//! - [`Row`] and [`RowKind`] (`row`), [`RowError`] (`row_error`): what a row says, whether it is sent, and why not.
//! - `row_checker`: classifies rows. `row_fields`: what a row says about its own scan. `seen`: finds duplicates.
//!   `tenants`: finds rows of several tenants.
//! - [`IdRule`] (`id_rule`): how a cell must look to be a machine id. `bare` removes what surrounds an id, and `slip`
//!   explains what a cell is that is not an id.
//! - [`Names`] (`names`): what names stand for, by the [`Inventory`] (`inventory`). `name_columns`: finds the column of
//!   the names. `headings`: what such columns are called.
//! - [`WorkbookError`] (`workbook`): reads a sheet of a workbook as text. `file`: opens files of both kinds.
//! - [`Passed`] (`around`): lines that are not rows. [`Foreign`] (`foreign`): files that are not tables.
//! - [`Options`] (`options`), [`Where`] (`where_clause`), [`Excluded`] (`excluded`), [`Skips`] (`skips`),
//!   [`ScanType`] (`scan_type`): what
//!   the user asked for.
//! - [`Note`] (`note`): what is reported once about an input that was accepted.
//! - [`RosterError`] (`error`): why an input is refused. [`Columns`] (`named`): names in such a message.
//! - [`split_extra`] (`extra`): the other columns of a row, as the single text that the store keeps.
//!
//! Bytes become rows in these stages. Only a buffer and the set of ids are kept in memory.
//!
//! ```text
//! bytes → Decoded (UTF-16 → UTF-8) → Lines (where lines begin) → Records (csv, Windows-1252) → RowChecker → Row
//!                 └→ Layout: delimiter, header, id column and rule, from the first MiB (`dialect`, `sheet`, `columns`)
//! .xlsx → workbook (its sheet as such text) → as above
//! ```

mod around;
mod bare;
mod columns;
mod counts;
mod decode;
mod dialect;
mod error;
mod excluded;
mod extra;
mod file;
mod foreign;
mod headings;
mod id_rule;
mod inventory;
mod layout;
mod lines;
mod machine_id;
mod name_columns;
mod named;
mod names;
mod note;
mod options;
mod reader;
mod records;
mod row;
mod row_checker;
mod row_error;
mod row_fields;
mod scan_type;
mod seen;
mod sheet;
mod skips;
mod slip;
mod tenants;
mod where_clause;
mod workbook;

pub use around::Passed;
pub use counts::Counts;
pub use error::RosterError;
pub use excluded::Excluded;
pub use extra::split_extra;
pub use foreign::Foreign;
pub use headings::name_column;
pub use id_rule::{IdRule, IdRuleError};
pub use inventory::{Inventory, InventoryBuilder, Listed};
pub(crate) use machine_id::is_machine_id;
pub use named::Columns;
pub use names::{Ambiguous, Names, Resolved};
pub use note::{Note, NoteKind};
pub use options::{Delimiter, DelimiterError, Options, SheetChoice};
pub use reader::Roster;
pub use row::{Row, RowKind};
pub(crate) use row_checker::EXCLUDED;
pub use row_error::RowError;
pub use scan_type::{ScanType, ScanTypeError};
pub use skips::{Skip, Skips};
pub use where_clause::{Where, WhereError};
pub use workbook::WorkbookError;
