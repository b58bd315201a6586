//! What bounds the calls of a run besides its quota. It is noted in the campaign's state, so that `status` calculates
//! with the same values as the run.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    campaign::{
        brakes::{Baseline, BrakeOptions},
        forecast::Bounds,
        retry::{OnPending, Policy},
    },
    schedule::daily_window::Hours,
    store::Reach,
};

/// What bounds the calls of a run, and whether busy machines are tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunBounds {
    /// The value of `--window`.
    window: Option<String>,
    not_after: Option<Timestamp>,
    max_machines: Option<u64>,
    /// How the campaign stood when the run began; `None` in states of earlier versions.
    #[serde(rename = "stood")]
    at_start: Option<Baseline>,
    /// How long a busy machine waits, and how many times it is asked about; `None` if it is not tried again.
    pending: Option<(Duration, u32)>,
}

impl RunBounds {
    /// Those of a run with these brakes and this retry policy.
    #[must_use]
    pub fn of(brakes: &BrakeOptions, policy: &Policy) -> Self {
        Self {
            window: brakes.times.hours.as_ref().map(Hours::to_string),
            not_after: brakes.times.not_after.as_ref().map(|end| end.at),
            max_machines: brakes.max_in_all(),
            at_start: None,
            pending: match policy.on_pending {
                OnPending::Skip => None,
                OnPending::Retry { delay, tries } => Some((delay, tries)),
            },
        }
    }

    /// Adds how the campaign stands when the run begins.
    #[must_use]
    pub fn starting_at(self, standing: Baseline) -> Self {
        Self {
            at_start: Some(standing),
            ..self
        }
    }

    /// How the campaign stood when the run began, if that was noted.
    #[must_use]
    pub fn at_start(&self) -> Option<&Baseline> {
        self.at_start.as_ref()
    }

    /// What bounds the calls that are left, after what earlier runs have sent.
    #[must_use]
    pub fn bounds(&self, reach: &Reach) -> Bounds {
        let max = self.max_machines;
        Bounds {
            hours: self.window.as_ref().and_then(|hours| hours.parse().ok()),
            not_after: self.not_after,
            most: max.map(|max| max.saturating_sub(reach.sent_to)),
        }
    }

    /// When targets are tried again.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let on_pending = match self.pending {
            None => OnPending::Skip,
            Some((delay, tries)) => OnPending::Retry { delay, tries },
        };
        Policy {
            on_pending,
            ..Policy::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_as_they_were_written_and_older_states_have_none() {
        let policy = Policy {
            on_pending: OnPending::Retry {
                delay: Duration::from_mins(15),
                tries: 4,
            },
            ..Policy::default()
        };
        let mut brakes = BrakeOptions {
            max_machines: Some(7),
            ..BrakeOptions::default()
        };
        brakes.times.hours = Some("22:00-06:00@UTC".parse().unwrap());
        let bounds = RunBounds::of(&brakes, &policy).starting_at(Baseline::default());
        let text = serde_json::to_string(&bounds).unwrap();
        let read: RunBounds = serde_json::from_str(&text).unwrap();
        assert_eq!(read, bounds);
        assert_eq!(read.policy(), policy);
        let left = read.bounds(&Reach {
            sent_to: 5,
            ..Reach::default()
        });
        assert_eq!((left.hours, left.most), (brakes.times.hours, Some(2)));
        assert_eq!(
            serde_json::from_str::<RunBounds>("{}").unwrap(),
            RunBounds::default()
        );
    }
}
