//! How long scan starts took until they were answered.

use serde::Serialize;

use crate::store::PastCall;

/// How long scan starts took, from the request to the answer, in milliseconds. Calls without an answer do not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub(super) struct Latency {
    pub(super) answers: u64,
    pub(super) median_ms: Option<u64>,
    pub(super) p90_ms: Option<u64>,
    pub(super) p99_ms: Option<u64>,
    pub(super) longest_ms: Option<u64>,
    /// How many took at most so long, and longer than the one before.
    pub(super) buckets: Vec<Bucket>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Bucket {
    /// `None` for all that took longer.
    pub(super) up_to_ms: Option<u64>,
    pub(super) count: u64,
}

/// From a call that a proxy on this computer refuses to one that is given up.
const UP_TO: [u64; 10] = [
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 100_000,
];

/// The latencies so far.
#[derive(Default)]
pub(super) struct Latencies(Vec<u64>);

impl Latencies {
    pub(super) fn add(&mut self, call: PastCall) {
        if let (Some(took), Some(_)) = (call.took, call.status) {
            self.0.push(took);
        }
    }

    pub(super) fn finish(mut self) -> Latency {
        let all = &mut self.0;
        all.sort_unstable();
        // The smallest one that this share does not exceed.
        let percentile = |share: usize| {
            let at = (all.len() * share).div_ceil(100).max(1) - 1;
            all.get(at).copied()
        };
        let mut below = 0;
        let bounds = UP_TO.into_iter().map(Some).chain([None]);
        let buckets = bounds.map(|up_to_ms| {
            let up_to = up_to_ms.unwrap_or(u64::MAX);
            let so_far = all.partition_point(|took| *took <= up_to);
            let count = (so_far - std::mem::replace(&mut below, so_far)) as u64;
            Bucket { up_to_ms, count }
        });
        let buckets: Vec<_> = buckets.collect();
        // What no call reaches is left out at both ends.
        let used = |bucket: &Bucket| bucket.count > 0;
        let first = buckets.iter().position(used).unwrap_or_default();
        let end = buckets.iter().rposition(used).map_or(0, |last| last + 1);
        Latency {
            answers: all.len() as u64,
            median_ms: percentile(50),
            p90_ms: percentile(90),
            p99_ms: percentile(99),
            longest_ms: all.last().copied(),
            buckets: buckets[first.min(end)..end].to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(took: impl IntoIterator<Item = u64>) -> Latency {
        let mut all = Latencies::default();
        for took in took {
            all.add(PastCall {
                sent: 0,
                took: Some(took),
                is_answered_before: false,
                status: Some(201),
            });
        }
        all.finish()
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let all = latency(1..=200);
        assert_eq!(
            (all.median_ms, all.p90_ms, all.p99_ms, all.longest_ms),
            (Some(100), Some(180), Some(198), Some(200))
        );
        let one = latency([7]);
        assert_eq!((one.median_ms, one.p99_ms), (Some(7), Some(7)));
    }

    #[test]
    fn each_answer_is_in_one_bucket_and_the_empty_ends_are_left_out() {
        let all = latency([60, 100, 101, 5_000, 700_000]);
        let counts: u64 = all.buckets.iter().map(|bucket| bucket.count).sum();
        assert_eq!(counts, all.answers);
        assert_eq!(
            (all.buckets[0].up_to_ms, all.buckets[0].count),
            (Some(100), 2)
        );
        assert_eq!(all.buckets.last().unwrap().up_to_ms, None);
    }

    #[test]
    fn a_call_without_an_answer_does_not_count() {
        let mut all = Latencies::default();
        all.add(PastCall {
            sent: 0,
            took: Some(9),
            is_answered_before: false,
            status: None,
        });
        assert_eq!(all.finish(), Latency::default());
    }
}
