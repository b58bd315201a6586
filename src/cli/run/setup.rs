//! What a run needs before it opens its campaign: connection, limits, files, and the identity that a new campaign would
//! have.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{RunArgs, World, survey::Survey};
use crate::{
    campaign::{engine::dispatcher::Settings, open::Places, tag::CampaignId},
    cli::{Failure, connect::Connection, ledger::QuotaNote},
    quota::Quota,
    store::Identity,
};

/// What a run needs before it opens its campaign. Nothing has been sent.
pub(super) struct Setup {
    pub(super) connection: Connection,
    pub(super) quota: Quota,
    pub(super) note: QuotaNote,
    pub(super) workers: usize,
    pub(super) places: Places,
    /// The state's folder in a rehearsal that names no state.
    pub(super) scratch: Option<Scratch>,
    /// The identity of the campaign, if the run starts a new one.
    pub(super) new_campaign: Identity,
}

impl Setup {
    /// Signs in, and resolves the options that need no campaign.
    ///
    /// # Errors
    /// An option has a value that cannot be used, or there is no token.
    pub(super) async fn of(args: &RunArgs, world: &mut World) -> Result<Self, Failure> {
        let connection = if let Some(tenant) = &world.tenant {
            Connection::to_tenant(Arc::clone(tenant), &world.clock)?
        } else {
            let connecting = args
                .connect
                .connect(args.need(), &args.pace, world.monitor.as_ref());
            connecting.await?
        };
        let rng = &mut world.rng;
        let (quota, workers) = args
            .pace
            .quota(connection.base.is_loopback(), args.yes.is_some())?;
        let (tenant, api) = (connection.tenant.clone(), connection.api.clone());
        let new_campaign = args.new_campaign(tenant, api, world.clock.wall(), rng)?;
        let note = QuotaNote::new(
            &quota,
            &connection,
            args.pace.quota_file.clone(),
            args.connect.mock,
        )?;
        // A rehearsal keeps no state, so that the same command works a second time.
        let scratch = match &args.output.state {
            None if args.connect.mock => Some(Scratch::new(rng)?),
            _ => None,
        };
        let in_scratch = scratch.as_ref().map(|scratch| scratch.file("campaign.db"));
        let state = args.output.state.clone().or(in_scratch);
        let places = Places::find(&args.targets, args.output.results.clone(), state)?;
        Ok(Self {
            connection,
            quota,
            note,
            workers,
            places,
            scratch,
            new_campaign,
        })
    }

    /// What reads about the machines before the first call.
    pub(super) fn survey<'a>(&'a self, world: &'a World) -> Survey<'a> {
        Survey {
            connection: &self.connection,
            quota: &self.quota,
            note: &self.note,
            clock: &world.clock,
            monitor: &world.monitor,
        }
    }

    /// The dispatcher's settings.
    pub(super) fn settings(&self, args: &RunArgs, identity: &Identity, seed: u64) -> Settings {
        // Without limits, the next attempts are written while the workers send.
        let ahead = if self.quota.is_unlimited() {
            self.workers
        } else {
            0
        };
        // A resumed campaign keeps its scan type and comment, whatever this command says.
        let scan_type = identity.scan_type.parse();
        let scan_type = scan_type.unwrap_or(args.scan.scan_type);
        Settings {
            campaign: CampaignId::known(identity.campaign.as_str()),
            scan_type: scan_type.wire(),
            comment: identity.comment.clone(),
            policy: args.policy(),
            capacity: self.workers + ahead,
            risk_taken: args.risk_taken(),
            seed,
        }
    }
}

/// The temporary folder of a rehearsal. It is removed on drop.
pub(in crate::cli) struct Scratch(PathBuf);

impl Scratch {
    /// Makes the folder.
    ///
    /// # Errors
    /// The system's temporary folder cannot be written.
    pub(in crate::cli) fn new(rng: &mut fastrand::Rng) -> Result<Self, Failure> {
        Self::below(&std::env::temp_dir(), rng)
    }

    /// Makes the folder in this one.
    ///
    /// # Errors
    /// That one cannot be written.
    pub(in crate::cli) fn below(folder: &Path, rng: &mut fastrand::Rng) -> Result<Self, Failure> {
        let name = format!("fleetsweep-mock-{}-{:08x}", std::process::id(), rng.u32(..));
        let path = folder.join(name);
        match std::fs::create_dir(&path) {
            Ok(()) => Ok(Self(path)),
            Err(e) => Err(Failure::storage(format!(
                "cannot make the temporary folder {}: {e}",
                path.display()
            ))),
        }
    }

    /// A file in it.
    pub(in crate::cli) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If that fails, the folder stays in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
