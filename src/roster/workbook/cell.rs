//! The cells of a sheet as text: what a person sees in them, as far as that says what the cell holds.

use std::fmt::Write as _;

use calamine::{DataRef, ExcelDateTime};

/// Spreadsheets keep 15 digits of a number.
const DIGITS: usize = 15;
/// From here on a whole number may have lost digits.
const FEWEST_LOST: f64 = 1e15;
/// The day after the last one that a spreadsheet knows, 9999-12-31, in days.
const LAST_DAY: f64 = 2_958_466.0;
const MS_OF_A_DAY: f64 = 86_400_000.0;

/// Puts the cell's text in the place of what `text` holds.
pub(super) fn write(cell: &DataRef<'_>, text: &mut String) {
    text.clear();
    match cell {
        DataRef::Empty => {}
        DataRef::String(own) => text.push_str(own),
        DataRef::SharedString(shared) => text.push_str(shared),
        DataRef::DateTimeIso(iso) | DataRef::DurationIso(iso) => text.push_str(iso),
        DataRef::Bool(is) => text.push_str(if *is { "TRUE" } else { "FALSE" }),
        DataRef::Error(error) => put(text, format_args!("{error}")),
        DataRef::Int(whole) => put(text, format_args!("{whole}")),
        DataRef::Float(value) => number(*value, text),
        DataRef::DateTime(value) => date(value, text),
    }
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = text.write_fmt(what);
}

/// A number with the digits that it has: whole ones of up to 15 digits plainly, longer ones with an exponent, by which
/// an id that was turned into a number is recognised.
fn number(value: f64, text: &mut String) {
    if value.fract() == 0.0 && value.abs() < FEWEST_LOST {
        return put(text, format_args!("{}", value + 0.0));
    }
    let rounded = format!("{value:.*e}", DIGITS - 1);
    let Some((mantissa, exponent)) = rounded.split_once('e') else {
        // Not a number, or infinite, which no cell can be.
        return;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-5..15).contains(&exponent) {
        let value: f64 = rounded.parse().unwrap_or(value);
        return put(text, format_args!("{value}"));
    }
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    let sign = if exponent < 0 { '-' } else { '+' };
    put(text, format_args!("{mantissa}E{sign}{:02}", exponent.abs()));
}

/// A date as `2026-11-30`, a time as `13:05:00`, both as `2026-11-30T13:05:00`, and a duration as `26:05:00`.
fn date(date: &ExcelDateTime, text: &mut String) {
    let value = date.as_f64();
    if !(0.0..LAST_DAY).contains(&value) {
        return number(value, text);
    }
    if date.is_duration() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is positive, and far below the limit"
        )]
        let seconds = (value * MS_OF_A_DAY / 1000.0).round() as u64;
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        return put(
            text,
            format_args!("{}:{:02}:{seconds:02}", minutes / 60, minutes % 60),
        );
    }
    let (year, month, day, hour, minute, second, ms) = date.to_ymd_hms_milli();
    if value >= 1.0 {
        put(text, format_args!("{year:04}-{month:02}-{day:02}"));
    }
    if value.fract() != 0.0 || value < 1.0 {
        let t = if value < 1.0 { "" } else { "T" };
        put(text, format_args!("{t}{hour:02}:{minute:02}:{second:02}"));
        if ms != 0 {
            put(text, format_args!(".{ms:03}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use calamine::{CellErrorType, ExcelDateTimeType};

    use super::*;

    fn text(cell: &DataRef<'_>) -> String {
        let mut text = "before".to_owned();
        write(cell, &mut text);
        text
    }

    #[test]
    fn a_number_has_the_digits_that_are_left_of_it() {
        for (value, shown) in [
            (0.0, "0"),
            (-0.0, "0"),
            (17.0, "17"),
            (-17.5, "-17.5"),
            (123_456_789_012_345.0, "123456789012345"),
            (1.234_567_890_123_456_8e39, "1.23456789012346E+39"),
            (1e39, "1E+39"),
            (-2.5e15, "-2.5E+15"),
            (0.1 + 0.2, "0.3"),
            (0.000_012, "0.000012"),
            (1.5e-7, "1.5E-07"),
            (f64::INFINITY, ""),
            (f64::NAN, ""),
        ] {
            assert_eq!(text(&DataRef::Float(value)), shown);
        }
    }

    #[test]
    fn dates_are_iso_and_durations_count_hours() {
        let date = |value, kind| text(&DataRef::DateTime(ExcelDateTime::new(value, kind, false)));
        let at = |value| date(value, ExcelDateTimeType::DateTime);
        assert_eq!(at(45_943.0), "2025-10-13");
        assert_eq!(at(45_943.5), "2025-10-13T12:00:00");
        assert_eq!(at(45_943.541), "2025-10-13T12:59:02.400");
        assert_eq!(at(0.25), "06:00:00");
        assert_eq!(at(-1.0), "-1");
        assert_eq!(at(1e300), "1E+300");
        assert_eq!(date(1.5, ExcelDateTimeType::TimeDelta), "36:00:00");
    }

    #[test]
    fn everything_else_is_what_the_cell_shows() {
        for (cell, shown) in [
            (DataRef::Empty, ""),
            (DataRef::String(" 007 ".into()), " 007 "),
            (DataRef::SharedString("=1+1"), "=1+1"),
            (DataRef::Bool(true), "TRUE"),
            (DataRef::Error(CellErrorType::NA), "#N/A"),
            (DataRef::DateTimeIso("2026-11-30".into()), "2026-11-30"),
        ] {
            assert_eq!(text(&cell), shown);
        }
    }
}
