//! The table of entries: reading in order, writing, pruning, and checking that the disk has room for more.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, params};

use super::{
    LedgerError,
    row::{COLUMNS, Now, Row},
};

/// How many rows are removed at once at most, so that no call has to wait long for it.
const PRUNE: i64 = 1000;

/// How many bytes a burst needs: each of 100 calls is a transaction of two pages of 4 KiB, and their ends share some.
const ROOM: i64 = 256 * 4096;

/// Calls `each` with every row after number `after`, in order.
pub(super) fn each(
    conn: &Connection,
    path: &Path,
    after: i64,
    mut each: impl FnMut(i64, &Row) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let failed = |error| LedgerError::sqlite(path, error);
    let mut statement = conn
        .prepare_cached(&format!(
            "SELECT seq, {COLUMNS} FROM entries WHERE seq > ?1 ORDER BY seq"
        ))
        .map_err(failed)?;
    let mut rows = statement.query([after]).map_err(failed)?;
    let mut before: Option<i64> = None;
    while let Some(sql) = rows.next().map_err(failed)? {
        let seq: i64 = sql.get(0).map_err(failed)?;
        if before.is_some_and(|before| before + 1 != seq) {
            return Err(LedgerError::damaged(
                path,
                format!("row {seq} follows a gap"),
            ));
        }
        before = Some(seq);
        let row = Row::read(sql, 1).map_err(failed)?;
        let row = row.ok_or_else(|| damaged_row(path, seq))?;
        each(seq, &row)?;
    }
    Ok(())
}

/// The error for a row whose content is not what was written.
pub(super) fn damaged_row(path: &Path, seq: i64) -> LedgerError {
    LedgerError::damaged(path, format!("row {seq} is not as it was written"))
}

/// Adds a row.
pub(super) fn insert(conn: &Connection, row: &Row) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(&format!(
        "INSERT INTO entries ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    ))?;
    statement.execute(params![
        row.scope,
        row.kind,
        row.event,
        row.owner,
        row.call,
        row.boot,
        row.at,
        row.until,
        row.wall,
        row.sum()
    ])?;
    Ok(())
}

/// Removes expired rows, the oldest first and never one in the middle. Rows are kept for `least`, or for longer if
/// another process needs that.
pub(super) fn prune(conn: &Connection, now: &Now, least: Duration) -> rusqlite::Result<()> {
    let keep: i64 = conn.query_row("SELECT seconds FROM keep", [], |row| row.get(0))?;
    let keep = least.max(Duration::from_secs(u64::try_from(keep).unwrap_or(0)));
    let mut statement = conn.prepare_cached(&format!(
        "SELECT seq, {COLUMNS} FROM entries ORDER BY seq LIMIT {PRUNE}"
    ))?;
    let mut rows = statement.query([])?;
    let mut over = None;
    while let Some(sql) = rows.next()? {
        match Row::read(sql, 1)? {
            Some(row) if row.is_expired(now, keep) => over = Some(sql.get::<_, i64>(0)?),
            _ => break,
        }
    }
    drop(rows);
    if let Some(over) = over {
        conn.execute("DELETE FROM entries WHERE seq <= ?1", [over])?;
    }
    Ok(())
}

/// Writes as much as a burst of calls does into the write-ahead log, and rolls it back. By then the log has grown,
/// and the file has not.
pub(super) fn prove_room(conn: &Connection) -> rusqlite::Result<()> {
    let cache: i64 = conn.pragma_query_value(None, "cache_size", |row| row.get(0))?;
    // With so small a cache, most pages have to be written to the log immediately.
    conn.pragma_update(None, "cache_size", 8)?;
    conn.execute_batch("SAVEPOINT room; CREATE TABLE room (bytes BLOB)")?;
    let written = conn.execute("INSERT INTO room VALUES (zeroblob(?1))", [ROOM]);
    let taken_back = conn.execute_batch("ROLLBACK TO room; RELEASE room");
    conn.pragma_update(None, "cache_size", cache)?;
    written?;
    taken_back
}
