//! The questions that are asked before anything is sent. A person at the terminal or an option answers them. Each
//! answer is recorded in the state.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use tokio::sync::mpsc;

use super::context::RunContext;
use crate::{
    campaign::{
        brakes::{
            BrakeOptions,
            canary_start::{BY_YES, CanaryStart, ThisRun, gate},
        },
        engine::canary_gate::{AT_A_TERMINAL, Confirm},
        forecast::{Begun, Prospect},
        open::Opened,
        stop::Signal,
    },
    cli::{
        ExitCode, Failure,
        brakes::CanaryAnswer,
        overlap,
        terminal::Terminal,
        yes::{ASKED_ABOVE, Permission, Proposal, permission},
    },
    monitor::count,
    quota::Kind,
    store::{Decision, Store, Subject},
};

/// The questions that are asked before a run sends anything. Ctrl-C at a question interrupts the run.
pub(super) struct Questions<'a> {
    pub(super) run: &'a RunContext,
    pub(super) signals: &'a mut mpsc::Receiver<Signal>,
}

impl Questions<'_> {
    /// Asks whether scans on this many `machines` are meant, if they are many and nobody has said yes to them before.
    /// With them, `in_all` machines will have been sent to in all runs.
    ///
    /// # Errors
    /// The answer is no, or nobody can be asked. Nothing has been sent.
    pub(super) async fn machines(
        &mut self,
        store: &mut Store,
        machines: u64,
        in_all: u64,
        brakes: &BrakeOptions,
    ) -> Result<(), Failure> {
        let yes = self.run.args.yes;
        // A yes at a terminal covers the targets that it named. A --yes covers its own run only.
        let asked_about = if yes.is_some() || machines <= ASKED_ABOVE {
            machines
        } else {
            let (covers, named) = covered(store, Subject::Machines)?;
            let (beyond, _) = store.beyond(covers)?;
            // The limits of that run may have admitted fewer machines than today's.
            beyond.max(in_all.saturating_sub(named)).min(machines)
        };
        let proposal = || {
            let connection = &self.run.setup.connection;
            Ok(Proposal {
                machines: asked_about,
                scans: scans(&store.scan_types()?, asked_about),
                tenant: connection.tenant.clone(),
                application: connection.application.clone(),
                host: connection.api.clone(),
                last_call: self.last_call(store, machines, brakes)?,
            })
        };
        match permission(yes, asked_about, self.run.can_ask(), proposal)? {
            Permission::Given if machines > ASKED_ABOVE && yes.is_some() => {
                self.decide(store, Subject::Machines, "yes by --yes", BY_YES)
            }
            Permission::Given => Ok(()),
            Permission::Ask(question) => {
                self.ask_for_yes(&question).await?;
                let answer = Decision::yes(in_all);
                self.decide(store, Subject::Machines, &answer, AT_A_TERMINAL)
            }
        }
    }

    /// When the last call goes out, and how many machines are left over then: a sentence without its full stop.
    fn last_call(
        &self,
        store: &Store,
        machines: u64,
        brakes: &BrakeOptions,
    ) -> Result<String, Failure> {
        let (api, policy) = (&self.run.api, self.run.args.policy());
        let now = api.clock.wall();
        let begun = Begun::of(store, now, false, &policy)?;
        let fresh = machines.saturating_sub(begun.targets());
        let bounds = brakes.bounds(&store.reach()?);
        let prospect = Prospect {
            begun,
            on_pending: policy.on_pending,
            ..Prospect::new(api.pacer.forecast(Kind::Start), fresh, bounds, now)
        };
        let last_call = match prospect.last_call() {
            None => "No call goes out".to_owned(),
            Some(last) if last.is_over() => "All calls go out at once".to_owned(),
            Some(last) => {
                let when = last.in_words(now, &TimeZone::system());
                format!("The last call goes out {when}")
            }
        };
        Ok(match prospect.left_over() {
            0 => last_call,
            left => format!(
                "{last_call}, and {} {} left over",
                count::of(left, "machine"),
                count::word(left, "is", "are")
            ),
        })
    }

    /// Asks before machines are scanned that are also in an unfinished campaign of this user.
    ///
    /// # Errors
    /// The answer is no, or nobody can be asked. Nothing has been sent.
    pub(super) async fn overlap(&mut self, opened: &mut Opened) -> Result<(), Failure> {
        let store = &mut opened.store;
        let (covers, _) = covered(store, Subject::Overlap)?;
        if covers >= store.last_target()? {
            return Ok(());
        }
        let RunContext {
            args, setup, api, ..
        } = self.run;
        let abandoned = args.resume.abandon.as_deref();
        let found = overlap::find(
            store,
            setup.note.file(),
            &args.targets,
            abandoned,
            api.clock.wall(),
        )?;
        let Some(found) = found else {
            let nobody = "no other campaign names them";
            return self.decide(store, Subject::Overlap, "yes", nobody);
        };
        if args.yes.is_some() {
            api.monitor.note(&found.to_string());
            return self.decide(store, Subject::Overlap, "yes by --yes", BY_YES);
        }
        if !self.run.can_ask() {
            return Err(Failure::usage(format!(
                "{found}; nothing was sent. Finish {} first, leave these machines out of the input, or say --yes if \
                 their scans are meant once more",
                found.to_finish_first()
            )));
        }
        let question = format!("{found}. Scan them in this campaign too? [y/N] ");
        self.ask_for_yes(&question).await?;
        self.decide(store, Subject::Overlap, "yes", AT_A_TERMINAL)
    }

    /// Finds out where the canaries of the campaign stand, and asks if that needs an answer. With this run, `in_all`
    /// machines will have been sent to in all runs.
    ///
    /// # Errors
    /// The other machines must not start, or canaries can have no effect, and nobody can be asked. Nothing has been
    /// sent.
    pub(super) async fn canaries(
        &mut self,
        store: &mut Store,
        brakes: &mut BrakeOptions,
        in_all: u64,
    ) -> Result<(), Failure> {
        let decisions = store.decisions()?;
        let this_run = ThisRun {
            in_all,
            says_yes: self.run.args.yes.is_some(),
        };
        let start = gate(brakes.canary, &decisions, this_run, |covers| {
            store.beyond(covers)
        })?;
        let question = match start {
            CanaryStart::Open => {
                brakes.canary = None;
                return Ok(());
            }
            CanaryStart::Try { accepted, is_new } => {
                brakes.canaries_before = accepted;
                return if is_new {
                    self.decide(store, Subject::Canary, "begun", "by --canary")
                } else {
                    Ok(())
                };
            }
            CanaryStart::Refused { who, given } => CanaryQuestion::after_no(&who, given),
            CanaryStart::NoEffect { accepted } => CanaryQuestion::without_effect(accepted),
        };
        let who = self.ask_about_canaries(store, question).await?;
        brakes.canary = None;
        self.decide(store, Subject::Canary, &Decision::yes(in_all), who)
    }

    /// Returns who said that the other machines may start.
    async fn ask_about_canaries(
        &mut self,
        store: &mut Store,
        question: CanaryQuestion,
    ) -> Result<&'static str, Failure> {
        let args = &self.run.args;
        match args.brakes.canary_answer {
            Some(answer @ CanaryAnswer::Yes) => Ok(answer.who()),
            None if self.run.can_ask() => {
                if self.ask(&question.text).await? {
                    return Ok(AT_A_TERMINAL);
                }
                self.decide(store, Subject::Canary, "no", AT_A_TERMINAL)?;
                let why = "the answer was no; nothing was sent. That holds until a yes at a terminal, or \
                           --canary-answer yes";
                Err(Failure::new(ExitCode::Brake, why))
            }
            None if question.nightly_runs_go_on && args.resume.is_nightly() => {
                Ok("by a run without a terminal")
            }
            Some(CanaryAnswer::No) | None => Err(question.refusal),
        }
    }

    /// Asks a question to which only a yes lets the run go on.
    async fn ask_for_yes(&mut self, question: &str) -> Result<(), Failure> {
        if self.ask(question).await? {
            Ok(())
        } else {
            Err(Failure::usage("the answer was no; nothing was sent"))
        }
    }

    async fn ask(&mut self, question: &str) -> Result<bool, Failure> {
        let terminal = Terminal {
            monitor: Arc::clone(&self.run.api.monitor),
        };
        tokio::select! {
            biased;
            Some(_) = self.signals.recv() => Err(Failure::new(ExitCode::Interrupted, "interrupted; nothing was sent")),
            yes = terminal.ask(question) => Ok(yes),
        }
    }

    /// Records an answer in the state.
    fn decide(
        &self,
        store: &mut Store,
        subject: Subject,
        answer: &str,
        who: &str,
    ) -> Result<(), Failure> {
        let decision = Decision {
            subject,
            answer: answer.to_owned(),
            covers: store.last_target()?,
            who: who.to_owned(),
            given: self.run.api.clock.wall(),
        };
        Ok(store.decide(&decision)?)
    }
}

