//! What happens to a call on its way: by chance, or by a script of rules.

use std::{
    ops::{Range, RangeInclusive},
    time::Duration,
};

use super::{
    config::{Chances, MockConfig},
    outage::Shape,
    reply::{Error, Reply},
    request::{Kind, Route},
};

/// One line of a script: which calls it is for, and what happens to them. The first rule that matches a call wins.
#[derive(Debug, Clone)]
pub struct Rule {
    kind: Option<Kind>,
    machine: Option<String>,
    nth: Option<u64>,
    during: Option<Range<Duration>>,
    fault: Fault,
}

impl Rule {
    /// A rule for every call; the methods below narrow it down.
    #[must_use]
    pub const fn new(fault: Fault) -> Self {
        Self {
            kind: None,
            machine: None,
            nth: None,
            during: None,
            fault,
        }
    }

    /// Only calls of this kind.
    #[must_use]
    pub const fn kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Only starts on this machine.
    #[must_use]
    pub fn machine(mut self, machine: &str) -> Self {
        self.machine = Some(machine.to_ascii_lowercase());
        self
    }

    /// Only the n-th of the calls that the rest of the rule is for, from 1.
    #[must_use]
    pub const fn nth(mut self, nth: u64) -> Self {
        self.nth = Some(nth);
        self
    }

    /// Only calls that arrive in this span since the tenant's start: an outage.
    #[must_use]
    pub const fn during(mut self, span: Range<Duration>) -> Self {
        self.during = Some(span);
        self
    }

    fn is_for(&self, route: &Route) -> bool {
        self.kind.is_none_or(|kind| kind == route.kind())
            && self
                .machine
                .as_deref()
                .is_none_or(|machine| route.machine() == Some(machine))
    }
}

/// What a rule does to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The call is counted, not carried out, and answered with this status and body.
    Status(u16, String),
    /// The call is counted and carried out, and answered with this status and body.
    StatusAfter(u16, String),
    /// 503 is answered before the service has seen the call, which is counted and carried out so much later.
    Early(Duration),
    /// The call is counted, not carried out, and its connection cut.
    CutBefore,
    /// The call is counted and carried out, and its connection cut.
    CutAfter,
    /// The answer takes so much longer.
    Delay(Duration),
}

/// A call's fate, decided when it arrives.
#[derive(Debug)]
pub(super) struct Fate {
    /// From the arrival to the answer.
    pub(super) latency: Duration,
    pub(super) counted: Counted,
    /// Whether the call is carried out, if the quota admits it.
    pub(super) carried_out: bool,
    /// What happens instead of the answer that the call would have.
    pub(super) instead: Option<Instead>,
}

/// When a call is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// So long after its arrival, and before its answer.
    Within(Duration),
    /// So long after its answer.
    Late(Duration),
    Never,
}

#[derive(Debug)]
pub(super) enum Instead {
    Answer(Reply),
    Cut,
    /// No answer, ever.
    Silence,
    /// No connection.
    Refusal,
}

/// Draws the fates. Rules count the calls that they are for, also those that an earlier rule has decided.
#[derive(Debug)]
pub(super) struct Fates {
    rules: Vec<(Rule, u64)>,
}

/// How long after an early answer the service may still count the call: the client allows it 5 s.
const LATEST: Duration = Duration::from_secs(4);

impl Fates {
    pub(super) fn new(rules: &[Rule]) -> Self {
        Self {
            rules: rules.iter().map(|rule| (rule.clone(), 0)).collect(),
        }
    }

    pub(super) fn draw(
        &mut self,
        route: &Route,
        arrived: Duration,
        config: &MockConfig,
        rng: &mut fastrand::Rng,
    ) -> Fate {
        let mut fate = Fate {
            latency: within(rng, &config.latency),
            counted: Counted::Within(Duration::ZERO),
            carried_out: true,
            instead: None,
        };
        match self.fault(route, arrived) {
            Some(fault) => fate.suffer(fault),
            None if route.kind() == Kind::Token => {}
            None => fate.apply(route.kind(), &config.chances, rng),
        }
        if fate.counted == Counted::Within(Duration::ZERO) && !fate.latency.is_zero() {
            // At any moment between arrival and answer: the client cannot know when.
            fate.counted = Counted::Within(fate.latency.mul_f64(rng.f64()));
        }
        fate
    }

    fn fault(&mut self, route: &Route, arrived: Duration) -> Option<Fault> {
        let mut fault = None;
        for (rule, calls) in &mut self.rules {
            let in_time = rule
                .during
                .as_ref()
                .is_none_or(|span| span.contains(&arrived));
            if in_time && rule.is_for(route) {
                *calls += 1;
                if fault.is_none() && rule.nth.is_none_or(|nth| nth == *calls) {
                    fault = Some(rule.fault.clone());
                }
            }
        }
        fault
    }
}

impl Fate {
    /// What an outage makes of a call.
    pub(super) fn of_outage(shape: &Shape, config: &MockConfig, rng: &mut fastrand::Rng) -> Self {
        let (latency, counted) = if shape.lets_calls_in() {
            let latency = within(rng, &config.latency);
            (latency, Counted::Within(latency.mul_f64(rng.f64())))
        } else {
            (Duration::ZERO, Counted::Never)
        };
        Self {
            latency,
            counted,
            carried_out: false,
            instead: Some(shape.instead(rng)),
        }
    }

