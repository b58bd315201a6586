//! What a run stands on: connection, limits, files.

use std::{path::PathBuf, sync::Arc};

use super::RunArgs;
use crate::{
    campaign::{
        engine::dispatcher::Settings,
        open::Places,
        tag::{CampaignId, comment_text},
    },
    cli::{Failure, connect::Connection, ledger::QuotaNote},
    defender::sign_in::Need,
    monitor::Monitor,
    quota::{Clock, LONGEST_WAIT, Pacer, Quota},
    store::Identity,
};

/// What a run stands on. Nothing has been sent, and no campaign is open yet.
pub(super) struct Setup {
    pub(super) connection: Connection,
    pub(super) quota: Quota,
    pub(super) note: QuotaNote,
    pub(super) workers: usize,
    pub(super) places: Places,
    /// There in a rehearsal that names no state.
    pub(super) scratch: Option<Scratch>,
    comment: String,
}

impl Setup {
    /// Finds everything out.
    ///
    /// # Errors
    /// An option cannot be meant, or there is no token.
    pub(super) async fn of(
        args: &RunArgs,
        monitor: &dyn Monitor,
        rng: &mut fastrand::Rng,
    ) -> Result<Self, Failure> {
        let mock_quota = args.pace.mock_quota();
        let connecting = args.connect.connect(Need::Scan, mock_quota, monitor);
        let connection = connecting.await?;
        let (quota, workers) = args
            .pace
            .quota(connection.base.is_loopback(), args.yes.is_some())?;
        let comment = comment_text(args.scan.comment.as_deref().unwrap_or_default())
            .map_err(|e| Failure::usage(format!("--comment: {e}")))?;
        let note = QuotaNote::new(
            &quota,
            &connection,
            args.pace.quota_file.clone(),
            args.connect.mock,
        )?;
        // A mock campaign is a rehearsal: it keeps no state, so that the same command works twice.
        let scratch = match &args.output.state {
            None if args.connect.mock => Some(Scratch::new(rng)?),
            _ => None,
        };
        let in_scratch = scratch
            .as_ref()
            .map(|scratch| scratch.0.join("campaign.db"));
        let state = args.output.state.clone().or(in_scratch);
        let places = Places::find(&args.targets, args.output.results.clone(), state)?;
        Ok(Self {
            connection,
            quota,
            note,
            workers,
            places,
            scratch,
            comment,
        })
    }

    /// The campaign that is meant, if it is a new one.
    pub(super) fn meant(
        &self,
        args: &RunArgs,
        clock: &dyn Clock,
        rng: &mut fastrand::Rng,
    ) -> Identity {
        let campaign = if args.connect.mock {
            CampaignId::rehearsal(rng)
        } else {
            CampaignId::random(rng)
        };
        Identity {
            campaign: campaign.as_str().to_owned(),
            created: clock.wall(),
            tenant: self.connection.tenant.clone(),
            api: self.connection.api.clone(),
            scan_type: args.scan_type().as_str().to_owned(),
            comment: self.comment.clone(),
            columns: Vec::new(),
            id_rule: String::new(),
        }
    }

    /// The quota, with what the ledger knows.
    ///
    /// # Errors
    /// The ledger cannot be used.
    pub(super) async fn pacer(
        &self,
        args: &RunArgs,
        clock: &Arc<dyn Clock>,
    ) -> Result<Pacer, Failure> {
        // A call is given up when its time is over, and a little later in a process that is short of time.
        let patience = args.retry.request_timeout + LONGEST_WAIT;
        let pacer = self.note.pacer(&self.quota, clock, patience)?;
        pacer.flush().await.map_err(Failure::storage)?;
        Ok(pacer)
    }

    /// What the dispatcher goes by.
    pub(super) fn settings(&self, args: &RunArgs, identity: &Identity, seed: u64) -> Settings {
        // Without limits the next attempts are written while the workers send.
        let ahead = if self.quota.is_unlimited() {
            self.workers
        } else {
            0
        };
        // The campaign's own words, which may not be those of this command.
        let scan_type = identity.scan_type.parse();
        let scan_type = scan_type.unwrap_or_else(|_| args.scan_type());
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

/// The folder of a rehearsal, gone with the process.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    fn new(rng: &mut fastrand::Rng) -> Result<Self, Failure> {
        let name = format!("fleetsweep-mock-{}-{:08x}", std::process::id(), rng.u32(..));
        let path = std::env::temp_dir().join(name);
        match std::fs::create_dir(&path) {
            Ok(()) => Ok(Self(path)),
            Err(e) => Err(Failure::storage(format!(
                "cannot make the temporary folder {}: {e}",
                path.display()
            ))),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It lies in the system's temporary folder, which is swept anyway.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
