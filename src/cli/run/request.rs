//! Which campaign the command line means, in plain terms.

use std::{path::PathBuf, sync::Arc};

use super::RunArgs;
use crate::{
    campaign::{
        open::{OpenRequest, Places},
        outcome::Outcome,
    },
    cli::{Failure, connect::RowsTenant, ledger},
    roster::{self, Excluded, SheetChoice, Where, WhereError},
    store::Identity,
};

impl RunArgs {
    /// The campaign that is meant; the one in `meant` begins if there is none. Rows are judged by the tenant in `rows`.
    ///
    /// # Errors
    /// `--only-status` names no status, or an exclusion list cannot be read.
    pub(super) fn open_request(
        &self,
        places: Places,
        rows: &RowsTenant,
        meant: Identity,
        ledger: Option<PathBuf>,
    ) -> Result<OpenRequest, Failure> {
        let (exclude, named) = self.excluded()?;
        Ok(OpenRequest {
            input: self.targets.clone(),
            options: self.roster(rows).map_err(Failure::usage)?,
            places,
            meant,
            tenant_is_known: true,
            again: self.resume.again,
            extend: self.resume.extend,
            exclude,
            resolve: self.resolving(named),
            lift: self.input.lift_exclusion.clone(),
            retry: self.resume.retry.clone(),
            force: self.output.force,
            recover: self.resume.recover,
            abandon: self.resume.abandon.clone(),
            ledger,
            locks: ledger::locks(),
            policy: self.policy(),
            running: self.running.limits(),
        })
    }

    /// Whether targets in doubt are sent to again even if they cannot be looked up.
    pub(super) fn risk_taken(&self) -> bool {
        self.resume.retry.contains(&Outcome::Unsure)
    }

    /// Whether the input is meant to be a results file: `--where` names a column that only such a file has.
    fn reads_results(&self) -> bool {
        const COLUMNS: [&str; 5] = [
            "outcome",
            "action_status",
            "error_code",
            "http_status",
            "verified",
        ];
        let mut columns = self.input.wheres.iter().map(Where::column);
        columns.any(|column| COLUMNS.contains(&column))
    }

    /// How the input is read, for a sign-in to `tenant`.
    ///
    /// # Errors
    /// `--only-status` names no status.
    fn roster(&self, tenant: &RowsTenant) -> Result<roster::Options, WhereError> {
        let mut wheres = self.input.wheres.clone();
        if let Some(statuses) = &self.resume.only_status {
            wheres.push(format!("action_status={statuses}").parse()?);
        }
        Ok(roster::Options {
            id_column: self.input.id_column.clone(),
            delimiter: self.input.delimiter,
            sheet: match &self.input.sheet {
                Some(name) => SheetChoice::Named(name.clone()),
                None => SheetChoice::ByIds,
            },
            wheres,
            excluded: Excluded::default(),
            any_id: self.input.any_id,
            names: None,
            skips: Arc::default(),
            rule: None,
            of_results: self.resume.only_status.is_some() || self.reads_results(),
            tenant: match tenant {
                RowsTenant::Known(tenant) => Some(tenant.clone()),
                RowsTenant::Unknown | RowsTenant::Any => None,
            },
            one_tenant: *tenant == RowsTenant::Unknown,
        })
    }
}
