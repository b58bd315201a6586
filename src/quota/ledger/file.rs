//! The ledger as a `SQLite` file that processes share.

use std::{path::PathBuf, sync::Arc, time::Duration};

use rusqlite::Connection;

use super::{
    super::clock::{Clock, Moment},
    Entry, Ledger, LedgerError,
    marks::{self, Mark, MarkRow},
    others::Others,
    owner::Owner,
    row::{Now, Row},
    rows, schema,
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

impl LedgerPlace {
    /// How rows name whose they are.
    fn scope(&self) -> String {
        [&*self.cloud, &*self.tenant, &*self.application]
            .map(|part| part.replace('\t', " "))
            .join("\t")
    }

    /// Whose rows of that name are, in that file.
    pub(super) fn of_scope(file: PathBuf, scope: &str) -> Self {
        let mut parts = scope.split('\t').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Self {
            file,
            cloud: next(),
            tenant: next(),
            application: next(),
        }
    }
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
    others: Others,
    /// When it was last asked who lives, and rows were last pruned.
    looked_after: Option<Moment>,
    /// The mark that this process keeps.
    mark: Option<Kept>,
}

/// The mark of the campaign that this process works on.
#[derive(Debug)]
struct Kept {
    mark: Arc<Mark>,
    /// What of it is in the file.
    written: u64,
}

/// How often it is asked who lives, and old rows are removed.
const LOOK_AFTER: Duration = Duration::from_secs(1);

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
        let owner = schema::transaction(&conn, &path, || {
            Owner::sweep(&path);
            let owner = Owner::register(&path).map_err(|error| LedgerError::io(&path, error))?;
            let keep = i64::try_from(keep).unwrap_or(i64::MAX);
            conn.execute("UPDATE keep SET seconds = max(seconds, ?1)", [keep])
                .map_err(|error| LedgerError::sqlite(&path, error))?;
            Ok(owner)
        })?;
        let keep = Duration::from_secs(keep);
        Ok(Self::over(conn, place, Some(owner), keep, clock))
    }

    /// What a ledger that may or may not be there remembers of this quota, as [`begin`](Ledger::begin) tells it first.
    /// Nothing is made, written or locked; but that calls of the dead are known as such, their marks are looked at.
    pub(in crate::quota) fn look(
        place: &LedgerPlace,
        clock: Arc<dyn Clock>,
    ) -> Result<Vec<Entry>, LedgerError> {
        let Some((conn, _)) = schema::look(&place.file)? else {
            return Ok(Vec::new());
        };
        let mut this = Self::over(conn, place, None, Duration::ZERO, clock);
        let now = this.now();
        this.read(&now)?;
        this.others
            .conclude(&this.path, now.moment, true, &mut this.news);
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
            scope: place.scope(),
            boot: clock.boot(),
            owner,
            path: place.file.clone(),
            conn,
            clock,
            keep,
            seen: 0,
            news: Vec::new(),
            others: Others::default(),
            looked_after: None,
            mark: None,
        }
    }

    fn now(&self) -> Now {
        Now::of(&*self.clock, &self.boot)
    }

    fn failed(&self, error: rusqlite::Error) -> LedgerError {
        LedgerError::sqlite(&self.path, error)
    }

    /// Reads what was written since the last time, and leaves out what is ours or of other quotas.
    fn read(&mut self, now: &Now) -> Result<(), LedgerError> {
        let ours = self.owner.as_ref().map(|owner| owner.id);
        let (seen, news) = (&mut self.seen, &mut self.news);
        let (others, path) = (&mut self.others, &self.path);
        rows::each(&self.conn, path, *seen, |seq, row| {
            let entry = row.entry(now).ok_or_else(|| rows::strange(path, seq))?;
            *seen = seq;
            if row.scope == self.scope && Some(row.owner) != ours {
                news.extend(others.note(entry, row.owner));
            }
            Ok(())
        })
    }

    /// Ends what a failed transaction may have left.
    fn roll_back(&self) -> Result<(), LedgerError> {
        if self.conn.is_autocommit() {
            return Ok(());
        }
        let rolled_back = self.conn.execute_batch("ROLLBACK");
        rolled_back.map_err(|error| self.failed(error))
    }

    /// Writes the mark within a transaction, if it has grown, or a call is let go: its row tells when the last one may have been
    /// sent. Returns how far it has grown.
    fn write_mark(&self, now: &Now, sends: bool) -> Result<Option<u64>, LedgerError> {
        let Some(Kept { mark, written }) = &self.mark else {
            return Ok(None);
        };
        let committed = mark.committed();
        if committed <= *written && !sends {
            return Ok(None);
        }
        if let Some(mut row) = marks::one(&self.conn, &self.path, mark.campaign())? {
            row.committed = row.committed.max(committed);
            row.touched = now.wall_time();
            marks::put(&self.conn, &self.path, &row)?;
        }
        Ok(Some(committed))
    }
}

