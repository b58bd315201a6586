//! The tables, and the version of the format.

use std::path::Path;

use rusqlite::{Connection, params};

use super::{Identity, StoreError, millis, timestamp};

/// "flsw". It distinguishes our files from other SQLite databases.
const APPLICATION_ID: i64 = 0x666c_7377;

/// The version of the format that is written. A file of version 1 is migrated when it is opened (`migrate.rs`); a
/// file of a version that is not known is refused.
pub(super) const VERSION: i64 = 2;

/// The version of a file that also has the tables for [what the scans found](AFTER_SCANS). A file gets them when
/// somebody asks for that, so that earlier releases read all others.
pub(super) const VERSION_AFTER_SCANS: i64 = 3;

/// The tables. The check of a file compares them letter by letter, so they must not be reformatted.
///
/// Times are milliseconds since 1970. `progress` has a row only for targets that something has happened to, so that a
/// new campaign is loaded by appending to one table without an index. `extra` is the row's other cells as one CSV
/// record. Every row ends with the checksum of its cells (`sums.rs`), which SQLite keeps up to date.
///
/// `campaign.id_rule` is the rule by which cells were accepted as machine ids: `hex40`, `hex32`, `any-id`, or, in
/// campaigns that are older than these rules, `any`, which accepts whatever a URL can carry. `target.tenant` is part
/// of a target's key; empty means the campaign's own. `mark` holds one row: how many batches have been committed,
/// which is also kept outside of this file (`mark.rs`). `progress.reopened` is set if the operator reopened a target
/// that had ended. `decision` holds what the operator decided (`decision.rs`).
pub(super) const TABLES: &str = "
    CREATE TABLE campaign (
        id TEXT NOT NULL, created INTEGER NOT NULL, tenant TEXT NOT NULL, api TEXT NOT NULL,
        scan_type TEXT NOT NULL, comment TEXT NOT NULL, columns TEXT NOT NULL, id_rule TEXT NOT NULL,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (
            row_sum(id, created, tenant, api, scan_type, comment, columns, id_rule)
        ) STORED
    );
    CREATE TABLE mark (
        committed INTEGER NOT NULL,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(committed)) STORED
    );
    CREATE TABLE target (
        n INTEGER PRIMARY KEY, line INTEGER NOT NULL, machine_id TEXT NOT NULL,
        scan_type TEXT, comment TEXT, priority INTEGER, extra TEXT NOT NULL, tenant TEXT NOT NULL DEFAULT '',
        sum INTEGER NOT NULL GENERATED ALWAYS AS (
            row_sum(n, line, machine_id, scan_type, comment, priority, extra, tenant)
        ) STORED
    );
    CREATE INDEX target_order ON target (priority, n) WHERE priority IS NOT NULL;
    CREATE TABLE progress (
        n INTEGER PRIMARY KEY, outcome TEXT, left_out INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
        pending_tries INTEGER NOT NULL DEFAULT 0, not_found INTEGER NOT NULL DEFAULT 0,
        not_before INTEGER, unsure_since INTEGER, unsure_by_server INTEGER NOT NULL DEFAULT 0, \
        first_sent INTEGER, last_answer INTEGER,
        http_status INTEGER, error_code TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '',
        correlation_id TEXT NOT NULL DEFAULT '', action_id TEXT NOT NULL DEFAULT '',
        action_status TEXT NOT NULL DEFAULT '', action_created TEXT NOT NULL DEFAULT '',
        reopened INTEGER NOT NULL DEFAULT 0,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(
            n, outcome, left_out, attempts, tries, pending_tries, not_found, not_before, unsure_since, unsure_by_server,
            first_sent, last_answer, http_status, error_code, message, correlation_id, action_id, action_status,
            action_created, reopened
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
        n INTEGER NOT NULL, number INTEGER NOT NULL, action_id TEXT NOT NULL, sent INTEGER NOT NULL, \
        ended INTEGER, result TEXT,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(n, number, action_id, sent, ended, result)) STORED,
        PRIMARY KEY (n, number)
    ) WITHOUT ROWID;
    CREATE TABLE orders (id INTEGER PRIMARY KEY, word TEXT NOT NULL, given INTEGER NOT NULL,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(id, word, given)) STORED
    );
    CREATE TABLE decision (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, answer TEXT NOT NULL, covers INTEGER NOT NULL, who TEXT NOT NULL,
        given INTEGER NOT NULL,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(id, kind, answer, covers, who, given)) STORED
    );
    CREATE TABLE run (
        id INTEGER PRIMARY KEY, os_user TEXT NOT NULL, host TEXT NOT NULL, version TEXT NOT NULL,
        command TEXT NOT NULL, tenant TEXT NOT NULL, application TEXT NOT NULL,
        quota TEXT NOT NULL,
        started INTEGER NOT NULL, ended INTEGER, reason TEXT, results TEXT, excel INTEGER NOT NULL DEFAULT 0,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (
            row_sum(id, os_user, host, version, command, tenant, application, quota, started, ended, \
            reason, results, excel)
        ) STORED
    );
";

