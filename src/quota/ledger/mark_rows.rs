//! The table of marks: a row for each campaign, read, written and pruned.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};

use super::{LedgerError, row::checksum};

/// What is remembered of a campaign outside of its state file. Times have a resolution of a millisecond.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MarkRow {
    /// The campaign's id.
    pub campaign: String,
    /// How many batches its state had committed when this was written. Never more than it really had.
    pub committed: u64,
    /// The state file.
    pub state: PathBuf,
    /// The results file.
    pub results: PathBuf,
    /// The input.
    pub input: PathBuf,
    /// The cloud, as in [`LedgerPlace`](super::LedgerPlace).
    pub cloud: String,
    /// The tenant's id, or `unknown`.
    pub tenant: String,
    /// The application's id, or `unknown`.
    pub application: String,
    /// How many targets the campaign has.
    pub targets: u64,
    /// When it was first registered.
    pub started: Timestamp,
    /// When this was last written.
    pub touched: Timestamp,
    /// When it ended; `None` if it has not.
    pub ended: Option<Timestamp>,
    /// Whether a user abandoned it.
    pub abandoned: bool,
}

/// How long the mark of a campaign that has ended is kept. The mark of one that has not ended is never removed.
const KEEP: Duration = Duration::from_hours(30 * 24);

/// The columns, in their order.
const COLUMNS: &str = "campaign, committed, state, results, input, cloud, tenant, application, targets, started, \
                       touched, ended, how, sum";

const FINISHED: &str = "finished";

const ABANDONED: &str = "abandoned";

impl MarkRow {
    /// The same row, ended at `now`.
    pub(super) fn into_ended(self, now: Timestamp, abandoned: bool) -> Self {
        Self {
            touched: now,
            ended: Some(now),
            abandoned,
            ..self
        }
    }

    fn how(&self) -> &'static str {
        match self.ended {
            None => "",
            Some(_) if self.abandoned => ABANDONED,
            Some(_) => FINISHED,
        }
    }

    /// Its numbers as they are stored.
    fn numbers(&self) -> [i64; 5] {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        [
            count(self.committed),
            count(self.targets),
            self.started.as_millisecond(),
            self.touched.as_millisecond(),
            self.ended.map_or(i64::MIN, Timestamp::as_millisecond),
        ]
    }

    /// Its paths as they are stored.
    fn paths(&self) -> [String; 3] {
        [&self.state, &self.results, &self.input].map(|path| path.to_string_lossy().into_owned())
    }

    fn sum(&self) -> i64 {
        let [state, results, input] = self.paths();
        let texts: [&str; 8] = [
            &self.campaign,
            &state,
            &results,
            &input,
            &self.cloud,
            &self.tenant,
            &self.application,
            self.how(),
        ];
        checksum(&texts, &self.numbers())
    }

    /// Reads a row whose columns are [`COLUMNS`]. `None` if its checksum does not match.
    fn read(sql: &SqlRow<'_>) -> rusqlite::Result<Option<Self>> {
        let how: String = sql.get(12)?;
        let path = |column| sql.get::<_, String>(column).map(PathBuf::from);
        let time = |millis: i64| Timestamp::from_millisecond(millis).ok();
        let ended: Option<i64> = sql.get(11)?;
        let (Some(started), Some(touched)) = (time(sql.get(9)?), time(sql.get(10)?)) else {
            return Ok(None);
        };
        let row = Self {
            campaign: sql.get(0)?,
            committed: sql.get(1)?,
            state: path(2)?,
            results: path(3)?,
            input: path(4)?,
            cloud: sql.get(5)?,
            tenant: sql.get(6)?,
            application: sql.get(7)?,
            targets: sql.get(8)?,
            started,
            touched,
            ended: ended.and_then(time),
            abandoned: how == ABANDONED,
        };
        let sum: i64 = sql.get(13)?;
        let is_whole = sum == row.sum() && how == row.how();
        Ok(is_whole.then_some(row))
    }
}

/// Every mark.
pub(super) fn all(conn: &Connection, path: &Path) -> Result<Vec<MarkRow>, LedgerError> {
    let failed = |error| LedgerError::sqlite(path, error);
    let mut statement = conn
        .prepare(&format!("SELECT {COLUMNS} FROM marks"))
        .map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut marks = Vec::new();
    while let Some(sql) = rows.next().map_err(failed)? {
        let mark = MarkRow::read(sql).map_err(failed)?;
        marks.push(mark.ok_or_else(|| damaged_row(path))?);
    }
    Ok(marks)
}

/// The mark of a campaign.
pub(super) fn one(
    conn: &Connection,
    path: &Path,
    campaign: &str,
) -> Result<Option<MarkRow>, LedgerError> {
    let failed = |error| LedgerError::sqlite(path, error);
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM marks WHERE campaign = ?1"))
        .map_err(failed)?
        .query_row([campaign], MarkRow::read)
        .optional()
        .map_err(failed)?
        .map(|mark| mark.ok_or_else(|| damaged_row(path)))
        .transpose()
}

fn damaged_row(path: &Path) -> LedgerError {
    LedgerError::damaged(path, "what it says of a campaign is not as it was written")
}

/// Writes a mark, replacing what was there.
pub(super) fn put(conn: &Connection, path: &Path, mark: &MarkRow) -> Result<(), LedgerError> {
    let failed = |error| LedgerError::sqlite(path, error);
    let [state, results, input] = mark.paths();
    let [committed, targets, started, touched, _] = mark.numbers();
    conn.prepare_cached(&format!(
        "INSERT OR REPLACE INTO marks ({COLUMNS}) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
    ))
    .map_err(failed)?
    .execute(params![
        mark.campaign,
        committed,
        state,
        results,
        input,
        mark.cloud,
        mark.tenant,
        mark.application,
        targets,
        started,
        touched,
        mark.ended.map(Timestamp::as_millisecond),
        mark.how(),
        mark.sum(),
    ])
    .map_err(failed)?;
    Ok(())
}

/// Removes the marks of campaigns that ended long before `now` (in milliseconds since 1970).
pub(super) fn prune(conn: &Connection, now: i64) -> rusqlite::Result<()> {
    let keep = i64::try_from(KEEP.as_millis()).unwrap_or(i64::MAX);
    conn.prepare_cached("DELETE FROM marks WHERE ended < ?1")?
        .execute([now.saturating_sub(keep)])?;
    Ok(())
}
