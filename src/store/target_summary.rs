//! Summaries of a campaign for `status` and the previews of a run. They change nothing, so another process may be
//! working on the campaign.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::{Store, StoreError, timestamp};
use crate::plain_text::one_line;

/// A target, as `status` lists it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TargetSummary {
    /// Its line in the input.
    pub line: u64,
    /// The machine id as typed.
    pub machine_id: String,
    /// The outcome; `None` if it has not ended.
    pub outcome: Option<String>,
    /// The last answer's error code.
    pub error_code: String,
    /// The reason, as text.
    pub message: String,
    /// When the last answer came.
    pub last_answer: Option<Timestamp>,
}

/// How the campaign's calls went so far, in counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// At index i, of the targets whose machine was found busy i times: to how many something was sent, and how many of
    /// these have ended.
    pub found_busy: Vec<(u64, u64)>,
    /// How many of the latest answers [`took`](Self::took) and [`again`](Self::again) are based on.
    pub answers: u64,
    /// How long those answers took together.
    pub took: Duration,
    /// How many of that number of calls have to be repeated on average.
    pub again: u64,
}

/// From how many of the latest calls the duration of a call is estimated.
const LATEST: u64 = 1000;

/// The last run that worked on the campaign.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LastRun {
    /// The user's name in the operating system.
    pub os_user: String,
    /// The computer's name.
    pub host: String,
    /// The command line, without secrets.
    pub command: String,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended; `None` if it is still running, or was killed.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub reason: Option<String>,
    /// The quota's settings as JSON, for `status`.
    pub quota: String,
}

