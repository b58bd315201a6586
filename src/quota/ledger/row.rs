//! An entry as it is stored in the file.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Row as SqlRow;

use super::{
    super::{
        call_life::counted_by,
        clock::{Clock, Moment},
        hold::believed,
        kind::Kind,
    },
    CallId, Entry,
};

/// A row of the table of entries. The columns are described in `schema`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) scope: String,
    pub(super) kind: String,
    pub(super) event: String,
    pub(super) owner: i64,
    pub(super) call: i64,
    pub(super) boot: String,
    pub(super) at: i64,
    pub(super) until: i64,
    pub(super) wall: i64,
}

/// The event of a call that was permitted.
pub(super) const SENT: &str = "sent";

const ANSWERED: &str = "answered";

const WITHDRAWN: &str = "withdrawn";

const HOLD: &str = "hold";

const LIFT: &str = "lift";

const JOINED: &str = "joined";

/// The columns of a row, in their order.
pub(super) const COLUMNS: &str = "scope, kind, event, owner, call, boot, at, until, wall, sum";

/// Now, on both clocks that a row has times of.
#[derive(Debug, Clone)]
pub(super) struct Now {
    pub(super) boot: String,
    pub(super) moment: Moment,
    /// Milliseconds since 1970.
    pub(super) wall: i64,
}

impl Now {
    pub(super) fn of(clock: &dyn Clock, boot: &str) -> Self {
        Self {
            boot: boot.to_owned(),
            moment: clock.now(),
            wall: clock.wall().as_millisecond(),
        }
    }

    /// The wall clock's time.
    pub(super) fn wall_time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.wall).unwrap_or_default()
    }

    /// The wall clock's time at a moment of this boot.
    fn wall_at(&self, moment: Moment) -> i64 {
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.wall
            .saturating_add(millis(moment.since(self.moment)))
            .saturating_sub(millis(self.moment.since(moment)))
    }
}

impl Row {
    pub(super) fn new(entry: &Entry, scope: &str, owner: i64, now: &Now) -> Self {
        let (event, kind, call, at, until) = match *entry {
            Entry::Sent {
                id,
                kind,
                at,
                give_up_at,
            } => (SENT, kind, id.0, at, give_up_at),
            Entry::Answered { id, kind, at } => (ANSWERED, kind, id.0, at, at),
            Entry::Withdrawn { id, kind, at } => (WITHDRAWN, kind, id.0, at, at),
            Entry::Hold { kind, at, until } => (HOLD, kind, 0, at, until),
            Entry::Lift { kind, at } => (LIFT, kind, 0, at, at),
            Entry::Joined { kind, at } => (JOINED, kind, 0, at, at),
        };
        Self {
            scope: scope.to_owned(),
            kind: kind.as_str().to_owned(),
            event: event.to_owned(),
            owner,
            call: call.cast_signed(),
            boot: now.boot.clone(),
            at: at.as_nanos().cast_signed(),
            until: until.as_nanos().cast_signed(),
            wall: now.wall_at(at),
        }
    }

    /// Reads a row whose columns are [`COLUMNS`], from column `first` on. `None` if its checksum does not match.
    pub(super) fn read(sql: &SqlRow<'_>, first: usize) -> rusqlite::Result<Option<Self>> {
        let row = Self {
            scope: sql.get(first)?,
            kind: sql.get(first + 1)?,
            event: sql.get(first + 2)?,
            owner: sql.get(first + 3)?,
            call: sql.get(first + 4)?,
            boot: sql.get(first + 5)?,
            at: sql.get(first + 6)?,
            until: sql.get(first + 7)?,
            wall: sql.get(first + 8)?,
        };
        let sum: i64 = sql.get(first + 9)?;
        Ok((row.sum() == sum).then_some(row))
    }

    /// The entry, with its times on this boot's clock. `None` if its kind or event is unknown.
    pub(super) fn entry(&self, now: &Now) -> Option<Entry> {
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == self.kind)?;
        let id = CallId(self.call.cast_unsigned());
        let at = self.at(now);
        Some(match self.event.as_str() {
            SENT => Entry::Sent {
                id,
                kind,
                at,
                give_up_at: self.until(now),
            },
            ANSWERED => Entry::Answered { id, kind, at },
            WITHDRAWN => Entry::Withdrawn { id, kind, at },
            HOLD => Entry::Hold {
                kind,
                at,
                until: self.until(now),
            },
            LIFT => Entry::Lift { kind, at },
            JOINED => Entry::Joined { kind, at },
            _ => return None,
        })
    }

    /// Whether the row may be removed if rows are kept for `keep`. A call's row is kept from the moment at which the
    /// call has been counted at the latest, because its windows may start then.
    pub(super) fn is_expired(&self, now: &Now, keep: Duration) -> bool {
        let (at, until) = (self.at(now), self.until(now));
        let from = match self.event.as_str() {
            SENT => counted_by(at, until),
            _ => until,
        };
        now.moment.since(from) > keep
    }

    /// When it happened. Moments of another boot cannot be compared with ours, so the age of such a row is the time
    /// that has passed on the wall clock, or zero if that was set back.
    fn at(&self, now: &Now) -> Moment {
        if self.boot == now.boot {
            return Moment::from_nanos(self.at.cast_unsigned());
        }
        let age = now.wall.saturating_sub(self.wall);
        now.moment - Duration::from_millis(u64::try_from(age).unwrap_or(0))
    }

    /// When a call is given up or a hold ends: as long after [`at`](Self::at) as the row says. Old releases wrote
    /// holds of any length, so their length is checked here too.
    fn until(&self, now: &Now) -> Moment {
        let span = self
            .until
            .cast_unsigned()
            .saturating_sub(self.at.cast_unsigned());
        let span = Duration::from_nanos(span);
        let is_hold = self.event == HOLD;
        self.at(now) + if is_hold { believed(span) } else { span }
    }

    pub(super) fn sum(&self) -> i64 {
        checksum(
            &[&self.scope, &self.kind, &self.event, &self.boot],
            &[self.owner, self.call, self.at, self.until, self.wall],
        )
    }
}

/// FNV-1a, 64 bits. It detects damage, not tampering.
pub(super) fn checksum(texts: &[&str], numbers: &[i64]) -> i64 {
    let bytes = texts
        .iter()
        .flat_map(|text| text.bytes().chain([0]))
        .chain(numbers.iter().flat_map(|number| number.to_le_bytes()));
    let sum = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    sum.cast_signed()
}
