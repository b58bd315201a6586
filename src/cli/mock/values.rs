//! Parsers for the values of the mock's options.

use std::{ops::RangeInclusive, str::FromStr, time::Duration};

use clap::ValueEnum;
use jiff::SignedDuration;

use crate::mock::{BusyShape, Limit};

/// How windows are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum QuotaModelArg {
    /// Any interval of the window's length
    #[default]
    Sliding,
    /// Windows back to back, the first one beginning at --phase
    Fixed,
    /// A bucket of --bucket-size calls, refilled steadily
    Bucket,
}

/// Whether the kinds of calls share their windows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum KindsArg {
    /// Each has its own
    #[default]
    Apart,
    /// All share them
    Together,
}

/// The answer to a start on a machine that is being scanned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum BusyShapeArg {
    /// 400 `ActiveRequestAlreadyExists`
    #[default]
    Error,
    /// 201 with the action that runs
    Success,
    /// The error after a byte-order mark
    ErrorWithMark,
    /// The error with its code in lower case
    ErrorInLowerCase,
    /// 400 `BadRequest`, which says it in the message alone
    BadRequest,
    /// The error, or 200 or 201 with the action that runs
    Mixed,
}

impl From<BusyShapeArg> for BusyShape {
    fn from(arg: BusyShapeArg) -> Self {
        match arg {
            BusyShapeArg::Error => Self::Error,
            BusyShapeArg::Success => Self::Success201,
            BusyShapeArg::ErrorWithMark => Self::ErrorWithMark,
            BusyShapeArg::ErrorInLowerCase => Self::ErrorInLowerCase,
            BusyShapeArg::BadRequest => Self::BadRequest,
            BusyShapeArg::Mixed => Self::Mixed,
        }
    }
}

/// Parses a percentage as in `5%`, and returns it as a share from 0 to 1.
pub(super) fn percent(text: &str) -> Result<f64, &'static str> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>();
    match number {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("expected a percentage from 0% to 100%"),
    }
}

/// The longest duration. More could overflow timers, and no campaign against a mock takes a month.
const LONGEST: Duration = Duration::from_hours(31 * 24);

/// Parses a duration as in `13s` or `1h 30m`.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    let signed = text.trim().parse::<SignedDuration>().ok();
    let duration = signed.and_then(|signed| Duration::try_from(signed).ok());
    match duration {
        None => Err("expected a duration such as 20ms, 13s, 1m or 1h 30m"),
        Some(duration) if duration > LONGEST => Err("a duration is at most 744h, which is 31 days"),
        Some(duration) => Ok(duration),
    }
}

/// Parses `20ms-150ms`, or `20ms` for exactly that.
pub(super) fn range(text: &str) -> Result<RangeInclusive<Duration>, &'static str> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (duration(from)?, duration(to)?);
    if from > to {
        return Err("the range's first duration is longer than its second");
    }
    Ok(from..=to)
}

/// `100/1m`, or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitArg(pub Option<Limit>);

impl FromStr for LimitArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected CALLS/WINDOW such as 100/1m, or none";
        if text == "none" {
            return Ok(Self(None));
        }
        let (calls, window) = text.split_once('/').ok_or(EXPECTED)?;
        let calls = calls.trim().parse::<u32>().map_err(|_| EXPECTED)?;
        let window = duration(window).map_err(|_| EXPECTED)?;
        if calls == 0 || window.is_zero() {
            return Err("a limit has at least one call, and a window of some length");
        }
        Ok(Self(Some(Limit { calls, window })))
    }
}
