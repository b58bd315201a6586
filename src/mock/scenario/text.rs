//! Values that scenarios write as text, in the form that options have.

use std::{ops::RangeInclusive, time::Duration};

use serde::Deserialize;

use crate::mock::{
    config::{Latency, Limit},
    outage::Outage,
    values,
};

/// Declares a type for a value that is read from text by a function of `values`.
macro_rules! read_from_text {
    ($($(#[$doc:meta])* $name:ident($value:ty) = $parse:path;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(try_from = "String")]
        pub(super) struct $name(pub(super) $value);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                $parse(&text).map(Self).map_err(|why| format!("'{text}': {why}"))
            }
        }

        impl From<$name> for $value {
            fn from(read: $name) -> Self {
                read.0
            }
        }
    )*};
}

read_from_text! {
    /// `5%`
    Share(f64) = values::percent;
    /// `1h 30m`
    Span(Duration) = values::duration;
    /// `10s-5m`, a span of time since the start.
    During((Duration, Duration)) = values::span;
    /// `30s-2m`, a duration that is drawn.
    Range(RangeInclusive<Duration>) = values::range;
    /// `20ms`, `20ms-150ms` or `p50=80ms,p99=2s`
    LatencyText(Latency) = values::latency;
    /// `100/1m`
    LimitText(Limit) = values::limit;
    /// `10s-5m=refused`
    OutageText(Outage) = values::outage;
}
