//! The columns and the CSV dialect of a results file.

use std::collections::HashSet;

/// Our columns, which come before those of the input.
pub const COLUMNS: [&str; 14] = [
    "machine_id",
    "outcome",
    "action_id",
    "action_status",
    "http_status",
    "error_code",
    "message",
    "attempts",
    "first_sent_utc",
    "last_answer_utc",
    "scan_type",
    "correlation_id",
    "campaign",
    "action_created_utc",
];

/// The columns and the dialect of a file. Every rewrite of the file uses the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    extra: Vec<String>,
    excel: bool,
}

impl Layout {
    /// Our columns, then the input's `extra` columns. `excel` means a byte order mark, `;` and CRLF, which a European
    /// Excel opens on a double click. Otherwise the file is UTF-8 with `,` and LF.
    ///
    /// A column with the same name as one of ours, in any case, becomes `input_<name>`, or `input_<name>_2` and so on
    /// if that is taken. So a program that looks up columns by name finds ours.
    #[must_use]
    pub fn new(extra: &[String], excel: bool) -> Self {
        let is_ours = |name: &str| {
            COLUMNS
                .iter()
                .any(|ours| ours.eq_ignore_ascii_case(name.trim()))
        };
        let mut taken: HashSet<String> = extra
            .iter()
            .filter(|name| !is_ours(name))
            .map(|name| name.trim().to_lowercase())
            .collect();
        let mut renamed = |name: &String| {
            if !is_ours(name) {
                return name.clone();
            }
            let plain = format!("input_{}", name.trim());
            let mut new = plain.clone();
            let mut count = 1;
            while !taken.insert(new.to_lowercase()) {
                count += 1;
                new = format!("{plain}_{count}");
            }
            new
        };
        let extra = extra.iter().map(&mut renamed).collect();
        Self { extra, excel }
    }

    /// The names of the input's columns in the file.
    #[must_use]
    pub fn extra(&self) -> &[String] {
        &self.extra
    }

    /// Whether the file is for Excel.
    #[must_use]
    pub const fn excel(&self) -> bool {
        self.excel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extra(names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        Layout::new(&names, false).extra
    }

    #[test]
    fn a_column_named_like_ours_is_renamed_and_stays_unique() {
        assert_eq!(extra(&["Site", "outcome"]), ["Site", "input_outcome"]);
        assert_eq!(extra(&["Outcome "]), ["input_Outcome"]);
        assert_eq!(
            extra(&["outcome", "input_outcome", "outcome"]),
            ["input_outcome_2", "input_outcome", "input_outcome_3"]
        );
    }

    #[test]
    fn other_columns_keep_their_names_even_twice() {
        assert_eq!(extra(&["a", "a", ""]), ["a", "a", ""]);
    }
}
