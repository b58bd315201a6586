//! Why a row cannot be sent.

use super::id_rule::IdRule;
use crate::plain_text::one_line;

/// The longest comment of one's own, in characters: the API's own limit is not documented, and the tag comes on top.
pub(super) const MAX_COMMENT: usize = 200;
/// The longest machine id, in characters: three times what any id known has (MDE-API.md, section 1).
pub(super) const MAX_ID: usize = 128;
/// How every comment of ours begins; a comment that contains it could be taken for the tag of another target.
pub(super) const TAG: &str = "[fleetsweep:";

/// Why a row cannot be sent, for the person who can mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Nothing where the id should be.
    #[error("the machine id is missing")]
    NoId,
    /// A word that stands for nothing.
    #[error("`{0}` is a placeholder, no machine id")]
    Placeholder(String),
    /// More than one id: a row is one target.
    #[error("{0} machine ids in one cell; give each of them a row of its own")]
    SeveralIds(usize),
    /// What a spreadsheet makes of an id whose digits could be a number. The id cannot be got back from it.
    #[error(
        "a spreadsheet has turned this id into the number `{0}`; export the ids again, and import the column as text"
    )]
    SpreadsheetNumber(String),
    /// Hex digits, and not as many as an id has.
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
    /// The name of a computer, it seems.
    #[error(
        "`{0}` looks like a name, and the API wants machine ids (`fleetsweep machines` lists both)"
    )]
    Name(String),
    /// An address without an id where the portal has it.
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
    /// More characters than any id has.
    #[error("the machine id has {0} characters, at most {MAX_ID} are possible")]
    LongId(usize),
    /// A character that no id has, and that would change the address of the call.
    #[error("the machine id contains {0:?}, which no machine id does")]
    IdCharacter(char),
    /// A step in a path: `.` or `..`.
    #[error("`{0}` is no machine id")]
    PathStep(String),
    /// Neither of the two scan types.
    #[error("scan_type is `{0}`: write `quick` or `full`, or leave it empty")]
    ScanType(String),
    /// More text than is sent.
    #[error("the comment has {0} characters, at most {MAX_COMMENT} are possible")]
    LongComment(usize),
    /// The mark by which scans of a campaign are found again.
    #[error("the comment contains `{TAG}`, which is how the tool's own comments begin")]
    TaggedComment,
    /// Another directory than the one that was signed in to.
    #[error("the row is of tenant `{row}`, the sign-in is to tenant `{signed_in}`")]
    OtherTenant {
        /// What the row says.
        row: String,
        /// What the sign-in says.
        signed_in: String,
    },
}

impl RowError {
    /// Whether the id itself is wrong, so that the row's machine is nobody's.
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

/// The beginning of a cell, for a message of readable length.
pub(super) fn excerpt(cell: &str) -> String {
    const LONGEST: usize = 60;
    let cell = one_line(cell);
    match cell.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &cell[..end]),
        None => cell.into_owned(),
    }
}
