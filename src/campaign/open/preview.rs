//! What opening a campaign would find, and how many of its targets there would be to send. Nothing is made or written:
//! what a run would change about a campaign is tried out, and lost again.

use jiff::Timestamp;
use serde::Serialize;

use super::{OpenError, OpenRequest, create::ended_by_reading, error::FURTHER, resume::Rejoined};
use crate::{
    campaign::{
        counts::Counts,
        forecast::Begun,
        outcome::{Outcome, Tally},
        tag::CampaignId,
    },
    monitor::count,
    quota::MarkRow,
    store::{LastRun, Lock, Reach, Store, UNKNOWN_TENANT},
};

/// So many rows of each kind are shown; more help nobody to see what is wrong with the input.
const SHOWN: usize = 3;

/// What there is.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The campaign that is there, by its id.
    pub(crate) campaign: Option<String>,
    /// Whether a run is at work on it.
    pub(crate) running: bool,
    /// Rows in all.
    pub(crate) rows: u64,
    /// Those that are to be sent.
    pub(crate) due: u64,
    /// Those of them that are looked up first, for a scan may have been started there.
    pub(crate) in_doubt: u64,
    /// Those of them that something was sent to before.
    pub(crate) begun: Begun,
    /// How far earlier runs have reached.
    pub(crate) reach: Reach,
    /// When those began, oldest first, each with how it counted its calls.
    pub(crate) runs: Vec<(Timestamp, String)>,
    /// Those that have ended, or end by being read.
    pub(crate) tally: Tally,
    /// Those that end by being read.
    pub(crate) refusals: Vec<Refusals>,
    /// The campaign's last run.
    pub(crate) last_run: Option<LastRun>,
    /// What the person should know.
    pub(crate) notes: Vec<String>,
}

/// Rows that are not sent, of one kind.
#[derive(Debug, Serialize)]
pub(crate) struct Refusals {
    /// How they end, by the outcome's word.
    pub(crate) outcome: &'static str,
    /// How many there are.
    pub(crate) rows: u64,
    /// The first of them.
    pub(crate) first: Vec<Refusal>,
}

/// A row that is not sent.
#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    /// Its line in the input.
    pub(crate) line: u64,
    /// Why.
    pub(crate) message: String,
}

/// The ways to end by being read.
const BY_READING: [Outcome; 3] = [Outcome::Invalid, Outcome::Duplicate, Outcome::NotAttempted];

/// Looks at what is there. Where the tenant is not known beforehand, that of a campaign that is there is taken.
///
/// # Errors
/// As of a run: the input is refused, the campaign that is there is another one, or a file cannot be read.
pub(crate) fn preview(mut opening: OpenRequest) -> Result<Found, OpenError> {
    opening.check_kind()?;
    let marks = opening.marks()?;
    let state = &opening.places.state;
    if !state.exists() || opening.rehearsal_there().is_some() {
        opening.check_gone(&marks)?;
        return opening.look_at_input(None, &marks);
    }
    if Lock::is_held(state) {
        return opening.look_at_work();
    }
    let store = Store::open_dry_run(state)?;
    if !opening.recover {
        opening.compare(&store, &marks)?;
    }
    if opening.again && Counts::of(&store)?.open == 0 {
        let old = CampaignId::known(store.identity().campaign.as_str());
        return opening.look_at_input(Some(&old), &marks);
    }
    if !opening.tenant_is_known {
        let known = store.identity().tenant.clone();
        opening.options.tenant = Some(known.clone()).filter(|tenant| tenant != UNKNOWN_TENANT);
        opening.meant.tenant = known;
    }
    opening.look_at_campaign(store, &marks)
}

