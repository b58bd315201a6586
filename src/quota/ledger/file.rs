//! The ledger as a `SQLite` file that processes share.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, params};

use super::{
    super::{
        clock::{Clock, Moment},
        kind::Kind,
        permit::counted_by,
    },
    CallId, Entry, Ledger, LedgerError,
    owner::Owner,
    row::{COLUMNS, Now, Row},
    schema,
};

/// Where a quota is remembered, and whose it is. Calls count together if all of this is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerPlace {
    /// The file; it is made if it is not there, its directory too.
    pub file: PathBuf,
    /// The cloud: all commercial hosts and regions are one; another `--api-url` is its scheme, host and port.
    pub cloud: String,
    /// The tenant's id from the token, or `unknown`.
    pub tenant: String,
    /// The application's id from the token, or `unknown`.
    pub application: String,
}

/// A ledger file, and how much of it this process has seen.
#[derive(Debug)]
pub(in crate::quota) struct FileLedger {
    path: PathBuf,
    conn: Connection,
    clock: Arc<dyn Clock>,
    boot: String,
    scope: String,
    /// None of who only looks.
    owner: Option<Owner>,
    keep: Duration,
    /// The last row that was read.
    seen: i64,
    /// What was read and not returned yet: a transaction may fail after it has been read.
    news: Vec<Entry>,
    /// Calls of others that have not been answered.
    open: HashMap<CallId, Open>,
    /// When it was last asked who lives, and rows were last pruned.
    looked_after: Option<Moment>,
}

/// A call of another process.
#[derive(Debug)]
struct Open {
    kind: Kind,
    owner: i64,
    /// By when the service has counted it, if nobody tells.
    counted_by: Moment,
}

/// How often it is asked who lives, and old rows are removed.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// At most so many rows are removed at once, so that no call waits long for it.
const PRUNE: i64 = 1000;

impl FileLedger {
    /// Opens the ledger for a quota whose longest window is `longest`.
    pub(in crate::quota) fn open(
        place: &LedgerPlace,
        longest: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LedgerError> {
        let path = place.file.clone();
        let conn = schema::open(&path)?;
        // A minute more, for good measure.
        let keep = longest.as_secs() + 65;
        let registered = (|| {
            let failed = |error| LedgerError::sqlite(&path, error);
            conn.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
            Owner::sweep(&path);
            let owner = Owner::register(&path).map_err(|error| LedgerError::io(&path, error))?;
            let keep = i64::try_from(keep).unwrap_or(i64::MAX);
            conn.execute("UPDATE keep SET seconds = max(seconds, ?1)", [keep])
                .map_err(failed)?;
            conn.execute_batch("COMMIT").map_err(failed)?;
            Ok(owner)
        })();
        let owner = Some(registered?);
        let keep = Duration::from_secs(keep);
        Ok(Self::over(conn, place, owner, keep, clock))
    }

    /// What a ledger that may or may not be there remembers of this quota, as [`begin`](Ledger::begin) tells it first.
    /// Nothing is made, written or locked; but that calls of the dead are known as such, their marks are looked at.
    pub(in crate::quota) fn look(
        place: &LedgerPlace,
        clock: Arc<dyn Clock>,
    ) -> Result<Vec<Entry>, LedgerError> {
        let Some(conn) = schema::look(&place.file)? else {
            return Ok(Vec::new());
        };
        let mut this = Self::over(conn, place, None, Duration::ZERO, clock);
        let now = Now::of(&*this.clock, &this.boot);
        this.read(&now)?;
        this.conclude(now.moment, true);
        Ok(this.news)
    }

    fn over(
        conn: Connection,
        place: &LedgerPlace,
        owner: Option<Owner>,
        keep: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            scope: [&*place.cloud, &*place.tenant, &*place.application]
                .map(|part| part.replace('\t', " "))
                .join("\t"),
            boot: clock.boot(),
            owner,
            path: place.file.clone(),
            conn,
            clock,
            keep,
            seen: 0,
            news: Vec::new(),
            open: HashMap::new(),
            looked_after: None,
        }
    }

    fn is_ours(&self, owner: i64) -> bool {
        self.owner.as_ref().is_some_and(|ours| ours.id == owner)
    }

    /// Reads what was written since the last time, and leaves out what is ours or of other quotas.
    fn read(&mut self, now: &Now) -> Result<(), LedgerError> {
        let failed = |error| LedgerError::sqlite(&self.path, error);
        let mut statement = self
            .conn
            .prepare_cached(&format!(
                "SELECT seq, {COLUMNS} FROM entries WHERE seq > ?1 ORDER BY seq"
            ))
            .map_err(failed)?;
        let mut rows = statement.query([self.seen]).map_err(failed)?;
        let mut before = None;
        while let Some(sql) = rows.next().map_err(failed)? {
            let seq: i64 = sql.get(0).map_err(failed)?;
            if before.is_some_and(|before| before + 1 != seq) {
                return Err(LedgerError::damaged(
                    &self.path,
                    format!("row {seq} follows a gap"),
                ));
            }
            before = Some(seq);
            let damaged =
                || LedgerError::damaged(&self.path, format!("row {seq} is not as it was written"));
            let row = Row::read(sql, 1).map_err(failed)?.ok_or_else(damaged)?;
            let entry = row.entry(now).ok_or_else(damaged)?;
            self.seen = seq;
            if row.scope == self.scope && !self.is_ours(row.owner) {
                self.news.extend(note(&mut self.open, entry, row.owner));
            }
        }
        Ok(())
    }

