//! What a row says about its own scan, in columns with fixed names.

use std::borrow::Cow;

use csv::StringRecord;

use super::{
    row_error::{MAX_COMMENT, RowError, TAG, excerpt},
    scan_type::ScanType,
};
use crate::plain_text::one_line;

/// The columns' names, which have to match exactly.
const NAMES: [&str; 4] = ["scan_type", "comment", "priority", "tenant_id"];

/// The columns that say something about a row's own scan.
#[derive(Debug)]
pub(super) struct FieldColumns {
    places: [Option<usize>; NAMES.len()],
    tenant: Option<String>,
}

/// What a row says about its own scan.
#[derive(Debug, Default)]
pub(super) struct RowFields<'a> {
    pub(super) scan_type: Option<ScanType>,
    pub(super) comment: Option<Cow<'a, str>>,
    pub(super) priority: Option<i64>,
    /// The priority's cell, if that is not an integer.
    pub(super) bad_priority: Option<&'a str>,
}

impl FieldColumns {
    /// Finds the columns. A row of another tenant than this one is an error.
    pub(super) fn new(columns: &[String], tenant: Option<&str>) -> Self {
        Self {
            places: NAMES.map(|name| columns.iter().position(|column| column == name)),
            tenant: tenant.map(str::to_owned),
        }
    }

    /// The names of the columns that exist.
    pub(super) fn recognised(&self) -> Vec<&'static str> {
        NAMES
            .into_iter()
            .zip(self.places)
            .filter_map(|(name, place)| place.map(|_| name))
            .collect()
    }

    /// The tenant in the row.
    pub(super) fn tenant<'a>(&self, record: &'a StringRecord) -> Option<&'a str> {
        let [_, _, _, place] = self.places;
        let cell = record.get(place?)?.trim();
        (!cell.is_empty()).then_some(cell)
    }

    /// Reads one row.
    pub(super) fn read<'a>(&self, record: &'a StringRecord) -> Result<RowFields<'a>, RowError> {
        let [scan_type, comment, priority, tenant] = self.places.map(|place| {
            let cell = record.get(place?)?.trim();
            (!cell.is_empty()).then_some(cell)
        });
        if let (Some(row), Some(signed_in)) = (tenant, &self.tenant)
            && !row.eq_ignore_ascii_case(signed_in)
        {
            return Err(RowError::OtherTenant {
                row: excerpt(row),
                signed_in: signed_in.clone(),
            });
        }
        let scan_type = scan_type
            .map(|word| word.parse().map_err(|_| RowError::ScanType(excerpt(word))))
            .transpose()?;
        let comment = comment.map(clean).transpose()?;
        let number = priority.and_then(|cell| cell.parse().ok());
        Ok(RowFields {
            scan_type,
            comment,
            priority: number,
            bad_priority: priority.filter(|_| number.is_none()),
        })
    }
}

/// A comment as it can be sent.
fn clean(comment: &str) -> Result<Cow<'_, str>, RowError> {
    let characters = comment.chars().count();
    if characters > MAX_COMMENT {
        return Err(RowError::LongComment(characters));
    }
    if comment.contains(TAG) {
        return Err(RowError::TaggedComment);
    }
    Ok(one_line(comment))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(record: &'a StringRecord, columns: &[&str]) -> Result<RowFields<'a>, RowError> {
        let columns: Vec<_> = columns.iter().map(|&name| name.to_owned()).collect();
        FieldColumns::new(&columns, Some("AAAA")).read(record)
    }

    #[test]
    fn names_are_matched_exactly() {
        let columns = ["Comment", "priority", "tenant_id"].map(str::to_owned);
        assert_eq!(
            FieldColumns::new(&columns, None).recognised(),
            ["priority", "tenant_id"]
        );
    }

    #[test]
    fn empty_cells_say_nothing() {
        let record = StringRecord::from(vec!["", " ", "", ""]);
        let said = read(&record, &NAMES).unwrap();
        assert!(said.scan_type.is_none() && said.comment.is_none());
        assert!(said.priority.is_none() && said.bad_priority.is_none());
    }

    #[test]
    fn a_priority_is_any_integer_and_other_text_is_told() {
        for (cell, number) in [
            (" -3 ", Some(-3)),
            ("+7", Some(7)),
            ("1.0", None),
            ("99999999999999999999", None),
        ] {
            let record = StringRecord::from(vec![cell]);
            let said = read(&record, &["priority"]).unwrap();
            assert_eq!(said.priority, number, "{cell}");
            assert_eq!(said.bad_priority.is_some(), number.is_none(), "{cell}");
        }
    }

    #[test]
    fn a_comment_is_one_line_of_at_most_200_characters() {
        let comment = |text: &str| {
            read(&StringRecord::from(vec![text]), &["comment"])
                .map(|said| said.comment.unwrap().into_owned())
        };
        assert_eq!(comment(" a\r\nb\u{7f}\0c "), Ok("a  b  c".into()));
        assert_eq!(comment(&"é".repeat(200)), Ok("é".repeat(200)));
        assert_eq!(comment(&"é".repeat(201)), Err(RowError::LongComment(201)));
        assert_eq!(
            comment("x [fleetsweep:abc:1] y"),
            Err(RowError::TaggedComment)
        );
    }

    #[test]
    fn a_row_of_another_tenant_is_an_error_and_case_does_not_matter() {
        let tenant = |text: &str| read(&StringRecord::from(vec![text]), &["tenant_id"]).map(|_| ());
        assert_eq!((tenant("aaaa"), tenant("")), (Ok(()), Ok(())));
        assert!(matches!(tenant("bbbb"), Err(RowError::OtherTenant { .. })));
    }

    #[test]
    fn an_unknown_scan_type_says_what_would_be_right() {
        let error = read(&StringRecord::from(vec!["deep"]), &["scan_type"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "scan_type is `deep`: write `quick` or `full`, or leave it empty"
        );
    }
}