    fn suffer(&mut self, fault: Fault) {
        let (carried_out, instead) = match fault {
            Fault::Status(status, body) => (false, Some(Instead::Answer(Reply::raw(status, body)))),
            Fault::StatusAfter(status, body) => {
                (true, Some(Instead::Answer(Reply::raw(status, body))))
            }
            Fault::Early(later) => {
                self.counted = Counted::Late(later);
                (true, Some(Instead::Answer(Reply::raw(503, GATEWAY_PAGE))))
            }
            Fault::CutBefore => (false, Some(Instead::Cut)),
            Fault::CutAfter => (true, Some(Instead::Cut)),
            Fault::Delay(longer) => {
                self.latency = self.latency.saturating_add(longer);
                (true, None)
            }
        };
        (self.carried_out, self.instead) = (carried_out, instead);
    }

    fn apply(&mut self, kind: Kind, chances: &Chances, rng: &mut fastrand::Rng) {
        let mut left = rng.f64();
        let mut hits = |chance: f64| {
            left -= chance;
            left < 0.0
        };
        if hits(chances.error_before) {
            self.fail(false, chances.early, rng);
        } else if hits(chances.error_after) {
            self.fail(true, chances.early, rng);
        } else if hits(chances.reset_before) {
            if rng.bool() {
                self.counted = Counted::Never;
            }
            (self.carried_out, self.instead) = (false, Some(Instead::Cut));
        } else if hits(chances.reset_after) {
            self.instead = Some(Instead::Cut);
        } else if kind == Kind::Start && hits(chances.spurious_404) {
            let error = Error::new(404, "ResourceNotFound", "Machine was not found");
            let answer = Reply::error(error, rng.u128(..));
            (self.carried_out, self.instead) = (false, Some(Instead::Answer(answer)));
        }
    }

    fn fail(&mut self, carried_out: bool, early: f64, rng: &mut fastrand::Rng) {
        let answer = match rng.u8(..4) {
            0 => {
                let error =
                    Error::new(500, "InternalServerError", "An internal error has occurred");
                Reply::error(error, rng.u128(..))
            }
            1 => Reply::raw(502, GATEWAY_PAGE),
            2 => Reply::raw(503, GATEWAY_PAGE),
            _ => Reply::raw(504, ""),
        };
        if rng.f64() < early {
            self.counted = Counted::Late(LATEST.mul_f64(rng.f64()));
        }
        (self.carried_out, self.instead) = (carried_out, Some(Instead::Answer(answer)));
    }
}

const GATEWAY_PAGE: &str = "<html><head><title>Service unavailable</title></head><body>Our services aren't available \
                            right now</body></html>";

/// Any time of the range.
pub(super) fn within(rng: &mut fastrand::Rng, range: &RangeInclusive<Duration>) -> Duration {
    let (from, to) = (*range.start(), *range.end());
    from + to.saturating_sub(from).mul_f64(rng.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(machine: &str) -> Route {
        Route::Start {
            machine: machine.to_owned(),
        }
    }

    #[test]
    fn the_first_rule_that_matches_wins_and_every_rule_counts_its_own_calls() {
        let mut fates = Fates::new(&[
            Rule::new(Fault::CutAfter).machine("AB").nth(2),
            Rule::new(Fault::CutBefore).kind(Kind::Start).nth(3),
            Rule::new(Fault::Delay(Duration::from_secs(1))).kind(Kind::List),
        ]);
        assert_eq!(fates.fault(&start("ab"), Duration::ZERO), None);
        assert_eq!(fates.fault(&start("cd"), Duration::ZERO), None);
        assert_eq!(
            fates.fault(&start("ab"), Duration::ZERO),
            Some(Fault::CutAfter)
        );
        assert_eq!(
            fates.fault(&start("ab"), Duration::ZERO),
            None,
            "the third start was the one before"
        );
        assert_eq!(
            fates.fault(&Route::List, Duration::ZERO),
            Some(Fault::Delay(Duration::from_secs(1)))
        );
    }

    #[test]
    fn chances_come_true_in_their_shares_and_early_answers_are_counted_within_four_seconds() {
        let config = MockConfig {
            chances: Chances {
                error_before: 0.1,
                error_after: 0.1,
                reset_before: 0.1,
                reset_after: 0.1,
                spurious_404: 0.1,
                early: 0.5,
                ..Chances::default()
            },
            ..MockConfig::default()
        };
        let mut rng = fastrand::Rng::with_seed(3);
        let mut fates = Fates::new(&[]);
        let drawn: Vec<_> = (0..10_000)
            .map(|_| fates.draw(&start("ab"), Duration::ZERO, &config, &mut rng))
            .collect();
        let share = |is: &dyn Fn(&Fate) -> bool| drawn.iter().filter(|fate| is(fate)).count();
        assert!((4_800..5_200).contains(&share(&|fate| fate.instead.is_none())));
        assert!(
            (1_850..2_150).contains(&share(&|fate| matches!(fate.instead, Some(Instead::Cut))))
        );
        assert!((6_800..7_200).contains(&share(&|fate| fate.carried_out)));
        assert!((400..600).contains(&share(&|fate| fate.counted == Counted::Never)));
        assert!((850..1_150).contains(&share(
            &|fate| matches!(fate.counted, Counted::Late(late) if late <= LATEST)
        )));
    }
}
