//! What a later run may change about a campaign's targets: rows that `--where` admits or leaves out now, and rows that
//! `--extend` adds, or does not find in the input any more. Targets that something was sent to keep their attempts.

use std::borrow::Cow;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError, schema::MACHINE_INDEX};

/// A change to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amendment {
    /// The target was left out, or was a duplicate of a row that may be left out now. It is to be sent, unless
    /// another row that is or was to be sent has the same machine.
    Admit {
        /// The target.
        n: u64,
        /// The row's own scan type.
        scan_type: Option<&'static str>,
        /// The row's own comment text.
        comment: Option<String>,
        /// Lower goes first.
        priority: Option<i64>,
    },
    /// The target is left out now, if it has not ended and no scan of ours can be running on its machine.
    LeaveOut {
        /// The target.
        n: u64,
        /// The reason.
        message: Cow<'static, str>,
    },
    /// The target's row is gone from the input, so it is not sent any more. If a scan of ours may be running on its
    /// machine, it stays open until that has been looked up.
    Withdraw {
        /// The target.
        n: u64,
        /// The reason.
        message: &'static str,
    },
    /// The target ends, because of what is in its row, if nothing was sent to it yet.
    End {
        /// The target.
        n: u64,
        /// The outcome.
        outcome: &'static str,
        /// The code of the reason, if it has one.
        error_code: String,
        /// The reason.
        message: String,
    },
}

impl Store {
    /// Makes all these changes or none, and returns how many targets have changed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn amend(&mut self, amendments: &[Amendment]) -> Result<u64, StoreError> {
        if amendments.is_empty() {
            return Ok(0);
        }
        self.finish_check()?;
        // A savepoint, because there may be a transaction already: that of a dry run.
        let amended = self.db.savepoint().and_then(|tx| {
            tx.execute_batch(MACHINE_INDEX)?;
            let changed = amend_all(&tx, amendments)?;
            tx.commit()?;
            Ok(changed)
        });
        amended.map_err(|e| self.failed("write", e))
    }

    /// Makes all the changes that `changes` makes, or none if it fails.
    ///
    /// # Errors
    /// The file cannot be written, or `changes` failed.
    pub fn all_or_nothing<T, E: From<StoreError>>(
        &mut self,
        changes: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let run = |store: &Self, sql| {
            store
                .db
                .execute_batch(sql)
                .map_err(|e| store.failed("write", e))
        };
        run(self, "SAVEPOINT together")?;
        match changes(self) {
            Ok(made) => {
                run(self, "RELEASE together")?;
                Ok(made)
            }
            Err(e) => {
                run(self, "ROLLBACK TO together; RELEASE together")?;
                Err(e)
            }
        }
    }
}

/// Makes the changes that end targets before those that admit some: of two rows with the same machine, the one that
/// was to be sent may be left out now, and the other one admitted.
pub(super) fn amend_all(db: &Connection, amendments: &[Amendment]) -> rusqlite::Result<u64> {
    let mut changed = 0;
    let (comes, goes): (Vec<_>, Vec<_>) = amendments
        .iter()
        .partition(|amendment| matches!(amendment, Amendment::Admit { .. }));
    for amendment in goes.into_iter().chain(comes) {
        changed += u64::from(amend(db, amendment)? > 0);
    }
    Ok(changed)
}

/// Whether a scan of ours may be running on the machine of target `?1`.
const IN_DOUBT: &str = "(progress.unsure_since IS NOT NULL
    OR EXISTS (SELECT 1 FROM attempt a WHERE a.n = ?1 AND a.ended IS NULL))";