    /// Concludes calls of others that will not be answered any more: those of dead processes, now that their death is
    /// noticed, and those of processes that stand still. Either way the service may be as slow with them as with a call
    /// whose time was over ([`counted_by`]): that its caller is dead tells nothing about the service. That a call is
    /// concluded early by a death changes only that its end is known, and no answer need be looked for.
    fn conclude(&mut self, now: Moment, ask_who_lives: bool) {
        let dead: HashSet<i64> = if ask_who_lives {
            let owners: HashSet<i64> = self.open.values().map(|open| open.owner).collect();
            owners
                .into_iter()
                .filter(|&owner| !Owner::lives(&self.path, owner))
                .collect()
        } else {
            HashSet::new()
        };
        let over = self
            .open
            .extract_if(|_, call| now >= call.counted_by || dead.contains(&call.owner));
        self.news.extend(over.map(|(id, call)| Entry::Answered {
            id,
            kind: call.kind,
            at: call.counted_by,
        }));
    }

    /// Removes rows that are of no use to anybody any more, the oldest first and never one in the middle.
    fn prune(&mut self, now: &Now) -> Result<(), LedgerError> {
        let failed = |error| LedgerError::sqlite(&self.path, error);
        let keep: i64 = self
            .conn
            .query_row("SELECT seconds FROM keep", [], |row| row.get(0))
            .map_err(failed)?;
        let keep = self
            .keep
            .max(Duration::from_secs(u64::try_from(keep).unwrap_or(0)));
        let mut statement = self
            .conn
            .prepare_cached(&format!(
                "SELECT seq, {COLUMNS} FROM entries ORDER BY seq LIMIT {PRUNE}"
            ))
            .map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let mut last = None;
        while let Some(sql) = rows.next().map_err(failed)? {
            match Row::read(sql, 1).map_err(failed)? {
                Some(row) if row.is_over(now, keep) => {
                    last = Some(sql.get::<_, i64>(0).map_err(failed)?);
                }
                _ => break,
            }
        }
        drop(rows);
        drop(statement);
        if let Some(last) = last {
            self.conn
                .execute("DELETE FROM entries WHERE seq <= ?1", [last])
                .map_err(failed)?;
        }
        Ok(())
    }
}

impl Ledger for FileLedger {
    fn begin(&mut self) -> Result<Vec<Entry>, LedgerError> {
        let failed = |error| LedgerError::sqlite(&self.path, error);
        if !self.conn.is_autocommit() {
            self.conn.execute_batch("ROLLBACK").map_err(failed)?;
        }
        self.conn.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
        let now = Now::of(&*self.clock, &self.boot);
        self.read(&now)?;
        let look_after = self
            .looked_after
            .is_none_or(|last| now.moment.since(last) >= LOOK_AFTER);
        self.conclude(now.moment, look_after);
        if look_after {
            self.looked_after = Some(now.moment);
            self.prune(&now)?;
        }
        Ok(std::mem::take(&mut self.news))
    }

    fn commit(&mut self, entries: &[Entry]) -> Result<(), LedgerError> {
        let failed = |error| LedgerError::sqlite(&self.path, error);
        let now = Now::of(&*self.clock, &self.boot);
        let owner = self.owner.as_ref().map_or(0, |owner| owner.id);
        {
            let mut statement = self
                .conn
                .prepare_cached(&format!(
                    "INSERT INTO entries ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
                ))
                .map_err(failed)?;
            for entry in entries {
                let row = Row::new(entry, &self.scope, owner, &now);
                statement
                    .execute(params![
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
                    ])
                    .map_err(failed)?;
            }
        }
        self.conn.execute_batch("COMMIT").map_err(failed)
    }
}

/// Keeps track of the calls of others. What concerns a call that was concluded before is no news any more.
fn note(open: &mut HashMap<CallId, Open>, entry: Entry, owner: i64) -> Option<Entry> {
    match entry {
        Entry::Sent {
            id,
            kind,
            at,
            give_up_at,
        } => {
            let call = Open {
                kind,
                owner,
                counted_by: counted_by(at, give_up_at),
            };
            open.insert(id, call);
            Some(entry)
        }
        Entry::Answered { id, .. } => open.remove(&id).map(|_| entry),
        Entry::Hold { .. } => Some(entry),
    }
}
