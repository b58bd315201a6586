//! What happens to a call on its way: by an outage, by a script of rules, or by chance.

use std::{collections::HashMap, time::Duration};

use super::{
    config::{Chances, MockConfig},
    fault_rule::{Fault, Garbling, Rule},
    machine::stable,
    outage::Shape,
    reply::{Error, GATEWAY_PAGE, Reply},
    request::{Kind, Route},
};

/// What will happen to a call, decided when it arrives.
#[derive(Debug)]
pub(super) struct CallPlan {
    /// The time from its arrival to its answer.
    pub(super) latency: Duration,
    pub(super) counted: Counted,
    /// Whether the call is carried out if the quota admits it.
    pub(super) carried_out: bool,
    /// Whether it is refused although the quota admits it, for as long as this.
    pub(super) cpu_429: Option<Duration>,
    /// What happens instead of the call's own answer.
    pub(super) instead: Option<Instead>,
}

/// When a call is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// This long after its arrival, and before its answer.
    Within(Duration),
    /// This long after its answer.
    Late(Duration),
    Never,
}

#[derive(Debug)]
pub(super) enum Instead {
    Answer(Reply),
    /// The call's own answer, with another body.
    Garbled(Garbling),
    Cut,
    /// There is never an answer.
    Silence,
    /// The connection is refused.
    Refusal,
}

/// Draws the faults. Rules count the calls that they are for, also those that an earlier rule has decided.
#[derive(Debug)]
pub(super) struct FaultPlan {
    rules: Vec<(Rule, u64)>,
    /// How many calls there were of each kind, and for each machine. The keys are hashes.
    calls: HashMap<u64, u32>,
}

/// How long after an early answer the service may still count the call. The client allows 5 s.
const LATEST: Duration = Duration::from_secs(4);

impl FaultPlan {
    pub(super) fn new(rules: &[Rule]) -> Self {
        Self {
            rules: rules.iter().map(|rule| (rule.clone(), 0)).collect(),
            calls: HashMap::new(),
        }
    }

    /// The dice of a call. They depend on the seed, the machine and how many calls there were for it, and on nothing
    /// that happens to other machines: so the same campaign, at another pace, meets the same answers.
    pub(super) fn dice(&mut self, route: &Route, seed: u64) -> fastrand::Rng {
        let mut dice = stable(seed, route.machine().unwrap_or_else(|| route.kind().name()));
        let calls = self.calls.entry(dice.u64(..)).or_default();
        *calls += 1;
        let mut of_this_call =
            fastrand::Rng::with_seed(dice.u64(..) ^ u64::from(*calls).rotate_right(16));
        of_this_call.u64(..);
        of_this_call
    }

    pub(super) fn draw(
        &mut self,
        route: &Route,
        arrived: Duration,
        config: &MockConfig,
        rng: &mut fastrand::Rng,
    ) -> CallPlan {
        let mut plan = CallPlan {
            latency: config.latency.draw(rng),
            counted: Counted::Within(Duration::ZERO),
            carried_out: true,
            cpu_429: None,
            instead: None,
        };
        match self.fault(route, arrived) {
            Some(fault) => plan.apply_fault(fault),
            None if route.kind() == Kind::Token => {}
            None => plan.apply_chances(route.kind(), &config.chances, rng),
        }
        if plan.counted == Counted::Within(Duration::ZERO) && !plan.latency.is_zero() {
            // At a random moment between arrival and answer, because the client cannot know when.
            plan.counted = Counted::Within(plan.latency.mul_f64(rng.f64()));
        }
        plan
    }

    fn fault(&mut self, route: &Route, arrived: Duration) -> Option<Fault> {
        let mut fault = None;
        for (rule, calls) in &mut self.rules {
            if rule.is_for(route, arrived) {
                *calls += 1;
                if fault.is_none() && rule.nth.is_none_or(|nth| nth == *calls) {
                    fault = Some(rule.fault.clone());
                }
            }
        }
        fault
    }
}

impl CallPlan {
    /// What happens to a call during an outage.
    pub(super) fn during_outage(
        shape: &Shape,
        config: &MockConfig,
        rng: &mut fastrand::Rng,
    ) -> Self {
        let (latency, counted) = if shape.lets_calls_in() {
            let latency = config.latency.draw(rng);
            (latency, Counted::Within(latency.mul_f64(rng.f64())))
        } else {
            (Duration::ZERO, Counted::Never)
        };
        Self {
            latency,
            counted,
            carried_out: false,
            cpu_429: None,
            instead: Some(instead_of(shape, rng)),
        }
    }

