//! A run with all that it needs. The other files of this folder add what it does.

use std::sync::Arc;

use super::{RunArgs, World, setup::Setup};
use crate::{
    campaign::{
        disk::DiskWork,
        engine::{Engine, trail},
        follow::Follower,
        outcome::Tally,
        tag::CampaignId,
    },
    cli::{
        Failure,
        api::{Api, ApiClient},
        yes,
    },
    monitor::Began,
    quota::INVENTORY_TIMEOUT,
};

/// A run with all that it needs, from before its first call to its end.
pub(super) struct RunContext {
    pub(super) args: RunArgs,
    pub(super) setup: Setup,
    pub(super) api: Api,
    /// The client that lists the inventory while machines are away.
    pub(super) inventory: Arc<ApiClient>,
    /// Whether nothing outside of this process is involved.
    pub(super) is_simulated: bool,
}

impl RunContext {
    /// Connects the parts. No call is made.
    ///
    /// # Errors
    /// The ledger, or the computer's TLS or proxy settings cannot be used.
    pub(super) async fn new(args: RunArgs, setup: Setup, world: World) -> Result<Self, Failure> {
        let request_timeout = args.retry.request_timeout;
        let pacer = setup
            .note
            .pacer(&setup.quota, &world.clock, request_timeout)?;
        pacer.flush().await?;
        let client = |request_timeout, workers| {
            let client = setup.connection.client(request_timeout, workers)?;
            let client = client.telling(Arc::clone(&world.monitor), Arc::clone(&world.clock));
            Ok::<_, Failure>(Arc::new(client))
        };
        let starts = client(request_timeout, setup.workers)?;
        let inventory = if args.offline.defers().is_some() || args.following.verify {
            client(INVENTORY_TIMEOUT, 1)?
        } else {
            Arc::clone(&starts)
        };
        let api = Api {
            client: starts,
            tokens: Arc::clone(&setup.connection.tokens),
            pacer,
            clock: world.clock,
            monitor: world.monitor,
            workers: setup.workers,
        };
        Ok(Self {
            args,
            setup,
            api,
            inventory,
            is_simulated: world.tenant.is_some(),
        })
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

    /// Whether somebody can be asked. In a simulation nobody is: virtual time would not wait for the answer.
    pub(super) fn can_ask(&self) -> bool {
        !self.is_simulated && yes::can_ask()
    }

    /// Where the disk is written.
    pub(super) fn disk(&self) -> DiskWork {
        if self.is_simulated {
            DiskWork::Between
        } else {
            DiskWork::Aside
        }
    }

    /// The engine that sends the calls.
    pub(super) fn engine(
        &self,
        campaign: CampaignId,
        follower: Option<Arc<Follower<ApiClient>>>,
    ) -> Engine<ApiClient> {
        Engine {
            defender: Arc::clone(&self.api.client),
            inventory: Arc::clone(&self.inventory),
            tokens: Arc::clone(&self.api.tokens),
            pacer: self.api.pacer.clone(),
            clock: Arc::clone(&self.api.clock),
            monitor: Arc::clone(&self.api.monitor),
            workers: self.api.workers,
            request_timeout: self.args.retry.request_timeout,
            campaign,
            canary_gate: Some(Arc::new(self.canary_gate(follower))),
            disk: self.disk(),
        }
    }
}
