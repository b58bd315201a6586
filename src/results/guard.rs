//! Cells that a spreadsheet would run as a formula.
//!
//! Names and comments in a results file come from machines and from other people, and the file is made to be opened in a
//! spreadsheet: `=HYPERLINK(…)` must arrive there as text.

/// Whether the cell needs a leading `'`: it begins like a formula and is no number.
#[must_use]
pub fn needs_guard(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number(cell)
}

/// Digits, signs, a point and an exponent. Rust also reads `-inf` and `+nan`, which a spreadsheet does not.
fn is_number(cell: &str) -> bool {
    cell.bytes()
        .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
        && cell.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::needs_guard;

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
    fn numbers_and_other_text_stay_as_they_are() {
        for cell in [
            "", "a=1", "-5", "+49", "-1.5e-3", "-.5", "'=1", " =1", "0x1",
        ] {
            assert!(!needs_guard(cell), "{cell:?}");
        }
    }
}
