//! What is read about the machines before the first call: the inventory, in which names are looked up (`--resolve`),
//! what the devices report of themselves (`--skip-scanned-within`, `--skip-unscannable`), and which were not seen
//! lately (`--when-offline defer`).
//!
//! - [`skips`](self): which machines need no scan, or cannot have one.

mod skips;

use std::{convert::Infallible, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::RunArgs;
use crate::{
    campaign::{away::Away, engine::sightings::last_seen, open::Resolve},
    cli::{
        ExitCode, Failure,
        api::{Api, ApiClient},
        connect::Connection,
        ledger::QuotaNote,
    },
    client::{
        caller::{CallError, Caller},
        health::{self, HealthError},
        machines::{self, ListError, Wanted},
    },
    defender::{sign_in::Need, wire::Machine},
    monitor::{Monitor, NotesOnly, count},
    quota::{Clock, INVENTORY_TIMEOUT, Quota},
    roster::{Inventory, InventoryBuilder, Listed, ScanType, Skips},
};
use skips::{by_inventory, by_report};

/// Somebody is waiting for the plan.
const LONGEST_OUTAGE_OF_A_PLAN: Duration = Duration::from_mins(2);

/// How the survey calls the API, and how its calls are counted.
pub(super) struct Survey<'a> {
    pub(super) connection: &'a Connection,
    pub(super) quota: &'a Quota,
    pub(super) note: &'a QuotaNote,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) monitor: &'a Arc<dyn Monitor>,
}

/// What has to be found out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Questions {
    /// Which machines there are, to look up names.
    pub(super) names: bool,
    /// Which have had a scan within this time.
    scanned_within: Option<SignedDuration>,
    /// Which cannot be scanned.
    unscannable: bool,
    /// Which were not seen for this time.
    unseen_for: Option<SignedDuration>,
    /// The scan type of rows without their own.
    scan_type: ScanType,
    /// How long an outage is waited for, if there is an end to it.
    longest_outage: Option<Duration>,
}

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The machines that there are, if that was asked.
    pub(super) inventory: Option<Inventory>,
    /// The machines that are skipped.
    pub(super) skips: Skips,
    /// The machines that are away, if that was asked.
    pub(super) away: Option<Away>,
}

