//! What the operator decided about a campaign. It is recorded when it is decided, and never inferred from counts.
//!
//! In this list, "so far" means the targets up to the last number at the time of the decision.
//!
//! - Try the canaries (`--canary`): here, `canary` `begun`, for the targets so far, until it is answered.
//! - The others may start: here, `canary` `yes to N`, for the targets so far and N machines in all. It does not cover
//!   what `--extend` and `--retry` add, nor a higher `--max-machines`.
//! - The others must not start: here, `canary` `no`, for all targets, until a yes at a terminal or `--canary-answer
//!   yes`.
//! - More than 500 machines are intended, at a terminal: here, `machines` `yes to N`; the same as for the canaries.
//! - The same by `--yes`: here, `machines` `yes by --yes`, for the targets of that run only.
//! - Machines of another unfinished campaign are intended: here, `overlap` `yes`, for the targets so far. It does not
//!   cover what `--extend` adds.
//! - A lost end is recovered: here, `recover` `begun` and `done`, for all open targets.
//! - Machines are excluded (`--exclude`) and admitted again (`--lift-exclusion`): here, `exclude` and `lift`, for these
//!   machines and all targets, later ones too. A lift counts until the machine is excluded again.
//! - Targets are reopened (`--retry`): here, `retry`, and `progress.reopened`, until they end again.
//! - Calls of a kind are held: in the ledger, `hold`, for all processes, until its deadline or `quota lift`.
//! - All kinds are counted together: in the ledger, `joined`, for all calls, as long as the ledger keeps its rows.
//! - Less of a window is used (a cut), or the API cannot be reached (an outage): in the process only, because it is
//!   measured again. A cut heals with clean windows; an outage ends with an answer of the service's own.
//! - The run has to stop (`fleetsweep cancel`): here, table `orders`, for the running process only.
//! - `--window` and `--not-after`: on the command line, kept in table `run`, for the calls of that run.
//! - `--max-machines`: on the command line, for machines that nothing was sent to. They are counted over all runs by
//!   table `progress`; with `--again --extend` over the runs of a night, by what table `run` says about its first
//!   run.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{Store, StoreError, mark, millis, timestamp};
use crate::audit::audit;

/// What a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Whether the other targets may start after the canaries.
    Canary,
    /// Whether this many machines are intended.
    Machines,
    /// Whether machines of another unfinished campaign are intended.
    Overlap,
    /// That a state that lost its end is recovered.
    Recover,
    /// That targets are reopened.
    Retry,
    /// That machines are never sent to. The answer is their ids.
    Exclude,
    /// That machines may be sent to again. The answer is their ids.
    Lift,
}

impl Subject {
    const ALL: [Self; 7] = [
        Self::Canary,
        Self::Machines,
        Self::Overlap,
        Self::Recover,
        Self::Retry,
        Self::Exclude,
        Self::Lift,
    ];

    /// Its word in the state.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Machines => "machines",
            Self::Overlap => "overlap",
            Self::Recover => "recover",
            Self::Retry => "retry",
            Self::Exclude => "exclude",
            Self::Lift => "lift",
        }
    }
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What it is about.
    pub subject: Subject,
    /// `begun`, `yes`, `no`, `done`, an outcome, or ids with blanks between them.
    pub answer: String,
    /// It covers the targets up to this number.
    pub covers: u64,
    /// How it was decided: "at the terminal", "by --yes".
    pub who: String,
    /// When it was decided.
    pub given: Timestamp,
}

impl Decision {
    /// The answer for a yes to this many machines, including all that anything was ever sent to.
    #[must_use]
    pub fn yes(machines: u64) -> String {
        format!("yes to {machines}")
    }

    /// How many machines in all this is a yes to; `None` if it is not a yes. A yes without a number has no limit.
    #[must_use]
    pub fn yes_to(&self) -> Option<u64> {
        match self.answer.strip_prefix("yes")? {
            "" => Some(u64::MAX),
            rest => rest.strip_prefix(" to ")?.parse().ok(),
        }
    }
}

