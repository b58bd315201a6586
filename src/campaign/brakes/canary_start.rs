//! What the canaries mean for a run that begins. This depends on recorded decisions, never on how many
//! machines happen to be accepted.

use jiff::Timestamp;

use crate::store::{Decision, Subject};

/// What a run that begins does about canaries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CanaryStart {
    /// All machines may start: no canaries are wanted, or somebody has agreed.
    Open,
    /// The canaries go first.
    Try {
        /// How many machines are accepted already.
        accepted: u64,
        /// Whether the beginning of the trial has yet to be recorded.
        is_new: bool,
    },
    /// Somebody has decided that the other machines must not start, and somebody has to decide otherwise.
    Refused {
        /// Who decided.
        who: String,
        /// When.
        given: Timestamp,
    },
    /// Canaries are wanted, but as many machines were accepted before any were tried.
    NoEffect {
        /// How many machines are accepted already.
        accepted: u64,
    },
}

/// Who decided, if `--yes` did. Such a decision holds only for runs that have `--yes` too.
pub const BY_YES: &str = "by --yes";

/// What earlier decisions are compared with in this run.
#[derive(Debug, Clone, Copy)]
pub struct ThisRun {
    /// How many machines will have been sent to when it ends.
    pub in_all: u64,
    /// Whether it has `--yes`.
    pub says_yes: bool,
}

/// What this run does about its `wanted` canaries, given the `decisions` so far. A decision covers the
/// targets up to a number. `beyond` returns, for such a number, how many of the targets beyond it have not
/// ended and how many are accepted.
///
/// # Errors
/// Those of `beyond`.
pub fn gate<E>(
    wanted: Option<u64>,
    decisions: &[Decision],
    run: ThisRun,
    beyond: impl FnOnce(u64) -> Result<(u64, u64), E>,
) -> Result<CanaryStart, E> {
    let about = decisions
        .iter()
        .rev()
        .filter(|decision| decision.subject == Subject::Canary);
    let last = about.clone().next();
    if let Some(no) = last.filter(|last| last.answer == "no") {
        return Ok(CanaryStart::Refused {
            who: no.who.clone(),
            given: no.given,
        });
    }
    let Some(wanted) = wanted else {
        return Ok(CanaryStart::Open);
    };
    let yes = about
        .filter(|decision| run.says_yes || decision.who != BY_YES)
        .find_map(|decision| Some((decision.covers, decision.yes_to()?)));
    let (covers, named) = yes.unwrap_or_default();
    let (open, accepted) = beyond(covers)?;
    if yes.is_some() && open == 0 && run.in_all <= named {
        return Ok(CanaryStart::Open);
    }
    let is_new = last.is_none_or(|last| last.answer != "begun");
    Ok(if is_new && accepted >= wanted {
        CanaryStart::NoEffect { accepted }
    } else {
        CanaryStart::Try { accepted, is_new }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(answers: &[(&str, u64)]) -> Vec<Decision> {
        let decisions = answers.iter().map(|(answer, covers)| Decision {
            subject: Subject::Canary,
            answer: (*answer).to_owned(),
            covers: *covers,
            who: "somebody".into(),
            given: Timestamp::UNIX_EPOCH,
        });
        decisions.collect()
    }

    /// Sixty targets, some of them accepted; a yes covers the first sixty.
    fn gate_of(wanted: Option<u64>, answers: &[(&str, u64)], accepted: u64) -> CanaryStart {
        let beyond = |covers: u64| {
            Ok::<_, ()>(if covers == 60 {
                (0, 0)
            } else {
                (60 - accepted, accepted)
            })
        };
        gate(wanted, &decided(answers), run(false), beyond).unwrap()
    }

    fn run(says_yes: bool) -> ThisRun {
        ThisRun {
            in_all: 60,
            says_yes,
        }
    }

    #[test]
    fn a_yes_by_the_option_is_not_inherited_by_a_run_without_it() {
        let mut decisions = decided(&[("begun", 60), ("yes to 60", 60)]);
        decisions[1].who = BY_YES.into();
        let of = |says_yes| {
            gate(Some(5), &decisions, run(says_yes), |covers| {
                Ok::<_, ()>(if covers == 60 { (0, 0) } else { (40, 20) })
            })
        };
        assert_eq!(of(true), Ok(CanaryStart::Open));
        assert_eq!(of(false), Ok(CanaryStart::NoEffect { accepted: 20 }));
    }

    #[test]
    fn what_was_decided_counts_and_nothing_is_inferred_from_counts() {
        let refused = CanaryStart::Refused {
            who: "somebody".into(),
            given: Timestamp::UNIX_EPOCH,
        };
        let tried = |accepted, is_new| CanaryStart::Try { accepted, is_new };
        let table = [
            (None, &[][..], 8, CanaryStart::Open),
            (Some(5), &[], 0, tried(0, true)),
            (Some(5), &[], 4, tried(4, true)),
            // Eight were sent to without canaries, so five more would not be a trial.
            (Some(5), &[], 8, CanaryStart::NoEffect { accepted: 8 }),
            // More machines than canaries were under way when it was killed.
            (Some(5), &[("begun", 60)], 8, tried(8, false)),
            (Some(5), &[("begun", 60), ("no", 60)], 8, refused.clone()),
            (None, &[("begun", 60), ("no", 60)], 8, refused),
            (
                Some(5),
                &[("begun", 60), ("no", 60), ("yes to 60", 60)],
                8,
                CanaryStart::Open,
            ),
            (
                Some(5),
                &[("begun", 50), ("yes to 50", 50)],
                3,
                tried(3, true),
            ),
            // The yes was for the eight machines of --max-machines, and now there are more.
            (
                Some(5),
                &[("begun", 60), ("yes to 8", 60)],
                0,
                tried(0, true),
            ),
        ];
        for (wanted, answers, accepted, expected) in table {
            assert_eq!(
                gate_of(wanted, answers, accepted),
                expected,
                "{wanted:?} {answers:?} {accepted}"
            );
        }
    }
}
