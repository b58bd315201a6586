//! What happens to targets, written in batches of one transaction each.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, params};

use super::{
    ActionUpdate, Decision, Store, StoreError, actions, decision, mark, millis, recover, run,
};

/// What has happened to a target so far, and how it ended if it has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// The outcome; `None` if it has not ended.
    pub outcome: Option<&'static str>,
    /// Whether it must not be sent any more, whatever a lookup of its scan shows.
    pub left_out: bool,
    /// How many POSTs were sent.
    pub attempts: u32,
    /// How many of them count against `--max-attempts`.
    pub tries: u32,
    /// How often its machine was found busy, by the answer to a start or in the list of scans.
    pub pending_tries: u32,
    /// Whether the service has said once that it does not know the machine.
    pub not_found: bool,
    /// The earliest time at which it may be sent.
    pub not_before: Option<Timestamp>,
    /// When the first attempt was sent that may have started a scan without our knowing.
    pub unsure_since: Option<SentAt>,
    /// When the first POST was sent.
    pub first_sent: Option<Timestamp>,
    /// When the last answer came.
    pub last_answer: Option<Timestamp>,
    /// The last answer's status.
    pub http_status: Option<u16>,
    /// The last answer's error code.
    pub error_code: String,
    /// The reason, as text.
    pub message: String,
    /// The id to quote to support.
    pub correlation_id: String,
    /// The id of this campaign's scan, or of the one that keeps the machine busy.
    pub action_id: String,
    /// The scan's status, as the service spells it.
    pub action_status: String,
    /// When the scan was created, as the service wrote it.
    pub action_created: String,
}

impl Progress {
    /// Sets the target's scan. Empty strings mean that there is none.
    pub fn set_action(&mut self, id: String, status: String, created: String) {
        self.action_id = id;
        self.action_status = status;
        self.action_created = created;
    }
}

/// When an attempt was sent, by the best clock that was available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentAt {
    /// The time.
    pub at: Timestamp,
    /// Whether it is the server's time, as known from its answers, or only this computer's.
    pub by_server: bool,
}

impl SentAt {
    /// The earlier of the two. It counts as the server's time only if both do.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        Self {
            at: self.at.min(other.at),
            by_server: self.by_server && other.by_server,
        }
    }
}

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptEnd {
    /// The attempt's number, from 1.
    pub number: u32,
    /// When its answer came or it was given up.
    pub at: Timestamp,
    /// The verdict.
    pub verdict: &'static str,
    /// The answer's status.
    pub http_status: Option<u16>,
}

/// One thing that happened to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An attempt is about to be sent. Once this is committed, a crash leaves the target *unsure*: the attempt cannot
    /// be forgotten.
    Begun {
        /// The target.
        n: u64,
        /// The attempt's number, from 1.
        number: u32,
        /// When, by this computer's clock.
        sent: Timestamp,
        /// When, by the server's clock, if that is known from an answer.
        sent_server: Option<Timestamp>,
    },
    /// An attempt that was begun has not been sent after all.
    Unsent {
        /// The target.
        n: u64,
        /// The attempt's number.
        number: u32,
    },
    /// The list of scans, read long enough after the last call, shows no scan of this target's attempts.
    Absent {
        /// The target.
        n: u64,
        /// When the list was read.
        at: Timestamp,
    },
    /// The list of scans shows how the scan of a target that has ended stands.
    Scan(ActionUpdate),
    /// The operator has decided something, before what follows in the batch.
    Decided(Decision),
    /// Whether the run can forecast its last call (`None`), or why not. For `status`.
    ForecastNote(Option<&'static str>),
    /// How long this run has waited so far, in milliseconds by cause, with short words for the causes. For the report.
    Waited(BTreeMap<String, u64>),
    /// So many targets are set aside because their machines are away. For `status`.
    Away {
        /// How many.
        machines: u64,
        /// Since when it is so many.
        at: Timestamp,
    },
    /// The target's state has changed.
    Changed {
        /// The target.
        n: u64,
        /// The attempt whose end changed it, if there is one.
        attempt: Option<AttemptEnd>,
        /// The target's new state.
        progress: Box<Progress>,
    },
}

impl Store {
    /// Writes all records or none.
    ///
    /// # Errors
    /// The file cannot be written. Then nothing of the batch was.
    pub fn commit(&mut self, run: i64, records: &[Record]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let written = self.db.transaction().and_then(|tx| {
            let mut writer = Writer::new(&tx, run)?;
            for record in records {
                writer.write(record)?;
            }
            drop(writer);
            let committed = mark::count(&tx)?;
            tx.commit()?;
            Ok(committed)
        });
        self.committed = Some(written.map_err(|e| self.failed("write", e))?);
        Ok(())
    }
}

