//! What an earlier run left behind, and targets that the operator reopens.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::{Progress, SentAt, Store, StoreError, Target, timestamp};

/// A target that something has happened to and that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The target.
    pub target: Target,
    /// When the first of its attempts was sent that may have started a scan without our knowing, if there is one.
    pub unsure: Option<SentAt>,
    /// How long after that the last of its attempts was sent. Zero if there is none.
    pub span: Duration,
}

/// What decides when an unfinished target is sent or looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Its number.
    pub n: u64,
    /// Lower goes first.
    pub priority: Option<i64>,
    /// The earliest time at which it may be sent.
    pub not_before: Option<Timestamp>,
    /// Whether anything was ever sent to it.
    pub is_begun: bool,
    /// How many times its machine was found busy.
    pub pending_tries: u32,
    /// Whether one of its attempts may have started a scan without our knowing.
    pub in_doubt: bool,
    /// Whether that had been found before, rather than only following from an attempt without an end.
    pub is_unsure: bool,
}

/// A target as it was loaded, for a comparison with the current input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known<'a> {
    /// Its number, from 1, in the input's order.
    pub n: u64,
    /// The machine id as typed.
    pub machine_id: &'a str,
    /// The row's own scan type.
    pub scan_type: Option<&'a str>,
    /// The row's own comment text.
    pub comment: Option<&'a str>,
    /// Lower goes first.
    pub priority: Option<i64>,
    /// Whether it ended when it was read, because its row has no usable id.
    pub invalid: bool,
    /// Whether it ended when it was read, because another row has the same machine.
    pub duplicate: bool,
    /// Whether `--where` left it out, or its row was gone from the input.
    pub left_out: bool,
}

const UNFINISHED: &str = "
    SELECT t.n, t.line, t.machine_id, t.scan_type, t.comment, t.priority, p.attempts, p.tries, p.pending_tries,
        p.not_found, p.not_before, p.unsure_since, p.unsure_by_server, p.first_sent, p.last_answer,
        p.http_status, p.error_code, p.message, p.correlation_id,
        (SELECT min(coalesce(a.sent_server, a.sent)) FROM attempt a WHERE a.n = p.n AND a.ended IS NULL),
        (SELECT count(*) FROM attempt a WHERE a.n = p.n AND a.ended IS NULL AND a.sent_server IS NULL),
        p.action_id, p.action_status, p.action_created, p.left_out,
        (SELECT max(a.sent) - min(a.sent) FROM attempt a WHERE a.n = p.n),
        (SELECT a.sent_server FROM attempt a WHERE a.n = p.n ORDER BY a.number DESC LIMIT 1)
    FROM progress p JOIN target t ON t.n = p.n";

