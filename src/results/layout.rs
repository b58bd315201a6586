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

/// The columns for what the devices themselves report of their scans. They come last, where somebody has asked for it.
pub const DEVICE_COLUMNS: [&str; 3] = ["device_scan_utc", "device_scan_result", "verified"];

/// The columns and the dialect of a file. Every rewrite of the file uses the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    extra: Vec<String>,
    excel: bool,
    devices: bool,
}

impl Layout {
    /// Our columns, then the input's `extra` columns. `excel` means a byte order mark, `;` and CRLF, which a European
    /// Excel opens on a double click. Otherwise the file is UTF-8 with `,` and LF.
    ///
    /// A column with the same name as one of ours, in any case, becomes `input_<name>`, or `input_<name>_2` and so on
    /// if that is taken. So a program that looks up columns by name finds ours.
    #[must_use]
    pub fn new(extra: &[String], excel: bool) -> Self {
        Self::with(extra, excel, false)
    }

    /// As [`new`](Self::new), with [`DEVICE_COLUMNS`] at the end if `devices` says so.
    #[must_use]
    pub fn with(extra: &[String], excel: bool, devices: bool) -> Self {
        let more: &[&str] = if devices { &DEVICE_COLUMNS } else { &[] };
        let is_ours = |name: &str| {
            let mut ours = COLUMNS.iter().chain(more);
            ours.any(|ours| ours.eq_ignore_ascii_case(name.trim()))
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
        Self {
            extra,
            excel,
            devices,
        }
    }

    /// The names of the input's columns in the file.
    #[must_use]
    pub fn extra(&self) -> &[String] {
        &self.extra
    }

    /// Whether the file has [`DEVICE_COLUMNS`].
    #[must_use]
    pub const fn devices(&self) -> bool {
        self.devices
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
    fn the_columns_for_devices_are_ours_only_where_they_are_there() {
        let names = ["verified".to_owned()];
        assert_eq!(Layout::new(&names, false).extra(), ["verified"]);
        let layout = Layout::with(&names, false, true);
        assert_eq!(layout.extra(), ["input_verified"]);
    }

    #[test]
    fn other_columns_keep_their_names_even_twice() {
        assert_eq!(extra(&["a", "a", ""]), ["a", "a", ""]);
    }
}
