//! Which campaign the command line means, in plain terms.

use std::path::PathBuf;

use super::RunArgs;
use crate::{
    campaign::open::{OpenRequest, Places},
    cli::{Failure, connect::RowsTenant, ledger},
    store::Identity,
};

impl RunArgs {
    /// The campaign that is meant; the one in `meant` begins if there is none. Rows are judged by the tenant in `rows`.
    ///
    /// # Errors
    /// `--only-status` names no status.
    pub(super) fn open_request(
        &self,
        places: Places,
        rows: &RowsTenant,
        meant: Identity,
        ledger: Option<PathBuf>,
    ) -> Result<OpenRequest, Failure> {
        Ok(OpenRequest {
            input: self.targets.clone(),
            options: self.roster(rows).map_err(Failure::usage)?,
            places,
            meant,
            tenant_is_known: true,
            again: self.resume.again,
            extend: self.resume.extend,
            retry: self.resume.retry.clone(),
            force: self.output.force,
            recover: self.resume.recover,
            abandon: self.resume.abandon.clone(),
            ledger,
            locks: ledger::locks(),
            policy: self.policy(),
        })
    }
}
