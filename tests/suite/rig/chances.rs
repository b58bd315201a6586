//! Everything that can go wrong with a call, each with a chance of its own.

use fleetsweep::mock::Chances;
use proptest::prelude::*;

/// Chances of up to `most` each; of an early refusal `more_early` times as much. No call is refused with 429.
pub(crate) fn chances(most: f64, more_early: f64) -> impl Strategy<Value = Chances> {
    let all = prop::array::uniform12(0.0..most);
    all.prop_map(move |all| {
        let [busy, unknown, unsupported, spurious_404, rest @ ..] = all;
        let [
            error_before,
            error_after,
            reset_before,
            reset_after,
            early,
            garbled @ ..,
        ] = rest;
        let [truncated, not_json, html] = garbled;
        Chances {
            busy,
            unknown,
            unsupported,
            spurious_404,
            error_before,
            error_after,
            reset_before,
            reset_after,
            early: early * more_early,
            truncated,
            not_json,
            html,
            ..Chances::default()
        }
    })
}