    fn apply_fault(&mut self, fault: Fault) {
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
            Fault::Garbled(garbling) => (true, Some(Instead::Garbled(garbling))),
        };
        (self.carried_out, self.instead) = (carried_out, instead);
    }

    fn apply_chances(&mut self, kind: Kind, chances: &Chances, rng: &mut fastrand::Rng) {
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
        } else if hits(chances.truncated) {
            self.instead = Some(Instead::Garbled(Garbling::Truncated));
        } else if hits(chances.not_json) {
            self.instead = Some(Instead::Garbled(Garbling::NotJson));
        } else if hits(chances.html) {
            self.instead = Some(Instead::Garbled(Garbling::Html));
        } else if hits(chances.cpu_429) {
            self.cpu_429 = Some(Duration::from_secs(rng.u64(1..=30)));
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

/// What an outage answers a call with.
fn instead_of(shape: &Shape, rng: &mut fastrand::Rng) -> Instead {
    match shape {
        Shape::Refused => Instead::Refusal,
        Shape::TimesOut => Instead::Silence,
        Shape::Reset => Instead::Cut,
        Shape::Unavailable { retry_after, empty } => {
            let reply = if *empty {
                Reply::raw(503, "")
            } else {
                let text = "The service is temporarily unavailable";
                Reply::error(Error::new(503, "ServiceUnavailable", text), rng.u128(..))
            };
            let header = retry_after.clone().map(|value| ("retry-after", value));
            Instead::Answer(reply.with_headers(header))
        }
        Shape::Page { status } => Instead::Answer(page(*status)),
    }
}

/// A page from a proxy or gateway. Its host is under `.invalid`, so that nobody can follow the link.
fn page(status: u16) -> Reply {
    let title = match status {
        200..=299 => "Sign in to the network",
        300..=399 => "Moved",
        407 => "Proxy authentication required",
        400..=499 => "Access denied by your organisation",
        _ => "Bad gateway",
    };
    let body = format!("<html><head><title>{title}</title></head><body>{title}</body></html>");
    let header = match status {
        300..=399 => Some(("location", "http://portal.invalid/sign-in".to_owned())),
        407 => Some(("proxy-authenticate", "Basic realm=\"proxy\"".to_owned())),
        _ => None,
    };
    Reply::raw(status, body).with_headers(header)
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
        let mut faults = FaultPlan::new(&[
            Rule::new(Fault::CutAfter).machine("AB").nth(2),
            Rule::new(Fault::CutBefore).kind(Kind::Start).nth(3),
            Rule::new(Fault::Delay(Duration::from_secs(1))).kind(Kind::List),
        ]);
        assert_eq!(faults.fault(&start("ab"), Duration::ZERO), None);
        assert_eq!(faults.fault(&start("cd"), Duration::ZERO), None);
        assert_eq!(
            faults.fault(&start("ab"), Duration::ZERO),
            Some(Fault::CutAfter)
        );
        assert_eq!(
            faults.fault(&start("ab"), Duration::ZERO),
            None,
            "the third start was the one before"
        );
        assert_eq!(
            faults.fault(&Route::List, Duration::ZERO),
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
        let mut faults = FaultPlan::new(&[]);
        let drawn: Vec<_> = (0..10_000)
            .map(|_| faults.draw(&start("ab"), Duration::ZERO, &config, &mut rng))
            .collect();
        let share = |is: &dyn Fn(&CallPlan) -> bool| drawn.iter().filter(|plan| is(plan)).count();
        assert!((4_800..5_200).contains(&share(&|plan| plan.instead.is_none())));
        assert!(
            (1_850..2_150).contains(&share(&|plan| matches!(plan.instead, Some(Instead::Cut))))
        );
        assert!((6_800..7_200).contains(&share(&|plan| plan.carried_out)));
        assert!((400..600).contains(&share(&|plan| plan.counted == Counted::Never)));
        assert!((850..1_150).contains(&share(
            &|plan| matches!(plan.counted, Counted::Late(late) if late <= LATEST)
        )));
    }
}
