//! A run with all that it needs. The other files of this folder add what it does.

use std::sync::Arc;

use super::{RunArgs, setup::Setup};
use crate::{
    campaign::{
        engine::{Engine, trail},
        follow::Follower,
        outcome::Tally,
        tag::CampaignId,
    },
    cli::{Failure, api::Api},
    defender::HttpDefender,
    monitor::{Began, Monitor},
    quota::Clock,
};

/// A run with all that it needs, from before its first call to its end.
pub(super) struct RunContext {
    pub(super) args: RunArgs,
    pub(super) setup: Setup,
    pub(super) api: Api,
}

impl RunContext {
    /// Connects the parts. No call is made.
    ///
    /// # Errors
    /// The ledger, or the computer's TLS or proxy settings cannot be used.
    pub(super) async fn new(
        args: RunArgs,
        setup: Setup,
        clock: Arc<dyn Clock>,
        monitor: Arc<dyn Monitor>,
    ) -> Result<Self, Failure> {
        let request_timeout = args.retry.request_timeout;
        let pacer = setup.note.pacer(&setup.quota, &clock, request_timeout)?;
        pacer.flush().await?;
        let client = setup.connection.client(request_timeout, setup.workers)?;
        let api = Api {
            client: Arc::new(client),
            tokens: Arc::clone(&setup.connection.tokens),
            pacer,
            clock,
            monitor,
            workers: setup.workers,
        };
        Ok(Self { args, setup, api })
    }

    /// Logs and shows that the campaign starts or is resumed.
    pub(super) fn announce(&self, campaign: &CampaignId, targets: u64, ended: &Tally) {
        let connection = &self.setup.connection;
        let account = [connection.tenant.as_str(), connection.application.as_str()];
        trail::began(campaign, targets, ended, account);
        self.api.monitor.began(&Began {
            campaign: &campaign.named(),
            targets,
            already_ended: ended.total(),
        });
    }

    /// The engine that sends the calls.
    pub(super) fn engine(
        &self,
        campaign: CampaignId,
        follower: Option<Arc<Follower<HttpDefender>>>,
    ) -> Engine<HttpDefender> {
        Engine {
            defender: Arc::clone(&self.api.client),
            tokens: Arc::clone(&self.api.tokens),
            pacer: self.api.pacer.clone(),
            clock: Arc::clone(&self.api.clock),
            monitor: Arc::clone(&self.api.monitor),
            workers: self.api.workers,
            request_timeout: self.args.retry.request_timeout,
            campaign,
            canary_gate: Some(Arc::new(self.canary_gate(follower))),
        }
    }
}
