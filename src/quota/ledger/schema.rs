//! Opening, making and checking a ledger's file.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::error::LedgerError;

/// The version that this release writes, in `user_version`.
pub(super) const VERSION: i64 = 1;

/// Marks a ledger among `SQLite` files, in `application_id`: "fswq".
const APPLICATION_ID: i64 = 0x6673_7771;

/// One row for each thing that happened, in its order. `AUTOINCREMENT`, so that a number is never used twice, even when
/// all rows have been pruned: a process knows by it what it has not seen.
const SCHEMA: &str = "
    CREATE TABLE entries (
        seq     INTEGER PRIMARY KEY AUTOINCREMENT,
        scope   TEXT    NOT NULL, -- cloud, tenant and application, tab between
        kind    TEXT    NOT NULL, -- start, list, get, cancel, machines
        event   TEXT    NOT NULL, -- sent, answered, hold
        owner   INTEGER NOT NULL, -- the process that wrote it
        call    INTEGER NOT NULL, -- the call; of a hold 0
        boot    TEXT    NOT NULL, -- the boot whose clock `at` and `until` are on
        at      INTEGER NOT NULL, -- nanoseconds since boot, sleep included
        until   INTEGER NOT NULL, -- likewise: when a call is given up, when a hold ends; else `at`
        wall    INTEGER NOT NULL, -- milliseconds since 1970: the wall's time at `at`
        sum     INTEGER NOT NULL  -- a checksum of all columns before it but `seq`
    ) STRICT;
    CREATE TABLE keep (
        seconds INTEGER NOT NULL  -- how long rows are kept: for the longest window that anybody has used
    ) STRICT;
    INSERT INTO keep VALUES (3600);
";

/// A file that is held for longer is an error: longer than a process is frozen by accident.
const BUSY_MILLIS: i32 = 60_000;

/// Who only looks is not kept waiting for longer.
const LOOK: Duration = Duration::from_secs(2);

/// The smallest page, and so the smallest file, that `SQLite` writes.
const LEAST_BYTES: u64 = 512;

/// Opens the ledger, makes it if it is not there, and checks all of it.
pub(super) fn open(path: &Path) -> Result<Connection, LedgerError> {
    if let Some(directory) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(|e| LedgerError::io(directory, e))?;
    }
    refuse_stump(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| LedgerError::sqlite(path, error);
    let mut conn = Connection::open_with_flags(path, flags).map_err(failed)?;
    conn.busy_handler(Some(wait_a_little)).map_err(failed)?;
    // In one transaction, for another process may be making the tables.
    conn.execute_batch("BEGIN").map_err(failed)?;
    let version = version(&conn, path)?;
    conn.execute_batch("COMMIT").map_err(failed)?;
    write_ahead(&conn).map_err(failed)?;
    conn.pragma_update(None, "synchronous", "FULL")
        .map_err(failed)?;
    if version == 0 {
        make(&conn, path)?;
    }
    check(&conn, path)?;
    Ok(conn)
}

/// Opens the ledger for who only looks, and checks all of it; `None` if it is not there, or has just been made. Readers and
/// writers do not wait for one another, but for the moment in which a file is made or its log is folded in.
pub(super) fn look(path: &Path) -> Result<Option<Connection>, LedgerError> {
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(LedgerError::io(path, e)),
        Ok(_) => refuse_stump(path)?,
    }
    // A log is read with the help of an index beside it, so that even a reader opens for writing where it may.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| LedgerError::sqlite(path, error);
    let conn = Connection::open_with_flags(path, flags).map_err(failed)?;
    conn.busy_timeout(LOOK).map_err(failed)?;
    conn.pragma_update(None, "query_only", true)
        .map_err(failed)?;
    // One snapshot for all that is looked at.
    conn.execute_batch("BEGIN").map_err(failed)?;
    if version(&conn, path)? == 0 {
        return Ok(None);
    }
    check(&conn, path)?;
    Ok(Some(conn))
}

