//! The machines that a campaign never sends to. They are decisions in its state, so that a later command without
//! `--exclude` keeps them, and only `--lift-exclusion` takes one back.

use jiff::Timestamp;

use super::{OpenError, OpenRequest, Opening};
use crate::{
    campaign::outcome::{EXCLUDED, Outcome},
    monitor::count,
    results,
    roster::Excluded,
    store::{Decision, Store, Subject},
};

/// The machines that are excluded, and what this command decides about that.
#[derive(Debug, Default)]
pub(super) struct Exclusions {
    pub(super) machines: Excluded,
    /// What is new about them, for the state.
    pub(super) decisions: Vec<Decision>,
    /// What the person should know.
    pub(super) remarks: Vec<String>,
}

impl Opening {
    /// Adds the machines that those which are excluded have been merged with.
    pub(super) fn complete(&self, exclusions: &mut Exclusions) {
        let merged = self.merged_with(&exclusions.machines.ids());
        exclusions.add(&self.request, &merged, "merged with an excluded one");
    }
}

impl Exclusions {
    /// Those of a campaign that begins with this request.
    pub(super) fn of_new(request: &OpenRequest) -> Self {
        let mut these = Self::default();
        these.take_in(request);
        these
    }

    /// Those of the campaign that is there, and what this request changes about them.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn of_campaign(store: &Store, request: &OpenRequest) -> Result<Self, OpenError> {
        let mut these = Self::default();
        for decision in store.decisions()? {
            for id in decision.answer.split_ascii_whitespace() {
                match decision.subject {
                    Subject::Exclude => drop(these.machines.add(id)),
                    Subject::Lift => drop(these.machines.lift(id)),
                    _ => {}
                }
            }
        }
        if request.recover {
            // The state may be an older copy, which does not know of all of them.
            these.add_told(&store.identity().campaign, request)?;
        }
        these.take_in(request);
        Ok(these)
    }

    /// Those of a campaign that begins in the place of another one, whose exclusions it takes over.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn of_successor(store: &Store, request: &OpenRequest) -> Result<Self, OpenError> {
        let before = Self::of_campaign(store, request)?;
        let mut these = Self {
            remarks: before.remarks,
            ..Self::default()
        };
        let who = format!("as in campaign {}", store.identity().campaign);
        these.add(request, &before.machines.ids(), &who);
        Ok(these)
    }

    /// Those of a campaign whose state is lost, as far as its results tell, and those of the request.
    ///
    /// # Errors
    /// The results cannot be read.
    pub(super) fn of_lost(campaign: &str, request: &OpenRequest) -> Result<Self, OpenError> {
        let mut these = Self::default();
        these.add_told(campaign, request)?;
        these.take_in(request);
        these.remarks.push(
            "exclusions that the results do not show are not known any more: give the lists again (--exclude)"
                .to_owned(),
        );
        Ok(these)
    }

    /// Adds machines of the campaign by the names that it knows them by.
    pub(super) fn add_named(&mut self, request: &OpenRequest, ids: &[String]) {
        self.add(request, ids, "by an exclusion list");
    }

    /// Adds what the campaign's results tell.
    fn add_told(&mut self, campaign: &str, request: &OpenRequest) -> Result<(), OpenError> {
        let mut told = Vec::new();
        results::each_row::<results::ResultsError>(&request.places.results, campaign, |row| {
            if row.outcome == Outcome::NotAttempted.as_str() && row.message == EXCLUDED {
                told.push(row.machine_id.clone());
            }
            Ok(())
        })?;
        self.add(request, &told, "as the results tell");
        Ok(())
    }

    /// Takes in what the request says.
    fn take_in(&mut self, request: &OpenRequest) {
        self.lift(request);
        self.add(request, &request.exclude, "by an exclusion list");
    }

    fn add(&mut self, request: &OpenRequest, ids: &[String], who: &str) {
        let new: Vec<_> = ids.iter().filter(|id| self.machines.add(id)).collect();
        if new.is_empty() {
            return;
        }
        let new: Vec<_> = new.into_iter().map(|id| id.to_ascii_lowercase()).collect();
        self.decide(Subject::Exclude, &new, who, request.meant.created);
    }

    fn lift(&mut self, request: &OpenRequest) {
        let mut lifted = Vec::new();
        for id in &request.lift {
            let is_named = request
                .exclude
                .iter()
                .any(|other| other.eq_ignore_ascii_case(id));
            if is_named {
                self.remarks.push(format!(
                    "--lift-exclusion {id} has no effect, because an exclusion list of this command names the machine"
                ));
            } else if self.machines.lift(id) {
                lifted.push(id.to_ascii_lowercase());
            } else {
                self.remarks.push(format!(
                    "--lift-exclusion {id} has no effect: the machine was not excluded"
                ));
            }
        }
        if !lifted.is_empty() {
            self.decide(
                Subject::Lift,
                &lifted,
                "by --lift-exclusion",
                request.meant.created,
            );
        }
    }

    fn decide(&mut self, subject: Subject, ids: &[String], who: &str, given: Timestamp) {
        let machines = count::of(ids.len() as u64, "machine");
        self.remarks.push(match subject {
            Subject::Lift => format!("{machines} may be sent to again ({who})"),
            _ => format!("{machines} will never be sent to ({who})"),
        });
        self.decisions.push(Decision {
            subject,
            answer: ids.join(" "),
            covers: 0,
            who: who.to_owned(),
            given,
        });
    }
}
