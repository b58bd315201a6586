//! Which campaign the command line means, in plain terms.

use std::path::PathBuf;

use super::{RunArgs, setup::Setup};
use crate::{
    campaign::open::{OpenRequest, Places},
    cli::{Failure, connect::RowsTenant, ledger},
    store::Identity,
};

impl RunArgs {
    /// The campaign that a run opens; `meant` is the one that it begins if there is none.
    ///
    /// # Errors
    /// An option cannot be meant.
    pub(super) fn open_request(
        &self,
        setup: &Setup,
        meant: Identity,
    ) -> Result<OpenRequest, Failure> {
        let ledger = setup.note.file().cloned();
        self.request(setup.places.clone(), &setup.connection.rows, meant, ledger)
    }

    /// The same with these places and this ledger. Rows are judged by the tenant in `rows`.
    ///
    /// # Errors
    /// An option cannot be meant.
    pub(super) fn request(
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
