//! What a command needs to call the API: client, tokens, quota, clock and monitor, and what is built from them.

use std::{path::Path, sync::Arc, time::Duration};

use super::simulate::TenantClient;
use crate::{
    campaign::{
        cancel::Canceller,
        follow::{FollowOptions, Follower},
        tag::CampaignId,
    },
    client::caller::{Caller, OnOutage},
    defender::{
        Call, Defender, HttpDefender, Reply,
        sign_in::{Token, TokenSource},
    },
    monitor::Monitor,
    quota::{Clock, Pacer},
};

/// The API: over HTTP or, in a simulation, the mock tenant itself.
pub enum ApiClient {
    /// Over HTTP.
    Http(HttpDefender),
    /// The mock tenant, without a network.
    Tenant(TenantClient),
}

impl Defender for ApiClient {
    async fn call(&self, call: &Call, token: &Token) -> Reply {
        match self {
            Self::Http(client) => client.call(call, token).await,
            Self::Tenant(client) => client.call(call, token).await,
        }
    }
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
            OnOutage::Holds {
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
