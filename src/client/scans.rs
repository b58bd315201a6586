//! The list of scans, read to its end: looking up, following and cancelling all read it here.

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    caller::{Answered, CallError, Caller},
    paging::{Paging, Step},
    reply::{Said, Trouble},
    server_clock::ServerClock,
};
use crate::{
    defender::{
        Call, Defender, Order,
        wire::{self, MachineAction, Page},
    },
    monitor::count,
    quota::{Kind, Moment},
};

/// The largest page that the API gives (MDE-API.md, section 3).
const TOP: u32 = 10_000;

/// So many times a page behind the first is asked for again that was not answered, and how much later: the service has just
/// answered others. The first page is not, for whoever asks decides what an outage is.
const PAGE_RETRIES: u32 = 4;
const PAGE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// So many times a listing is begun whose rows moved away while it was read.
const MAX_READS: u32 = 3;

/// Why there is no complete listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListingError {
    /// The application may not list.
    Forbidden(String),
    /// There is no token, or a new one is refused too.
    Unauthorized(String),
    /// The service refuses to list, or the list could not be read to its end: nothing can be told from it.
    Failed(String),
    /// The service has not answered.
    Unanswered {
        /// Why.
        trouble: Box<Trouble>,
        /// No byte of the call was written.
        never_sent: bool,
    },
    /// Something is in the way that a person must remove.
    Blocked(String),
    /// The quota cannot be kept.
    Ledger(String),
}

impl From<CallError> for ListingError {
    fn from(e: CallError) -> Self {
        match e {
            CallError::Refused(said) if said.status == 403 => {
                Self::Forbidden(said.words().to_owned())
            }
            CallError::Refused(_) => Self::Failed(e.to_string()),
            CallError::SignIn(why) => Self::Unauthorized(why),
            CallError::Blocked(why) => Self::Blocked(why),
            CallError::Unanswered {
                trouble,
                never_sent,
            } => Self::Unanswered {
                trouble,
                never_sent,
            },
            CallError::Ledger(e) => Self::Ledger(e.to_string()),
        }
    }
}

/// Reads the list, each page with leave of the quota for list calls.
pub struct ScanList<D> {
    caller: Caller<D>,
    /// What the service has refused to be asked for besides the rows.
    without_count: AtomicBool,
    without_order: AtomicBool,
}

impl<D: Defender> ScanList<D> {
    /// A reader of the list, by this caller.
    pub fn new(caller: Caller<D>) -> Self {
        Self {
            caller,
            without_count: AtomicBool::new(false),
            without_order: AtomicBool::new(false),
        }
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        self.caller.calls()
    }

    /// Finds out whether the service answers: one call for one row.
    ///
    /// # Errors
    /// It does not, or it refuses.
    pub async fn probe(&self, since: Timestamp) -> Result<(), ListingError> {
        Ok(self.caller.probe(since).await?)
    }

    /// Shows `visit` the scans that were created at `since` or later, newest first, page by page, until the end of the list or
    /// until it has seen enough; tells when the first page was asked for. A scan may be shown again where the list had to be
    /// begun anew, for its rows had moved away. `server` hears of every answer's `Date`.
    ///
    /// # Errors
    /// Listing is not permitted, or the list could not be read to its end.
    pub async fn read(
        &self,
        since: Timestamp,
        server: &mut ServerClock,
        mut visit: impl FnMut(&[MachineAction]) -> ControlFlow<()>,
    ) -> Result<Moment, ListingError> {
        for _ in 0..MAX_READS {
            let read = self.read_once(since, server, &mut visit).await?;
            if let Some(began) = read {
                return Ok(began);
            }
        }
        let why = format!("its rows moved while it was read, {MAX_READS} times running");
        Err(ListingError::Failed(why))
    }

    /// The same, until rows have moved away; then it tells nothing.
    async fn read_once(
        &self,
        since: Timestamp,
        server: &mut ServerClock,
        visit: &mut impl FnMut(&[MachineAction]) -> ControlFlow<()>,
    ) -> Result<Option<Moment>, ListingError> {
        let mut began = None;
        let mut paging = Paging::default();
        loop {
            let (sent, Page { value, count }) = self.page(since, paging.skip(), server).await?;
            // Not before its first page went out: the permit may have taken an hour to come.
            let began = *began.get_or_insert(sent);
            if visit(&value).is_break() {
                return Ok(Some(began));
            }
            let new = value
                .iter()
                .filter(|action| paging.is_new(&action.id))
                .count();
            let ids = value.iter().map(|action| action.id.as_str());
            match paging.came(ids, new, count) {
                Step::More => {}
                Step::End => return Ok(Some(began)),
                Step::Moved => return Ok(None),
                Step::Endless => {
                    let why = format!(
                        "it has no end: after {} the service shows the same or ever more",
                        count::of(paging.rows() as u64, "scan")
                    );
                    return Err(ListingError::Failed(why));
                }
            }
        }
    }

    /// One page, and when it was asked for.
    async fn page(
        &self,
        since: Timestamp,
        skip: u32,
        server: &mut ServerClock,
    ) -> Result<(Moment, Page<MachineAction>), ListingError> {
        let mut lost = 0;
        loop {
            let order = Order {
                count: !self.without_count.load(Ordering::Relaxed),
                newest_first: !self.without_order.load(Ordering::Relaxed),
            };
            let call = Call::ListScans {
                since,
                skip,
                top: TOP,
                order,
            };
            let asked = self.caller.ask_timed(Kind::List, &call).await;
            let (sent, answered) = match asked {
                Err(CallError::Refused(said)) if self.asks_for_less(&said, order) => continue,
                // What came before it need not be read again.
                Err(CallError::Unanswered {
                    never_sent: false, ..
                }) if skip > 0 && lost < PAGE_RETRIES => {
                    lost += 1;
                    tokio::time::sleep(PAGE_RETRY_DELAY).await;
                    continue;
                }
                asked => asked?,
            };
            let Answered::Found(answer) = answered else {
                return Err(ListingError::Failed(
                    "the service knows no list (HTTP 404)".to_owned(),
                ));
            };
            server.update(self.caller.clock().now(), answer.date);
            return match wire::json(&answer.body) {
                Some(page) => Ok((sent, page)),
                None => Err(ListingError::Failed("the list cannot be read".to_owned())),
            };
        }
    }

    /// Whether the service refuses what was asked for besides the rows; the next call asks for less.
    fn asks_for_less(&self, said: &Said, order: Order) -> bool {
        if said.status != 400 {
            return false;
        }
        if order.count {
            self.without_count.store(true, Ordering::Relaxed);
        } else if order.newest_first {
            self.without_order.store(true, Ordering::Relaxed);
            // It may have been this alone.
            self.without_count.store(false, Ordering::Relaxed);
        }
        order.count || order.newest_first
    }
}
