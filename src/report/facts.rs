//! Everything that the report tells, read from the campaign's state.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    calls::Calls,
    found::{Found, Scans},
    latency::{Latencies, Latency},
    machines::Machines,
    troubles::{Trouble, troubles},
};
use crate::{
    campaign::{
        counts::Counts,
        outcome::{Outcome, Tally},
        tag::CampaignId,
    },
    monitor::count,
    plain_text::one_line,
    quota::Limit,
    store::{Lock, PastRun, Store, StoreError, Subject},
};

/// What the state does not tell.
pub struct About<'a> {
    /// When the report is made.
    pub made: Timestamp,
    /// The results file, if it is known.
    pub results: Option<PathBuf>,
    /// The limits of all runs; empty if they had none, or not the same ones.
    pub limits: Vec<Limit>,
    /// Why there are no limits, in words.
    pub no_limits: &'static str,
    /// What whoever reads this has to know first.
    pub warning: Option<String>,
    /// Whether commands that go on with the campaign are named.
    pub names_commands: bool,
    /// What the last run's options were.
    pub settings: Vec<Setting>,
    /// Makes the command that tries targets with this outcome again.
    pub again: &'a dyn Fn(&str) -> Option<String>,
}

/// An option of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// As on the command line.
    pub option: String,
    /// Its values, with blanks between them.
    pub value: String,
    /// Whether it was given, or is the default.
    pub given: bool,
}

/// The report of a campaign. As JSON it is what `fleetsweep report --json` prints: times are in UTC, durations in the
/// unit that ends the field's name.
#[derive(Debug, Serialize)]
pub struct Report {
    pub(super) campaign: String,
    /// Whether the mock tenant answered, so that no machine was scanned.
    pub(super) rehearsal: bool,
    /// Whether a process is at work on it.
    pub(super) running: bool,
    pub(super) made: Timestamp,
    /// The version of the program that made the report.
    pub(super) fleetsweep: &'static str,
    pub(super) state: PathBuf,
    pub(super) results: Option<PathBuf>,
    pub(super) asked: Asked,
    pub(super) runs: Vec<PastRun>,
    pub(super) decisions: Vec<Decided>,
    pub(super) targets: u64,
    /// Rows that have not ended. Among the outcomes they count as `unsure` or `not_attempted`, as in the results.
    pub(super) open: u64,
    /// How many of them may have a scan, and are looked up before anything is sent to them.
    pub(super) to_look_up: u64,
    /// How many rows there are of each outcome, as in the results.
    #[serde(serialize_with = "by_outcome")]
    pub(super) outcomes: Tally,
    /// How many of `not_attempted` were left out on purpose.
    pub(super) left_out: u64,
    /// What has to be known before anything else here is believed.
    pub(super) warning: Option<String>,
    /// The command that goes on, if rows have not ended.
    pub(super) next: Option<String>,
    pub(super) calls: Calls,
    pub(super) latency: Latency,
    /// For how many seconds the runs have waited, by cause.
    pub(super) waited_s: BTreeMap<String, f64>,
    pub(super) troubles: Vec<Trouble>,
    pub(super) scans: Scans,
    pub(super) findings: Option<Found>,
    pub(super) machines: Machines,
    pub(super) settings: Vec<Setting>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Asked {
    pub(super) created: Timestamp,
    pub(super) tenant: String,
    pub(super) api: String,
    pub(super) scan_type: String,
    pub(super) comment: String,
    pub(super) columns: Vec<String>,
    /// The rule by which cells were accepted as machine ids.
    pub(super) id_rule: String,
}

/// What somebody decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Decided {
    pub(super) given: Timestamp,
    pub(super) subject: &'static str,
    pub(super) answer: String,
    pub(super) who: String,
}

