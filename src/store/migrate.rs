//! Migrates a state of an earlier version to the current one, in one transaction.
//!
//! The tables are created again and their rows copied, because the check of a file compares the tables letter by letter
//! (`sums.rs`).

use std::path::Path;

use rusqlite::Connection;

use super::{StoreError, schema, schema_1::CELLS, sums};

/// Migrates a file that has just been opened to the current version. A file of version 1 is checked first, because
/// whatever is copied gets a new checksum.
///
/// # Errors
/// The file is not a state file, has an unknown version, is damaged, or cannot be written. Then it stays as it is.
pub(super) fn bring_up(db: &Connection, path: &Path) -> Result<(), StoreError> {
    if schema::version(db, path)? >= schema::VERSION {
        return Ok(());
    }
    sums::check(db, path)?;
    let failed = |source| StoreError::new("bring to this version", path, source);
    db.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    // Another process may have migrated it meanwhile.
    let done = match schema::version(db, path)? {
        schema::VERSION.. => Ok(()),
        _ => rebuild(db).map_err(failed),
    };
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    done.and(db.execute_batch(end).map_err(failed))
}

/// The same within a transaction that is never committed, for a caller that only reads.
pub(super) fn bring_up_in_memory(db: &Connection, path: &Path) -> Result<(), StoreError> {
    if schema::version(db, path)? >= schema::VERSION {
        return Ok(());
    }
    rebuild(db).map_err(|source| StoreError::new("read", path, source))
}

fn rebuild(db: &Connection) -> rusqlite::Result<()> {
    for (table, _) in CELLS {
        db.execute_batch(&format!("ALTER TABLE {table} RENAME TO old_{table}"))?;
    }
    db.execute_batch("DROP INDEX target_order; DROP INDEX IF EXISTS target_machine")?;
    db.execute_batch(schema::TABLES)?;
    for (table, cells) in CELLS {
        let (more, values) = match table {
            "campaign" => (", id_rule", format!(", '{}'", schema::ANY_ID)),
            _ => ("", String::new()),
        };
        db.execute_batch(&format!(
            "INSERT INTO {table} ({cells}{more}) SELECT {cells}{values} FROM old_{table}; DROP TABLE old_{table}"
        ))?;
    }
    // Version 1 did not record which open targets had ended before, so any of them may have.
    db.execute("UPDATE progress SET reopened = 1 WHERE outcome IS NULL", [])?;
    // Version 1 did not count batches, and so no mark outside of the file has a higher number.
    db.execute("INSERT INTO mark VALUES (0)", [])?;
    db.pragma_update(None, "user_version", schema::VERSION)
}
