//! What the user said about the input.

use std::{str::FromStr, sync::Arc};

use super::{excluded::Excluded, id_rule::IdRule, names::Names, skips::Skips, where_clause::Where};

/// What the user said about the input. By default everything is detected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `--id-column`: the name, in any case, of the column with the machine ids.
    pub id_column: Option<String>,
    /// `--delimiter`: what separates two cells.
    pub delimiter: Option<Delimiter>,
    /// `--sheet`: which sheet of a workbook is read.
    pub sheet: SheetChoice,
    /// `--where`: a row that fails one of these conditions is left out.
    pub wheres: Vec<Where>,
    /// `--exclude`: rows with these machines are not sent.
    pub excluded: Excluded,
    /// Machines that need no scan, or cannot have one.
    pub skips: Arc<Skips>,
    /// `--any-id`: accept whatever a URL can carry as an id, even if most ids are GUIDs.
    pub any_id: bool,
    /// `--resolve`: what the names in the input stand for. Without effect on a campaign that began with another rule.
    pub names: Option<Arc<Names>>,
    /// The rule that a campaign began with. It applies whatever the column looks like now.
    pub rule: Option<IdRule>,
    /// Whether the input may be a results file.
    pub of_results: bool,
    /// The tenant of the sign-in. A row with another one in `tenant_id` is invalid.
    pub tenant: Option<String>,
    /// Whether the tenant of the sign-in is not known, so that an input with rows of several tenants is refused.
    pub one_tenant: bool,
}

impl Options {
    /// Whether the input holds names.
    pub(super) fn are_names(&self) -> bool {
        self.names.is_some() && self.rule.is_none_or(|rule| rule == IdRule::Named)
    }
}

/// Which sheet of a workbook is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SheetChoice {
    /// The one whose column holds machine ids, of those that can be seen.
    #[default]
    ByIds,
    /// The only one that is not empty, hidden or not: nothing may be missed.
    Only,
    /// The one with this name, in any case.
    Named(String),
}

/// What separates two cells: one ASCII character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(u8);

impl Delimiter {
    /// In the text of a workbook's sheet. There every row is one line, however many line ends its cells hold: the
    /// lines are counted outside of the quotes, and each cell stands between quotes.
    pub(super) const OF_SHEET: Self = Self(0x1f);

    /// The character, for csv.
    pub(super) const fn as_byte(self) -> u8 {
        self.0
    }

    /// A delimiter may be a tab, or any punctuation mark except the quote.
    pub(super) fn new(byte: u8) -> Option<Self> {
        let usable = byte == b'\t' || (byte.is_ascii_punctuation() && byte != b'"');
        usable.then_some(Self(byte))
    }
}

/// A text that is not a delimiter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot separate cells: give one character such as `,` or `;` or `|`, or the word `tab`"
)]
pub struct DelimiterError(String);

impl FromStr for Delimiter {
    type Err = DelimiterError;

    /// One character, `tab` or `\t`.
    fn from_str(text: &str) -> Result<Self, DelimiterError> {
        let byte = match text.as_bytes() {
            _ if text.eq_ignore_ascii_case("tab") || text == r"\t" => Some(b'\t'),
            &[byte] => Some(byte),
            _ => None,
        };
        byte.and_then(Self::new)
            .ok_or_else(|| DelimiterError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_is_one_character_or_the_word_tab() {
        for (text, byte) in [
            (",", b','),
            ("|", b'|'),
            ("tab", b'\t'),
            (r"\t", b'\t'),
            ("\t", b'\t'),
        ] {
            assert_eq!(text.parse(), Ok(Delimiter(byte)), "{text:?}");
        }
        for text in ["", "a", "\"", "\n", ";;", "é", " "] {
            assert!(text.parse::<Delimiter>().is_err(), "{text:?}");
        }
    }
}
