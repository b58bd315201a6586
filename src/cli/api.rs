//! What a command needs to call the API: client, tokens, quota, clock and monitor, and what is built from them.

use std::{borrow::Cow, path::Path, sync::Arc, time::Duration};

use super::simulate::TenantClient;
use crate::{
    campaign::{
        cancel::Canceller,
        follow::{FollowOptions, Follower},
        tag::CampaignId,
    },
    client::caller::{Caller, OnOutage, kind_of},
    defender::{
        Call, Defender, HttpDefender, Lost, Reply,
        sign_in::{Token, TokenSource},
    },
    monitor::{Called, Monitor},
    quota::{Clock, Kind, Moment, Pacer},
};

/// The API, through which all calls of all kinds go.
pub struct ApiClient {
    link: ApiLink,
    told: Option<Told>,
}

/// The way to the API: over HTTP or, in a simulation, to the mock tenant itself.
pub enum ApiLink {
    /// Over HTTP.
    Http(HttpDefender),
    /// The mock tenant, without a network.
    Tenant(TenantClient),
}

/// Who is told of each call, and the clock that it is measured by.
struct Told {
    monitor: Arc<dyn Monitor>,
    clock: Arc<dyn Clock>,
}

impl ApiClient {
    /// A client that tells nobody of its calls.
    #[must_use]
    pub const fn new(link: ApiLink) -> Self {
        Self { link, told: None }
    }

    /// The same client, which tells the monitor of each call.
    #[must_use]
    pub fn telling(self, monitor: Arc<dyn Monitor>, clock: Arc<dyn Clock>) -> Self {
        Self {
            told: Some(Told { monitor, clock }),
            ..self
        }
    }

    async fn send(&self, call: &Call, token: &Token) -> Reply {
        match &self.link {
            ApiLink::Http(client) => client.call(call, token).await,
            ApiLink::Tenant(client) => client.call(call, token).await,
        }
    }
}

impl Defender for ApiClient {
    async fn call(&self, call: &Call, token: &Token) -> Reply {
        let Some(told) = &self.told else {
            return self.send(call, token).await;
        };
        let mut on_its_way = OnItsWay {
            told,
            kind: kind_of(call),
            sent: told.clock.now(),
            code: Some(Cow::Borrowed("given_up")),
        };
        let reply = self.send(call, token).await;
        on_its_way.code = code_of(&reply);
        reply
    }
}

/// A call that is told of when this is dropped, also if nobody waits for its answer any more.
struct OnItsWay<'a> {
    told: &'a Told,
    kind: Kind,
    sent: Moment,
    /// `None` if there was no call.
    code: Option<Cow<'static, str>>,
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        if let Some(code) = &self.code {
            self.told.monitor.called(&Called {
                kind: self.kind.as_str(),
                code,
                took: self.told.clock.now().since(self.sent),
            });
        }
    }
}

/// The status of an answer, or why there is none.
fn code_of(reply: &Reply) -> Option<Cow<'static, str>> {
    let why = match reply {
        Ok(answer) => return Some(Cow::Owned(answer.status.to_string())),
        Err(Lost::Unsendable(_)) => return None,
        Err(Lost::NotSent(_) | Lost::Blocked(_)) => "no_connection",
        Err(Lost::TimedOut(_)) => "timeout",
        Err(Lost::Unknown(_)) => "connection_lost",
    };
    Some(Cow::Borrowed(why))
}

/// What a command needs to call the API.
pub(super) struct Api {
    pub(super) client: Arc<ApiClient>,
    pub(super) tokens: Arc<dyn TokenSource>,
    pub(super) pacer: Pacer,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) monitor: Arc<dyn Monitor>,
    /// How many calls may be in flight at once.
    pub(super) workers: usize,
}

impl Api {
    /// A caller that waits for the end of an outage, for at most this long if that is given.
    pub(super) fn caller(&self, longest_outage: Option<Duration>) -> Caller<ApiClient> {
        Caller::new(
            Arc::clone(&self.client),
            Arc::clone(&self.tokens),
            self.pacer.clone(),
            Arc::clone(&self.clock),
            OnOutage::Wait {
                at_most: longest_outage,
                monitor: Arc::clone(&self.monitor),
            },
        )
    }

    /// A follower for the scans of the campaign whose state file is `state`.
    pub(super) fn follower(&self, state: &Path, options: FollowOptions) -> Follower<ApiClient> {
        Follower::new(
            &self.client,
            &self.tokens,
            &self.pacer,
            Arc::clone(&self.clock),
            Arc::clone(&self.monitor),
            state,
            options,
        )
    }

    /// A canceller for the scans of the campaign whose state file is `state`.
    pub(super) fn canceller(&self, state: &Path, campaign: CampaignId) -> Canceller<ApiClient> {
        Canceller::new(
            &self.client,
            &self.tokens,
            &self.pacer,
            &self.clock,
            &self.monitor,
            state,
            campaign,
            self.workers,
        )
    }

    /// Writes the answers of the last calls to the ledger. If that fails, other processes wait for these calls as if
    /// they had not been answered, which is slower but safe.
    pub(super) async fn flush_quota(&self) {
        if let Err(e) = self.pacer.flush().await {
            tracing::warn!("{e}");
        }
    }
}
