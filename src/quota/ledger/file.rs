//! The ledger as an `SQLite` file that processes share.

use std::{path::PathBuf, sync::Arc, time::Duration};

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{
    super::clock::{Clock, Moment},
    Entry, Ledger, LedgerError,
    mark_rows::{self, MarkRow},
    marks::Mark,
    others::Others,
    owner::Owner,
    row::{Now, Row},
    rows, schema,
};

/// Where a quota is remembered, and whose it is. Calls are counted together if all fields are equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerPlace {
    /// The file. It is created if it does not exist, and so is its directory.
    pub file: PathBuf,
    /// The cloud. All commercial hosts and regions are one cloud; any other `--api-url` is its scheme, host and port.
    pub cloud: String,
    /// The tenant's id from the token, or `unknown`.
    pub tenant: String,
    /// The application's id from the token, or `unknown`.
    pub application: String,
}

impl LedgerPlace {
    /// The scope that rows of this quota are stored under.
    fn scope(&self) -> String {
        [&*self.cloud, &*self.tenant, &*self.application]
            .map(|part| part.replace('\t', " "))
            .join("\t")
    }

    /// The place that a scope in a file stands for.
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
    /// `None` if the file is only read.
    owner: Option<Owner>,
    keep: Duration,
    /// The last row that was read.
    seen: i64,
    /// What was read and not returned yet. A transaction may fail after it has been read.
    news: Vec<Entry>,
    others: Others,
    /// When old rows were last pruned and dead processes last looked for.
    last_upkeep: Option<Moment>,
    /// The mark that this process keeps.
    mark: Option<Kept>,
}

/// The mark of the campaign that this process works on.
#[derive(Debug)]
struct Kept {
    mark: Arc<Mark>,
    /// How much of it is in the file.
    written: u64,
}

/// How often old rows are pruned and dead processes are looked for.
const UPKEEP: Duration = Duration::from_secs(1);

impl FileLedger {
    /// Opens the ledger for a quota whose longest window is `longest`.
    pub(in crate::quota) fn open(
        place: &LedgerPlace,
        longest: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LedgerError> {
        let path = place.file.clone();
        let conn = schema::open(&path)?;
        // A minute more, to be on the safe side.
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
        Ok(Self::from_conn(conn, place, Some(owner), keep, clock))
    }

    /// What a ledger remembers of this quota, as the first [`begin`](Ledger::begin) would return it; nothing if the
    /// file does not exist. Nothing is created, written or locked. The lock files of other processes are checked, so
    /// that calls of dead processes are recognised.
    pub(in crate::quota) fn read_only_entries(
        place: &LedgerPlace,
        clock: Arc<dyn Clock>,
    ) -> Result<Vec<Entry>, LedgerError> {
        let Some((conn, _)) = schema::open_read_only(&place.file)? else {
            return Ok(Vec::new());
        };
        let mut this = Self::from_conn(conn, place, None, Duration::ZERO, clock);
        let now = this.now();
        this.read(&now)?;
        this.others
            .finish_overdue(&this.path, now.moment, true, &mut this.news);
        Ok(this.news)
    }

    fn from_conn(
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
            last_upkeep: None,
            mark: None,
        }
    }

    fn now(&self) -> Now {
        Now::of(&*self.clock, &self.boot)
    }

    fn failed(&self, error: rusqlite::Error) -> LedgerError {
        LedgerError::sqlite(&self.path, error)
    }

    /// Reads what was written since the last time, except what is ours or belongs to other quotas.
    fn read(&mut self, now: &Now) -> Result<(), LedgerError> {
        let ours = self.owner.as_ref().map(|owner| owner.id);
        let (seen, news) = (&mut self.seen, &mut self.news);
        let (others, path) = (&mut self.others, &self.path);
        rows::each(&self.conn, path, *seen, |seq, row| {
            let entry = row.entry(now).ok_or_else(|| rows::damaged_row(path, seq))?;
            *seen = seq;
            if row.scope == self.scope && Some(row.owner) != ours {
                news.extend(others.note(entry, row.owner));
            }
            Ok(())
        })
    }

    /// Rolls back what a failed transaction may have left open.
    fn roll_back(&self) -> Result<(), LedgerError> {
        if self.conn.is_autocommit() {
            return Ok(());
        }
        let rolled_back = self.conn.execute_batch("ROLLBACK");
        rolled_back.map_err(|error| self.failed(error))
    }

    /// Writes the mark, within a transaction, if it has grown or if a call is permitted: the row's `touched` says when
    /// the last call may have been sent. Returns how far the mark has grown.
    fn write_mark(&self, now: &Now, sends: bool) -> Result<Option<u64>, LedgerError> {
        let Some(Kept { mark, written }) = &self.mark else {
            return Ok(None);
        };
        let committed = mark.committed();
        if committed <= *written && !sends {
            return Ok(None);
        }
        if let Some(mut row) = mark_rows::one(&self.conn, &self.path, mark.campaign())? {
            row.committed = row.committed.max(committed);
            row.touched = now.wall_time();
            mark_rows::put(&self.conn, &self.path, &row)?;
        }
        Ok(Some(committed))
    }
}

impl Ledger for FileLedger {
    fn has_neighbours(&self) -> bool {
        true
    }

    fn begin(&mut self) -> Result<Vec<Entry>, LedgerError> {
        self.roll_back()?;
        let begun = self.conn.execute_batch("BEGIN IMMEDIATE");
        begun.map_err(|error| self.failed(error))?;
        let now = self.now();
        self.read(&now)?;
        let upkeep = self
            .last_upkeep
            .is_none_or(|last| now.moment.since(last) >= UPKEEP);
        self.others
            .finish_overdue(&self.path, now.moment, upkeep, &mut self.news);
        if upkeep {
            self.last_upkeep = Some(now.moment);
            rows::prune(&self.conn, &now, self.keep)
                .and_then(|()| mark_rows::prune(&self.conn, now.wall))
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
            let before = mark_rows::one(&self.conn, &self.path, &row.campaign)?;
            let committed = row.committed.max(mark.committed());
            let row = MarkRow {
                committed: before.as_ref().map_or(0, |it| it.committed).max(committed),
                started: before.as_ref().map_or(row.started, |it| it.started),
                touched: self.now().wall_time(),
                ended: None,
                abandoned: false,
                ..row
            };
            mark_rows::put(&self.conn, &self.path, &row)?;
            Ok(row.committed)
        })?;
        self.mark = Some(Kept { mark, written });
        Ok(())
    }

    fn end_mark(&mut self, campaign: &str, abandoned: bool) -> Result<(), LedgerError> {
        self.roll_back()?;
        let kept = self.mark.take_if(|kept| kept.mark.campaign() == campaign);
        schema::transaction(&self.conn, &self.path, || {
            let Some(mut row) = mark_rows::one(&self.conn, &self.path, campaign)? else {
                return Ok(());
            };
            let committed = kept.as_ref().map_or(0, |kept| kept.mark.committed());
            row.committed = row.committed.max(committed);
            let row = row.into_ended(self.now().wall_time(), abandoned);
            mark_rows::put(&self.conn, &self.path, &row)
        })
    }

    fn prove_room(&mut self) -> Result<(), LedgerError> {
        self.roll_back()?;
        schema::transaction(&self.conn, &self.path, || {
            rows::prove_room(&self.conn).map_err(|error| self.failed(error))
        })
    }
}
