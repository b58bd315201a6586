//! Looks up the names of the input (`--resolve`): one listing of the inventory before the first call.

use std::{convert::Infallible, sync::Arc, time::Duration};

use super::RunArgs;
use crate::{
    campaign::open::Resolve,
    cli::{ExitCode, Failure, api::Api, connect::Connection, ledger::QuotaNote},
    client::{
        caller::CallError,
        machines::{self, ListError, Wanted},
    },
    defender::{sign_in::Need, wire::Machine},
    monitor::{Monitor, Silent, count},
    quota::{Clock, Quota},
    roster::{Inventory, InventoryBuilder, Listed},
};

/// One page of 10,000 machines is 30 MB, which may take long on a slow connection.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);

/// Where the inventory is listed, and how its calls are counted.
pub(super) struct Listing<'a> {
    pub(super) connection: &'a Connection,
    pub(super) quota: &'a Quota,
    pub(super) note: &'a QuotaNote,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) monitor: &'a Arc<dyn Monitor>,
}

impl RunArgs {
    /// What the token has to permit.
    pub(super) fn need(&self) -> Need {
        if self.input.resolve {
            Need::ScanAndRead
        } else {
            Need::Scan
        }
    }

    /// How names are looked up, with those of the exclusion lists.
    pub(super) fn resolving(&self, excluded: Vec<String>) -> Option<Resolve> {
        self.input.resolve.then(|| Resolve {
            ambiguous: self.input.ambiguous.into(),
            excluded,
        })
    }

    /// Signs in and lists the inventory, for a plan. No other call is made.
    ///
    /// # Errors
    /// Nobody can sign in, or the machines cannot be listed.
    pub(super) async fn inventory_for_plan(
        &self,
        quota: &Quota,
        clock: &Arc<dyn Clock>,
    ) -> Result<Inventory, Failure> {
        let monitor: Arc<dyn Monitor> = Arc::new(Silent);
        let connecting = self
            .connect
            .connect(Need::Read, &self.pace, monitor.as_ref());
        let connection = connecting.await?;
        let file = self.pace.quota_file.clone();
        let note = QuotaNote::new(quota, &connection, file, self.connect.mock)?;
        let listing = Listing {
            connection: &connection,
            quota,
            note: &note,
            clock,
            monitor: &monitor,
        };
        listing.inventory(self.retry.give_up_after).await
    }
}

impl Listing<'_> {
    /// Lists the inventory, and waits for the end of an outage, for at most this long if that is given.
    ///
    /// # Errors
    /// The machines cannot be listed. Nothing was sent.
    pub(super) async fn inventory(
        &self,
        longest_outage: Option<Duration>,
    ) -> Result<Inventory, Failure> {
        let api = Api {
            client: Arc::new(self.connection.client(REQUEST_TIMEOUT, 1)?),
            tokens: Arc::clone(&self.connection.tokens),
            pacer: self.note.pacer(self.quota, self.clock, REQUEST_TIMEOUT)?,
            clock: Arc::clone(self.clock),
            monitor: Arc::clone(self.monitor),
            workers: 1,
        };
        let wanted = Wanted::default();
        let mut inventory = InventoryBuilder::default();
        let caller = api.caller(longest_outage);
        let listed = machines::list(
            &caller,
            &wanted,
            api.clock.wall(),
            |machine| {
                inventory.add(listed(machine));
                Ok::<_, Infallible>(())
            },
            |_| {},
        );
        let listed = listed.await;
        api.pacer.flush().await?;
        let listed = listed.map_err(failure)?;
        self.monitor.note(&format!(
            "the names are looked up among {} of the inventory",
            count::of(listed.machines, "machine")
        ));
        if listed.moved {
            self.monitor.say(
                "the inventory changed each time that it was read, so a machine may be missing: look at the rows with \
                 `unknown_name` before you trust them",
            );
        }
        Ok(inventory.build())
    }
}

fn listed(machine: &Machine) -> Listed<'_> {
    Listed {
        id: &machine.id,
        dns_name: machine.computer_dns_name.as_deref(),
        entra_id: machine.aad_device_id.as_deref(),
        last_seen: machine
            .last_seen
            .as_deref()
            .and_then(|seen| seen.parse().ok()),
        merged_into: machine.merged_into_machine_id.as_deref(),
    }
}

fn failure(error: ListError<Infallible>) -> Failure {
    const NOTHING: &str = "nothing was sent, and the same command begins again";
    match error {
        ListError::Take(never) => match never {},
        ListError::Endless(machines) => Failure::new(
            ExitCode::Tenant,
            format!(
                "the names cannot be looked up: the list of machines has no end, and after {machines} machines the \
                 service shows the same or ever more; look at --api-url and the proxy"
            ),
        ),
        ListError::Call(CallError::Ledger(e)) => e.into(),
        ListError::Call(e) => Failure::new(
            ExitCode::Tenant,
            format!(
                "the names cannot be looked up, because the machines cannot be listed: {e}; {NOTHING}"
            ),
        ),
    }
}
