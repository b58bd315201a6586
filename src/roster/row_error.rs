//! Why a row cannot be sent.

use super::id_rule::IdRule;
use crate::plain_text::one_line;

/// The longest comment of a row, in characters. The API's limit is not documented, and the tag is added to it.
pub(super) const MAX_COMMENT: usize = 200;
/// The longest machine id, in characters: three times as long as any known id (MDE-API.md, section 1).
pub(super) const MAX_ID: usize = 128;
/// The beginning of all comments that we send. A row's comment that contains it could be mistaken for another
/// target's tag.
pub(super) const TAG: &str = "[fleetsweep:";

/// The code of a row whose name fits several machines.
pub(super) const AMBIGUOUS: &str = "ambiguous_name";

/// Why a row cannot be sent, in words that help the user to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// There is no id.
    #[error("the machine id is missing")]
    NoId,
    /// A word that stands for an unknown value.
    #[error("`{0}` is a placeholder, no machine id")]
    Placeholder(String),
    /// More than one id, although a row is one target.
    #[error("{0} machine ids in one cell; give each of them a row of its own")]
    SeveralIds(usize),
    /// More than one name on the line of a plain list.
    #[error("{0} names on one line; give each of them a line of its own")]
    SeveralNames(usize),
    /// What a spreadsheet makes of an id that could be a number. The id cannot be recovered from it.
    #[error(
        "a spreadsheet has turned this id into the number `{0}`; export the ids again, and import the column as text"
    )]
    SpreadsheetNumber(String),
    /// A wrong number of hex digits.
    #[error("the machine id has {found} hex digits instead of {}", match rule { IdRule::Hex32 => 32, _ => 40 })]
    Digits {
        /// How many there are.
        found: usize,
        /// The column's rule.
        rule: IdRule,
    },
    /// An id of Entra or Intune.
    #[error("`{0}` is a GUID, as Entra and Intune have them, and no Defender machine id")]
    Guid(String),
    /// A number too short to be an id.
    #[error("`{0}` is a number, no machine id")]
    Number(String),
    /// Apparently the name of a computer.
    #[error(
        "`{0}` looks like a name, and the API wants machine ids (with --resolve, names are looked up)"
    )]
    Name(String),
    /// No machine has this name (`--resolve`).
    #[error("no machine of the inventory has the name or the Entra device id `{name}`{}", like(similar.as_deref()))]
    UnknownName {
        /// The cell, or its beginning.
        name: String,
        /// The name of a machine with the same host and another domain.
        similar: Option<String>,
    },
    /// Several machines fit the name (`--resolve`).
    #[error(
        "`{name}` stands for {machines} machines: {candidates}; write the id of the one that is meant into the input \
         and give --extend (a new campaign takes the one that was seen last with --ambiguous newest)"
    )]
    AmbiguousName {
        /// The cell, or its beginning.
        name: String,
        /// How many machines there are.
        machines: usize,
        /// The first of them.
        candidates: String,
    },
    /// What the campaign found out about the name when it began.
    #[error("{message}")]
    Unresolved {
        /// `unknown_name` or `ambiguous_name`.
        code: String,
        /// The reason, as text.
        message: String,
    },
    /// A name that was not looked up.
    #[error("`{0}` was not looked up: names are looked up with --resolve")]
    NotLookedUp(String),
    /// A link without an id where the portal's links have it.
    #[error("`{0}` is a link without a machine id in it")]
    Link(String),
    /// Something else.
    #[error("`{cell}` is no machine id (an id has {rule} here)")]
    NotAnId {
        /// The cell, or its beginning.
        cell: String,
        /// The column's rule.
        rule: IdRule,
    },
    /// More characters than any id.
    #[error("the machine id has {0} characters, at most {MAX_ID} are possible")]
    LongId(usize),
    /// A character that occurs in no id, and that would change the URL of the call.
    #[error("the machine id contains {0:?}, which no machine id does")]
    IdCharacter(char),
    /// A path segment `.` or `..`.
    #[error("`{0}` is no machine id")]
    PathStep(String),
    /// Not a scan type.
    #[error("scan_type is `{0}`: write `quick` or `full`, or leave it empty")]
    ScanType(String),
    /// A comment that is too long.
    #[error("the comment has {0} characters, at most {MAX_COMMENT} are possible")]
    LongComment(usize),
    /// A comment with the tag by which scans of a campaign are recognised.
    #[error("the comment contains `{TAG}`, which is how the tool's own comments begin")]
    TaggedComment,
    /// Another tenant than that of the sign-in.
    #[error("the row is of tenant `{row}`, the sign-in is to tenant `{signed_in}`")]
    OtherTenant {
        /// The row's tenant.
        row: String,
        /// The tenant of the sign-in.
        signed_in: String,
    },
}

impl RowError {
    /// The code for the results, if the row has one: `unknown_name` or `ambiguous_name`.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::UnknownName { .. } => "unknown_name",
            Self::AmbiguousName { .. } => AMBIGUOUS,
            Self::Unresolved { code, .. } => code,
            _ => "",
        }
    }

    /// Whether the id itself is wrong, so that the row's machine is not known.
    #[must_use]
    pub const fn is_of_the_id(&self) -> bool {
        !matches!(
            self,
            Self::ScanType(_)
                | Self::LongComment(_)
                | Self::TaggedComment
                | Self::OtherTenant { .. }
        )
    }
}

fn like(similar: Option<&str>) -> String {
    similar.map_or_else(String::new, |name| format!("; there is `{name}`"))
}

/// The beginning of a cell, short enough for a message.
pub(super) fn excerpt(cell: &str) -> String {
    const LONGEST: usize = 60;
    let cell = one_line(cell);
    match cell.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &cell[..end]),
        None => cell.into_owned(),
    }
}
