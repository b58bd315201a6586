//! `fleetsweep mock`: the mock tenant as a server of its own. The mock itself is in [`mock`](crate::mock).
//!
//! - this file: most options, and the wiring.
//! - `trouble`: options for outages and other failures. `lists`: options for lists that are hard to read.
//! - `scenario`: `--scenario`, which other commands have too.
//! - `tls`: options for https. `values`: the values of options.

use std::{
    fs::File,
    io,
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use tokio::net::TcpListener;

use crate::{
    cli::signals,
    mock::{
        BusyShape, Chances, Fleet, Kinds, Latency, MockConfig, Model, QuotaConfig, Tenant,
        TlsError, Tokens, serve, serve_tls,
        values::{duration, latency, percent, range},
    },
    quota::{Clock, SystemClock},
    roster::{Options, Roster, RowKind},
};

mod lists;
mod scenario;
#[cfg(test)]
mod tests;
mod tls;
mod trouble;
mod values;

pub use lists::{EndlessArg, ListArgs, ListOptionArg, VanishArg};
pub use scenario::{ScenarioArgs, ScenarioFault};
pub use tls::TlsArgs;
pub use trouble::{RevokeWordsArg, TroubleArgs};
pub use values::{BusyShapeArg, KindsArg, LimitArg, QuotaModelArg};

/// Serve a mock tenant until Ctrl-C, and then print what it saw.
#[derive(Debug, Clone, Args)]
pub struct MockArgs {
    /// The address to listen on; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// A scenario, whose settings the other options override
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// https.
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Calls per window for each kind of call, repeatable, or `none` [default: 100/1m and 1500/1h]
    #[arg(long, value_name = "CALLS/WINDOW")]
    pub limit: Vec<LimitArg>,
    /// How windows are counted [default: sliding]
    #[arg(long, value_enum)]
    pub quota_model: Option<QuotaModelArg>,
    /// When the first fixed window begins, after the start
    #[arg(long, value_name = "DURATION", value_parser = duration, hide_short_help = true)]
    pub phase: Option<Duration>,
    /// How many calls a bucket holds [default: as many as the limit]
    #[arg(long, value_name = "CALLS", hide_short_help = true)]
    pub bucket_size: Option<u32>,
    /// Count refused calls too
    #[arg(long, hide_short_help = true)]
    pub count_refused: bool,
    /// Whether each kind of call is counted separately [default: apart]
    #[arg(long, value_enum, hide_short_help = true)]
    pub kinds: Option<KindsArg>,
    /// Share of machines that somebody else is scanning
    #[arg(long, value_name = "P%", value_parser = percent)]
    pub busy: Option<f64>,
    /// How much longer somebody else's scans take [default: that of --scan-time]
    #[arg(long, value_name = "RANGE", value_parser = range, hide_short_help = true)]
    pub busy_for: Option<RangeInclusive<Duration>>,
    /// The answer to a start on a machine that is being scanned [default: error]
    #[arg(long, value_enum, hide_short_help = true)]
    pub busy_shape: Option<BusyShapeArg>,
    /// Share of machines that the tenant does not know
    #[arg(long, value_name = "P%", value_parser = percent)]
    pub unknown: Option<f64>,
    /// Share of machines that cannot be scanned
    #[arg(long, value_name = "P%", value_parser = percent, hide_short_help = true)]
    pub unsupported: Option<f64>,
    /// Chance of a 5xx for a call that was not carried out
    #[arg(long, value_name = "P%", value_parser = percent, hide_short_help = true)]
    pub error_before: Option<f64>,
    /// Chance of a 5xx for a call that was carried out
    #[arg(long, value_name = "P%", value_parser = percent, hide_short_help = true)]
    pub error_after: Option<f64>,
    /// Chance of a cut connection, the call not carried out
    #[arg(long, value_name = "P%", value_parser = percent, hide_short_help = true)]
    pub reset_before: Option<f64>,
    /// Chance of a cut connection, the call carried out
    #[arg(long, value_name = "P%", value_parser = percent, hide_short_help = true)]
    pub reset_after: Option<f64>,
    /// Chance of a 404 for a machine that exists
    #[arg(long, value_name = "P%", value_parser = percent, hide_short_help = true)]
    pub spurious_404: Option<f64>,
    /// Time until the answer, as in `20ms`, `20ms-150ms` or, log-normal, `p50=80ms,p99=2s` [default: 0s]
    #[arg(long, value_name = "LATENCY", value_parser = latency)]
    pub latency: Option<Latency>,
    /// How long it takes until lists show a new action [default: 0s]
    #[arg(long, value_name = "RANGE", value_parser = range, hide_short_help = true)]
    pub listing_lag: Option<RangeInclusive<Duration>>,
    /// How long a scan takes [default: 30s-2m]
    #[arg(long, value_name = "RANGE", value_parser = range, hide_short_help = true)]
    pub scan_time: Option<RangeInclusive<Duration>>,
    /// How long the mock's tokens are valid; it then accepts no other tokens [default: any token is accepted]
    #[arg(long, value_name = "DURATION", value_parser = duration, hide_short_help = true)]
    pub token_life: Option<Duration>,
    /// The seed for all that is random [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The application's roles, as in Machine.Scan,Machine.Read.All
    #[arg(
        long,
        value_name = "ROLES",
        value_delimiter = ',',
        hide_short_help = true
    )]
    pub roles: Option<Vec<String>>,
    /// Machines in the inventory; any other with an id of 40 hex digits can be scanned too [default: 100]
    #[arg(long, value_name = "N")]
    pub machines: Option<usize>,
    /// A file with the only machines that exist: a CSV or a plain list, as for `fleetsweep run`
    #[arg(long, value_name = "FILE", conflicts_with = "machines")]
    pub inventory: Option<PathBuf>,
    /// Outages, machines that never work, a consent that is revoked.
    #[command(flatten)]
    pub trouble: TroubleArgs,
    /// Lists that are hard to read.
    #[command(flatten)]
    pub lists: ListArgs,
    /// End with exit code 1 if a client did what none may do: calls over the limit or before a Retry-After had passed,
    /// machines scanned twice, malformed calls, wrong tokens
    #[arg(long)]
    pub strict: bool,
    /// Keep no record of calls and scans, for benchmarks
    #[arg(long, conflicts_with = "strict")]
    pub no_record: bool,
}

