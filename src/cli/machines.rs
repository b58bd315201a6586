//! `fleetsweep machines`: write the tenant's inventory as a CSV, which `run` accepts as its input.
//!
//! - this file: the inventory. `health`: what the devices report of their antivirus, beside it.

mod health;

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::{ArgAction, Args};
use jiff::SignedDuration;

use self::health::{HealthArgs, Join};
use super::{
    ExitCode, Failure,
    api::{Api, ApiClient},
    connect::ConnectArgs,
    ledger::{self, QuotaNote},
    named_state::is_state,
    pace::PaceArgs,
    paths::{FileUse, keep_apart},
    progress::ProgressArgs,
    screen, values,
};
use crate::{
    client::{
        caller::{CallError, Caller},
        machines::{self, ListError, ListResult, Wanted},
    },
    defender::{sign_in::Need, wire::Machine},
    monitor::{Monitor, count},
    quota::{Clock, INVENTORY_TIMEOUT, SystemClock},
    results::{self, Owner, ResultsError, Table},
};

/// Write the tenant's machines as a CSV that `fleetsweep run` accepts.
#[derive(Debug, Args)]
pub struct MachinesArgs {
    /// The CSV to write. [default: standard output]
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    which: WhichArgs,

    #[command(flatten)]
    health: HealthArgs,

    #[command(flatten)]
    connect: ConnectArgs,

    #[command(flatten)]
    pace: PaceArgs,

    #[command(flatten)]
    progress: ProgressArgs,

    /// Answer every question with yes.
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
#[command(
    next_help_heading = "Which machines (all of these must hold; of several values of one, any)"
)]
struct WhichArgs {
    /// An OData filter on the API's fields, as in "computerDnsName eq 'host-1'".
    #[arg(long, value_name = "ODATA")]
    filter: Option<String>,

    /// The osPlatform, as in Windows11; can be given several times, as can the next four options.
    #[arg(long, value_name = "NAME", action = ArgAction::Append)]
    os: Vec<String>,

    /// A tag of the machine. If it is given several times, the machine must have all of these tags.
    #[arg(long, value_name = "TAG", action = ArgAction::Append)]
    tag: Vec<String>,

    /// The healthStatus, as in Active.
    #[arg(long, value_name = "NAME", action = ArgAction::Append)]
    health_status: Vec<String>,

    /// The riskScore, as in High.
    #[arg(long, value_name = "NAME", action = ArgAction::Append)]
    risk: Vec<String>,

    /// The device group's name. It is filtered by this program, not by the service.
    #[arg(long, value_name = "NAME", action = ArgAction::Append)]
    group: Vec<String>,

    /// Last seen within this time, as in 7d.
    #[arg(long, value_name = "D", value_parser = values::days)]
    seen_within: Option<SignedDuration>,

    /// Only machines that are onboarded, and neither merged into another machine nor excluded. The others cannot be
    /// scanned.
    #[arg(long)]
    onboarded: bool,
}

/// The file's columns. A campaign needs the first; the others are for `--where`.
const COLUMNS: [&str; 14] = [
    "machine_id",
    "computer_dns_name",
    "os_platform",
    "health_status",
    "onboarding_status",
    "risk_score",
    "exposure_level",
    "rbac_group_name",
    "machine_tags",
    "last_seen",
    "aad_device_id",
    "excluded",
    "exclusion_reason",
    "merged_into",
];

/// What the rows are, for messages.
const WHAT: &str = "machines";

/// The longest outage that is waited for: somebody is waiting for the list.
const LONGEST_OUTAGE: Duration = Duration::from_mins(2);

/// Refuses to write over a campaign.
///
/// # Errors
/// The file is a campaign's state or its results, or cannot be read.
fn spare_campaigns(file: &Path) -> Result<(), Failure> {
    let what = if is_state(file)? {
        "a campaign's state"
    } else if file.is_file() && matches!(results::owner(file)?, Owner::Campaign(_)) {
        "a campaign's results"
    } else {
        return Ok(());
    };
    Err(Failure::usage(format!(
        "{} is {what}, and is not overwritten; name another file with -o",
        file.display()
    )))
}

/// Lists the machines.
///
/// # Errors
/// There is no sign-in, the service refuses the call, or the file cannot be written.
pub async fn run(args: MachinesArgs) -> Result<ExitCode, Failure> {
    let mut files = args.progress.files();
    files.extend(args.connect.files());
    let ledger = args.pace.quota_file.as_ref();
    files.extend(ledger::files(ledger, args.connect.mock));
    let output = args.output.as_ref();
    files.extend(output.map(|file| FileUse::written("the machines (-o)", file)));
    keep_apart(&files)?;
    output.map_or(Ok(()), |file| spare_campaigns(file))?;
    let monitor = args.progress.start()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let filter = args.health.filter();
    // Before the sign-in, so that a bad path fails in the first second.
    let mut out = open(output.map(PathBuf::as_path), filter.is_some())?;
    let connecting = args
        .connect
        .connect(Need::Read, &args.pace, monitor.as_ref());
    let connection = connecting.await?;
    let (quota, _) = args.pace.quota(connection.base.is_loopback(), args.yes)?;
    let ledger = args.pace.quota_file.clone();
    let note = QuotaNote::new(&quota, &connection, ledger, args.connect.mock)?;
    let api = Api {
        client: Arc::new(connection.client(INVENTORY_TIMEOUT, 1)?),
        tokens: connection.tokens,
        pacer: note.pacer(&quota, &clock, INVENTORY_TIMEOUT)?,
        clock,
        monitor,
        workers: 1,
    };
    let monitor = api.monitor.as_ref();
    let wanted = args.which.wanted(&args.health);
    let shows_pages = io::stderr().is_terminal().then_some(monitor);
    let caller = api.caller(Some(LONGEST_OUTAGE));
    let listing = async {
        let mut join = match filter {
            // First, so that nothing is listed in vain if it cannot be had.
            Some(filter) => Some(Join::read(filter, &caller, shows_pages).await?),
            None => None,
        };
        let listed = list(&caller, &wanted, &mut out, join.as_mut(), shows_pages).await?;
        Ok::<_, Failure>((listed, join))
    };
    let done = listing.await;
    api.pacer.flush().await?;
    let (listed, join) = done?;
    out.finish()?;
    say(&listed, join.as_ref(), &wanted, output, monitor);
    monitor.ended();
    Ok(ExitCode::Clean)
}

