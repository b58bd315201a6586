//! How many calls may be in flight after the service has refused one.

use super::clock::Moment;

/// After a refusal one call goes alone. Each time that as many calls have been answered as may be in flight, one more
/// may be. We do not know then how much room the service has left: of a hundred calls at once nearly all might be
/// refused again, and counted as well. Before the first refusal there is no such bound.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ramp {
    in_flight: u32,
    bound: Option<Bound>,
}

#[derive(Debug, Clone, Copy)]
struct Bound {
    since: Moment,
    calls: u32,
    /// Answers since the bound was last raised.
    answers: u32,
}

impl Ramp {
    /// Whether as many calls are in flight as the bound allows.
    pub(super) fn is_full(&self) -> bool {
        self.bound
            .is_some_and(|bound| self.in_flight >= bound.calls)
    }

    /// A call was permitted.
    pub(super) fn sent(&mut self) {
        self.in_flight += 1;
    }

    /// A permitted call has ended, in whatever way.
    pub(super) fn ended(&mut self) {
        self.in_flight -= 1;
    }

    /// A call sent at `sent` was answered. One that was sent before the last refusal does not count.
    pub(super) fn answered(&mut self, sent: Moment) {
        if let Some(bound) = self.bound.as_mut().filter(|bound| sent > bound.since) {
            bound.answers += 1;
            if bound.answers >= bound.calls {
                bound.calls += 1;
                bound.answers = 0;
            }
        }
    }

    /// Adds the calls of another kind, and takes over its bound if this ramp has none.
    pub(super) fn join(&mut self, other: Self) {
        self.in_flight += other.in_flight;
        self.bound = self.bound.or(other.bound);
    }

    /// A call was refused at `now`.
    pub(super) fn refused(&mut self, now: Moment) {
        self.bound = Some(Bound {
            since: now,
            calls: 1,
            answers: 0,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Moment {
        Moment::from_nanos(nanos)
    }

    #[test]
    fn after_a_refusal_one_call_goes_alone_and_each_round_of_answers_adds_one() {
        let mut ramp = Ramp::default();
        for _ in 0..1000 {
            assert!(!ramp.is_full());
            ramp.sent();
        }
        for _ in 0..1000 {
            ramp.ended();
        }
        ramp.refused(at(10));
        for round in 1..=20 {
            for _ in 0..round {
                assert!(!ramp.is_full());
                ramp.sent();
            }
            assert!(ramp.is_full());
            for _ in 0..round {
                ramp.ended();
                ramp.answered(at(11));
            }
        }
        ramp.refused(at(20));
        ramp.sent();
        assert!(ramp.is_full());
    }

    #[test]
    fn an_answer_to_what_was_sent_before_the_refusal_adds_none() {
        let mut ramp = Ramp::default();
        ramp.refused(at(10));
        ramp.answered(at(10));
        ramp.sent();
        assert!(ramp.is_full());
    }
}
