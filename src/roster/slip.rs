//! Explains what a cell is that should be a machine id and is not.

use super::{
    bare::{count_ids, is_invisible},
    id_rule::IdRule,
    machine_id::{check_address, digest, is_guid, is_short_id},
    row_error::{RowError, excerpt},
};

/// What stands for the result of a formula in a workbook that no spreadsheet program has computed yet.
pub(super) const NOT_COMPUTED: &str = "formula without a stored result";

/// What exports and lists have in place of an unknown value.
const PLACEHOLDERS: [&str; 17] = [
    NOT_COMPUTED,
    "null",
    "none",
    "nil",
    "nan",
    "na",
    "n/a",
    "#n/a",
    "#ref!",
    "#name?",
    "#value!",
    "unknown",
    "undefined",
    "tbd",
    "empty",
    "(blank)",
    "n.a.",
];

/// Whether a trimmed cell is a machine id.
///
/// In doubt it is not. A row that is wrongly rejected is reported in the results. One that is wrongly sent costs a
/// call, or makes other rows with the same mistake its duplicates.
pub(super) fn check(cell: &str, rule: IdRule) -> Result<(), RowError> {
    if rule == IdRule::AsTyped {
        return check_address(cell);
    }
    if rule.is_certain(cell) {
        return Ok(());
    }
    if cell.is_empty() {
        return Err(RowError::NoId);
    }
    if is_placeholder(cell) {
        return Err(RowError::Placeholder(excerpt(cell)));
    }
    if let ids @ 2.. = count_ids(cell) {
        return Err(RowError::SeveralIds(ids));
    }
    if is_spreadsheet_number(cell) {
        return Err(RowError::SpreadsheetNumber(excerpt(cell)));
    }
    match rule {
        IdRule::Any => return check_address(cell),
        // Whether a machine is called so is not decided here, but no computer is called like a misspelt id or a link.
        IdRule::Named => {
            return match other_than(IdRule::Hex40, cell) {
                slip @ (RowError::Digits { .. } | RowError::Link(_)) if cell.len() > 16 => {
                    Err(slip)
                }
                _ => Ok(()),
            };
        }
        _ => {}
    }
    Err(other_than(rule, cell))
}

/// What a cell is that is not an id by the column's rule.
fn other_than(rule: IdRule, cell: &str) -> RowError {
    let shown = || excerpt(cell);
    if let Some(odd) = cell.chars().find(|&c| is_invisible(c) || !c.is_ascii()) {
        return RowError::IdCharacter(odd);
    }
    if is_guid(cell) {
        return RowError::Guid(shown());
    }
    if cell.bytes().all(|byte| byte.is_ascii_digit()) && cell.len() < 20 {
        return RowError::Number(shown());
    }
    let has_digit = cell.bytes().any(|byte| byte.is_ascii_digit());
    if cell.bytes().all(|byte| byte.is_ascii_hexdigit()) && (cell.len() > 16 || has_digit) {
        return RowError::Digits {
            found: cell.len(),
            rule,
        };
    }
    if cell.contains("://") {
        return RowError::Link(shown());
    }
    if looks_like_name(cell) {
        return RowError::Name(shown());
    }
    RowError::NotAnId {
        cell: shown(),
        rule,
    }
}

/// Whether the text could be the name of a computer: letters, digits, hyphens and dots.
pub(super) fn looks_like_name(text: &str) -> bool {
    text.len() < 64
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._$".contains(&byte))
}

/// Whether the first line of a plain list is a row rather than a heading: an id, perhaps misspelt, or another mistake
/// in place of an id.
pub(super) fn is_row_rather_than_heading(text: &str) -> bool {
    digest(text).is_some()
        || is_short_id(text)
        || is_guid(text)
        || is_placeholder(text)
        || count_ids(text) > 0
        || is_spreadsheet_number(text)
        || text.contains("://")
        || !text.bytes().any(|byte| byte.is_ascii_alphabetic())
        || is_long_with_digits(text)
}

