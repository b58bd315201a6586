//! Reads the list of scans to its end. Looking up, following, cancelling and recovering all use this.

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    caller::{Answered, CallError, Caller, TokenError},
    paging::{Paging, Step},
    reply::{Said, Trouble},
    server_clock::ServerClock,
};
use crate::{
    defender::{
        Call, Defender, Order,
        wire::{MachineAction, Page},
    },
    monitor::count,
    quota::{LedgerError, Moment},
};

/// The largest page that the API returns (MDE-API.md, section 3).
const TOP: u32 = 10_000;

/// How often a page after the first is requested again if it was not answered, and after what pause. The
/// service has just answered the pages before it, so this is worth a retry. The first page is not retried
/// here: its caller decides what an outage means.
const PAGE_RETRIES: u32 = 4;
const PAGE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// How many times the list is read in all if its rows move while it is read.
const MAX_READS: u32 = 3;

/// Why there is no complete listing.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// The application may not list.
    #[error("{}", .0.words())]
    Forbidden(Said),
    /// There is no token that the service accepts.
    #[error(transparent)]
    Unauthorized(TokenError),
    /// What the service answered is not the whole list, so it proves nothing.
    #[error(transparent)]
    Failed(NotListed),
    /// The service did not answer.
    #[error("{trouble}")]
    Unanswered {
        /// Why.
        trouble: Box<Trouble>,
        /// Whether no byte of the call was written.
        never_sent: bool,
    },
    /// Something between this computer and the API has to be removed by a person.
    #[error("{0}")]
    Blocked(String),
    /// The ledger of the quota cannot be used.
    #[error(transparent)]
    Ledger(LedgerError),
}

/// Why the service's answers are not the whole list.
#[derive(Debug, thiserror::Error)]
pub enum NotListed {
    /// It refuses to list.
    #[error(transparent)]
    Refused(Box<CallError>),
    /// It answers 404.
    #[error("the service knows no list (HTTP 404)")]
    NotFound,
    /// Scans that began meanwhile have moved its rows, each time that it was read.
    #[error("its rows moved while it was read, {MAX_READS} times running")]
    Moved,
    /// The service shows the same rows again, or ever more.
    #[error("it has no end: after {} the service shows the same or ever more", count::of(*rows, "scan"))]
    Endless {
        /// How many rows were read.
        rows: u64,
    },
}

impl From<NotListed> for ListingError {
    fn from(e: NotListed) -> Self {
        Self::Failed(e)
    }
}

impl From<CallError> for ListingError {
    fn from(e: CallError) -> Self {
        match e {
            CallError::Refused(said) if said.status == 403 => Self::Forbidden(said),
            CallError::Refused(_) => Self::Failed(NotListed::Refused(Box::new(e))),
            CallError::SignIn(e) => Self::Unauthorized(e),
            CallError::Blocked(why) => Self::Blocked(why),
            CallError::Unanswered {
                trouble,
                never_sent,
            } => Self::Unanswered {
                trouble,
                never_sent,
            },
            CallError::Ledger(e) => Self::Ledger(e),
        }
    }
}

/// Reads the list. Each page takes a permit of the quota for list calls.
pub struct ScanList<D> {
    caller: Caller<D>,
    /// Query options that the service has refused.
    without_count: AtomicBool,
    without_order: AtomicBool,
}

impl<D: Defender> ScanList<D> {
    /// A reader that makes its calls through this caller.
    pub fn new(caller: Caller<D>) -> Self {
        Self {
            caller,
            without_count: AtomicBool::new(false),
            without_order: AtomicBool::new(false),
        }
    }

    /// The number of calls made so far.
    pub fn calls(&self) -> u64 {
        self.caller.calls()
    }

    /// Finds out whether the service answers, by listing one scan.
    ///
    /// # Errors
    /// The service does not answer, or it refuses.
    pub async fn probe(&self, since: Timestamp) -> Result<(), ListingError> {
        Ok(self.caller.probe(since).await?)
    }

    /// Passes the scans that were created at `since` or later to `visit`, newest first and page by page,
    /// until the list ends or `visit` breaks. Returns when the first page was requested. Where rows moved,
    /// the list is read again from the start, so a scan may be passed on twice. `server` is updated from the
    /// `Date` of every answer.
    ///
    /// # Errors
    /// Listing is not permitted, the list could not be read to its end, or the service did not answer.
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
        Err(NotListed::Moved.into())
    }

    /// Reads the list once; `None` where rows moved.
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
            // The listing begins when its first page is sent, not when it is asked for: the permit may take
            // an hour to come.
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
                    let rows = paging.rows() as u64;
                    return Err(NotListed::Endless { rows }.into());
                }
            }
        }
    }

    /// One page, and when it was requested.
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
            let asked = self.caller.ask_timed::<Page<MachineAction>>(&call);
            let (sent, answered) = match asked.await {
                Err(CallError::Refused(said)) if self.asks_for_less(&said, order) => continue,
                // The pages before it need not be read again.
                Err(CallError::Unanswered {
                    never_sent: false, ..
                }) if skip > 0 && lost < PAGE_RETRIES => {
                    lost += 1;
                    tokio::time::sleep(PAGE_RETRY_DELAY).await;
                    continue;
                }
                asked => asked?,
            };
            let Answered::Found { body: page, date } = answered else {
                return Err(NotListed::NotFound.into());
            };
            server.update(self.caller.clock().now(), date);
            return Ok((sent, page));
        }
    }

    /// Whether the service refused a query option. If so, the next call leaves it out.
    fn asks_for_less(&self, said: &Said, order: Order) -> bool {
        if said.status != 400 {
            return false;
        }
        if order.count {
            self.without_count.store(true, Ordering::Relaxed);
        } else if order.newest_first {
            self.without_order.store(true, Ordering::Relaxed);
            // The order alone may have been the problem.
            self.without_count.store(false, Ordering::Relaxed);
        }
        order.count || order.newest_first
    }
}