/// A question about the canaries of a campaign.
struct CanaryQuestion {
    /// The question as a terminal shows it.
    text: String,
    /// The error if the answer is no beforehand, or nobody can be asked.
    refusal: Failure,
    /// Whether the nightly form (`--again --extend`) takes it for a yes that nobody can be asked.
    nightly_runs_go_on: bool,
}

impl CanaryQuestion {
    /// `who` has said no before.
    fn after_no(who: &str, given: Timestamp) -> Self {
        let before =
            format!("the answer to the canaries of this campaign was no ({who}, {given:.0})");
        Self {
            text: format!("{before}: start the others all the same? [y/N] "),
            refusal: Failure::new(
                ExitCode::Brake,
                format!(
                    "{before}, and that holds; nothing was sent. Run it at a terminal to be asked again, or say \
                     --canary-answer yes"
                ),
            ),
            nightly_runs_go_on: false,
        }
    }

    /// As many machines as `--canary` asks for were accepted before any were tried.
    fn without_effect(accepted: u64) -> Self {
        let machines = count::of(accepted, "machine");
        let are = count::word(accepted, "is", "are");
        let accepted_already = format!("{machines} of the campaign {are} accepted already");
        Self {
            text: format!(
                "{accepted_already}, so that --canary tries no others first: start the rest now? [y/N] "
            ),
            refusal: Failure::usage(format!(
                "--canary can have no effect: {accepted_already}; nothing was sent. Give a --canary above {accepted}, \
                 or --canary-answer yes to start the rest"
            )),
            nightly_runs_go_on: true,
        }
    }
}

