//! Parsers for values of options that several commands take.

use std::{str::FromStr, time::Duration};

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// A whole number of percent, 0 to 99.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Percent(pub u8);

/// A text that is no such percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a whole number of percent from 0 to 99, as in 25%")]
pub struct PercentError;

impl FromStr for Percent {
    type Err = PercentError;

    fn from_str(text: &str) -> Result<Self, PercentError> {
        let number = text.trim().trim_end_matches('%').trim_end();
        match number.parse() {
            Ok(percent) if percent < 100 => Ok(Self(percent)),
            _ => Err(PercentError),
        }
    }
}

/// Parses a length of time as in `90s`, `15m` or `1h 30m`; at most a week.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let span: SignedDuration = text
        .parse()
        .map_err(|_| "write a length of time such as 90s, 15m or 1h 30m".to_owned())?;
    match Duration::try_from(span) {
        Ok(span) if !span.is_zero() && span <= Duration::from_hours(24 * 7) => Ok(span),
        _ => Err("it must be more than zero and at most a week".to_owned()),
    }
}

/// Parses a length of time that may be in days or weeks, as in `7d` or `36h`. A day has 24 hours.
pub(super) fn days(text: &str) -> Result<SignedDuration, String> {
    let wrong = || "write a length of time such as 7d or 36h".to_owned();
    let span: Span = text.parse().map_err(|_| wrong())?;
    let span = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| wrong())?;
    if span.is_positive() {
        Ok(span)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_whole_number_below_a_hundred() {
        for (text, share) in [("0", 0), ("25%", 25), (" 99 % ", 99)] {
            assert_eq!(text.parse(), Ok(Percent(share)));
        }
        for text in ["", "%", "100%", "-1", "2.5%", "half"] {
            assert_eq!(text.parse::<Percent>(), Err(PercentError), "{text}");
        }
    }

    #[test]
    fn days_are_lengths_of_time() {
        assert_eq!(days("7d"), Ok(SignedDuration::from_hours(168)));
        assert_eq!(days("1w"), Ok(SignedDuration::from_hours(168)));
        assert_eq!(days("36h"), Ok(SignedDuration::from_hours(36)));
        for text in ["", "7", "-7d", "0d", "soon", "1mo"] {
            assert!(days(text).is_err(), "{text}");
        }
    }
}
