//! The audit trail: what was done to a company's computers, event by event, for the log.
//!
//! `docs/LOG.md` names each event and its fields, and a test compares the names. They stay what they are once they are
//! released. Text of others is made plain on its way in, or by the log's own writer.

/// The trail's target in the log.
pub(crate) const TRAIL: &str = "fleetsweep::audit";

/// The target of the event that a bug leaves.
pub(crate) const BUG: &str = "fleetsweep::bug";

/// Writes one event of the trail: its name, then its fields as `tracing` takes them.
macro_rules! audit {
    ($event:literal $(, $($fields:tt)+)?) => {
        tracing::info!(target: "fleetsweep::audit", event = $event $(, $($fields)+)?)
    };
}

pub(crate) use audit;

/// Milliseconds, as they stand in the log.
pub(crate) fn ms(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