/// "full", or "700 quick and 300 full". The numbers are left out if they do not add up to the `machines` that are asked
/// about.
fn scans(kinds: &[(String, u64)], machines: u64) -> String {
    let all: u64 = kinds.iter().map(|(_, count)| count).sum();
    let kinds_in_words = kinds.iter().map(|(kind, count)| match kinds.len() {
        2.. if all == machines => format!("{count} {kind}"),
        _ => kind.clone(),
    });
    kinds_in_words.collect::<Vec<_>>().join(" and ")
}

/// The last target that the last yes to this covers, and how many machines it named in all; 0 if there was no yes.
fn covered(store: &Store, subject: Subject) -> Result<(u64, u64), Failure> {
    let decisions = store.decisions()?;
    let about = decisions
        .iter()
        .filter(|decision| decision.subject == subject);
    let yes = about.filter_map(|decision| Some((decision.covers, decision.yes_to()?)));
    Ok(yes.max_by_key(|(covers, _)| *covers).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_kinds_are_those_of_the_machines_that_are_asked_about_or_none() {
        let kinds = [("quick".to_owned(), 700), ("full".to_owned(), 300)];
        assert_eq!(scans(&kinds, 1000), "700 quick and 300 full");
        assert_eq!(scans(&kinds, 600), "quick and full");
        assert_eq!(scans(&kinds[..1], 600), "quick");
    }
}