fn amend(db: &Connection, amendment: &Amendment) -> rusqlite::Result<usize> {
    match amendment {
        Amendment::Admit {
            n,
            scan_type,
            comment,
            priority,
        } => admit(db, *n, *scan_type, comment.as_deref(), *priority),
        Amendment::LeaveOut { n, message } => db
            .prepare_cached(&format!(
                "INSERT INTO progress (n, outcome, message, left_out) VALUES (?1, 'not_attempted', ?2, 1)
                 ON CONFLICT (n) DO UPDATE SET outcome = excluded.outcome, message = excluded.message, left_out = 1,
                     not_before = NULL
                 WHERE (progress.outcome IS NULL AND NOT {IN_DOUBT})
                     OR (progress.outcome = 'not_attempted' AND progress.left_out
                         AND progress.message <> excluded.message)",
            ))?
            .execute(params![n, message]),
        // A row that had no usable id and was corrected is gone too.
        Amendment::Withdraw { n, message } => db
            .prepare_cached(&format!(
                "INSERT INTO progress (n, outcome, message, left_out) VALUES (?1, 'not_attempted', ?2, 1)
                 ON CONFLICT (n) DO UPDATE SET
                     outcome = iif(progress.outcome IS NULL AND {IN_DOUBT}, NULL, excluded.outcome),
                     message = excluded.message, left_out = 1, not_before = NULL,
                     error_code = iif(progress.outcome IS 'invalid', '', progress.error_code)
                 WHERE (progress.outcome IS NULL AND NOT progress.left_out)
                     OR (progress.outcome = 'not_attempted' AND progress.left_out
                         AND progress.message <> excluded.message)
                     OR (progress.outcome = 'invalid' AND progress.attempts = 0)",
            ))?
            .execute(params![n, message]),
        Amendment::End {
            n,
            outcome,
            error_code,
            message,
        } => end(db, *n, outcome, error_code, message),
    }
}

/// Makes a target one that is to be sent, unless another row has its machine.
fn admit(
    db: &Connection,
    n: u64,
    scan_type: Option<&str>,
    comment: Option<&str>,
    priority: Option<i64>,
) -> rusqlite::Result<usize> {
    let other_line: Option<u64> = db
        .prepare_cached(
            "SELECT o.line FROM target t
             JOIN target o ON lower(o.machine_id) = lower(t.machine_id) AND o.tenant = t.tenant
                 AND o.n <> t.n
             LEFT JOIN progress p ON p.n = o.n
             WHERE t.n = ?1 AND (NOT coalesce(p.left_out, 0) OR p.outcome IS NULL)
             AND coalesce(p.outcome, '') NOT IN ('invalid', 'duplicate') LIMIT 1",
        )?
        .query_row([n], |row| row.get(0))
        .optional()?;
    if let Some(line) = other_line {
        return end(
            db,
            n,
            "duplicate",
            "",
            &format!("the same machine stands in line {line}"),
        );
    }
    // A target that something was sent to keeps its attempts. Any other one starts from scratch.
    db.prepare_cached("DELETE FROM progress WHERE n = ?1 AND attempts = 0")?
        .execute([n])?;
    db.prepare_cached(
        "UPDATE progress SET outcome = NULL, left_out = 0, message = '' WHERE n = ?1",
    )?
    .execute([n])?;
    db.prepare_cached("UPDATE target SET scan_type = ?2, comment = ?3, priority = ?4 WHERE n = ?1")?
        .execute(params![n, scan_type, comment, priority])
}

/// Ends a target that was left out. One whose machine may be under a scan of ours stays open until that is looked up.
fn end(
    db: &Connection,
    n: u64,
    outcome: &str,
    error_code: &str,
    message: &str,
) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "INSERT INTO progress (n, outcome, error_code, message) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (n) DO UPDATE SET outcome = excluded.outcome, message = excluded.message, left_out = 0,
             error_code = iif(progress.attempts = 0, excluded.error_code, progress.error_code)
         WHERE (left_out AND progress.outcome IS NOT NULL)
             OR (progress.outcome = 'invalid' AND progress.attempts = 0 AND progress.message <> excluded.message)",
    )?
    .execute(params![n, outcome, error_code, message])
}

#[cfg(test)]
#[path = "amend_tests.rs"]
mod tests;