/// Lists the machines, beside their reports if those are wanted.
async fn list(
    caller: &Caller<ApiClient>,
    wanted: &Wanted,
    out: &mut Table,
    mut join: Option<&mut Join>,
    shows_pages: Option<&dyn Monitor>,
) -> Result<ListResult, Failure> {
    let listed = machines::list(
        caller,
        wanted,
        caller.clock().wall(),
        |machine| write(out, machine, join.as_deref_mut()),
        |listed| {
            if let Some(monitor) = shows_pages.filter(|_| listed.calls > 1) {
                monitor.note(&format!("{} so far", count::of(listed.machines, "machine")));
            }
        },
    );
    listed.await.map_err(|e| failure(e, wanted))
}

/// Says what was listed.
fn say(
    listed: &ListResult,
    join: Option<&Join>,
    wanted: &Wanted,
    output: Option<&PathBuf>,
    monitor: &dyn Monitor,
) {
    if listed.moved {
        monitor.say(
            "the list changed each time that it was read, so a machine may be missing: run this again if you need \
             every last one",
        );
    }
    for line in join.map(Join::in_words).unwrap_or_default() {
        monitor.say(&line);
    }
    let left_out = join.map_or(0, Join::left_out);
    monitor.say(&match listed.machines - left_out {
        0 if left_out > 0 => {
            "no machine matches: look at --av-mode, --signatures and --not-scanned-within"
                .to_owned()
        }
        machines => summary(machines, wanted, output.map(PathBuf::as_path)),
    });
}

fn open(path: Option<&Path>, with_health: bool) -> Result<Table, ResultsError> {
    let more: &[&str] = if with_health { &health::COLUMNS } else { &[] };
    let columns = COLUMNS.iter().chain(more).copied();
    match path {
        Some(path) if path.as_os_str() != "-" => Table::create(path, WHAT, columns),
        _ => Table::stream(screen::csv(), WHAT, columns),
    }
}

fn write(out: &mut Table, machine: &Machine, join: Option<&mut Join>) -> Result<(), ResultsError> {
    let health = match join.map(|join| join.cells(&machine.id)) {
        Some(None) => return Ok(()),
        Some(Some(cells)) => cells.to_vec(),
        None => Vec::new(),
    };
    let text = |cell: &'_ Option<String>| cell.clone().unwrap_or_default();
    let cells = [
        machine.id.clone(),
        text(&machine.computer_dns_name),
        text(&machine.os_platform),
        text(&machine.health_status),
        text(&machine.onboarding_status),
        text(&machine.risk_score),
        text(&machine.exposure_level),
        text(&machine.rbac_group_name),
        machine
            .machine_tags
            .as_deref()
            .unwrap_or_default()
            .join(";"),
        text(&machine.last_seen),
        text(&machine.aad_device_id),
        machine
            .is_excluded
            .map_or_else(String::new, |is| is.to_string()),
        text(&machine.exclusion_reason),
        text(&machine.merged_into_machine_id),
    ];
    out.row(cells.iter().chain(&health).map(String::as_str))
}

fn failure(error: ListError<ResultsError>, wanted: &Wanted) -> Failure {
    let e = match error {
        ListError::Take(e) => return e.into(),
        e @ ListError::Endless(_) => {
            let why = format!("{e}; look at --api-url and the proxy");
            return Failure::new(ExitCode::Tenant, why);
        }
        ListError::Call(e) => e,
    };
    match e {
        CallError::Ledger(e) => e.into(),
        CallError::Refused(said) if said.status == 400 && !wanted.is_everything() => {
            Failure::usage(format!(
                "the service does not understand the filter: {}; look at --filter and the other options that choose \
                 machines",
                said.words()
            ))
        }
        e @ CallError::Unanswered { .. } => Failure::new(
            ExitCode::Tenant,
            format!("the machines could not be listed: {e}; nothing was changed, try again"),
        ),
        e => Failure::new(
            ExitCode::Tenant,
            format!("the machines could not be listed: {e}"),
        ),
    }
}

fn summary(machines: u64, wanted: &Wanted, output: Option<&Path>) -> String {
    match (machines, output) {
        (0, _) if wanted.is_everything() => {
            "the tenant has no machines: none has been onboarded to Defender for Endpoint, or the application may see \
             none".to_owned()
        }
        (0, _) => "no machine matches: look at the filter, whose values must match exactly".to_owned(),
        (n, Some(path)) => format!("{} in {}", count::of(n, "machine"), path.display()),
        (n, None) => count::of(n, "machine"),
    }
}

impl WhichArgs {
    fn wanted(&self, more: &HealthArgs) -> Wanted {
        let health = self.health_status.iter().chain(more.statuses());
        Wanted {
            filter: self.filter.clone(),
            os: self.os.clone(),
            tags: self.tag.clone(),
            health: health.cloned().collect(),
            risk: self.risk.clone(),
            groups: self.group.clone(),
            seen_within: self.seen_within,
            onboarded: self.onboarded,
        }
    }
}