/// Whether the text is long, without blanks, and has digits. Then it is probably a misspelt id.
pub(super) fn is_long_with_digits(text: &str) -> bool {
    text.len() >= 16
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-{}".contains(&byte))
}

fn is_placeholder(cell: &str) -> bool {
    cell.chars().all(|c| {
        matches!(
            c,
            '-' | '–' | '—' | '_' | '=' | '.' | '*' | '?' | '/' | '+' | '|' | '~'
        )
    }) || PLACEHOLDERS
        .iter()
        .any(|word| word.eq_ignore_ascii_case(cell))
}

/// Whether the cell is a number as a spreadsheet shows long ones: `1.23E+39`, or `1,23457E+39` with a decimal comma.
fn is_spreadsheet_number(cell: &str) -> bool {
    let Some((mantissa, exponent)) = cell.split_once(['E', 'e']) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    digits(whole)
        && digits(fraction)
        && whole.len() <= 3
        && exponent.strip_prefix(['+', '-']).is_some_and(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07";

    #[test]
    fn a_slip_is_named_as_what_it_looks_like() {
        let two = format!("[\"{ID}\",\"{}\"]", ID.replace('1', "2"));
        for (cell, says) in [
            ("", "the machine id is missing"),
            ("N/A", "`N/A` is a placeholder"),
            ("--", "`--` is a placeholder"),
            (NOT_COMPUTED, "is a placeholder"),
            ("1.23E+39", "turned this id into the number `1.23E+39`"),
            ("1,23457E+39", "turned this id into the number"),
            (&two, "2 machine ids in one cell"),
            (&ID[1..], "39 hex digits instead of 40"),
            (&ID[..32], "32 hex digits instead of 40"),
            ("17", "`17` is a number"),
            ("2f1b3c4d-0000-4abc-8DEF-001122334455", "is a GUID"),
            ("Total", "`Total` looks like a name"),
            ("pc-1.corp", "`pc-1.corp` looks like a name"),
            ("https://example.com/x", "is a link without a machine id"),
            ("pc 1", "`pc 1` is no machine id"),
            ("pc\u{200b}1", "contains '\\u{200b}'"),
        ] {
            let error = check(cell, IdRule::Hex40).unwrap_err().to_string();
            assert!(error.contains(says), "{cell}: {error}");
        }
    }

    #[test]
    fn with_any_id_only_what_is_surely_a_slip_is_held_back() {
        for id in [
            "pc-1.corp",
            "17",
            &ID[1..],
            "2f1b3c4d-0000-4abc-8DEF-001122334455",
        ] {
            assert_eq!(check(id, IdRule::Any), Ok(()), "{id}");
        }
        for slip in [
            "null",
            "-",
            "1.23E+39",
            "a/b",
            "",
            &format!("{ID};{}", ID.replace('1', "2")),
        ] {
            assert!(check(slip, IdRule::Any).is_err(), "{slip}");
        }
    }

    #[test]
    fn an_id_that_reads_like_a_number_is_an_id() {
        let id = "123E45678901234567890123456789012345678e";
        assert_eq!(check(id, IdRule::Hex40), Ok(()));
        assert!(!is_spreadsheet_number(id) && !is_spreadsheet_number("12E9"));
    }

    #[test]
    fn a_heading_is_told_from_a_slip() {
        for row in [
            ID,
            &ID[1..],
            &ID.replace('b', "o"),
            "null",
            "17",
            "1.2E+39",
            "--",
        ] {
            assert!(is_row_rather_than_heading(row), "{row}");
        }
        for heading in [
            "Machines",
            "Machines to scan 2026",
            "DeviceIdentifiers",
            "machine_identifier_1",
        ] {
            assert!(!is_row_rather_than_heading(heading), "{heading}");
        }
    }
}
