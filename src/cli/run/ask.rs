//! What a person at the terminal, or an option, has to say before anything is sent. Each answer is recorded in the
//! state.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use super::{RunArgs, setup::Setup};
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
        yes::{ASKED_ABOVE, Meant, Permission, can_ask, permission},
    },
    monitor::{Monitor, count},
    quota::{Clock, Kind, Pacer},
    store::{Decision, Store, Subject},
};

/// Whoever asks.
pub(super) struct Asking<'a> {
    pub(super) args: &'a RunArgs,
    pub(super) pacer: &'a Pacer,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) monitor: &'a Arc<dyn Monitor>,
    pub(super) signals: &'a mut mpsc::Receiver<Signal>,
}

impl Asking<'_> {
    /// Asks whether scans on so many `machines` are meant, which are then `in_all` that were ever sent to, if they are
    /// many and nobody has said yes to them before.
    ///
    /// # Errors
    /// They are not, or nobody can be asked. Nothing has been sent.
    pub(super) async fn machines(
        &mut self,
        store: &mut Store,
        machines: u64,
        in_all: u64,
        brakes: &BrakeOptions,
        setup: &Setup,
    ) -> Result<(), Failure> {
        // A yes at a terminal covers the targets that it named; one by --yes is for its own run.
        let asked_about = if self.args.yes.is_some() || machines <= ASKED_ABOVE {
            machines
        } else {
            let (covers, named) = covered(store, Subject::Machines)?;
            let (beyond, _) = store.beyond(covers).map_err(Failure::storage)?;
            // Fewer may have been admitted then than are now.
            beyond.max(in_all.saturating_sub(named)).min(machines)
        };
        let kinds = store.scan_types().map_err(Failure::storage)?;
        let meant = Meant {
            machines: asked_about,
            scans: scans(&kinds, asked_about),
            ..self.meant(store, machines, brakes, setup)?
        };
        match permission(self.args.yes, &meant, can_ask())? {
            Permission::Given if machines > ASKED_ABOVE && self.args.yes.is_some() => {
                self.decide(store, Subject::Machines, "yes by --yes", BY_YES)
            }
            Permission::Given => Ok(()),
            Permission::Ask(question) => {
                if !self.ask(&question).await? {
                    return Err(Failure::usage("the answer was no; nothing was sent"));
                }
                let answer = Decision::yes(in_all);
                self.decide(store, Subject::Machines, &answer, AT_A_TERMINAL)
            }
        }
    }

    /// What a yes is said to.
    fn meant(
        &self,
        store: &Store,
        machines: u64,
        brakes: &BrakeOptions,
        setup: &Setup,
    ) -> Result<Meant, Failure> {
        let (now, policy) = (self.clock.wall(), self.args.policy());
        let begun = Begun::of(store, now, false, &policy).map_err(Failure::storage)?;
        let reach = store.reach().map_err(Failure::storage)?;
        let prospect = Prospect {
            on_pending: policy.on_pending,
            ..Prospect::new(
                self.pacer.forecast(Kind::Start),
                machines.saturating_sub(begun.targets()),
                brakes.bounds(&reach),
                now,
            )
        };
        let prospect = Prospect { begun, ..prospect };
        let left_over = prospect.left_over();
        let mut last_call = match prospect.last_call() {
            None => "No call goes out".to_owned(),
            Some(last) if last.is_over() => "All calls go out at once".to_owned(),
            Some(last) => {
                let when = last.in_words(now, &TimeZone::system());
                format!("The last call goes out {when}")
            }
        };
        if left_over > 0 {
            last_call += ", and ";
            last_call += &count::of(left_over, "machine");
            last_call += count::word(left_over, " is left over", " are left over");
        }
        let connection = &setup.connection;
        Ok(Meant {
            machines,
            scans: String::new(),
            tenant: connection.tenant.clone(),
            application: connection.application.clone(),
            host: connection.api.clone(),
            last_call,
        })
    }

    /// Asks before machines are scanned that stand in an unfinished campaign of this user too.
    ///
    /// # Errors
    /// They are not meant, or nobody can be asked. Nothing has been sent.
    pub(super) async fn overlap(
        &mut self,
        opened: &mut Opened,
        setup: &Setup,
    ) -> Result<(), Failure> {
        let (covers, _) = covered(&opened.store, Subject::Overlap)?;
        if covers >= opened.store.last_target().map_err(Failure::storage)? {
            return Ok(());
        }
        let Some(found) = overlap::find(&opened.store, setup.note.file(), &self.args.targets)?
        else {
            let nobody = "no other campaign names them";
            return self.decide(&mut opened.store, Subject::Overlap, "yes", nobody);
        };
        let who = if self.args.yes.is_some() {
            self.monitor.note(&found.to_string());
            BY_YES
        } else if !can_ask() {
            return Err(Failure::usage(format!(
                "{found}; nothing was sent. Finish {} first, leave these machines out of the input, or say --yes if \
                 their scans are meant once more",
                found.those()
            )));
        } else if self
            .ask(&format!("{found}. Scan them in this campaign too? [y/N] "))
            .await?
        {
            AT_A_TERMINAL
        } else {
            return Err(Failure::usage("the answer was no; nothing was sent"));
        };
        let answer = match self.args.yes {
            Some(_) => "yes by --yes",
            None => "yes",
        };
        self.decide(&mut opened.store, Subject::Overlap, answer, who)
    }

    /// Finds out how the canaries stand, where this run brings the machines that were ever sent to up to `in_all`, and
    /// asks where that needs an answer.
    ///
    /// # Errors
    /// The others are not to start, or canaries can have no effect, and nobody can be asked. Nothing has been sent.
    pub(super) async fn canaries(
        &mut self,
        store: &mut Store,
        brakes: &mut BrakeOptions,
        in_all: u64,
    ) -> Result<(), Failure> {
        let decisions = store.decisions().map_err(Failure::storage)?;
        let run = ThisRun {
            in_all,
            says_yes: self.args.yes.is_some(),
        };
        let stands = gate(brakes.canary, &decisions, run, |covers| {
            store.beyond(covers)
        })
        .map_err(Failure::storage)?;
        let has_no_effect = matches!(stands, CanaryStart::NoEffect { .. });
        let (question, refused) = match stands {
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
            CanaryStart::Refused { who, given } => (
                format!(
                    "the answer to the canaries of this campaign was no ({who}, {given:.0}): start the others all the \
                     same?"
                ),
                Failure::new(
                    ExitCode::Brake,
                    format!(
                        "the answer to the canaries of this campaign was no ({who}, {given:.0}), and that holds; \
                         nothing was sent. Run it at a terminal to be asked again, or say --canary-answer yes"
                    ),
                ),
            ),
            CanaryStart::NoEffect { accepted } => (
                format!(
                    "{} accepted already, so that --canary tries no others first: start the rest now?",
                    are(accepted)
                ),
                Failure::usage(format!(
                    "--canary can have no effect: {} accepted already; nothing was sent. Give a --canary above \
                     {accepted}, or --canary-answer yes to start the rest",
                    are(accepted)
                )),
            ),
        };
        let who = match self.args.brakes.canary_answer {
            Some(answer @ CanaryAnswer::Yes) => answer.who(),
            None if can_ask() => {
                if !self.ask(&format!("{question} [y/N] ")).await? {
                    self.decide(store, Subject::Canary, "no", AT_A_TERMINAL)?;
                    let why = "the answer was no; nothing was sent. That holds until a yes at a terminal, or \
                         --canary-answer yes";
                    return Err(Failure::new(ExitCode::Brake, why));
                }
                AT_A_TERMINAL
            }
            // The nightly form needs nobody but after a no.
            None if has_no_effect && self.args.resume.is_nightly() => "by a run without a terminal",
            Some(CanaryAnswer::No) | None => return Err(refused),
        };
        brakes.canary = None;
        self.decide(store, Subject::Canary, &Decision::yes(in_all), who)
    }

    /// Puts a question; Ctrl-C is an answer too.
    async fn ask(&mut self, question: &str) -> Result<bool, Failure> {
        let terminal = Terminal {
            monitor: Arc::clone(self.monitor),
        };
        tokio::select! {
            biased;
            Some(_) = self.signals.recv() => Err(Failure::new(ExitCode::Interrupted, "interrupted; nothing was sent")),
            yes = terminal.ask(question) => Ok(yes),
        }
    }

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
            covers: store.last_target().map_err(Failure::storage)?,
            who: who.to_owned(),
            given: self.clock.wall(),
        };
        store.decide(&decision).map_err(Failure::storage)
    }
}

/// "full", or "700 quick and 300 full", of which each kind has so many; without the numbers where it is asked about
/// other `machines` than all of those.
fn scans(kinds: &[(String, u64)], machines: u64) -> String {
    let all: u64 = kinds.iter().map(|(_, count)| count).sum();
    let kinds_in_words = kinds.iter().map(|(kind, count)| match kinds.len() {
        2.. if all == machines => format!("{count} {kind}"),
        _ => kind.clone(),
    });
    kinds_in_words.collect::<Vec<_>>().join(" and ")
}

/// "1 machine of the campaign is", "2 machines of the campaign are".
fn are(machines: u64) -> String {
    let verb = count::word(machines, "is", "are");
    format!("{} of the campaign {verb}", count::of(machines, "machine"))
}

/// Up to which target the last yes to this reaches, and how many machines it named in all; 0 if there is none.
fn covered(store: &Store, subject: Subject) -> Result<(u64, u64), Failure> {
    let decisions = store.decisions().map_err(Failure::storage)?;
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
