//! `fleetsweep mock`: the tenant in a box, as a server for another terminal.
//!
//! - this file: the options, and the wiring.
//! - `trouble`, `lists`: the options for outages and the like, and for lists that are hard to read.
//! - `values`: what an option's value may be.

use std::{
    fs::File,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use tokio::net::TcpListener;

use crate::{
    cli::signals,
    mock::{Chances, Fleet, Kinds, MockConfig, Model, QuotaConfig, SignIn, Tenant, Tokens, serve},
    quota::{Clock, SystemClock},
    roster::{Options, Roster, RowKind},
};

mod lists;
#[cfg(test)]
mod tests;
mod trouble;
mod values;

pub use lists::{EndlessArg, ListArgs, ListOptionArg, VanishArg};
pub use trouble::{OutageArg, RevokeWordsArg, TroubleArgs};
pub use values::{
    BusyShapeArg, DurationArg, KindsArg, LimitArg, PercentArg, QuotaModelArg, RangeArg,
};

/// Serve a mock tenant until Ctrl-C; then tell what it saw.
#[derive(Debug, Clone, Args)]
pub struct MockArgs {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Calls a window of each kind, repeatable, or `none` [default: 100/1m and 1500/1h]
    #[arg(long, value_name = "CALLS/WINDOW")]
    pub limit: Vec<LimitArg>,
    /// How windows are counted
    #[arg(long, value_enum, default_value_t)]
    pub quota_model: QuotaModelArg,
    /// Where fixed windows begin, after the start
    #[arg(long, value_name = "DURATION")]
    pub phase: Option<DurationArg>,
    /// What a bucket holds [default: as many as the limit's calls]
    #[arg(long, value_name = "CALLS")]
    pub bucket_size: Option<u32>,
    /// Refused calls take a place in the windows too
    #[arg(long)]
    pub count_refused: bool,
    /// Whether the kinds of calls are counted by themselves
    #[arg(long, value_enum, default_value_t)]
    pub kinds: KindsArg,
    /// Share of machines that somebody else is scanning
    #[arg(long, value_name = "P%", default_value = "0%")]
    pub busy: PercentArg,
    /// How much longer somebody else's scans take [default: as --scan-time]
    #[arg(long, value_name = "RANGE")]
    pub busy_for: Option<RangeArg>,
    /// What a start on a machine under scan is answered with
    #[arg(long, value_enum, default_value_t)]
    pub busy_shape: BusyShapeArg,
    /// Share of machines that the tenant does not know
    #[arg(long, value_name = "P%", default_value = "0%")]
    pub unknown: PercentArg,
    /// Share of machines that cannot be scanned
    #[arg(long, value_name = "P%", default_value = "0%")]
    pub unsupported: PercentArg,
    /// Chance of a 5xx for a call that was not carried out
    #[arg(long, value_name = "P%", default_value = "0%")]
    pub error_before: PercentArg,
    /// Chance of a 5xx for a call that was carried out
    #[arg(long, value_name = "P%", default_value = "0%")]
    pub error_after: PercentArg,
    /// Chance of a cut connection, the call not carried out
    #[arg(long, value_name = "P%", default_value = "0%")]
    pub reset_before: PercentArg,
    /// Chance of a cut connection, the call carried out
    #[arg(long, value_name = "P%", default_value = "0%")]
    pub reset_after: PercentArg,
    /// Chance of a 404 for a machine that exists
    #[arg(long, value_name = "P%", default_value = "0%")]
    pub spurious_404: PercentArg,
    /// Time to the answer, as `20ms` or `20ms-150ms`
    #[arg(long, value_name = "RANGE", default_value = "0s")]
    pub latency: RangeArg,
    /// How long a new action stays out of listings
    #[arg(long, value_name = "RANGE", default_value = "0s")]
    pub listing_lag: RangeArg,
    /// How long a scan takes
    #[arg(long, value_name = "RANGE", default_value = "30s-2m")]
    pub scan_time: RangeArg,
    /// How long the tokens live that the mock issues; then it takes no others [default: any token is taken]
    #[arg(long, value_name = "DURATION")]
    pub token_life: Option<DurationArg>,
    /// Where all that is random comes from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// What the application may do, as in Machine.Scan,Machine.Read.All
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    pub roles: Option<Vec<String>>,
    /// Machines in the inventory; any other with an id of 40 hex digits can be scanned too
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub machines: usize,
    /// The machines that there are, and no others: a CSV or a plain list as `fleetsweep run` takes it
    #[arg(long, value_name = "FILE", conflicts_with = "machines")]
    pub inventory: Option<PathBuf>,
    /// Outages, machines that never work, a consent that is gone.
    #[command(flatten)]
    pub trouble: TroubleArgs,
    /// How lists are hard to read.
    #[command(flatten)]
    pub lists: ListArgs,
    /// Keep no record of calls and scans, for benchmarks
    #[arg(long)]
    pub no_record: bool,
}

/// Why the mock could not serve.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    /// Options that do not go together.
    #[error("{0}")]
    Usage(&'static str),
    /// The address is taken or not ours.
    #[error(
        "cannot listen on {address}: {source}; choose another address with --listen, port 0 takes any that is free"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The file with the machines.
    #[error("--inventory {}: {why}", path.display())]
    Inventory {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Serves until Ctrl-C. What is `report`ed first says where, what is reported last what was seen.
///
/// # Errors
/// When options do not go together, or the address cannot be listened on.
pub async fn run(args: MockArgs, mut report: impl FnMut(&str)) -> Result<(), MockError> {
    let address = args.listen;
    let tenant = Tenant::new(args.config()?);
    let listening = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    let (listener, address) = listening
        .await
        .map_err(|source| MockError::Listen { address, source })?;
    report(&format!(
        "mock tenant at http://{address}, what it saw at http://{address}/mock/witness; Ctrl-C ends it"
    ));
    let mut signals = signals::listen();
    let stop = async {
        // Without handlers the system's own ending ends the process.
        if signals.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    };
    serve(listener, Arc::clone(&tenant), stop).await;
    report(&tenant.summary().to_string());
    Ok(())
}

/// The ids in a file, as a run would read them.
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
    let mut roster =
        Roster::open(&path.display().to_string(), file, &options).map_err(|why| wrong(&why))?;
    let mut ids = Vec::new();
    while let Some(row) = roster.next_row().map_err(|why| wrong(&why))? {
        if row.kind == RowKind::Due {
            ids.push(row.machine_id.to_owned());
        }
    }
    Ok(ids)
}

impl MockArgs {
    /// What was typed, as the mock's settings.
    ///
    /// # Errors
    /// When options do not go together.
    pub fn config(self) -> Result<MockConfig, MockError> {
        let mut sign_in = SignIn::default();
        if let Some(roles) = &self.roles {
            sign_in.roles.clone_from(roles);
        }
        if let Some(life) = self.token_life {
            sign_in.expires_in = life.0;
            sign_in.tokens = Tokens::Issued;
        }
        let mut config = MockConfig {
            sign_in,
            seed: self.seed,
            started: SystemClock.wall(),
            quota: self.quota()?,
            latency: self.latency.0,
            listing_lag: self.listing_lag.0,
            scan_time: self.scan_time.0,
            foreign_scan_time: self.busy_for.map(|range| range.0),
            chances: Chances {
                busy: self.busy.0,
                unknown: self.unknown.0,
                unsupported: self.unsupported.0,
                spurious_404: self.spurious_404.0,
                error_before: self.error_before.0,
                error_after: self.error_after.0,
                reset_before: self.reset_before.0,
                reset_after: self.reset_after.0,
                early: 0.0,
            },
            busy_shape: self.busy_shape.into(),
            fleet: match &self.inventory {
                Some(file) => Fleet::Only(read_inventory(file)?),
                None => Fleet::Hex40,
            },
            machines: self.machines,
            departed_every: MockConfig::demo().departed_every,
            record: !self.no_record,
            ..MockConfig::default()
        };
        self.trouble.put_into(&mut config);
        self.lists.put_into(&mut config);
        Ok(config)
    }

    fn quota(&self) -> Result<QuotaConfig, MockError> {
        let documented = QuotaConfig::default();
        let limits = if self.limit.is_empty() {
            documented.limits
        } else if self.limit == [LimitArg(None)] {
            Vec::new()
        } else {
            let limits = self.limit.iter().map(|limit| limit.0);
            let all: Option<Vec<_>> = limits.collect();
            all.ok_or(MockError::Usage("--limit none goes with no other --limit"))?
        };
        let model = match (self.quota_model, self.phase, self.bucket_size) {
            (QuotaModelArg::Sliding, None, None) => Model::Sliding,
            (QuotaModelArg::Fixed, phase, None) => Model::Fixed {
                phase: phase.map_or(Duration::ZERO, |phase| phase.0),
            },
            (QuotaModelArg::Bucket, None, size) => Model::Bucket { size },
            _ => {
                let text = "--phase goes with --quota-model fixed, and --bucket-size with --quota-model bucket";
                return Err(MockError::Usage(text));
            }
        };
        Ok(QuotaConfig {
            limits,
            model,
            count_refused: self.count_refused,
            kinds: match self.kinds {
                KindsArg::Apart => Kinds::Apart,
                KindsArg::Together => Kinds::Together,
            },
        })
    }
}
