//! Adds rows to a campaign (`--extend`), and finds those that are in it already.

use rusqlite::{Connection, params};

use super::{Amendment, NewRow, Store, StoreError, amend::amend_all, load, schema::MACHINE_INDEX};

impl Store {
    /// Adds rows to the campaign and changes targets. If `rows` fails, nothing is changed.
    ///
    /// # Errors
    /// The file cannot be written, or `rows` failed.
    pub fn extend<E: From<StoreError>>(
        &mut self,
        rows: impl FnOnce(&mut Extension<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.finish_check()?;
        let path = self.path.clone();
        let failed = move |e| E::from(StoreError::new("write", &path, e));
        let tx = self.db.savepoint().map_err(&failed)?;
        tx.execute_batch(MACHINE_INDEX).map_err(&failed)?;
        let last = tx
            .query_row("SELECT coalesce(max(n), 0) FROM target", [], |row| {
                row.get(0)
            })
            .map_err(&failed)?;
        let mut extension = Extension {
            db: &tx,
            path: &self.path,
            old: last,
            last,
        };
        rows(&mut extension)?;
        tx.commit().map_err(&failed)
    }
}

/// Adds rows to a campaign, and changes those that are in it already.
#[derive(Debug)]
pub struct Extension<'a> {
    db: &'a Connection,
    path: &'a std::path::Path,
    /// The number of the last target before the extension.
    old: u64,
    last: u64,
}

/// Whether a machine is in the campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineMatch {
    /// It was not before this extension.
    New,
    /// It is in these targets.
    Old(Vec<TargetMatch>),
}

/// A target that a machine is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetMatch {
    /// Its number.
    pub n: u64,
    /// Whether it is not to be sent: `--where` left it out, its row was gone from the input, or its row had no usable
    /// id.
    pub is_out: bool,
}

impl Extension<'_> {
    /// The number of the last target before the extension.
    #[must_use]
    pub fn old(&self) -> u64 {
        self.old
    }

    /// Whether this machine is in the campaign.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn find_machine(&self, machine_id: &str) -> Result<MachineMatch, StoreError> {
        let targets: Vec<_> = self
            .db
            .prepare_cached(
                "SELECT t.n, coalesce(p.left_out OR (p.outcome = 'invalid' AND p.attempts = 0), 0)
                 FROM target t LEFT JOIN progress p ON p.n = t.n
                 WHERE lower(t.machine_id) = lower(?1) AND t.tenant = '' AND t.n <= ?2 ORDER BY t.n",
            )
            .and_then(|mut statement| {
                let target_match = |row: &rusqlite::Row<'_>| {
                    Ok(TargetMatch {
                        n: row.get(0)?,
                        is_out: row.get(1)?,
                    })
                };
                statement
                    .query_map(params![machine_id, self.old], target_match)?
                    .collect()
            })
            .map_err(|e| StoreError::new("read", self.path, e))?;
        Ok(if targets.is_empty() {
            MachineMatch::New
        } else {
            MachineMatch::Old(targets)
        })
    }

    /// The line of a target in the input that it was read from.
    ///
    /// # Errors
    /// The file cannot be read, or there is no such target.
    pub fn line_of(&self, n: u64) -> Result<u64, StoreError> {
        self.db
            .prepare_cached("SELECT line FROM target WHERE n = ?1")
            .and_then(|mut statement| statement.query_row([n], |row| row.get(0)))
            .map_err(|e| StoreError::new("read", self.path, e))
    }

    /// Makes all these changes, and returns how many targets have changed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn amend(&self, amendments: &[Amendment]) -> Result<u64, StoreError> {
        amend_all(self.db, amendments).map_err(|e| StoreError::new("write", self.path, e))
    }

    /// Adds a row after all others. Its number is assigned here.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, row: NewRow<'_>) -> Result<(), StoreError> {
        self.last += 1;
        load::insert(
            self.db,
            &NewRow {
                n: self.last,
                ..row
            },
        )
        .map_err(|e| StoreError::new("write", self.path, e))
    }

    /// How many rows were added.
    #[must_use]
    pub fn added(&self) -> u64 {
        self.last - self.old
    }
}
