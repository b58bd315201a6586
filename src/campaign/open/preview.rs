//! What opening a campaign would find, and how many of its targets there would be to send to. Nothing is created or
//! written: what a run would change about a campaign is tried out, and rolled back.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    OpenError, OpenRequest, Opening,
    create::ended_by_reading,
    error::FURTHER,
    exclusions::Exclusions,
    mode::{OpenMode, id_of},
};
use crate::{
    campaign::{
        away::Away,
        counts::Counts,
        forecast::Begun,
        outcome::{Outcome, Tally},
        running::{Groups, RunningLimits},
    },
    monitor::count,
    store::{LastRun, Lock, Reach, Selection, Store, StoreError, UNKNOWN_TENANT},
};

/// How many rows of each kind are shown. More would not help to see what is wrong with the input.
const SHOWN: usize = 3;

/// What opening a campaign would find.
#[derive(Debug, Default)]
pub(crate) struct OpenPreview {
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
    /// Those of them whose machines are away and go behind all others.
    pub(crate) away: u64,
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
    /// The columns besides that of the ids.
    pub(crate) columns: Vec<String>,
    /// For each limit of `--max-running-per`, how many of those that are to be sent have its most frequent value.
    pub(crate) largest: Vec<u64>,
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

/// Why fewer calls may go out than a preview of a recovery says.
const RECOVERS: &str = "a run would first ask the list of scans what became of the machines that are to be sent, and \
    send only to those that were not scanned";

impl Opening {
    /// Finds out what opening would find.
    ///
    /// # Errors
    /// The state or the results cannot be read.
    pub(super) fn preview(mut self) -> Result<OpenPreview, OpenError> {
        if self.is_running() {
            return self.preview_running();
        }
        match self.mode(Store::open_dry_run)? {
            OpenMode::Resume(store) => {
                if !self.request.tenant_is_known {
                    let tenant = store.identity().tenant.clone();
                    let known = Some(tenant.clone()).filter(|tenant| tenant != UNKNOWN_TENANT);
                    self.request.options.tenant = known;
                    self.request.meant.tenant = tenant;
                }
                self.preview_resumed(store)
            }
            OpenMode::Succeed(store) => {
                let note = format!(
                    "campaign {} has finished; a run would begin a new one in its place",
                    id_of(&store)
                );
                let exclusions = Exclusions::of_successor(&store, &self.request)?;
                self.preview_new(Some(note), exclusions, "")
            }
            OpenMode::Begin { abandoned, store } => {
                let exclusions = match &store {
                    Some(store) => Exclusions::of_successor(store, &self.request)?,
                    None => self.of_abandoned(abandoned.as_ref())?,
                };
                let note = abandoned.map(|abandoned| {
                    format!(
                        "campaign {abandoned} would be given up; a run would begin a new one in its place"
                    )
                });
                self.preview_new(note, exclusions, "")
            }
            OpenMode::Rebuild {
                campaign,
                is_damaged,
            } => {
                let is_lost = if is_damaged { "damaged" } else { "gone" };
                let rebuilds = format!(
                    "the state of campaign {campaign} is {is_lost}, and a run would rebuild it"
                );
                let exclusions = Exclusions::of_lost(campaign.as_str(), &self.request)?;
                let mut preview =
                    self.preview_new(Some(rebuilds), exclusions, campaign.as_str())?;
                preview.notes.push(RECOVERS.to_owned());
                preview.campaign = Some(campaign.as_str().to_owned());
                Ok(preview)
            }
        }
    }

    /// Whether a run is at work on the campaign that is there.
    pub(super) fn is_running(&self) -> bool {
        let state = &self.request.places.state;
        state.exists() && Lock::is_held(state)
    }

