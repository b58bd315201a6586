//! Bringing a state of an earlier format to the one that is written: all of it in one transaction.
//!
//! The tables are made anew and their rows copied, for the file's check compares them to the letter (`sums.rs`).

use std::path::Path;

use rusqlite::Connection;

use super::{StoreError, schema, sums};

/// The tables of version 1.
pub(super) const TABLES_1: &str = "
    CREATE TABLE campaign (
        id TEXT NOT NULL, created INTEGER NOT NULL, tenant TEXT NOT NULL, api TEXT NOT NULL,
        scan_type TEXT NOT NULL, comment TEXT NOT NULL, columns TEXT NOT NULL,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(id, created, tenant, api, scan_type, comment, columns)) STORED
    );
    CREATE TABLE target (
        n INTEGER PRIMARY KEY, line INTEGER NOT NULL, machine_id TEXT NOT NULL,
        scan_type TEXT, comment TEXT, priority INTEGER, extra TEXT NOT NULL,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(n, line, machine_id, scan_type, comment, priority, extra)) STORED
    );
    CREATE INDEX target_order ON target (priority, n) WHERE priority IS NOT NULL;
    CREATE TABLE progress (
        n INTEGER PRIMARY KEY, outcome TEXT, left_out INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
        pending_tries INTEGER NOT NULL DEFAULT 0, not_found INTEGER NOT NULL DEFAULT 0,
        not_before INTEGER, unsure_since INTEGER, unsure_by_server INTEGER NOT NULL DEFAULT 0, first_sent INTEGER, last_answer INTEGER,
        http_status INTEGER, error_code TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '',
        correlation_id TEXT NOT NULL DEFAULT '', action_id TEXT NOT NULL DEFAULT '',
        action_status TEXT NOT NULL DEFAULT '', action_created TEXT NOT NULL DEFAULT '',
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(
            n, outcome, left_out, attempts, tries, pending_tries, not_found, not_before, unsure_since, unsure_by_server,
            first_sent, last_answer, http_status, error_code, message, correlation_id, action_id, action_status,
            action_created
        )) STORED
    );
    CREATE TABLE attempt (
        n INTEGER NOT NULL, number INTEGER NOT NULL, run INTEGER NOT NULL, sent INTEGER NOT NULL,
        sent_server INTEGER, ended INTEGER, verdict TEXT, http_status INTEGER, error_code TEXT,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (
            row_sum(n, number, run, sent, sent_server, ended, verdict, http_status, error_code)
        ) STORED,
        PRIMARY KEY (n, number)
    ) WITHOUT ROWID;
    CREATE TABLE cancel (
        n INTEGER NOT NULL, number INTEGER NOT NULL, action_id TEXT NOT NULL, sent INTEGER NOT NULL, ended INTEGER, result TEXT,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(n, number, action_id, sent, ended, result)) STORED,
        PRIMARY KEY (n, number)
    ) WITHOUT ROWID;
    CREATE TABLE orders (id INTEGER PRIMARY KEY, word TEXT NOT NULL, given INTEGER NOT NULL,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(id, word, given)) STORED
    );
    CREATE TABLE run (
        id INTEGER PRIMARY KEY, os_user TEXT NOT NULL, host TEXT NOT NULL, version TEXT NOT NULL,
        command TEXT NOT NULL, tenant TEXT NOT NULL, application TEXT NOT NULL,
        quota TEXT NOT NULL,
        started INTEGER NOT NULL, ended INTEGER, reason TEXT, results TEXT, excel INTEGER NOT NULL DEFAULT 0,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (
            row_sum(id, os_user, host, version, command, tenant, application, quota, started, ended, reason, results, excel)
        ) STORED
    );
";

/// The index that version 1 made when it was first wanted.
pub(super) const INDEX_1: &str =
    "CREATE INDEX IF NOT EXISTS target_machine ON target (lower(machine_id))";

/// Each table of version 1 with its cells, its sum apart.
const CELLS_1: [(&str, &str); 7] = [
    ("target", "n, line, machine_id, scan_type, comment, priority, extra"),
    (
        "progress",
        "n, outcome, left_out, attempts, tries, pending_tries, not_found, not_before, unsure_since, unsure_by_server, first_sent,
         last_answer, http_status, error_code, message, correlation_id, action_id, action_status, action_created",
    ),
    (
        "attempt",
        "n, number, run, sent, sent_server, ended, verdict, http_status, error_code",
    ),
    ("cancel", "n, number, action_id, sent, ended, result"),
    ("orders", "id, word, given"),
    (
        "run",
        "id, os_user, host, version, command, tenant, application, quota, started, ended, reason, results, excel",
    ),
    (
        "campaign",
        "id, created, tenant, api, scan_type, comment, columns",
    ),
];

/// Brings a file that has just been opened to the format that is written. One of version 1 is looked through first, for
/// whatever is copied gets a new sum.
///
/// # Errors
/// It is no state of a known version, is damaged, or cannot be written; then it stays as it is.
pub(super) fn bring_up(db: &Connection, path: &Path) -> Result<(), StoreError> {
    if schema::version(db, path)? == schema::VERSION {
        return Ok(());
    }
    sums::check(db, path)?;
    let failed = |source| StoreError::new("bring to this version", path, source);
    db.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    // Another process may have done so meanwhile.
    let done = match schema::version(db, path)? {
        schema::VERSION => Ok(()),
        _ => rebuild(db).map_err(failed),
    };
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    done.and(db.execute_batch(end).map_err(failed))
}

/// The same within a transaction that is never committed, for who only looks.
pub(super) fn bring_up_unseen(db: &Connection, path: &Path) -> Result<(), StoreError> {
    if schema::version(db, path)? == schema::VERSION {
        return Ok(());
    }
    rebuild(db).map_err(|source| StoreError::new("read", path, source))
}

fn rebuild(db: &Connection) -> rusqlite::Result<()> {
    for (table, _) in CELLS_1 {
        db.execute_batch(&format!("ALTER TABLE {table} RENAME TO old_{table}"))?;
    }
    db.execute_batch("DROP INDEX target_order; DROP INDEX IF EXISTS target_machine")?;
    db.execute_batch(schema::TABLES)?;
    for (table, cells) in CELLS_1 {
        let (more, values) = match table {
            "campaign" => (", id_rule", format!(", '{}'", schema::ANY_ID)),
            _ => ("", String::new()),
        };
        db.execute_batch(&format!(
            "INSERT INTO {table} ({cells}{more}) SELECT {cells}{values} FROM old_{table}; DROP TABLE old_{table}"
        ))?;
    }
    // Which open targets had ended before was not noted, so the results may say so of any of them.
    db.execute("UPDATE progress SET reopened = 1 WHERE outcome IS NULL", [])?;
    // What earlier runs have committed was not counted, and no mark outside of the file says more.
    db.execute("INSERT INTO mark VALUES (0)", [])?;
    db.pragma_update(None, "user_version", schema::VERSION)
}