/// The tables for what the devices and the alerts tell after the scans. `asked` says when they were asked last, and for
/// what, by the kind of the question. `device` is what a target's device reports of its last scan, beside the action
/// that it was asked about; `verified` is `yes`, `not yet` or `no report`. `finding` is an alert on a target's machine
/// since its scan, with texts as the service wrote them.
pub(super) const AFTER_SCANS: &str = "
    CREATE TABLE asked (
        what TEXT PRIMARY KEY, at INTEGER NOT NULL, how TEXT NOT NULL,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(what, at, how)) STORED
    ) WITHOUT ROWID;
    CREATE TABLE device (
        n INTEGER PRIMARY KEY, action TEXT NOT NULL, scanned INTEGER, result TEXT NOT NULL, reported INTEGER,
        verified TEXT NOT NULL,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (row_sum(n, action, scanned, result, reported, verified)) STORED
    );
    CREATE TABLE finding (
        key TEXT PRIMARY KEY, alert TEXT NOT NULL, n INTEGER NOT NULL, computer TEXT NOT NULL, severity TEXT NOT NULL,
        family TEXT NOT NULL, threat TEXT NOT NULL, title TEXT NOT NULL, category TEXT NOT NULL,
        status TEXT NOT NULL, incident TEXT NOT NULL, source TEXT NOT NULL, created TEXT NOT NULL,
        last_event TEXT NOT NULL, began INTEGER,
        sum INTEGER NOT NULL GENERATED ALWAYS AS (
            row_sum(key, alert, n, computer, severity, family, threat, title, category, status, incident, source,
            created, last_event, began)
        ) STORED
    ) WITHOUT ROWID;
";

/// The rule that accepts every id that a URL can carry.
pub(super) const ANY_ID: &str = "any";

/// The index on machine ids, which are compared in lower case. It is created when it is first needed, because most
/// campaigns never need it.
pub(super) const MACHINE_INDEX: &str =
    "CREATE INDEX IF NOT EXISTS target_machine ON target (lower(machine_id), tenant)";

/// Creates the tables in an empty file.
pub(super) fn make(db: &Connection, identity: &Identity) -> rusqlite::Result<()> {
    db.execute_batch(TABLES)?;
    db.pragma_update(None, "application_id", APPLICATION_ID)?;
    db.pragma_update(None, "user_version", VERSION)?;
    db.execute(
        "INSERT INTO campaign VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            identity.campaign,
            millis(identity.created),
            identity.tenant,
            identity.api,
            identity.scan_type,
            identity.comment,
            serde_json::to_string(&identity.columns).unwrap_or_default(),
            identity.id_rule,
        ],
    )?;
    db.execute("INSERT INTO mark VALUES (0)", [])?;
    Ok(())
}

/// The version of a state file: the current one, or an earlier one that can be migrated. Any other file is refused.
pub(super) fn version(db: &Connection, path: &Path) -> Result<i64, StoreError> {
    let pragma = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    match pragma("application_id") {
        Ok(APPLICATION_ID) => {}
        Ok(_) => return Err(StoreError::Foreign(path.to_owned())),
        Err(rusqlite::Error::SqliteFailure(e, _))
            if e.code == rusqlite::ErrorCode::NotADatabase =>
        {
            return Err(StoreError::Foreign(path.to_owned()));
        }
        Err(e) => return Err(StoreError::new("read", path, e)),
    }
    match pragma("user_version").map_err(|e| StoreError::new("read", path, e))? {
        found @ 1..=VERSION_AFTER_SCANS => Ok(found),
        found => Err(StoreError::Version {
            path: path.to_owned(),
            found,
            known: VERSION_AFTER_SCANS,
        }),
    }
}

/// Adds the tables for what the scans found, if the file lacks them.
pub(super) fn add_after_scans(db: &Connection) -> rusqlite::Result<()> {
    if has_after_scans(db)? {
        return Ok(());
    }
    db.execute_batch("BEGIN IMMEDIATE")?;
    let add = || {
        // Another process may have added them meanwhile.
        if !has_after_scans(db)? {
            db.execute_batch(AFTER_SCANS)?;
            db.pragma_update(None, "user_version", VERSION_AFTER_SCANS)?;
        }
        Ok(())
    };
    let added = add();
    let end = if added.is_ok() { "COMMIT" } else { "ROLLBACK" };
    added.and(db.execute_batch(end))
}

/// Whether the file has the tables for what the scans found.
pub(super) fn has_after_scans(db: &Connection) -> rusqlite::Result<bool> {
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version >= VERSION_AFTER_SCANS)
}

/// The campaign's identity.
pub(super) fn identity(db: &Connection) -> rusqlite::Result<Identity> {
    db.query_row(
        "SELECT id, created, tenant, api, scan_type, comment, columns, id_rule FROM campaign",
        [],
        |row| {
            let columns: String = row.get(6)?;
            Ok(Identity {
                campaign: row.get(0)?,
                created: timestamp(row.get(1)?).unwrap_or_default(),
                tenant: row.get(2)?,
                api: row.get(3)?,
                scan_type: row.get(4)?,
                comment: row.get(5)?,
                id_rule: row.get(7)?,
                columns: serde_json::from_str(&columns).map_err(|e| {
                    rusqlite::Error::FromSqlConversionFailure(
                        6,
                        rusqlite::types::Type::Text,
                        Box::new(e),
                    )
                })?,
            })
        },
    )
}