impl RunArgs {
    /// What the token has to permit.
    pub(super) fn need(&self) -> Need {
        let input = &self.input;
        let skips = input.skip_unscannable || input.skip_scanned_within.is_some();
        if input.resolve || skips || self.offline.defers().is_some() {
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

    /// What has to be found out before the first call, besides the `names` if they have to be looked up.
    pub(super) fn questions(&self, names: bool) -> Questions {
        Questions {
            names,
            scanned_within: self.input.skip_scanned_within,
            unscannable: self.input.skip_unscannable,
            unseen_for: self.offline.defers(),
            scan_type: self.scan.scan_type,
            longest_outage: self.retry.give_up_after,
        }
    }

    /// The answers for a plan. Signs in if there is something to find out, and makes no other call.
    ///
    /// # Errors
    /// Nobody can sign in, or the lists cannot be read.
    pub(super) async fn survey_for_plan(
        &self,
        questions: Questions,
        quota: &Quota,
        clock: &Arc<dyn Clock>,
    ) -> Result<Findings, Failure> {
        if !questions.are_any() {
            return Ok(Findings::default());
        }
        let questions = Questions {
            longest_outage: questions.longest_outage.or(Some(LONGEST_OUTAGE_OF_A_PLAN)),
            ..questions
        };
        let monitor: Arc<dyn Monitor> = Arc::new(NotesOnly);
        let connecting = self
            .connect
            .connect(Need::Read, &self.pace, monitor.as_ref());
        let connection = connecting.await?;
        let file = self.pace.quota_file.clone();
        let note = QuotaNote::new(quota, &connection, file, self.connect.mock)?;
        let survey = Survey {
            connection: &connection,
            quota,
            note: &note,
            clock,
            monitor: &monitor,
        };
        survey.answer(questions).await
    }
}

impl Questions {
    /// Whether there is anything to find out.
    fn are_any(&self) -> bool {
        self.wants_inventory() || self.wants_report()
    }

    fn wants_inventory(&self) -> bool {
        self.names || self.unscannable || self.unseen_for.is_some()
    }

    fn wants_report(&self) -> bool {
        self.unscannable || self.scanned_within.is_some()
    }
}

impl Survey<'_> {
    /// Reads the lists that answer these questions, which may be none.
    ///
    /// # Errors
    /// They cannot be read. Nothing was sent.
    pub(super) async fn answer(&self, questions: Questions) -> Result<Findings, Failure> {
        if !questions.are_any() {
            return Ok(Findings::default());
        }
        // Its pacer knows that its calls may take longer than those of the run.
        let api = Api {
            client: Arc::new(self.connection.client(INVENTORY_TIMEOUT, 1)?),
            tokens: Arc::clone(&self.connection.tokens),
            pacer: self.note.pacer(self.quota, self.clock, INVENTORY_TIMEOUT)?,
            clock: Arc::clone(self.clock),
            monitor: Arc::clone(self.monitor),
            workers: 1,
        };
        let caller = api.caller(questions.longest_outage);
        let read = self.read(&caller, questions).await;
        api.pacer.flush().await?;
        read
    }

    async fn read(
        &self,
        caller: &Caller<ApiClient>,
        questions: Questions,
    ) -> Result<Findings, Failure> {
        let mut skips = Skips::for_scans_of(questions.scan_type);
        let mut inventory = None;
        let mut away = questions.unseen_for.map(Away::new);
        if questions.wants_inventory() {
            let machines = self
                .inventory(caller, questions, &mut skips, away.as_mut())
                .await?;
            inventory = questions.names.then_some(machines);
        }
        if questions.wants_report() {
            let report = health::read(caller, |_| {}).await.map_err(no_report)?;
            by_report(&report, questions, self.clock.wall(), &mut skips);
            if report.moved {
                self.monitor.say(
                    "the antivirus report changed each time that it was read, so a machine that need not be scanned \
                     may be scanned all the same",
                );
            }
        }
        Ok(Findings {
            inventory,
            skips,
            away,
        })
    }

    async fn inventory(
        &self,
        caller: &Caller<ApiClient>,
        questions: Questions,
        skips: &mut Skips,
        mut away: Option<&mut Away>,
    ) -> Result<Inventory, Failure> {
        let now = self.clock.wall();
        let wanted = Wanted::default();
        let mut inventory = InventoryBuilder::default();
        let take = |machine: &Machine| {
            if questions.names {
                inventory.add(listed(machine));
            }
            if questions.unscannable {
                by_inventory(machine, skips);
            }
            if let Some(away) = &mut away {
                not_seen(machine, now, away);
            }
            Ok::<_, Infallible>(())
        };
        let listing = machines::list(caller, &wanted, now, take, |_| {});
        let listed = listing.await.map_err(no_inventory)?;
        if questions.names {
            let machines = count::of(listed.machines, "machine");
            self.monitor.note(&format!(
                "the names are looked up among the {machines} of the inventory"
            ));
        }
        if listed.moved && questions.names {
            // A name could be taken for the only machine of that name, and an excluded machine be missed.
            return Err(Failure::new(
                ExitCode::Tenant,
                format!(
                    "the inventory changed each time that it was read, so a machine may be missing, and a name could \
                     be taken for another machine; {NOTHING_SENT}"
                ),
            ));
        }
        if listed.moved {
            self.monitor.say(
                "the inventory changed each time that it was read, so a machine that cannot be scanned may be sent to",
            );
        }
        Ok(inventory.build())
    }
}

/// Adds a machine that was not seen for too long. One of which the inventory does not say when is not away.
fn not_seen(machine: &Machine, now: Timestamp, away: &mut Away) {
    if last_seen(machine).is_some_and(|seen| now.duration_since(seen) > away.after()) {
        away.add(&machine.id);
    }
}

fn listed(machine: &Machine) -> Listed<'_> {
    Listed {
        id: &machine.id,
        dns_name: machine.computer_dns_name.as_deref(),
        entra_id: machine.aad_device_id.as_deref(),
        last_seen: last_seen(machine),
        merged_into: machine.merged_into_machine_id.as_deref(),
    }
}

const NOTHING_SENT: &str = "nothing was sent, and the same command begins again";

/// An outage that is not waited for any longer ends as it does during a run.
fn code(e: &CallError) -> ExitCode {
    match e {
        CallError::Unanswered { .. } => ExitCode::Brake,
        _ => ExitCode::Tenant,
    }
}

fn no_inventory(error: ListError<Infallible>) -> Failure {
    match error {
        ListError::Take(never) => match never {},
        e @ ListError::Endless(_) => Failure::new(
            ExitCode::Tenant,
            format!("{e}; look at --api-url and the proxy; {NOTHING_SENT}"),
        ),
        ListError::Call(CallError::Ledger(e)) => e.into(),
        ListError::Call(e) => Failure::new(
            code(&e),
            format!(
                "the machines cannot be listed, which --resolve, --skip-unscannable and --when-offline defer need: \
                 {e}; {NOTHING_SENT}"
            ),
        ),
    }
}

fn no_report(error: HealthError) -> Failure {
    match error {
        HealthError::Call(CallError::Ledger(e)) => e.into(),
        HealthError::Call(e) => Failure::new(code(&e), format!("{e}; {NOTHING_SENT}")),
        e => Failure::new(
            ExitCode::Tenant,
            format!("{e}; --skip-scanned-within and --skip-unscannable need it; {NOTHING_SENT}"),
        ),
    }
}
