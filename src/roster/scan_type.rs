//! The two kinds of scan.

use std::{fmt, str::FromStr};

/// The kind of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScanType {
    /// Memory, start-up items and the usual places. Takes minutes.
    Quick,
    /// Every file. Takes hours.
    Full,
}

impl ScanType {
    /// The word in options and files: `quick` or `full`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
        }
    }

    /// The API's word: `Quick` or `Full` (MDE-API.md, section 1). Its case matters.
    #[must_use]
    pub const fn wire(self) -> &'static str {
        match self {
            Self::Quick => "Quick",
            Self::Full => "Full",
        }
    }
}

impl fmt::Display for ScanType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is neither `quick` nor `full`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scan type is `quick` or `full`")]
pub struct ScanTypeError;

impl FromStr for ScanType {
    type Err = ScanTypeError;

    /// Ignores case and surrounding space.
    fn from_str(text: &str) -> Result<Self, ScanTypeError> {
        [Self::Quick, Self::Full]
            .into_iter()
            .find(|scan| scan.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or(ScanTypeError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_type_is_read_in_any_case() {
        assert_eq!(" QUICK".parse(), Ok(ScanType::Quick));
        assert_eq!("Full".parse(), Ok(ScanType::Full));
        assert_eq!("fast".parse::<ScanType>(), Err(ScanTypeError));
    }
}