/// `SQLite` takes a stump of a file for a new one.
fn refuse_stump(path: &Path) -> Result<(), LedgerError> {
    if std::fs::metadata(path).is_ok_and(|file| (1..LEAST_BYTES).contains(&file.len())) {
        return Err(LedgerError::Foreign {
            path: path.to_owned(),
        });
    }
    Ok(())
}

/// The file's version; 0 if it is new. Anything that is no ledger of a known version is refused before it is touched.
fn version(conn: &Connection, path: &Path) -> Result<i64, LedgerError> {
    let pragma = |name: &str| {
        conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(|error| LedgerError::sqlite(path, error))
    };
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| LedgerError::sqlite(path, error))?;
    match (application, version) {
        (0, 0) if tables == 0 => Ok(0),
        (APPLICATION_ID, VERSION) => Ok(VERSION),
        (APPLICATION_ID, version) if version > VERSION => Err(LedgerError::Newer {
            path: path.to_owned(),
            version,
            known: VERSION,
        }),
        (APPLICATION_ID, version) => Err(LedgerError::damaged(
            path,
            format!("there is no version {version}"),
        )),
        _ => Err(LedgerError::Foreign {
            path: path.to_owned(),
        }),
    }
}

/// Switches to the write-ahead log. The switch heeds no busy handler when several processes open a new file at once, so
/// it is looked at first, and tried again by hand.
fn write_ahead(conn: &Connection) -> rusqlite::Result<()> {
    let mut tries = 0;
    loop {
        let mode: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        if mode == "wal" {
            return Ok(());
        }
        let switched = conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()));
        match switched {
            Err(error) if !is_busy(&error) || !wait_a_little(tries) => return Err(error),
            _ => tries += 1,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}

/// Makes the tables, unless another process has just done so.
fn make(conn: &Connection, path: &Path) -> Result<(), LedgerError> {
    let failed = |error| LedgerError::sqlite(path, error);
    conn.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let made = version(conn, path).and_then(|version| {
        if version == 0 {
            conn.execute_batch(SCHEMA).map_err(failed)?;
            conn.pragma_update(None, "application_id", APPLICATION_ID)
                .map_err(failed)?;
            conn.pragma_update(None, "user_version", VERSION)
                .map_err(failed)?;
        }
        Ok(())
    });
    let end = if made.is_ok() { "COMMIT" } else { "ROLLBACK" };
    made.and(conn.execute_batch(end).map_err(failed))
}

/// Looks through the whole file, so that a row that has been lost is noticed too: the last number given out must be
/// there, unless everything has been pruned.
fn check(conn: &Connection, path: &Path) -> Result<(), LedgerError> {
    let failed = |error| LedgerError::sqlite(path, error);
    let verdict: String = conn
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(failed)?;
    if verdict != "ok" {
        return Err(LedgerError::damaged(path, verdict));
    }
    let (last, given): (Option<i64>, Option<i64>) = conn
        .query_row(
            "SELECT (SELECT max(seq) FROM entries), (SELECT seq FROM sqlite_sequence WHERE name = 'entries')",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .map_err(failed)?;
    if last.is_some() && last != given {
        return Err(LedgerError::damaged(path, "its last rows are missing"));
    }
    let kept = conn
        .query_row("SELECT seconds FROM keep", [], |row| row.get::<_, i64>(0))
        .optional()
        .map_err(failed)?;
    if !kept.is_some_and(|seconds| (3600..=2 * 86_400).contains(&seconds)) {
        return Err(LedgerError::damaged(path, "how long it is kept is missing"));
    }
    Ok(())
}

/// Waits for another process's transaction. Those take well under a millisecond, so the waits are short and uneven,
/// which lets processes take turns; `SQLite`'s own grow to 100 ms and starve whoever comes second.
#[expect(clippy::disallowed_methods, reason = "this thread does blocking work")]
fn wait_a_little(tries: i32) -> bool {
    std::thread::sleep(Duration::from_micros(fastrand::u64(50..=1950)));
    tries < BUSY_MILLIS
}