/// Writes records, with statements that are prepared once for each batch.
struct Writer<'a> {
    db: &'a Connection,
    run: i64,
    begin: CachedStatement<'a>,
    count_attempt: CachedStatement<'a>,
    end: CachedStatement<'a>,
    change: CachedStatement<'a>,
}

impl<'a> Writer<'a> {
    fn new(db: &'a Connection, run: i64) -> rusqlite::Result<Self> {
        Ok(Self {
            db,
            run,
            begin: db.prepare_cached(
                "INSERT INTO attempt (n, number, run, sent, sent_server) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            count_attempt: db.prepare_cached(
                "INSERT INTO progress (n, attempts, first_sent) VALUES (?1, ?2, ?3)
                 ON CONFLICT (n) DO UPDATE SET attempts = excluded.attempts,
                     first_sent = coalesce(first_sent, excluded.first_sent)",
            )?,
            end: db.prepare_cached(
                "UPDATE attempt SET ended = ?3, verdict = ?4, http_status = ?5, error_code = ?6
                 WHERE n = ?1 AND number = ?2",
            )?,
            change: db.prepare_cached(
                "UPDATE progress SET outcome = ?2, attempts = ?3, tries = ?4, pending_tries = ?5, not_found = ?6,
                     not_before = ?7, unsure_since = ?8, unsure_by_server = ?18, first_sent = ?9, last_answer = ?10,
                     http_status = ?11, error_code = ?12, message = ?13, correlation_id = ?14, action_id = ?15,
                     action_status = ?16, action_created = ?17, left_out = ?19, reopened = reopened AND ?2 IS NULL
                 WHERE n = ?1",
            )?,
        })
    }

    fn write(&mut self, record: &Record) -> rusqlite::Result<()> {
        match record {
            Record::Begun {
                n,
                number,
                sent,
                sent_server,
            } => {
                let (sent, sent_server) = (millis(*sent), sent_server.map(millis));
                self.begin
                    .execute(params![n, number, self.run, sent, sent_server])?;
                self.count_attempt.execute(params![n, number, sent])?;
            }
            Record::Unsent { n, number } => unsent(self.db, *n, *number)?,
            Record::Absent { n, at } => recover::absent(self.db, *n, *at)?,
            Record::Scan(update) => actions::update(self.db, update)?,
            Record::Decided(decision) => decision::insert(self.db, decision)?,
            Record::ForecastNote(unless) => {
                let sql = "UPDATE run SET reason = ?2 WHERE id = ?1 AND ended IS NULL";
                let mut statement = self.db.prepare_cached(sql)?;
                statement.execute(params![self.run, unless])?;
            }
            Record::Waited(waits) => run::note_waits(self.db, self.run, waits)?,
            Record::Away { machines, at } => run::note_away(self.db, self.run, *machines, *at)?,
            Record::Changed {
                n,
                attempt,
                progress,
            } => {
                if let Some(end) = attempt {
                    self.end.execute(params![
                        n,
                        end.number,
                        millis(end.at),
                        end.verdict,
                        end.http_status,
                        progress.error_code
                    ])?;
                }
                if self.change(*n, progress)? == 0 {
                    // A target that nothing was sent to has no row yet.
                    self.db
                        .prepare_cached("INSERT INTO progress (n) VALUES (?1)")?
                        .execute([n])?;
                    self.change(*n, progress)?;
                }
            }
        }
        Ok(())
    }

    /// Changes a target's row, and returns how many rows there were: one or none.
    fn change(&mut self, n: u64, p: &Progress) -> rusqlite::Result<usize> {
        self.change.execute(params![
            n,
            p.outcome,
            p.attempts,
            p.tries,
            p.pending_tries,
            p.not_found,
            p.not_before.map(millis),
            p.unsure_since.map(|sent| millis(sent.at)),
            p.first_sent.map(millis),
            p.last_answer.map(millis),
            p.http_status,
            p.error_code,
            p.message,
            p.correlation_id,
            p.action_id,
            p.action_status,
            p.action_created,
            p.unsure_since.is_some_and(|sent| sent.by_server),
            p.left_out,
        ])
    }
}

fn unsent(db: &Connection, n: u64, number: u32) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM attempt WHERE n = ?1 AND number = ?2")?
        .execute(params![n, number])?;
    db.prepare_cached(
        "UPDATE progress SET attempts = ?2 - 1, first_sent = iif(?2 = 1, NULL, first_sent) WHERE n = ?1",
    )?
    .execute(params![n, number])
    .map(drop)
}
