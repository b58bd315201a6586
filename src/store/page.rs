//! The targets that nothing has happened to yet, in pages, in the order in which they are sent. Pages continue after
//! a key, not at an OFFSET, which would get slower with every page.

use rusqlite::{OptionalExtension, Row, params};

use super::{Progress, Store, StoreError};

/// One target, with what has happened to it so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its number, from 1, in the input's order.
    pub n: u64,
    /// Its line in the input.
    pub line: u64,
    /// The machine id as typed, trimmed.
    pub machine_id: String,
    /// The row's own scan type.
    pub scan_type: Option<String>,
    /// The row's own comment text.
    pub comment: Option<String>,
    /// Lower goes first; `None` comes last.
    pub priority: Option<i64>,
    /// What has happened to it so far.
    pub progress: Progress,
}

/// Where the next page begins. Targets with a priority come first, then the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// After this priority and number.
    Prioritised(i64, u64),
    /// After this number, among those without a priority.
    Plain(u64),
}

impl Cursor {
    /// Before the first target.
    pub const START: Self = Self::Prioritised(i64::MIN, 0);
}

const COLUMNS: &str = "t.n, t.line, t.machine_id, t.scan_type, t.comment, t.priority";

impl Store {
    /// Up to `limit` targets after `cursor` that nothing has happened to yet, and the cursor for the next page. An
    /// empty page is the end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn fresh(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Target>, Cursor), StoreError> {
        let failed = |e| self.failed("read", e);
        if let Cursor::Prioritised(priority, n) = cursor {
            let sql = format!(
                "SELECT {COLUMNS} FROM target t WHERE t.priority IS NOT NULL AND (t.priority, t.n) > (?1, ?2)
                 AND NOT EXISTS (SELECT 1 FROM progress p WHERE p.n = t.n) ORDER BY t.priority, t.n LIMIT ?3"
            );
            let page = self
                .page(&sql, params![priority, n, limit])
                .map_err(failed)?;
            if let Some(last) = page.last() {
                let cursor = Cursor::Prioritised(last.priority.unwrap_or(i64::MAX), last.n);
                return Ok((page, cursor));
            }
        }
        let after = match cursor {
            Cursor::Prioritised(..) => 0,
            Cursor::Plain(n) => n,
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM target t WHERE t.priority IS NULL AND t.n > ?1
             AND NOT EXISTS (SELECT 1 FROM progress p WHERE p.n = t.n) ORDER BY t.n LIMIT ?2"
        );
        let page = self.page(&sql, params![after, limit]).map_err(failed)?;
        let cursor = Cursor::Plain(page.last().map_or(after, |last| last.n));
        Ok((page, cursor))
    }

    /// Visits the targets that nothing has happened to yet: number, priority and machine id as typed.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn each_fresh(
        &self,
        mut visit: impl FnMut(u64, Option<i64>, &str),
    ) -> Result<(), StoreError> {
        self.each(
            "SELECT t.n, t.priority, t.machine_id FROM target t
                 WHERE NOT EXISTS (SELECT 1 FROM progress p WHERE p.n = t.n) ORDER BY t.n",
            |row| {
                visit(row.get(0)?, row.get(1)?, row.get_ref(2)?.as_str()?);
                Ok(())
            },
        )
    }

    /// Target `n`, if nothing has happened to it yet.
    pub(super) fn untouched_target(&self, n: u64) -> rusqlite::Result<Option<Target>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM target t WHERE t.n = ?1
             AND NOT EXISTS (SELECT 1 FROM progress p WHERE p.n = t.n)"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        statement.query_row([n], target).optional()
    }

    fn page(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<Target>> {
        self.db
            .prepare_cached(sql)?
            .query_map(params, target)?
            .collect()
    }
}

fn target(row: &Row<'_>) -> rusqlite::Result<Target> {
    Ok(Target {
        n: row.get(0)?,
        line: row.get(1)?,
        machine_id: row.get(2)?,
        scan_type: row.get(3)?,
        comment: row.get(4)?,
        priority: row.get(5)?,
        progress: Progress::default(),
    })
}
