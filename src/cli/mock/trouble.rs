//! The mock's options for outages, machines that never work, and a consent that is revoked.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::mock::{
    ForbidWords, MockConfig, Outage,
    values::{duration, outage},
};

/// When the mock answers wrongly, or not at all.
#[derive(Debug, Clone, Args)]
pub struct TroubleArgs {
    /// An outage, repeatable, as in `10s-5m=refused` or `1m-2m=503,starts`
    ///
    /// FROM and UNTIL count from the mock's start. With `,starts` only calls that start scans are affected. The shapes:
    /// `refused` (no connection, not even to sign in), `timeout` (never an answer), `reset` (the connection is cut
    /// without an answer), `503` or `503:RETRY-AFTER` (`503-empty` has no body), `page:STATUS` (a proxy's page, such as
    /// `page:200` or `page:407`).
    #[arg(long, value_name = "FROM-UNTIL=SHAPE", value_parser = outage)]
    pub outage: Vec<Outage>,
    /// A machine on which every start is answered with 500, repeatable
    #[arg(long, value_name = "ID")]
    pub poison: Vec<String>,
    /// A machine on which every start is answered with the service's 403, repeatable
    #[arg(long, value_name = "ID")]
    pub restricted: Vec<String>,
    /// How long after the mock's start every scan start is answered with the service's 403
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub revoke_after: Option<Duration>,
    /// What that 403 says [default: roles]
    #[arg(long, value_enum, requires = "revoke_after")]
    pub revoke_words: Option<RevokeWordsArg>,
}

impl TroubleArgs {
    /// Copies the options into the mock's configuration.
    pub(super) fn apply_to(self, config: &mut MockConfig) {
        config.outages.extend(self.outage);
        config.poison.extend(self.poison);
        config.restricted.extend(self.restricted);
        config.forbid_starts_from = self.revoke_after.or(config.forbid_starts_from);
        if let Some(words) = self.revoke_words {
            config.forbid_words = match words {
                RevokeWordsArg::Roles => ForbidWords::Roles,
                RevokeWordsArg::Plain => ForbidWords::Plain,
            };
        }
    }
}

/// What the 403 says after a consent was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RevokeWordsArg {
    /// `Missing application roles`, and which
    Roles,
    /// Nothing of roles
    Plain,
}
