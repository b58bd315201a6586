//! The mock's options for outages, machines that never work, and a consent that is revoked.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::duration;
use crate::mock::{Affects, ForbidWords, MockConfig, Outage, Shape};

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
    /// What that 403 says
    #[arg(long, value_enum, default_value_t, requires = "revoke_after")]
    pub revoke_words: RevokeWordsArg,
}

impl TroubleArgs {
    /// Copies the options into the mock's configuration.
    pub(super) fn apply_to(self, config: &mut MockConfig) {
        config.outages = self.outage;
        config.poison = self.poison;
        config.restricted = self.restricted;
        config.forbid_starts_from = self.revoke_after;
        config.forbid_words = match self.revoke_words {
            RevokeWordsArg::Roles => ForbidWords::Roles,
            RevokeWordsArg::Plain => ForbidWords::Plain,
        };
    }
}

/// What the 403 says after a consent was revoked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum RevokeWordsArg {
    /// `Missing application roles`, and which
    #[default]
    Roles,
    /// Nothing of roles
    Plain,
}

/// Parses an outage as in `10s-5m=refused` or `0s-1h=timeout,starts`.
fn outage(text: &str) -> Result<Outage, String> {
    let (times, rest) = text
        .split_once('=')
        .ok_or("expected FROM-UNTIL=SHAPE such as 10s-5m=refused")?;
    let (from, until) = read_times(times)?;
    let (shape, affects) = match rest.strip_suffix(",starts") {
        Some(shape) => (shape, Affects::Starts),
        None => (rest, Affects::Everything),
    };
    let shape = read_shape(shape)?;
    if shape == Shape::Refused && affects == Affects::Starts {
        let text = "refused is for all calls: without a connection nobody knows which call it would have been";
        return Err(text.to_owned());
    }
    Ok(Outage {
        from,
        until,
        shape,
        affects,
    })
}

fn read_times(text: &str) -> Result<(Duration, Duration), &'static str> {
    let (from, until) = text
        .split_once('-')
        .ok_or("an outage has a start and an end, as in 10s-5m")?;
    let (from, until) = (duration(from)?, duration(until)?);
    if from >= until {
        return Err("an outage ends after it begins");
    }
    Ok((from, until))
}

fn read_shape(text: &str) -> Result<Shape, String> {
    let (name, more) = match text.split_once(':') {
        Some((name, more)) => (name, Some(more)),
        None => (text, None),
    };
    let shape = match (name, more) {
        ("refused", None) => Shape::Refused,
        ("timeout", None) => Shape::TimesOut,
        ("reset", None) => Shape::Reset,
        ("503" | "503-empty", retry_after) => Shape::Unavailable {
            retry_after: retry_after.map(str::to_owned),
            empty: name == "503-empty",
        },
        ("page", Some(status)) => {
            let status = status.parse().ok();
            let status = status.filter(|status| (200..600).contains(status));
            Shape::Page {
                status: status.ok_or("a page has a status from 200 to 599, as in page:407")?,
            }
        }
        _ => {
            return Err(format!(
                "'{text}' is not a shape of an outage: refused, timeout, reset, 503, 503-empty and page:STATUS are"
            ));
        }
    };
    Ok(shape)
}
