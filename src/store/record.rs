//! What happens to targets, written in batches: one transaction each.

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, params};

use super::{Decision, Store, StoreError, decision, mark, millis, recover};

/// What a target has been through so far, and how it ended if it has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// The outcome's word; none while it has not ended.
    pub outcome: Option<&'static str>,
    /// It is not to be sent any more, whatever comes of checking it up.
    pub left_out: bool,
    /// POSTs on the wire.
    pub attempts: u32,
    /// Those that cost one of `--max-attempts`.
    pub tries: u32,
    /// Those that were answered "already pending", and looks into the list that told the same.
    pub pending_tries: u32,
    /// Whether the service has said once that it does not know the machine.
    pub not_found: bool,
    /// Not to be sent before this time.
    pub not_before: Option<Timestamp>,
    /// When the first attempt was sent of which nobody knows whether it started a scan.
    pub unsure_since: Option<SentAt>,
    /// When the first POST was sent.
    pub first_sent: Option<Timestamp>,
    /// When the last answer came.
    pub last_answer: Option<Timestamp>,
    /// The last answer's status.
    pub http_status: Option<u16>,
    /// The last answer's error code.
    pub error_code: String,
    /// Why, in words.
    pub message: String,
    /// The id to give to support.
    pub correlation_id: String,
    /// The scan's id: this campaign's, or the one that keeps the machine busy.
    pub action_id: String,
    /// The scan's status, as the service spells it.
    pub action_status: String,
    /// When the scan was created, as the service wrote it.
    pub action_created: String,
}

impl Progress {
    /// Takes this scan for the target's; empty words for none.
    pub fn set_action(&mut self, id: String, status: String, created: String) {
        self.action_id = id;
        self.action_status = status;
        self.action_created = created;
    }
}

/// When an attempt was sent, by the best clock that was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentAt {
    /// The time.
    pub at: Timestamp,
    /// Whether it is the server's time, as its answers told it, or only this computer's.
    pub by_server: bool,
}

impl SentAt {
    /// The earlier of two; it is the server's time only if both are.
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
    /// When its reply came or it was given up.
    pub at: Timestamp,
    /// The verdict's word.
    pub verdict: &'static str,
    /// The answer's status.
    pub http_status: Option<u16>,
}

/// One thing that happened to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An attempt is about to be sent. Once this is committed, a crash leaves it *unsure*, never forgotten.
    Begun {
        /// The target.
        n: u64,
        /// The attempt's number, from 1.
        number: u32,
        /// When, by this computer's clock.
        sent: Timestamp,
        /// When, by the server's, if an answer has told it.
        sent_server: Option<Timestamp>,
    },
    /// An attempt that was begun has not been sent after all.
    Unsent {
        /// The target.
        n: u64,
        /// The attempt's number.
        number: u32,
    },
    /// The list of scans, read long after the last call, shows none of this target's attempts.
    Absent {
        /// The target.
        n: u64,
        /// When the list was read.
        at: Timestamp,
    },
    /// Somebody has decided something, before whatever comes after it in the batch.
    Decided(Decision),
    /// The run knows when its last call goes out, or does not, for this reason: told to whoever looks from outside.
    ForecastNote(Option<&'static str>),
    /// The target's state has changed; by the end of an attempt, if there is one.
    Changed {
        /// The target.
        n: u64,
        /// The attempt that ended.
        attempt: Option<AttemptEnd>,
        /// The state that the target is in now.
        progress: Box<Progress>,
    },
}

impl Store {
    /// Writes all records, or none.
    ///
    /// # Errors
    /// The file cannot be written; nothing of the batch is.
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

/// Writes records, by statements that are prepared once a batch.
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
            Record::Decided(decision) => decision::insert(self.db, decision)?,
            Record::ForecastNote(unless) => {
                let sql = "UPDATE run SET reason = ?2 WHERE id = ?1 AND ended IS NULL";
                let mut statement = self.db.prepare_cached(sql)?;
                statement.execute(params![self.run, unless])?;
            }
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

    /// Tells how many rows were there to be changed: one or none.
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
