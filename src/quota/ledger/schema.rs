//! Opens, creates, migrates and checks a ledger's file.
//!
//! Version 1 had no table `marks`, and only the events `sent`, `answered` and `hold`.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{error::LedgerError, mark_rows};
use crate::private_file::for_its_owner;

/// The version that this release writes to `user_version`.
const VERSION: i64 = 2;

/// The oldest version that can be read. Older versions are migrated when they are opened for writing.
const OLDEST: i64 = 1;

/// Identifies a ledger among `SQLite` files, in `application_id`: "fswq".
const APPLICATION_ID: i64 = 0x6673_7771;

/// One row for each event, in order. `AUTOINCREMENT` makes sure that a number is never used twice, even when all rows
/// have been pruned, because a process remembers by number which rows it has seen.
const SCHEMA: &str = "
    CREATE TABLE entries (
        seq     INTEGER PRIMARY KEY AUTOINCREMENT,
        scope   TEXT    NOT NULL, -- cloud, tenant and application, tab between
        kind    TEXT    NOT NULL, -- start, list, get, cancel, machines, health
        event   TEXT    NOT NULL, -- sent, answered, withdrawn, hold, lift, joined
        owner   INTEGER NOT NULL, -- the process that wrote it; of a lift 0
        call    INTEGER NOT NULL, -- the call; of what concerns a kind 0
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

/// What version 2 has in addition. Times of marks are milliseconds since 1970.
const SCHEMA_2: &str = "
    CREATE TABLE marks (
        campaign    TEXT    NOT NULL PRIMARY KEY,
        committed   INTEGER NOT NULL, -- attempts that its state has committed, at least
        state       TEXT    NOT NULL, -- its files
        results     TEXT    NOT NULL,
        input       TEXT    NOT NULL,
        cloud       TEXT    NOT NULL,
        tenant      TEXT    NOT NULL,
        application TEXT    NOT NULL,
        targets     INTEGER NOT NULL,
        started     INTEGER NOT NULL,
        touched     INTEGER NOT NULL, -- when the row was last written
        ended       INTEGER,
        how         TEXT    NOT NULL, -- finished, abandoned; empty while it has not ended
        sum         INTEGER NOT NULL  -- a checksum of all columns before it
    ) STRICT;
";

/// How long to wait for a file that another process holds, before reporting an error: longer than a process is likely
/// to be suspended by accident.
const BUSY_MILLIS: i32 = 60_000;

/// The same for a process that only reads.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// The smallest page, and so the smallest file, that `SQLite` writes.
const LEAST_BYTES: u64 = 512;

/// Opens the ledger, creating it if it does not exist, and checks all of it.
pub(super) fn open(path: &Path) -> Result<Connection, LedgerError> {
    if let Some(directory) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(|e| LedgerError::io(directory, e))?;
    }
    match make(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(LedgerError::io(path, e)),
        _ => open_existing(path),
    }
}

/// Makes the file, empty, unless it is there.
fn make(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    for_its_owner(options.write(true).create_new(true)).open(path)
}

/// Opens an existing ledger, and checks all of it.
pub(super) fn open_existing(path: &Path) -> Result<Connection, LedgerError> {
    refuse_stump(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| LedgerError::sqlite(path, error);
    let mut conn = Connection::open_with_flags(path, flags).map_err(failed)?;
    conn.busy_handler(Some(wait_a_little)).map_err(failed)?;
    // In one transaction, because another process may be creating the tables.
    conn.execute_batch("BEGIN").map_err(failed)?;
    let version = version(&conn, path)?;
    conn.execute_batch("COMMIT").map_err(failed)?;
    write_ahead(&conn).map_err(failed)?;
    conn.pragma_update(None, "synchronous", "FULL")
        .map_err(failed)?;
    if version == 0 {
        bring_up(&conn, path)?;
    }
    check(&conn, path)?;
    // Only an undamaged ledger is migrated.
    if (1..VERSION).contains(&version) {
        bring_up(&conn, path)?;
    }
    Ok(conn)
}

/// Creates a new, empty ledger. Its directory must exist.
///
/// # Errors
/// There is a file of that name already ([`LedgerError::Exists`]), or it cannot be created.
pub fn create(path: &Path) -> Result<(), LedgerError> {
    match make(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            return Err(LedgerError::Exists {
                path: path.to_owned(),
            });
        }
        made => made.map_err(|e| LedgerError::io(path, e))?,
    };
    open_existing(path).map(drop).inspect_err(|_| {
        // The error that led here is the one to report.
        let _ = std::fs::remove_file(path);
    })
}