impl Store {
    /// The last few targets that ended badly.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn last_errors(&self, how_many: usize) -> Result<Vec<TargetSummary>, StoreError> {
        self.target_summaries(
            "p.outcome IN ('failed', 'refused', 'not_found', 'unsupported')
             ORDER BY p.last_answer DESC, t.n DESC",
            how_many,
        )
    }

    /// The first few targets that got this outcome when the input was read, in the input's order. They include those
    /// that `--where` left out.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn ended_on_reading(
        &self,
        outcome: &str,
        how_many: usize,
    ) -> Result<Vec<TargetSummary>, StoreError> {
        // The outcome is one of our words, not a user's text.
        let outcome = outcome.replace('\'', "''");
        self.target_summaries(
            &format!("p.outcome = '{outcome}' AND p.attempts = 0 ORDER BY t.n"),
            how_many,
        )
    }

    /// Targets of which it is not known whether a call has started a scan: those that ended as `unsure`, and those
    /// whose scan has yet to be looked up. A call without an answer counts as one of the latter, unless a process is
    /// running and may still be waiting for it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn unsure(&self, how_many: usize, running: bool) -> Result<Vec<TargetSummary>, StoreError> {
        let unanswered = if running {
            ""
        } else {
            "OR (p.outcome IS NULL
                 AND EXISTS (SELECT 1 FROM attempt a WHERE a.n = p.n AND a.ended IS NULL))"
        };
        self.target_summaries(
            &format!(
                "p.outcome = 'unsure' OR (p.outcome IS NULL AND p.unsure_since IS NOT NULL) {unanswered}
                 ORDER BY t.n"
            ),
            how_many,
        )
    }

    /// How the campaign's calls went so far.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn seen(&self) -> Result<Seen, StoreError> {
        let counts =
            "SELECT pending_tries, count(*), count(outcome), coalesce(sum(tries), 0) FROM progress
            WHERE attempts > 0 GROUP BY pending_tries ORDER BY pending_tries";
        let late = format!(
            "SELECT count(*), coalesce(sum(max(ended - sent, 0)), 0) FROM
             (SELECT sent, ended FROM attempt WHERE http_status IS NOT NULL ORDER BY n DESC LIMIT {LATEST})"
        );
        let read = || -> rusqlite::Result<Seen> {
            let mut seen = Seen::default();
            let (mut targets, mut tries) = (0, 0);
            for row in self.read(counts, |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })? {
                let (times, count, ended, cost): (usize, u64, u64, u64) = row;
                seen.found_busy.resize(times, (0, 0));
                seen.found_busy.push((count, ended));
                targets += count;
                tries += cost;
            }
            let (answers, took) = self.db.query_row(&late, [], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?))
            })?;
            seen.answers = answers;
            seen.took = Duration::from_millis(took);
            seen.again = (tries * answers).checked_div(targets).unwrap_or_default();
            Ok(seen)
        };
        read().map_err(|e| self.failed("read", e))
    }

    /// How many of the targets that have not ended get each scan type, `quick` or `full`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn scan_types(&self) -> Result<Vec<(String, u64)>, StoreError> {
        // A GROUP BY would sort all targets.
        let sql = "SELECT count(*) FILTER (WHERE scan = 'quick'), count(*) FILTER (WHERE scan = 'full') FROM
            (SELECT coalesce(t.scan_type, c.scan_type) AS scan FROM target t CROSS JOIN campaign c
             LEFT JOIN progress p ON p.n = t.n WHERE p.outcome IS NULL)";
        let counts = self
            .db
            .query_row(sql, [], |row| Ok([row.get(0)?, row.get(1)?]));
        let counts: [u64; 2] = counts.map_err(|e| self.failed("read", e))?;
        let kinds = ["quick".to_owned(), "full".to_owned()].into_iter();
        Ok(kinds.zip(counts).filter(|(_, count)| *count > 0).collect())
    }

    /// The run that began last.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn last_run(&self) -> Result<Option<LastRun>, StoreError> {
        let sql = "SELECT os_user, host, command, started, ended, reason, quota FROM run ORDER BY id DESC LIMIT 1";
        let runs = self.read(sql, |row| {
            Ok(LastRun {
                os_user: plain(row, 0)?,
                host: plain(row, 1)?,
                command: plain(row, 2)?,
                started: timestamp(row.get(3)?),
                ended: timestamp(row.get(4)?),
                reason: row
                    .get::<_, Option<String>>(5)?
                    .map(|why| one_line(&why).into_owned()),
                quota: row.get(6)?,
            })
        });
        Ok(runs.map_err(|e| self.failed("read", e))?.into_iter().next())
    }

    pub(super) fn target_summaries(
        &self,
        which: &str,
        how_many: usize,
    ) -> Result<Vec<TargetSummary>, StoreError> {
        let sql = format!(
            "SELECT t.line, t.machine_id, p.outcome, p.error_code, p.message, p.last_answer
             FROM progress p JOIN target t ON t.n = p.n WHERE {which} LIMIT ?1"
        );
        let read = |sql: &str| -> rusqlite::Result<Vec<TargetSummary>> {
            self.db
                .prepare(sql)?
                .query_map(params![how_many], |row| {
                    Ok(TargetSummary {
                        line: row.get(0)?,
                        machine_id: plain(row, 1)?,
                        outcome: row.get(2)?,
                        error_code: plain(row, 3)?,
                        message: plain(row, 4)?,
                        last_answer: timestamp(row.get(5)?),
                    })
                })?
                .collect()
        };
        read(&sql).map_err(|e| self.failed("read", e))
    }
}

/// A text, made fit for one line of a terminal: ids as typed may contain anything, and so may texts of earlier
/// releases.
fn plain(row: &Row<'_>, at: usize) -> rusqlite::Result<String> {
    Ok(one_line(&row.get::<_, String>(at)?).into_owned())
}

#[cfg(test)]
mod tests {
    use crate::store::{
        NewRow,
        sample_for_tests::{campaign, row},
    };

    #[test]
    fn a_row_counts_with_its_own_scan_type_or_the_campaigns_until_it_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let full = |n, id| NewRow {
            scan_type: Some("full"),
            ..row(n, id)
        };
        let ended = |n, id| NewRow {
            ended: Some(("invalid", "no id")),
            ..full(n, id)
        };
        let counts = |name: &str, rows: Vec<NewRow<'_>>| {
            let store = campaign(&folder.path().join(name), rows);
            store.scan_types().unwrap()
        };
        let kind = |word: &str, count| (word.to_owned(), count);
        let mixed = vec![row(1, "a"), full(2, "b"), row(3, "c"), ended(4, "d")];
        assert_eq!(counts("mixed", mixed), [kind("quick", 2), kind("full", 1)]);
        assert_eq!(counts("full", vec![full(1, "a")]), [kind("full", 1)]);
        assert_eq!(counts("none", vec![ended(1, "a")]), []);
    }
}
