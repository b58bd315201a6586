//! Dates in HTTP headers (RFC 9110, 5.6.7), for `Date` and `Retry-After`.

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

/// Accepts a wrong day of the week, because some gateways write one.
static PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// The time in the header; `None` if it is not a date.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    PARSER.parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_header_is_a_moment_and_anything_else_is_nothing() {
        let told = super::parse("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(told.to_string(), "1994-11-06T08:49:37Z");
        let wrong_day = super::parse("Fri, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(wrong_day, told);
        for text in ["", "37", "soon", "1994-11-06"] {
            assert_eq!(super::parse(text), None, "{text:?}");
        }
    }
}