impl Store {
    /// Records a decision. Once this has returned, it survives any crash.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn decide(&mut self, decision: &Decision) -> Result<(), StoreError> {
        self.finish_check()?;
        let written = self.db.savepoint().and_then(|tx| {
            insert(&tx, decision)?;
            let committed = mark::count(&tx)?;
            tx.commit()?;
            Ok(committed)
        });
        self.committed = Some(written.map_err(|e| self.failed("write", e))?);
        Ok(())
    }

    /// All decisions, in the order in which they were made.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn decisions(&self) -> Result<Vec<Decision>, StoreError> {
        let sql = "SELECT kind, answer, covers, who, given FROM decision ORDER BY id";
        let found = self.read(sql, |row| {
            let kind: String = row.get(0)?;
            let subject = Subject::ALL.into_iter().find(|one| one.word() == kind);
            Ok(subject.map(|subject| {
                Ok::<_, rusqlite::Error>(Decision {
                    subject,
                    answer: row.get(1)?,
                    covers: row.get(2)?,
                    who: row.get(3)?,
                    given: timestamp(row.get(4)?).unwrap_or_default(),
                })
            }))
        });
        // An unknown subject comes from a later release, and concerns something that this one does not do.
        let found = found.map_err(|e| self.failed("read", e))?;
        found
            .into_iter()
            .flatten()
            .collect::<rusqlite::Result<_>>()
            .map_err(|e| self.failed("read", e))
    }

    /// The number of the last target.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn last_target(&self) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(max(n), 0) FROM target";
        self.db
            .query_row(sql, [], |row| row.get(0))
            .map_err(|e| self.failed("read", e))
    }

    /// The targets that are not covered by a decision up to number `covers`, because they were added later or were
    /// reopened: how many have not ended, and how many are accepted.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn beyond(&self, covers: u64) -> Result<(u64, u64), StoreError> {
        let sql = "
            SELECT max((SELECT coalesce(max(n), 0) FROM target) - ?1, 0)
                    - (SELECT count(*) FROM progress WHERE n > ?1 AND outcome IS NOT NULL)
                    + (SELECT count(*) FROM progress WHERE n <= ?1 AND outcome IS NULL AND reopened),
                (SELECT count(*) FROM progress WHERE n > ?1 AND outcome = 'accepted')";
        self.db
            .query_row(sql, [covers], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(|e| self.failed("count", e))
    }
}

pub(super) fn insert(db: &Connection, decision: &Decision) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO decision (kind, answer, covers, who, given) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        decision.subject.word(),
        decision.answer,
        decision.covers,
        decision.who,
        millis(decision.given)
    ])?;
    audit!(
        "decision",
        subject = decision.subject.word(),
        answer = decision.answer.as_str(),
        who = decision.who.as_str(),
        covers = decision.covers
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        Progress, Record, StoreError,
        sample_for_tests::{campaign, row},
    };

    fn ended(n: u64, outcome: &'static str) -> Record {
        Record::Changed {
            n,
            attempt: None,
            progress: Box::new(Progress {
                outcome: Some(outcome),
                ..Progress::default()
            }),
        }
    }

    #[test]
    fn a_yes_covers_what_it_named_and_neither_what_is_added_nor_what_is_reopened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.campaign.db");
        let ids: Vec<_> = (1..=10).map(|n| format!("{n:040x}")).collect();
        let rows = ids.iter().zip(1..).map(|(id, n)| row(n, id));
        let mut store = campaign(&path, rows);
        let records = [
            ended(1, "accepted"),
            ended(2, "failed"),
            ended(3, "refused"),
        ];
        store.commit(0, &records).unwrap();
        assert_eq!(store.beyond(0).unwrap(), (7, 1));

        let covers = store.last_target().unwrap();
        let yes = Decision {
            subject: Subject::Machines,
            answer: "yes".into(),
            covers,
            who: "at a terminal".into(),
            given: Timestamp::UNIX_EPOCH,
        };
        store.decide(&yes).unwrap();
        assert_eq!(store.beyond(covers).unwrap(), (0, 0));
        assert_eq!(store.reopen("failed").unwrap(), 1);
        assert_eq!(store.beyond(covers).unwrap(), (1, 0));
        store
            .extend::<StoreError>(|extension| {
                extension.add(row(0, "new"))?;
                extension.add(row(0, "newer"))
            })
            .unwrap();
        assert_eq!(store.beyond(covers).unwrap(), (3, 0));
        let records = [ended(2, "accepted"), ended(12, "accepted")];
        store.commit(0, &records).unwrap();
        assert_eq!(store.beyond(covers).unwrap(), (1, 1));
        store.close().unwrap();
        assert_eq!(Store::open(&path).unwrap().decisions().unwrap(), [yes]);
    }
}
