//! Guards against cells that a spreadsheet would run as a formula, or a terminal as a command.
//!
//! Names and comments in a results file come from machines and from other people, and the file is meant to be opened
//! in a spreadsheet. So `=HYPERLINK(…)` must arrive there as text.

use std::borrow::Cow;

use crate::plain_text;

/// A cell of one of our columns as it is written: [one plain line](plain_text::one_line), after a `'` if a spreadsheet
/// would run it.
pub(super) fn guarded(cell: &str) -> Cow<'_, str> {
    behind_quote(plain_text::one_line(cell))
}

/// A cell of one of the input's other columns. Line ends and tabs stay, because they are the user's own.
pub(super) fn guarded_own(cell: &str) -> Cow<'_, str> {
    behind_quote(plain_text::cell(cell))
}

fn behind_quote(cell: Cow<'_, str>) -> Cow<'_, str> {
    if needs_guard(&cell) {
        Cow::Owned(format!("'{cell}"))
    } else {
        cell
    }
}

/// Whether the cell needs a leading `'`, because it begins like a formula and is not a number.
pub(super) fn needs_guard(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number(cell)
}

/// Whether the cell is a number: digits, signs, a point and an exponent. Rust also parses `-inf` and `+nan`, but a
/// spreadsheet does not.
fn is_number(cell: &str) -> bool {
    cell.bytes()
        .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
        && cell.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::{guarded, guarded_own, needs_guard};

    #[test]
    fn what_would_run_is_guarded() {
        for cell in [
            "=1+1",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "-",
            "=",
            "-inf",
            "+nan",
            "-1-1",
            "+49 170",
        ] {
            assert!(needs_guard(cell), "{cell:?}");
        }
    }

    #[test]
    fn no_cell_has_what_a_terminal_would_obey() {
        assert_eq!(guarded("\x1b[2Ja\nb\u{202e}"), " [2Ja b");
        assert_eq!(guarded_own("\x1b[2Ja\nb\u{202e}"), " [2Ja\nb");
        assert_eq!(guarded("\u{200b}=1+1"), "'=1+1");
    }

    #[test]
    fn numbers_and_other_text_stay_as_they_are() {
        for cell in [
            "", "a=1", "-5", "+49", "-1.5e-3", "-.5", "'=1", " =1", "0x1",
        ] {
            assert!(!needs_guard(cell), "{cell:?}");
        }
    }
}