/// Why the mock could not serve.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    /// Some options do not go together.
    #[error("{0}")]
    Usage(&'static str),
    /// The address is in use, or is not one of this computer's.
    #[error(
        "cannot listen on {address}: {source}; choose another address with --listen, port 0 takes any that is free"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The scenario cannot be used.
    #[error(transparent)]
    Scenario(#[from] ScenarioFault),
    /// There is no certificate for https.
    #[error("--tls: {0}")]
    Tls(#[from] TlsError),
    /// The certificate of the authority cannot be written.
    #[error("--ca-out {}: {source}", path.display())]
    CaOut {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The inventory cannot be read.
    #[error("--inventory {}: {why}", path.display())]
    Inventory {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Serves until Ctrl-C. Reports the address at first, and at last what the mock saw. Returns whether `--strict` is
/// content with that.
///
/// # Errors
/// Options do not go together, the address cannot be used, or a file cannot be read or written.
pub async fn run(args: MockArgs, mut report: impl FnMut(&str)) -> Result<bool, MockError> {
    let (address, strict, tls) = (args.listen, args.strict, args.tls.clone());
    let tenant = Tenant::new(args.config()?);
    let listening = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    let (listener, address) = listening
        .await
        .map_err(|source| MockError::Listen { address, source })?;
    let tls = tls.make(address.ip())?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    report(&format!(
        "mock tenant at {scheme}://{address}, what it saw at {scheme}://{address}/mock/witness; Ctrl-C ends it"
    ));
    let mut signals = signals::listen();
    let stop = async {
        // If no handler could be installed, the signal itself ends the process.
        if signals.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    };
    match tls {
        Some(tls) => serve_tls(listener, Arc::clone(&tenant), tls, stop).await,
        None => serve(listener, Arc::clone(&tenant), stop).await,
    }
    let summary = tenant.summary();
    report(&summary.to_string());
    Ok(!strict || summary.faults.is_empty())
}

/// Reads the ids in a file as a run does.
fn read_inventory(path: &Path) -> Result<Vec<String>, MockError> {
    let wrong = |why: &dyn ToString| MockError::Inventory {
        path: path.to_owned(),
        why: why.to_string(),
    };
    let file = File::open(path).map_err(|why| wrong(&why))?;
    let options = Options {
        any_id: true,
        ..Options::default()
    };
    let mut roster = Roster::open_file(&path.display().to_string(), file, &options)
        .map_err(|why| wrong(&why))?;
    let mut ids = Vec::new();
    while let Some(row) = roster.next_row().map_err(|why| wrong(&why))? {
        if row.kind == RowKind::Due {
            ids.push(row.machine_id.to_owned());
        }
    }
    Ok(ids)
}

impl MockArgs {
    /// The mock's configuration with these options.
    ///
    /// # Errors
    /// The scenario or the inventory cannot be read, or options do not go together.
    pub fn config(self) -> Result<MockConfig, MockError> {
        let mut config = MockConfig {
            started: SystemClock.wall(),
            fleet: Fleet::Hex40,
            departed_every: MockConfig::demo().departed_every,
            ..MockConfig::default()
        };
        self.scenario.apply_to(&mut config)?;
        self.apply_quota(&mut config.quota)?;
        self.apply_chances(&mut config.chances);
        if let Some(file) = &self.inventory {
            config.fleet = Fleet::Only(read_inventory(file)?);
        }
        if let Some(life) = self.token_life {
            config.sign_in.expires_in = life;
            config.sign_in.tokens = Tokens::Issued;
        }
        set(&mut config.seed, self.seed);
        set(&mut config.machines, self.machines);
        set(&mut config.sign_in.roles, self.roles);
        set(&mut config.latency, self.latency);
        set(&mut config.listing_lag, self.listing_lag);
        set(&mut config.scan_time, self.scan_time);
        set(&mut config.busy_shape, self.busy_shape.map(BusyShape::from));
        config.foreign_scan_time = self.busy_for.or(config.foreign_scan_time);
        config.record = !self.no_record;
        self.trouble.apply_to(&mut config);
        self.lists.apply_to(&mut config);
        Ok(config)
    }

    fn apply_chances(&self, chances: &mut Chances) {
        set(&mut chances.busy, self.busy);
        set(&mut chances.unknown, self.unknown);
        set(&mut chances.unsupported, self.unsupported);
        set(&mut chances.spurious_404, self.spurious_404);
        set(&mut chances.error_before, self.error_before);
        set(&mut chances.error_after, self.error_after);
        set(&mut chances.reset_before, self.reset_before);
        set(&mut chances.reset_after, self.reset_after);
    }

    fn apply_quota(&self, quota: &mut QuotaConfig) -> Result<(), MockError> {
        if self.limit == [LimitArg(None)] {
            quota.limits = Vec::new();
        } else if !self.limit.is_empty() {
            let limits: Option<Vec<_>> = self.limit.iter().map(|limit| limit.0).collect();
            let limits = limits.ok_or(MockError::Usage("--limit none goes with no other --limit"));
            quota.limits = limits?;
        }
        let model = match (self.quota_model, self.phase, self.bucket_size) {
            (None, None, None) => None,
            (Some(QuotaModelArg::Sliding), None, None) => Some(Model::Sliding),
            (Some(QuotaModelArg::Fixed), phase, None) => Some(Model::Fixed {
                phase: phase.unwrap_or_default(),
            }),
            (Some(QuotaModelArg::Bucket), None, size) => Some(Model::Bucket { size }),
            _ => {
                let text = "--phase goes with --quota-model fixed, and --bucket-size with --quota-model bucket";
                return Err(MockError::Usage(text));
            }
        };
        set(&mut quota.model, model);
        set(&mut quota.kinds, self.kinds.map(Kinds::from));
        quota.count_refused |= self.count_refused;
        Ok(())
    }
}

/// Replaces a setting by an option's value, if the option is given.
fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}
