//! The values of the mock's options that are more than [`values`] can parse.

use std::str::FromStr;

use clap::ValueEnum;

use crate::mock::{BusyShape, Kinds, Limit, values};

/// How windows are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QuotaModelArg {
    /// Any interval of the window's length
    Sliding,
    /// Windows back to back, the first one beginning at --phase
    Fixed,
    /// A bucket of --bucket-size calls, refilled steadily
    Bucket,
}

/// Whether the kinds of calls share their windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindsArg {
    /// Each has its own
    Apart,
    /// All share them
    Together,
}

/// The answer to a start on a machine that is being scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BusyShapeArg {
    /// 400 `ActiveRequestAlreadyExists`
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

impl From<KindsArg> for Kinds {
    fn from(arg: KindsArg) -> Self {
        match arg {
            KindsArg::Apart => Self::Apart,
            KindsArg::Together => Self::Together,
        }
    }
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

/// `100/1m`, or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitArg(pub Option<Limit>);

impl FromStr for LimitArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self(None));
        }
        values::limit(text).map(|limit| Self(Some(limit)))
    }
}
