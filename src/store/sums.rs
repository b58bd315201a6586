//! Whether the file is as it was written. SQLite's own check finds pages that are lost or torn. It cannot see a
//! changed bit within a cell, so every row has a checksum of its cells. Both are checked before a campaign is
//! resumed: because of a wrong outcome or a missing row, a machine would be scanned twice or never.

use std::path::Path;

use rusqlite::{
    Connection,
    functions::{Context, FunctionFlags},
    types::ValueRef,
};

use super::{StoreError, schema, schema_1};

/// How the checksum's column is declared. Which tables have one, and of which cells, is read from their SQL.
const SUM: &str = "sum INTEGER NOT NULL GENERATED ALWAYS AS (";

/// Defines `row_sum(cells…)` for the connection. A program that does not define it can read the file, but not write it.
pub(super) fn install(db: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    db.create_scalar_function("row_sum", -1, flags, row_sum)
}

/// Checks the whole file.
pub(super) fn check(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let damaged = |what: String| StoreError::Damaged {
        path: path.to_owned(),
        what,
    };
    // Another process may add tables meanwhile.
    let _as_it_is = db
        .unchecked_transaction()
        .map_err(|e| StoreError::new("read", path, e))?;
    let version = schema::version(db, path)?;
    match damage(db, version) {
        Ok(None) => Ok(()),
        Ok(Some(what)) => Err(damaged(what)),
        Err(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
            Err(damaged(e.to_string()))
        }
        Err(e) => Err(StoreError::new("read", path, e)),
    }
}

/// What is wrong with the file, if anything is.
fn damage(db: &Connection, version: i64) -> rusqlite::Result<Option<String>> {
    let verdict: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Ok(Some(verdict));
    }
    let (there, expected) = (Part::all(db)?, Part::expected(version)?);
    // Only the index may be missing that is created when it is first needed.
    let is_whole = there.iter().all(|part| expected.contains(part))
        && (expected.len() - 1..=expected.len()).contains(&there.len());
    if !is_whole {
        return Ok(Some("its tables are not as they were made".to_owned()));
    }
    for Part { name, sql } in &there {
        let Some(sum) = sql
            .split_once(SUM)
            .and_then(|(_, sum)| sum.split_once(") STORED"))
        else {
            continue;
        };
        let wrong: bool = db.query_row(
            &format!(
                "SELECT EXISTS (SELECT 1 FROM {name} WHERE sum IS NOT {})",
                sum.0
            ),
            [],
            |row| row.get(0),
        )?;
        if wrong {
            return Ok(Some(format!("a row of `{name}` is not as it was written")));
        }
    }
    let is_gapless = "SELECT count(*) = coalesce(max(n), 0) FROM target";
    if !db.query_row(is_gapless, [], |row| row.get(0))? {
        return Ok(Some("a target is missing".to_owned()));
    }
    let has_one = |table: &str| {
        let count = format!("SELECT count(*) = 1 FROM {table}");
        db.query_row(&count, [], |row| row.get::<_, bool>(0))
    };
    if !has_one("campaign")? {
        return Ok(Some("it does not say which campaign it is".to_owned()));
    }
    let is_marked = version == 1 || has_one("mark")?;
    Ok((!is_marked).then(|| "it does not say how much was written to it".to_owned()))
}

/// A table or an index, with the SQL that created it.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    name: String,
    sql: String,
}

impl Part {
    fn all(db: &Connection) -> rusqlite::Result<Vec<Self>> {
        // SQLite's own tables are not compared.
        let sql = "SELECT name, coalesce(sql, '') FROM sqlite_schema
                   WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
        db.prepare(sql)?
            .query_map([], |row| {
                Ok(Self {
                    name: row.get(0)?,
                    sql: row.get(1)?,
                })
            })?
            .collect()
    }

    /// The tables and indexes of this version of the format.
    fn expected(version: i64) -> rusqlite::Result<Vec<Self>> {
        let db = Connection::open_in_memory()?;
        install(&db)?;
        let (tables, index) = match version {
            1 => (schema_1::TABLES, schema_1::MACHINE_INDEX),
            _ => (schema::TABLES, schema::MACHINE_INDEX),
        };
        db.execute_batch(tables)?;
        if version >= schema::VERSION_AFTER_SCANS {
            db.execute_batch(schema::AFTER_SCANS)?;
        }
        db.execute_batch(index)?;
        Self::all(&db)
    }
}

/// The checksum of the cells. It detects damage, not tampering. Every step is reversible, so that a single changed bit
/// always changes the result.
#[expect(clippy::unnecessary_wraps, reason = "the shape that rusqlite wants")]
fn row_sum(cells: &Context<'_>) -> rusqlite::Result<i64> {
    let mut sum = Sum(0xcbf2_9ce4_8422_2325);
    for at in 0..cells.len() {
        match cells.get_raw(at) {
            ValueRef::Null => sum.add(1),
            ValueRef::Integer(number) => {
                sum.add(2);
                sum.add(number.cast_unsigned());
            }
            ValueRef::Real(number) => {
                sum.add(3);
                sum.add(number.to_bits());
            }
            ValueRef::Text(bytes) => sum.add_bytes(4, bytes),
            ValueRef::Blob(bytes) => sum.add_bytes(5, bytes),
        }
    }
    Ok(sum.0.cast_signed())
}

struct Sum(u64);

impl Sum {
    /// FNV-1a on words of eight bytes. The high half is folded into the low one, which a multiplication alone never
    /// does.
    fn add(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x0100_0000_01b3);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn add_bytes(&mut self, kind: u64, bytes: &[u8]) {
        self.add(kind | (bytes.len() as u64) << 8);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }
}
