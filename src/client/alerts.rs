//! The tenant's alerts (MDE-API.md, section 8), read page by page.
//!
//! [`Alerts`] is the port: Microsoft's pages point to a successor of this call, and whoever wants alerts need not know
//! which of them is made. [`AlertList`] is the call that the Defender API has today.

use std::{borrow::Cow, convert::Infallible, future::Future};

use jiff::Timestamp;

use super::{
    caller::{CallError, Caller},
    list::{self, Broken, Listed, Progress, TOP},
    reply::Said,
};
use crate::defender::{Call, Defender, Order, wire::Alert};

/// Where alerts come from.
pub trait Alerts {
    /// Passes each alert that was created at `since` or later to `take`, in no particular order. One that is changed
    /// while the list is read may come twice. Returns whether the list changed each time that it was read, so that an
    /// alert may be missing.
    ///
    /// # Errors
    /// The application may not read alerts, the API has none, the list has no end, or a call failed.
    fn since(
        &self,
        since: Timestamp,
        take: impl FnMut(&Alert),
    ) -> impl Future<Output = Result<bool, AlertsError>>;
}

/// Why there are no alerts.
#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    /// The application may not read them.
    #[error(
        "the application may not read alerts: {}; it needs the role Alert.Read.All, with an administrator's consent",
        .0.words()
    )]
    Forbidden(Said),
    /// The API at this address does not have them.
    #[error("the API at this address has no list of alerts (HTTP {}: {}); some clouds do not", .0.status, .0.words())]
    Missing(Said),
    /// The service shows the same alerts again, or ever more.
    #[error(
        "the list of alerts has no end: after {0} alerts the service shows the same or ever more"
    )]
    Endless(u64),
    /// A call failed.
    #[error("the alerts could not be read: {0}")]
    Call(CallError),
}

impl From<CallError> for AlertsError {
    fn from(e: CallError) -> Self {
        match e {
            CallError::Refused(said) if said.status == 403 => Self::Forbidden(said),
            e => match list::missing(&e) {
                Some(said) => Self::Missing(said.clone()),
                None => Self::Call(e),
            },
        }
    }
}

/// `GET /api/alerts`, at most 100 calls a minute and 1,500 an hour.
pub struct AlertList<D>(Caller<D>);

impl<D: Defender> AlertList<D> {
    /// A reader that makes its calls through this caller.
    pub const fn new(caller: Caller<D>) -> Self {
        Self(caller)
    }

    /// The number of calls made so far.
    pub fn calls(&self) -> u64 {
        self.0.calls()
    }
}

impl<D: Defender> Alerts for AlertList<D> {
    async fn since(
        &self,
        since: Timestamp,
        mut take: impl FnMut(&Alert),
    ) -> Result<bool, AlertsError> {
        let mut alerts = 0;
        let list = Since(since);
        let read = list::read(&self.0, &list, |came| {
            if let Progress::Page { rows, new } = came {
                alerts += new;
                rows.iter().for_each(&mut take);
            }
            Ok::<_, Infallible>(())
        });
        match read.await {
            Ok(moved) => Ok(moved),
            Err(Broken::Call(e)) => Err(e.into()),
            Err(Broken::NotFound) => Err(AlertsError::Missing(list::not_found())),
            Err(Broken::Endless) => Err(AlertsError::Endless(alerts as u64)),
            Err(Broken::Taker(never)) => match never {},
        }
    }
}

/// The alerts that were created at this time or later.
struct Since(Timestamp);

impl Listed for Since {
    type Row = Alert;
    const EMPTY_IS_404: bool = false;

    fn call(&self, skip: u32, order: Order) -> Call {
        Call::Alerts {
            since: self.0,
            skip,
            top: TOP,
            order,
        }
    }

    fn key(alert: &Alert) -> Cow<'_, str> {
        key(alert)
    }
}

/// What tells an alert from all others, in any case: its id. One without an id is told apart by its place and time.
pub(crate) fn key(alert: &Alert) -> Cow<'_, str> {
    match &alert.id {
        Some(id) if !id.trim().is_empty() => Cow::Borrowed(id),
        _ => Cow::Owned(format!(
            "{:?} {:?} {:?}",
            alert.machine_id, alert.title, alert.alert_creation_time
        )),
    }
}
