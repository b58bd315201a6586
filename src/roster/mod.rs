//! The input: any CSV or plain list of machine ids that people really have, as rows.
//!
//! - [`Roster`] (`reader`): a row after the other, each judged, and the refusal of an input that cannot be meant.
//! - [`Row`] and [`RowKind`] (`row`), [`RowError`] (`flaw`): what a row says, what becomes of it, and why.
//! - [`IdRule`] (`id_rule`): how a cell must look to be a machine id. `bare` takes off what stands around one, `slip` says
//!   what a cell is that is none.
//! - [`Passed`] (`around`): lines that are no rows. [`Foreign`] (`foreign`): files that are no tables.
//! - [`Options`] (`options`), [`Where`] (`where_clause`), [`ScanType`] (`scan_type`): what the person asked for.
//! - [`Note`] (`note`): what is to be said once about an input that was accepted.
//! - [`RosterError`] (`error`): why nothing will be sent.
//! - [`split_extra`] (`extra`): the other columns of a row, as the one text that the store keeps.
//!
//! How bytes become rows, each stage behind one type; nothing is held but a buffer and the set of ids:
//!
//! ```text
//! bytes → Decoded (UTF-16 → UTF-8) → Lines (where lines begin) → Records (csv, Windows-1252) → Judge (in Roster) → Row
//!                        └→ Layout: delimiter, header, id column and rule, from the first MiB (`sheet`, `layout`, `columns`)
//! ```

mod around;
mod bare;
mod columns;
mod counts;
mod decode;
mod error;
mod extra;
mod foreign;
mod id_rule;
mod judge;
mod layout;
mod lines;
mod machine_id;
mod note;
mod options;
mod reader;
mod records;
mod row;
mod row_error;
mod row_fields;
mod scan_type;
mod seen;
mod sheet;
mod slip;
mod tenants;
mod where_clause;

pub use around::Passed;
pub use counts::Counts;
pub use error::{Columns, RosterError};
pub use extra::split_extra;
pub use foreign::Foreign;
pub use id_rule::{IdRule, IdRuleError};
pub use note::{Note, NoteKind};
pub use options::{Delimiter, DelimiterError, Options};
pub use reader::Roster;
pub use row::{Row, RowKind};
pub use row_error::RowError;
pub use scan_type::{ScanType, ScanTypeError};
pub use where_clause::{Where, WhereError};
