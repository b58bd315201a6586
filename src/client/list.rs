//! Reads one of the API's lists to its end: machines, antivirus reports, alerts. Scans have [their own
//! reader](crate::client::scans), which can stop early and remembers the server's clock.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

use super::{
    caller::{Answered, CallError, Caller},
    paging::{Paging, Step},
    reply::Said,
};
use crate::defender::{Call, Defender, Order, wire::Page};

/// The largest page that the API returns (MDE-API.md, sections 4, 7 and 8).
pub(crate) const TOP: u32 = 10_000;

/// How many times the list is read in all if its rows move while it is read.
const MAX_READS: u32 = 3;

/// A list, and how its rows are told apart.
pub(super) trait Listed: Sync {
    /// A row.
    type Row: DeserializeOwned;
    /// Whether the service may answer with 404 where no row matches.
    const EMPTY_IS_404: bool;

    /// The call for a page.
    fn call(&self, skip: u32, order: Order) -> Call;

    /// What tells a row from all others, in any case.
    fn key(row: &Self::Row) -> Cow<'_, str>;
}

/// What happens while a list is read.
pub(super) enum Progress<'a, R> {
    /// A page has come. `new` of its rows have not come before, since the beginning or the last
    /// [`Again`](Self::Again).
    Page { rows: &'a [R], new: usize },
    /// Rows have moved: the list is read again from its start, and all of its rows come once more.
    Again,
}

/// Why a list was not read to its end.
pub(super) enum Broken<E> {
    /// A call failed.
    Call(CallError),
    /// The service does not know the list.
    NotFound,
    /// The service shows the same rows again, or ever more.
    Endless,
    /// Whoever takes the rows failed.
    Taker(E),
}

/// Reads the list to its end. Returns whether rows have moved each time, so that one may be missing.
///
/// # Errors
/// A call failed, the list is not there or has no end, or `take` failed.
pub(super) async fn read<D: Defender, L: Listed, E>(
    caller: &Caller<D>,
    list: &L,
    mut take: impl FnMut(Progress<'_, L::Row>) -> Result<(), E>,
) -> Result<bool, Broken<E>> {
    let mut paging = Paging::default();
    let mut order = Order {
        count: true,
        newest_first: false,
    };
    let mut reads = 1;
    loop {
        let (rows, count) = page(caller, list, paging.skip(), &mut order).await?;
        let keys: Vec<_> = rows.iter().map(L::key).collect();
        let new = keys.iter().filter(|key| paging.is_new(key)).count();
        let step = paging.came(keys.iter().map(AsRef::as_ref), new, count);
        take(Progress::Page { rows: &rows, new }).map_err(Broken::Taker)?;
        match step {
            Step::More => {}
            Step::End => return Ok(false),
            Step::Moved if reads < MAX_READS => {
                reads += 1;
                paging = Paging::default();
                take(Progress::Again).map_err(Broken::Taker)?;
            }
            Step::Moved => return Ok(true),
            Step::Endless => return Err(Broken::Endless),
        }
    }
}

/// The rows of a page, and how many rows the whole list has where the service says so.
async fn page<D: Defender, L: Listed, E>(
    caller: &Caller<D>,
    list: &L,
    skip: u32,
    order: &mut Order,
) -> Result<(Vec<L::Row>, Option<u64>), Broken<E>> {
    loop {
        let call = list.call(skip, *order);
        return match caller.ask::<Page<L::Row>>(&call).await {
            Ok(Answered::Found { body: page, .. }) => Ok((page.value, page.count)),
            Ok(Answered::NotFound) if L::EMPTY_IS_404 => Ok((Vec::new(), None)),
            Ok(Answered::NotFound) => Err(Broken::NotFound),
            // It is not documented which lists support `$count`.
            Err(CallError::Refused(said)) if said.status == 400 && order.count => {
                order.count = false;
                continue;
            }
            Err(e) => Err(Broken::Call(e)),
        };
    }
}

/// What the service said, if it does not know the call at all: some clouds lack some of them.
pub(super) fn missing(e: &CallError) -> Option<&Said> {
    let said = match e {
        CallError::Refused(said) => said,
        CallError::Unanswered { trouble, .. } => &trouble.said,
        _ => return None,
    };
    matches!(said.status, 400 | 404 | 405 | 410).then_some(said)
}

/// A 404 without words.
pub(super) fn not_found() -> Said {
    Said {
        status: 404,
        ..Said::default()
    }
}