impl Report {
    /// Reads the report of the campaign in this state.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn of(store: &Store, about: About<'_>) -> Result<Self, StoreError> {
        let _held = store.held()?;
        let Counts { mut tally, open } = Counts::of(store)?;
        let to_look_up = store.to_look_up()?;
        let left_out = tally.left_out();
        tally.add_many(Outcome::Unsure, to_look_up);
        tally.add_many(Outcome::NotAttempted, open.saturating_sub(to_look_up));
        let targets = tally.total();
        let runs: Vec<_> = store.runs()?.into_iter().map(plain_run).collect();
        let campaign = CampaignId::known(store.identity().campaign.as_str());
        let rehearsal = campaign.is_rehearsal();
        let names_commands = about.names_commands && !rehearsal;
        let again = |outcome: &str| {
            let command = (about.again)(outcome).filter(|_| names_commands)?;
            Some(one_line(&command).into_owned())
        };
        let mut latencies = Latencies::default();
        let calls = Calls::of(store, (&about.limits, about.no_limits), |call| {
            latencies.add(call);
        })?;
        let findings = Found::of(store)?;
        let none = BTreeMap::new();
        let by_target = findings.as_ref().map_or(&none, |found| &found.by_target);
        let last = runs.last().map(|run| run.command.clone());
        Ok(Self {
            campaign: campaign.as_str().to_owned(),
            rehearsal,
            running: Lock::is_held(store.path()),
            made: about.made,
            fleetsweep: env!("CARGO_PKG_VERSION"),
            state: store.path().to_owned(),
            results: about.results,
            asked: Asked::of(store),
            decisions: decisions(store)?,
            targets,
            open,
            to_look_up,
            outcomes: tally,
            left_out,
            next: last.filter(|_| open > 0 && names_commands),
            warning: about.warning.map(|why| one_line(&why).into_owned()),
            calls,
            latency: latencies.finish(),
            waited_s: waits(store)?,
            troubles: troubles(store, again)?,
            scans: Scans::of(store)?,
            machines: Machines::of(store, targets, by_target)?,
            findings,
            settings: about.settings.into_iter().map(plain_setting).collect(),
            runs,
        })
    }

    /// The name of the results file without its folder.
    pub(super) fn results_name(&self) -> Option<String> {
        let name = self.results.as_deref().and_then(Path::file_name)?;
        Some(one_line(&name.to_string_lossy()).into_owned())
    }
}

impl Asked {
    fn of(store: &Store) -> Self {
        let identity = store.identity();
        let plain = |text: &String| one_line(text).into_owned();
        Self {
            created: identity.created,
            tenant: plain(&identity.tenant),
            api: plain(&identity.api),
            scan_type: plain(&identity.scan_type),
            comment: plain(&identity.comment),
            columns: identity.columns.iter().map(plain).collect(),
            id_rule: plain(&identity.id_rule),
        }
    }
}

fn plain_run(run: PastRun) -> PastRun {
    let plain = |text: String| one_line(&text).into_owned();
    PastRun {
        os_user: plain(run.os_user),
        host: plain(run.host),
        version: plain(run.version),
        command: plain(run.command),
        tenant: plain(run.tenant),
        application: plain(run.application),
        reason: run.reason.map(plain),
        ..run
    }
}

fn plain_setting(setting: Setting) -> Setting {
    Setting {
        value: one_line(&setting.value).into_owned(),
        ..setting
    }
}

/// What was decided. Of machines that are excluded or admitted again, only the number is told.
fn decisions(store: &Store) -> Result<Vec<Decided>, StoreError> {
    let told = store.decisions()?.into_iter().map(|decision| Decided {
        given: decision.given,
        subject: decision.subject.word(),
        answer: match decision.subject {
            Subject::Exclude | Subject::Lift => {
                let machines = decision.answer.split_whitespace().count() as u64;
                count::of(machines, "machine")
            }
            _ => one_line(&decision.answer).into_owned(),
        },
        who: one_line(&decision.who).into_owned(),
    });
    Ok(told.collect())
}

fn waits(store: &Store) -> Result<BTreeMap<String, f64>, StoreError> {
    let waits = store.waits()?.into_iter();
    let plain = waits.map(|(cause, span)| (one_line(&cause).into_owned(), span.as_secs_f64()));
    Ok(plain.collect())
}

fn by_outcome<S: serde::Serializer>(tally: &Tally, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(
        tally
            .iter()
            .map(|(outcome, count)| (outcome.as_str(), count)),
    )
}
