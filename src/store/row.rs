//! Whole rows, for the results file.

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, Row, Transaction, params};

use super::{DeviceWord, Store, StoreError, schema, timestamp};

/// A target with everything that is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow {
    /// Its number, from 1, in the input's order.
    pub n: u64,
    /// Its line in the input.
    pub line: u64,
    /// The machine id as typed, trimmed.
    pub machine_id: String,
    /// The row's own scan type.
    pub scan_type: Option<String>,
    /// The other cells as one CSV record.
    pub extra: String,
    /// The outcome; `None` if it has not ended.
    pub outcome: Option<String>,
    /// Whether `--where` left it out, or its row is gone from the input.
    pub left_out: bool,
    /// How many POSTs were sent.
    pub attempts: u32,
    /// Whether an attempt may have started a scan without our knowing.
    pub unsure: bool,
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
    /// The scan's id.
    pub action_id: String,
    /// The scan's status.
    pub action_status: String,
    /// When the scan was created, as the service wrote it.
    pub action_created: String,
    /// What the device itself reports of it, if it was asked.
    pub device: Option<DeviceWord>,
}

/// Which rows are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    All,
    /// Those that have ended.
    Ended,
    /// Those that somebody has to look at: that ended badly, may have a scan that nobody knows of, have a scan that
    /// failed, or an alert.
    Notable,
}

impl Selection {
    fn condition(self, db: &Connection) -> rusqlite::Result<String> {
        const NOTABLE: &str = "WHERE p.n IS NOT NULL
            AND ((p.left_out = 0 AND p.outcome NOT IN ('accepted', 'already_pending', 'duplicate'))
                OR (p.outcome IS NULL AND (p.unsure_since IS NOT NULL OR p.attempts > 0))
                OR p.action_status IN ('Failed', 'TimeOut', 'Cancelled')";
        Ok(match self {
            Self::All => String::new(),
            Self::Ended => "WHERE p.outcome IS NOT NULL".to_owned(),
            Self::Notable if schema::has_after_scans(db)? => {
                format!("{NOTABLE} OR t.n IN (SELECT n FROM finding))")
            }
            Self::Notable => format!("{NOTABLE})"),
        })
    }
}

/// With `{device}` for the cells of the device's report, and `{join}` for their table.
const SELECT: &str = "
    SELECT t.n, t.line, t.machine_id, t.scan_type, t.extra, p.outcome, coalesce(p.attempts, 0),
        p.unsure_since IS NOT NULL OR (p.attempts > 0 AND EXISTS
            (SELECT 1 FROM attempt a WHERE a.n = t.n AND a.ended IS NULL)),
        p.first_sent, p.last_answer, p.http_status, coalesce(p.error_code, ''), coalesce(p.message, ''),
        coalesce(p.correlation_id, ''), coalesce(p.action_id, ''), coalesce(p.action_status, ''),
        coalesce(p.action_created, ''), coalesce(p.left_out, 0), {device}
    FROM target t LEFT JOIN progress p ON p.n = t.n {join}";

/// The query for whole rows. A file that nobody has asked for what the devices report has no table for it.
fn select(db: &Connection) -> rusqlite::Result<String> {
    let (device, join) = if schema::has_after_scans(db)? {
        let join = "LEFT JOIN device d ON d.n = t.n AND d.action = p.action_id";
        (
            "d.action, d.scanned, d.result, d.reported, d.verified",
            join,
        )
    } else {
        ("NULL, NULL, NULL, NULL, NULL", "")
    };
    Ok(SELECT.replace("{device}", device).replace("{join}", join))
}

/// Reads rows by their numbers.
pub struct Rows<'a> {
    select: CachedStatement<'a>,
    _locked: Transaction<'a>,
    store: &'a Store,
}

impl Rows<'_> {
    /// The row of target `n`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn row(&mut self, n: u64) -> Result<StoredRow, StoreError> {
        self.select
            .query_row(params![n], stored_row)
            .map_err(|e| self.store.failed("read", e))
    }
}

impl Store {
    /// A reader of rows by their numbers, which sees the file as it is now.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn rows(&self) -> Result<Rows<'_>, StoreError> {
        let failed = |e| self.failed("read", e);
        let select = select(&self.db).map_err(failed)?;
        Ok(Rows {
            // Without a transaction SQLite would lock and unlock the file for each row.
            _locked: self.db.unchecked_transaction().map_err(failed)?,
            select: self
                .db
                .prepare_cached(&format!("{select} WHERE t.n = ?1"))
                .map_err(failed)?,
            store: self,
        })
    }

    /// Calls `visit` with these rows in the input's order. An error from `visit` stops it.
    ///
    /// # Errors
    /// The file cannot be read, or `visit` failed.
    pub fn each_row<E: From<StoreError>>(
        &self,
        selection: Selection,
        mut visit: impl FnMut(&StoredRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |e| E::from(self.failed("read", e));
        let select = select(&self.db).map_err(failed)?;
        let which = selection.condition(&self.db).map_err(failed)?;
        let mut statement = self
            .db
            .prepare(&format!("{select} {which} ORDER BY t.n"))
            .map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            visit(&stored_row(row).map_err(failed)?)?;
        }
        Ok(())
    }
}

impl Store {
    /// Calls `visit` with the other cells of every target, as one CSV record, by its number.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn each_extra(&self, mut visit: impl FnMut(u64, &str)) -> Result<(), StoreError> {
        self.each("SELECT n, extra FROM target ORDER BY n", |row| {
            visit(row.get(0)?, row.get_ref(1)?.as_str()?);
            Ok(())
        })
    }
}

fn stored_row(row: &Row<'_>) -> rusqlite::Result<StoredRow> {
    Ok(StoredRow {
        n: row.get(0)?,
        line: row.get(1)?,
        machine_id: row.get(2)?,
        scan_type: row.get(3)?,
        extra: row.get(4)?,
        outcome: row.get(5)?,
        attempts: row.get(6)?,
        unsure: row.get(7)?,
        first_sent: timestamp(row.get(8)?),
        last_answer: timestamp(row.get(9)?),
        http_status: row.get(10)?,
        error_code: row.get(11)?,
        message: row.get(12)?,
        correlation_id: row.get(13)?,
        action_id: row.get(14)?,
        action_status: row.get(15)?,
        action_created: row.get(16)?,
        left_out: row.get(17)?,
        device: DeviceWord::at(row, 18)?,
    })
}
