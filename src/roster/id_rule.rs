//! The rules by which cells of the id column are accepted as machine ids.

use std::{fmt, str::FromStr};

use super::machine_id::{digest, is_short_id};

/// How a cell must look to be a machine id. A campaign keeps the rule of its first run, so that every run treats the
/// same cell in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdRule {
    /// 40 hex digits, like nearly every id (MDE-API.md, section 1).
    Hex40,
    /// 32 hex digits, like one documented example (same section).
    Hex32,
    /// `--any-id`: whatever a URL can carry, except for known mistakes.
    Any,
    /// `--resolve`: names, Entra device ids and machine ids, which stand for machines of the inventory.
    Named,
    /// Whatever a URL can carry, as typed: the rule of campaigns that are older than the other rules. Nothing around
    /// an id is removed, and no line is skipped.
    AsTyped,
}

impl IdRule {
    const ALL: [Self; 5] = [
        Self::Hex40,
        Self::Hex32,
        Self::Any,
        Self::Named,
        Self::AsTyped,
    ];

    /// The word that is stored in the state.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hex40 => "hex40",
            Self::Hex32 => "hex32",
            Self::Any => "any-id",
            Self::Named => "names",
            Self::AsTyped => "any",
        }
    }

    /// Whether the text is an id of 40 or 32 hex digits that the rule accepts.
    pub(super) fn is_certain(self, id: &str) -> bool {
        let is_long = || digest(id).is_some();
        match self {
            Self::Hex40 | Self::Named => is_long(),
            Self::Hex32 => is_short_id(id),
            Self::Any | Self::AsTyped => is_long() || is_short_id(id),
        }
    }
}

impl fmt::Display for IdRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hex40 => "40 hex digits",
            Self::Hex32 => "32 hex digits",
            Self::Named => "a name",
            Self::Any | Self::AsTyped => "any text that a URL can carry",
        })
    }
}

/// A word in a state that stands for no known rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no rule for machine ids")]
pub struct IdRuleError(String);

impl FromStr for IdRule {
    type Err = IdRuleError;

    fn from_str(word: &str) -> Result<Self, IdRuleError> {
        Self::ALL
            .into_iter()
            .find(|rule| rule.as_str() == word)
            .ok_or_else(|| IdRuleError(word.to_owned()))
    }
}

/// What the examined values of a column are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Values {
    pub(super) filled: u64,
    pub(super) hex40: u64,
    pub(super) hex32: u64,
}

impl Values {
    pub(super) fn add(&mut self, id: &str) {
        self.filled += 1;
        self.hex40 += u64::from(digest(id).is_some());
        self.hex32 += u64::from(is_short_id(id));
    }

    /// Whether at least 95 % of the values are ids of one length. An id column may contain a few mistakes.
    pub(super) const fn are_ids(self) -> bool {
        self.are_mostly(self.hex40) || self.are_mostly(self.hex32)
    }

    const fn are_mostly(self, count: u64) -> bool {
        count > 0 && count * 100 >= self.filled * 95
    }

    /// The rule for the column. If both lengths occur and neither clearly prevails, ids have 40 digits. Then rows
    /// with 32 are reported as invalid, instead of being sent for machines that may not exist.
    pub(super) const fn rule(self) -> IdRule {
        if self.are_mostly(self.hex32) || (self.hex40 == 0 && self.hex32 > 0) {
            IdRule::Hex32
        } else {
            IdRule::Hex40
        }
    }

    /// How many of the values are ids under the column's rule.
    pub(super) const fn ids(self) -> u64 {
        match self.rule() {
            IdRule::Hex32 => self.hex32,
            _ => self.hex40,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(filled: u64, hex40: u64, hex32: u64) -> Values {
        Values {
            filled,
            hex40,
            hex32,
        }
    }

    #[test]
    fn every_rule_is_known_by_its_word() {
        for rule in IdRule::ALL {
            assert_eq!(rule.as_str().parse(), Ok(rule));
        }
        assert!("hex64".parse::<IdRule>().is_err());
    }

    #[test]
    fn a_column_of_ids_may_hold_a_few_slips() {
        assert!(values(100, 95, 0).are_ids() && values(20, 0, 19).are_ids());
        assert!(!values(100, 94, 6).are_ids() && !values(0, 0, 0).are_ids());
    }

    #[test]
    fn ids_have_32_digits_only_where_that_is_beyond_doubt() {
        assert_eq!(values(100, 4, 96).rule(), IdRule::Hex32);
        assert_eq!(values(9, 0, 2).rule(), IdRule::Hex32);
        for column in [values(9, 2, 0), values(9, 2, 7), values(9, 0, 0)] {
            assert_eq!(column.rule(), IdRule::Hex40, "{column:?}");
        }
    }
}