/// Opens the ledger read-only, checks all of it, and returns its version too. `None` if it does not exist, or has
/// just been created. An old version is not migrated. Readers and writers do not wait for each other, except for the
/// moment in which a file is created or its log is checkpointed.
pub(super) fn open_read_only(path: &Path) -> Result<Option<(Connection, i64)>, LedgerError> {
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(LedgerError::io(path, e)),
        Ok(_) => refuse_stump(path)?,
    }
    // A write-ahead log is read with the help of an index file beside it, which even a reader has to write.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| LedgerError::sqlite(path, error);
    let conn = Connection::open_with_flags(path, flags).map_err(failed)?;
    conn.busy_timeout(READ_TIMEOUT).map_err(failed)?;
    conn.pragma_update(None, "query_only", true)
        .map_err(failed)?;
    // One transaction, so that everything that is read belongs to the same snapshot.
    conn.execute_batch("BEGIN").map_err(failed)?;
    let version = version(&conn, path)?;
    if version == 0 {
        return Ok(None);
    }
    check(&conn, path)?;
    Ok(Some((conn, version)))
}

/// Whether a file of that version has marks.
pub(super) fn has_marks(version: i64) -> bool {
    version >= 2
}

/// Does `work` in a transaction of its own, which is rolled back if it fails.
pub(super) fn transaction<T>(
    conn: &Connection,
    path: &Path,
    work: impl FnOnce() -> Result<T, LedgerError>,
) -> Result<T, LedgerError> {
    let failed = |error| LedgerError::sqlite(path, error);
    conn.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let done = work().and_then(|done| {
        conn.execute_batch("COMMIT").map_err(failed)?;
        Ok(done)
    });
    if done.is_err() && !conn.is_autocommit() {
        // The error that led here is the one to report.
        let _ = conn.execute_batch("ROLLBACK");
    }
    done
}

/// Refuses a truncated file, which `SQLite` would take for a new one.
fn refuse_stump(path: &Path) -> Result<(), LedgerError> {
    if std::fs::metadata(path).is_ok_and(|file| (1..LEAST_BYTES).contains(&file.len())) {
        return Err(LedgerError::Foreign {
            path: path.to_owned(),
        });
    }
    Ok(())
}

/// The file's version; 0 if it is new. Anything that is not a ledger of a known version is refused before it is
/// touched.
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
        (APPLICATION_ID, OLDEST..=VERSION) => Ok(version),
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

/// Switches to the write-ahead log. `SQLite` ignores the busy handler here when several processes open a new file at
/// once, so we read the mode first, and retry ourselves.
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

/// Creates the tables that are missing, unless another process has just done so.
fn bring_up(conn: &Connection, path: &Path) -> Result<(), LedgerError> {
    let failed = |error| LedgerError::sqlite(path, error);
    transaction(conn, path, || {
        let version = version(conn, path)?;
        if version < 1 {
            conn.execute_batch(SCHEMA).map_err(failed)?;
            conn.pragma_update(None, "application_id", APPLICATION_ID)
                .map_err(failed)?;
        }
        if version < 2 {
            conn.execute_batch(SCHEMA_2).map_err(failed)?;
        }
        conn.pragma_update(None, "user_version", VERSION)
            .map_err(failed)
    })
}

/// Checks the whole file. A lost row is detected too: the last number that was assigned must be there, unless all rows
/// have been pruned.
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
    if has_marks(version(conn, path)?) {
        mark_rows::all(conn, path)?;
    }
    Ok(())
}

/// Waits for another process's transaction. Transactions take well under a millisecond, so the waits are short and
/// random, which lets processes take turns. `SQLite`'s own waits grow to 100 ms and starve whichever process comes
/// second.
#[expect(clippy::disallowed_methods, reason = "this thread does blocking work")]
fn wait_a_little(tries: i32) -> bool {
    std::thread::sleep(Duration::from_micros(fastrand::u64(50..=1950)));
    tries < BUSY_MILLIS
}