impl OpenRequest {
    /// What a new campaign would consist of.
    fn look_at_input(
        &self,
        old: Option<&CampaignId>,
        marks: &[MarkRow],
    ) -> Result<Found, OpenError> {
        self.check_begin()?;
        let campaign = CampaignId::known(self.meant.campaign.as_str());
        self.check_results(old.unwrap_or(&campaign), marks)?;
        let mut found = Found::default();
        found.notes.extend(old.map(|old| {
            format!("campaign {old} has finished; a run would begin a new one in its place")
        }));
        let mut roster = self.roster()?;
        while let Some(row) = roster.next_row()? {
            match ended_by_reading(&row.kind) {
                None => found.due += 1,
                Some((outcome, why)) => found.refuse(outcome, row.line, &why),
            }
        }
        let counts = roster.counts();
        found.rows = counts.rows();
        found.tally.add_many(Outcome::Invalid, counts.invalid);
        found.tally.add_many(Outcome::Duplicate, counts.duplicate);
        found.tally.leave_out(counts.left_out);
        let notes = roster.notes().iter();
        found
            .notes
            .extend(notes.map(|note| format!("{}: {note}", self.file())));
        Ok(found)
    }

    /// What is left of a campaign that a run is at work on: nobody may stand in its way, not even to compare the input.
    fn look_at_work(&self) -> Result<Found, OpenError> {
        let store = Store::open_read_only(&self.places.state)?;
        let mut found = self.found(&store, true)?;
        found.running = true;
        found.notes.push(format!(
            "a run is at work on campaign {}: these are its counts of this moment; the input was not compared with \
             it, and a second run would be refused",
            store.identity().campaign
        ));
        Ok(found)
    }

    /// What would be left of a campaign after what a run changes about it before its first call.
    fn look_at_campaign(&self, mut store: Store, marks: &[MarkRow]) -> Result<Found, OpenError> {
        let campaign = CampaignId::known(store.identity().campaign.as_str());
        let Rejoined {
            added,
            notes,
            remarks,
            ..
        } = self.join(&mut store, &campaign, marks)?;
        let mut found = self.found(&store, false)?;
        for note in &notes {
            found.notes.push(format!("{}: {note}", self.file()));
        }
        found.notes.extend(remarks);
        if added > 0 {
            let note = format!("{} would be added to the campaign", count::of(added, "row"));
            found.notes.push(note);
        }
        if found.due == 0 {
            let note = format!("campaign {campaign} has finished. {FURTHER}");
            found.notes.push(note);
        }
        Ok(found)
    }

    /// What a store tells, which belongs to a process that `runs` or to none.
    fn found(&self, store: &Store, runs: bool) -> Result<Found, OpenError> {
        // What is meant was made up a moment ago.
        let begun = Begun::of(store, self.meant.created, runs, &self.policy);
        Ok(Found {
            begun: begun?,
            ..Found::of(store)?
        })
    }
}

impl Found {
    fn of(store: &Store) -> Result<Self, OpenError> {
        let Counts { tally, open: due } = Counts::of(store)?;
        let mut in_doubt = 0;
        let each = store.each_left(|left| in_doubt += u64::from(left.in_doubt));
        each?;
        let mut found = Self {
            campaign: Some(store.identity().campaign.clone()),
            rows: tally.total() + due,
            due,
            in_doubt,
            reach: store.reach()?,
            runs: store.run_starts()?,
            tally,
            last_run: store.last_run()?,
            ..Self::default()
        };
        for outcome in BY_READING {
            let first = store.ended_on_reading(outcome.as_str(), SHOWN);
            for row in first? {
                found.refuse(outcome, row.line, &row.message);
            }
            if let Some(refusals) = found.of_kind(outcome) {
                refusals.rows = tally.of(outcome);
            }
        }
        Ok(found)
    }

    /// Counts a row that is not sent, and keeps it if it is one of the first.
    fn refuse(&mut self, outcome: Outcome, line: u64, message: &str) {
        if self.of_kind(outcome).is_none() {
            self.refusals.push(Refusals {
                outcome: outcome.as_str(),
                rows: 0,
                first: Vec::new(),
            });
        }
        if let Some(refusals) = self.of_kind(outcome) {
            refusals.rows += 1;
            if refusals.first.len() < SHOWN {
                refusals.first.push(Refusal {
                    line,
                    message: message.to_owned(),
                });
            }
        }
    }

    fn of_kind(&mut self, outcome: Outcome) -> Option<&mut Refusals> {
        let mut refusals = self.refusals.iter_mut();
        refusals.find(|refusals| refusals.outcome == outcome.as_str())
    }
}
