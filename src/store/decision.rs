//! What somebody decided about a campaign: recorded when it was decided, and never inferred from counts.
//!
//! | decision | where it is recorded | over which targets | what voids it |
//! |---|---|---|---|
//! | the canaries are tried (`--canary`) | here, `canary` `begun` | those up to the last number then | its answer |
//! | the others may start | here, `canary` `yes to N` | those up to the last number then, N machines sent to in all |
//! `--extend` and `--retry`, for what they add; a higher `--max-machines` |
//! | the others must not start | here, `canary` `no` | all | a yes at a terminal, or `--canary-answer yes` |
//! | more than 500 machines are meant, at a terminal | here, `machines` `yes to N` | those up to the last number then,
//! N machines sent to in all | `--extend` and `--retry`, for what they add; a higher `--max-machines` |
//! | the same by `--yes` | here, `machines` `yes by --yes` | those of that run | the end of that run |
//! | machines of another unfinished campaign are meant | here, `overlap` `yes` | those up to the last number then |
//! `--extend`, for what it adds |
//! | a lost end is recovered | here, `recover` `begun` and `done` | all that are open | nothing |
//! | targets are reopened (`--retry`) | here, `retry`, and `progress.reopened` | those that ended so | their next end |
//! | calls of a kind hold | the ledger, `hold` | all calls of the kind, in every process | its deadline, `quota lift` |
//! | all kinds count as one | the ledger, `joined` | all calls | as long as the ledger keeps its rows |
//! | less of a window is used (a cut) | the process, for it is measured anew | its calls | clean windows; its end |
//! | the API cannot be reached (an outage) | the process, for it is measured anew | its calls | an answer of the
//! service's own; its end |
//! | the run is to stop (`fleetsweep cancel`) | here, table `orders` | the run at work | the next run |
//! | `--window`, `--not-after` | the command line, kept in table `run` | the calls of that run | its end |
//! | `--max-machines` | the command line, committed over all runs by table `progress`; with `--again --extend` over
//! those of a night, from what table `run` notes of its first | machines that nothing was sent to | another number, or
//! none; the next night |

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{Store, StoreError, mark, millis, timestamp};
use crate::audit::audit;

/// What a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Whether the others may start once the canaries are through.
    Canary,
    /// Whether so many machines are meant.
    Machines,
    /// Whether machines of another unfinished campaign are meant.
    Overlap,
    /// That a state which lost its end is recovered.
    Recover,
    /// That ended targets are open again.
    Retry,
}

impl Subject {
    const ALL: [Self; 5] = [
        Self::Canary,
        Self::Machines,
        Self::Overlap,
        Self::Recover,
        Self::Retry,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Machines => "machines",
            Self::Overlap => "overlap",
            Self::Recover => "recover",
            Self::Retry => "retry",
        }
    }
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What it is about.
    pub subject: Subject,
    /// `begun`, `yes`, `no`, `done`, or an outcome's word.
    pub answer: String,
    /// It covers the targets up to this number.
    pub covers: u64,
    /// Who decided, in words: "at the terminal", "by --yes".
    pub who: String,
    /// When.
    pub given: Timestamp,
}

impl Decision {
    /// A yes to so many machines, all that were ever sent to committed in.
    #[must_use]
    pub fn yes(machines: u64) -> String {
        format!("yes to {machines}")
    }

    /// To how many machines in all this is a yes; none if it is no yes. One without a number is a yes to whatever it
    /// covers.
    #[must_use]
    pub fn yes_to(&self) -> Option<u64> {
        match self.answer.strip_prefix("yes")? {
            "" => Some(u64::MAX),
            rest => rest.strip_prefix(" to ")?.parse().ok(),
        }
    }
}

impl Store {
    /// Notes a decision. Once this has returned, it survives any crash.
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
        // One of a later release is about something that this one does not do.
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

    /// Of the targets that a decision which covers those up to number `covers` does not cover, because they came
    /// later or were reopened: how many have not ended, and how many are accepted.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn beyond(&self, covers: u64) -> Result<(u64, u64), StoreError> {
        let sql = "
            SELECT (SELECT coalesce(max(n), 0) FROM target) - min(?1, (SELECT coalesce(max(n), 0) FROM target))
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