impl Ledger for FileLedger {
    fn begin(&mut self) -> Result<Vec<Entry>, LedgerError> {
        self.roll_back()?;
        let begun = self.conn.execute_batch("BEGIN IMMEDIATE");
        begun.map_err(|error| self.failed(error))?;
        let now = self.now();
        self.read(&now)?;
        let look_after = self
            .looked_after
            .is_none_or(|last| now.moment.since(last) >= LOOK_AFTER);
        self.others
            .conclude(&self.path, now.moment, look_after, &mut self.news);
        if look_after {
            self.looked_after = Some(now.moment);
            rows::prune(&self.conn, &now, self.keep)
                .and_then(|()| marks::prune(&self.conn, now.wall))
                .map_err(|error| self.failed(error))?;
        }
        Ok(std::mem::take(&mut self.news))
    }

    fn commit(&mut self, entries: &[Entry]) -> Result<(), LedgerError> {
        let now = self.now();
        let owner = self.owner.as_ref().map_or(0, |owner| owner.id);
        entries
            .iter()
            .map(|entry| Row::new(entry, &self.scope, owner, &now))
            .try_for_each(|row| rows::insert(&self.conn, &row))
            .map_err(|error| self.failed(error))?;
        let grown = self.write_mark(
            &now,
            entries
                .iter()
                .any(|entry| matches!(entry, Entry::Sent { .. })),
        )?;
        let committed = self.conn.execute_batch("COMMIT");
        committed.map_err(|error| self.failed(error))?;
        if let (Some(kept), Some(grown)) = (&mut self.mark, grown) {
            kept.written = grown;
        }
        Ok(())
    }

    fn keep_mark(&mut self, mark: Arc<Mark>, row: MarkRow) -> Result<(), LedgerError> {
        self.roll_back()?;
        let written = schema::transaction(&self.conn, &self.path, || {
            let before = marks::one(&self.conn, &self.path, &row.campaign)?;
            let committed = row.committed.max(mark.committed());
            let row = MarkRow {
                committed: before.as_ref().map_or(0, |it| it.committed).max(committed),
                started: before.as_ref().map_or(row.started, |it| it.started),
                touched: self.now().wall_time(),
                ended: None,
                abandoned: false,
                ..row
            };
            marks::put(&self.conn, &self.path, &row)?;
            Ok(row.committed)
        })?;
        self.mark = Some(Kept { mark, written });
        Ok(())
    }

    fn end_mark(&mut self, campaign: &str, abandoned: bool) -> Result<(), LedgerError> {
        self.roll_back()?;
        let kept = self.mark.take_if(|kept| kept.mark.campaign() == campaign);
        schema::transaction(&self.conn, &self.path, || {
            let Some(mut row) = marks::one(&self.conn, &self.path, campaign)? else {
                return Ok(());
            };
            let committed = kept.as_ref().map_or(0, |kept| kept.mark.committed());
            row.committed = row.committed.max(committed);
            let row = row.over(self.now().wall_time(), abandoned);
            marks::put(&self.conn, &self.path, &row)
        })
    }

    fn prove_room(&mut self) -> Result<(), LedgerError> {
        self.roll_back()?;
        schema::transaction(&self.conn, &self.path, || {
            rows::prove_room(&self.conn).map_err(|error| self.failed(error))
        })
    }
}