    /// What a new campaign would consist of, or a rebuilt one with this id.
    fn preview_new(
        &self,
        note: Option<String>,
        mut exclusions: Exclusions,
        rebuilt: &str,
    ) -> Result<OpenPreview, OpenError> {
        let mut preview = OpenPreview::default();
        preview.notes.extend(note);
        self.complete(&mut exclusions);
        preview.notes.extend(exclusions.remarks);
        let names = self.names_of_new(rebuilt)?;
        let mut roster = self.request.roster(None, exclusions.machines, names)?;
        preview.columns = roster.columns().to_vec();
        let mut groups = Groups::new(&self.request.running, &preview.columns);
        while let Some(row) = roster.next_row()? {
            match ended_by_reading(&row.kind) {
                None => {
                    preview.due += 1;
                    groups.add(preview.due, row.extra);
                    let is_away = |away: &Away| away.contains(row.machine_id);
                    preview.away += u64::from(self.away.as_ref().is_some_and(is_away));
                }
                Some((outcome, why)) => preview.refuse(outcome, row.line, &why),
            }
        }
        preview.largest = groups.largest();
        let counts = roster.counts();
        preview.rows = counts.rows();
        preview.tally.add_many(Outcome::Invalid, counts.invalid);
        preview.tally.add_many(Outcome::Duplicate, counts.duplicate);
        preview.tally.leave_out(counts.left_out);
        preview.notes.extend(self.request.notes(roster.notes()));
        Ok(preview)
    }

    /// What is left of a campaign that a run is working on. The input is not compared with it, because that would keep
    /// the run from writing.
    fn preview_running(&self) -> Result<OpenPreview, OpenError> {
        let store = Store::open_read_only(&self.request.places.state)?;
        let mut preview = OpenPreview::of(&store, true, &self.request)?;
        preview.running = true;
        if let Some(away) = &self.away {
            preview.away = away.count(&store)?;
        }
        preview.notes.push(format!(
            "a run is at work on campaign {}: these are its counts of this moment; the input was not compared with \
             it, and a second run would be refused",
            id_of(&store)
        ));
        Ok(preview)
    }

    /// What would be left of a campaign after what a run changes about it before its first call.
    fn preview_resumed(&self, mut store: Store) -> Result<OpenPreview, OpenError> {
        let joined = self.join(&mut store)?;
        let mut preview = OpenPreview::of(&store, false, &self.request)?;
        if let Some(away) = &self.away {
            preview.away = away.count(&store)?;
        }
        preview.notes.extend(self.request.notes(&joined.notes));
        preview.notes.extend(joined.remarks);
        if joined.added > 0 {
            let added = count::of(joined.added, "row");
            preview
                .notes
                .push(format!("{added} would be added to the campaign"));
        }
        if self.request.recover {
            preview.notes.push(RECOVERS.to_owned());
        } else if preview.due == 0 {
            let campaign = id_of(&store);
            preview
                .notes
                .push(format!("campaign {campaign} has finished. {FURTHER}"));
        }
        Ok(preview)
    }
}

/// For each limit of `--max-running-per`, how many open targets have its most frequent value.
fn largest_open(store: &Store, limits: &RunningLimits) -> Result<Vec<u64>, StoreError> {
    let mut groups = Groups::new(limits, &store.identity().columns);
    if !limits.per.is_empty() {
        store.each_row(Selection::All, |row| {
            if row.outcome.is_none() && !row.left_out {
                groups.add(row.n, &row.extra);
            }
            Ok::<_, StoreError>(())
        })?;
    }
    Ok(groups.largest())
}

impl OpenPreview {
    /// What a state tells. A process is working on it if `is_running`.
    fn of(store: &Store, is_running: bool, request: &OpenRequest) -> Result<Self, StoreError> {
        let Counts { tally, open: due } = Counts::of(store)?;
        let mut in_doubt = 0;
        store.each_left(|left| in_doubt += u64::from(left.in_doubt))?;
        // The campaign that is meant was made up a moment ago.
        let now = request.meant.created;
        let mut preview = Self {
            begun: Begun::of(store, now, is_running, &request.policy)?,
            campaign: Some(store.identity().campaign.clone()),
            rows: tally.total() + due,
            due,
            in_doubt,
            reach: store.reach()?,
            runs: store.run_starts()?,
            tally,
            last_run: store.last_run()?,
            columns: store.identity().columns.clone(),
            largest: largest_open(store, &request.running)?,
            ..Self::default()
        };
        for outcome in BY_READING {
            for row in store.ended_on_reading(outcome.as_str(), SHOWN)? {
                preview.refuse(outcome, row.line, &row.message);
            }
            if let Some(refusals) = preview.of_kind(outcome) {
                refusals.rows = tally.of(outcome);
            }
        }
        Ok(preview)
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
