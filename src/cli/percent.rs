//! Shares on the command line: `25%`.

use std::str::FromStr;

/// A whole number of percent, 0 to 99.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Percent(pub u8);

/// A text that is no such share.
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
}