impl Store {
    /// Calls `visit` with every target that something has happened to and that has not ended, by number. These are
    /// the calls that were in flight and the retries that are waiting.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn each_left(&self, mut visit: impl FnMut(Left)) -> Result<(), StoreError> {
        let sql = "
            SELECT t.n, t.priority, p.not_before, p.unsure_since IS NOT NULL
                OR EXISTS (SELECT 1 FROM attempt a WHERE a.n = p.n AND a.ended IS NULL),
                p.attempts > 0, p.pending_tries, p.unsure_since IS NOT NULL
            FROM progress p JOIN target t ON t.n = p.n WHERE p.outcome IS NULL ORDER BY p.n";
        self.each(sql, |row| {
            visit(Left {
                n: row.get(0)?,
                priority: row.get(1)?,
                not_before: timestamp(row.get(2)?),
                in_doubt: row.get(3)?,
                is_begun: row.get(4)?,
                pending_tries: row.get(5)?,
                is_unsure: row.get(6)?,
            });
            Ok(())
        })
    }

    /// Those of the targets with these numbers that have not ended.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn recall(
        &self,
        numbers: impl Iterator<Item = u64>,
    ) -> Result<Vec<Unfinished>, StoreError> {
        let sql = format!("{UNFINISHED} WHERE p.n = ?1 AND p.outcome IS NULL");
        let read = |n: u64| {
            let mut statement = self.db.prepare_cached(&sql)?;
            statement.query_row([n], unfinished).optional()
        };
        numbers
            .filter_map(|n| read(n).transpose())
            .collect::<rusqlite::Result<_>>()
            .map_err(|e| self.failed("read", e))
    }

    /// The targets that ended without anybody knowing whether a scan was started.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn ended_unsure(&self) -> Result<Vec<Unfinished>, StoreError> {
        let sql = format!("{UNFINISHED} WHERE p.outcome = 'unsure' ORDER BY p.n");
        self.read(&sql, unfinished)
            .map_err(|e| self.failed("read", e))
    }

    /// Targets that nothing has happened to yet, by number. Those with which something has happened are left
    /// out.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn untouched(&self, numbers: impl Iterator<Item = u64>) -> Result<Vec<Target>, StoreError> {
        numbers
            .filter_map(|n| self.untouched_target(n).transpose())
            .collect::<rusqlite::Result<_>>()
            .map_err(|e| self.failed("read", e))
    }

    /// Reopens the targets that ended with this outcome, and returns how many. Their tries are counted from zero
    /// again. Those to which something was sent are unconfirmed until they have been looked up.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn reopen(&mut self, outcome: &str) -> Result<usize, StoreError> {
        self.finish_check()?;
        let sql = "
            UPDATE progress SET outcome = NULL, tries = 0, pending_tries = 0, not_found = 0, not_before = NULL,
                unsure_by_server = coalesce(unsure_by_server AND unsure_since IS NOT NULL, 0),
                unsure_since = iif(attempts > 0, coalesce(unsure_since, first_sent), NULL),
                action_id = '', action_status = '', action_created = '', reopened = 1
            WHERE outcome = ?1 AND NOT left_out";
        self.db
            .execute(sql, params![outcome])
            .map_err(|e| self.failed("write", e))
    }

    /// Calls `visit` with every target as it was loaded, in the input's order. An error from `visit` stops it.
    ///
    /// # Errors
    /// The file cannot be read, or `visit` failed.
    pub fn each_known<E: From<StoreError>>(
        &self,
        mut visit: impl FnMut(Known<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |e| E::from(self.failed("read", e));
        let mut targets = self
            .db
            .prepare("SELECT n, machine_id, scan_type, comment, priority FROM target ORDER BY n")
            .map_err(failed)?;
        let mut targets = targets.query([]).map_err(failed)?;
        // The few targets that ended when they were read, merged by number. A join would look up each of a million
        // targets.
        let mut remarks = self
            .db
            .prepare(
                "SELECT n, outcome IS 'invalid', outcome IS 'duplicate', left_out FROM progress
                 WHERE outcome IN ('invalid', 'duplicate') OR left_out ORDER BY n",
            )
            .map_err(failed)?;
        let mut remarks = remarks
            .query_map([], Remark::read)
            .map_err(failed)?
            .peekable();
        while let Some(row) = targets.next().map_err(failed)? {
            let text = |column| {
                row.get_ref(column)
                    .and_then(|value| Ok(value.as_str_or_null()?))
            };
            let n = row.get(0).map_err(failed)?;
            let remark = remarks
                .next_if(|remark| remark.as_ref().map_or(true, |remark| remark.n == n))
                .transpose()
                .map_err(failed)?
                .unwrap_or_default();
            let known = Known {
                n,
                machine_id: text(1).map_err(failed)?.unwrap_or_default(),
                scan_type: text(2).map_err(failed)?,
                comment: text(3).map_err(failed)?,
                priority: row.get(4).map_err(failed)?,
                invalid: remark.invalid,
                duplicate: remark.duplicate,
                left_out: remark.left_out,
            };
            visit(known)?;
        }
        Ok(())
    }
}

/// Why a target ended when it was read.
#[derive(Debug, Default)]
struct Remark {
    n: u64,
    invalid: bool,
    duplicate: bool,
    left_out: bool,
}

impl Remark {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            n: row.get(0)?,
            invalid: row.get(1)?,
            duplicate: row.get(2)?,
            left_out: row.get(3)?,
        })
    }
}

fn unfinished(row: &Row<'_>) -> rusqlite::Result<Unfinished> {
    let marked = timestamp(row.get(11)?)
        .map(|at| {
            Ok::<_, rusqlite::Error>(SentAt {
                at,
                by_server: row.get(12)?,
            })
        })
        .transpose()?;
    let blind: u32 = row.get(20)?;
    let open = timestamp(row.get(19)?).map(|at| SentAt {
        at,
        by_server: blind == 0,
    });
    let unsure = match (marked, open) {
        (Some(a), Some(b)) => Some(a.earlier(b)),
        (a, b) => a.or(b),
    };
    let last_by_server = timestamp(row.get(26)?);
    let span = match (unsure, last_by_server) {
        (Some(first), Some(last)) if first.by_server => last.duration_since(first.at),
        // Two clocks cannot be compared. By this computer's it is no shorter than this.
        _ => SignedDuration::from_millis(row.get::<_, Option<i64>>(25)?.unwrap_or_default()),
    };
    Ok(Unfinished {
        unsure,
        span: Duration::try_from(span).unwrap_or_default(),
        target: Target {
            n: row.get(0)?,
            line: row.get(1)?,
            machine_id: row.get(2)?,
            scan_type: row.get(3)?,
            comment: row.get(4)?,
            priority: row.get(5)?,
            progress: Progress {
                attempts: row.get(6)?,
                tries: row.get(7)?,
                pending_tries: row.get(8)?,
                not_found: row.get(9)?,
                not_before: timestamp(row.get(10)?),
                first_sent: timestamp(row.get(13)?),
                last_answer: timestamp(row.get(14)?),
                http_status: row.get(15)?,
                error_code: row.get(16)?,
                message: row.get(17)?,
                correlation_id: row.get(18)?,
                action_id: row.get(21)?,
                action_status: row.get(22)?,
                action_created: row.get(23)?,
                left_out: row.get(24)?,
                ..Progress::default()
            },
        },
    })
}
