//! `--where COLUMN=VALUE[,…]`: which rows are sent.

use std::str::FromStr;

/// One `--where`: the rows whose cell in this column is one of these values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Where {
    column: String,
    values: Vec<String>,
}

impl Where {
    /// The column's name as typed. It is matched in any case.
    #[must_use]
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Whether the cell is one of the values, in any case and without surrounding space.
    #[must_use]
    pub fn admits(&self, cell: &str) -> bool {
        let cell = cell.trim();
        self.values.iter().any(|value| {
            value.eq_ignore_ascii_case(cell)
                || (!cell.is_ascii() && value.to_lowercase() == cell.to_lowercase())
        })
    }
}

/// A `--where` without a column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no condition: write COLUMN=VALUE or COLUMN=VALUE,VALUE")]
pub struct WhereError(String);

impl FromStr for Where {
    type Err = WhereError;

    /// `COLUMN=VALUE[,VALUE…]`; `COLUMN=` means the empty cell.
    fn from_str(text: &str) -> Result<Self, WhereError> {
        let (column, values) = text
            .split_once('=')
            .map(|(column, values)| (column.trim(), values))
            .filter(|(column, _)| !column.is_empty())
            .ok_or_else(|| WhereError(text.to_owned()))?;
        Ok(Self {
            column: column.to_owned(),
            values: values
                .split(',')
                .map(|value| value.trim().to_owned())
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_admits_any_of_its_values_in_any_case() {
        let servers: Where = "Group = Servers, DMZ".parse().unwrap();
        assert_eq!(servers.column(), "Group");
        assert!(servers.admits(" servers ") && servers.admits("dmz"));
        assert!(!servers.admits("server") && !servers.admits(""));
    }

    #[test]
    fn a_condition_compares_letters_beyond_ascii_in_any_case_too() {
        let where_clause: Where = "site=Zürich".parse().unwrap();
        assert!(where_clause.admits("ZÜRICH"));
    }

    #[test]
    fn a_condition_without_a_value_means_the_empty_cell() {
        let none: Where = "owner=".parse().unwrap();
        assert!(none.admits("  ") && !none.admits("x"));
    }

    #[test]
    fn a_condition_without_a_column_is_refused() {
        assert!("=x".parse::<Where>().is_err());
        assert!("servers".parse::<Where>().is_err());
    }
}
