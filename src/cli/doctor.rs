//! `fleetsweep doctor`: what is missing, in words, before a campaign depends on it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::{
    ExitCode, Failure,
    connect::{ConnectArgs, Connection, Setup},
    ledger::{self, QuotaNote},
    paths::keep_apart,
    progress::ProgressArgs,
    screen,
};
use crate::{
    client::{
        caller::{is_page_of_scans, probe},
        diagnosis::{Checkup, State},
        reply::classify,
    },
    defender::{
        Defender, Reply, Throttle,
        sign_in::{Claims, FixedToken, Token, TokenSource},
    },
    plain_text::one_line,
    quota::{Clock, Kind, LONGEST_WAIT, Quota, SystemClock},
};

/// Check configuration, sign-in, roles, clock and network with one harmless call, and say what is wrong.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Write the steps as JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connect: ConnectArgs,

    /// The ledger in which the one call is counted, as that of `run`.
    #[arg(long, value_name = "FILE")]
    quota_file: Option<PathBuf>,

    #[command(flatten)]
    progress: ProgressArgs,
}

/// Somebody waits for it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Any moment will do: the list is not looked at.
const SINCE: SignedDuration = SignedDuration::from_hours(1);

/// Looks at everything and says what it found: exit code 0, or 4 if something failed.
///
/// # Errors
/// An option cannot be used, or the report cannot be written.
pub async fn run(args: DoctorArgs) -> Result<ExitCode, Failure> {
    let mut files = args.progress.files();
    files.extend(args.connect.files());
    let ledger = args.quota_file.as_ref();
    files.extend(ledger::files(ledger, args.connect.mock));
    keep_apart(&files)?;
    args.progress.start()?;
    let mut checkup = Checkup::new();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let setup = if args.connect.mock {
        ConnectArgs::rehearsal(clock).await
    } else {
        args.connect.setup(clock)
    };
    match setup {
        Ok(setup) => examine(&setup, (args.quota_file, args.connect.mock), &mut checkup).await?,
        Err(failure) if failure.code == ExitCode::Tenant => {
            checkup.judge("configuration", Err(failure.why));
            for step in [
                "sign-in",
                "audience",
                "roles",
                "clock",
                "reachability",
                "list",
            ] {
                checkup.add(step, State::Skipped, "there is no configuration");
            }
        }
        Err(failure) => return Err(failure),
    }
    report(&checkup, args.json)?;
    Ok(if checkup.ok {
        ExitCode::Clean
    } else {
        ExitCode::Tenant
    })
}

async fn examine(
    setup: &Setup,
    ledger: (Option<PathBuf>, bool),
    checkup: &mut Checkup,
) -> Result<(), Failure> {
    let Setup {
        base,
        choice,
        terms,
    } = setup;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    checkup.add(
        "configuration",
        State::Ok,
        format!("{}, for {base}, by {}", choice.words, terms.authority),
    );
    let began = clock.now();
    let tokens = choice.source(terms);
    let token = match &tokens {
        Ok(tokens) => tokens.token().await,
        Err(why) => Err(why.clone()),
    };
    let took = clock.now().since(began);
    let claims = token.as_ref().ok().and_then(Claims::of);
    checkup.judge(
        "sign-in",
        token.as_ref().map(|_| {
            let life = claims.as_ref().and_then(|claims| claims.expires);
            signed_in(took, life, clock.wall())
        }),
    );
    if token.is_ok() {
        checkup.token(claims.as_ref(), choice.tenant.as_deref(), &terms.resource);
    } else {
        checkup.add("audience", State::Skipped, "there is no token");
        checkup.add("roles", State::Skipped, "there is no token");
    }
    // Without a token the API is called all the same: its refusal tells the time, and that it can be reached.
    let is_signed_in = token.is_ok();
    let nobody = FixedToken::new(&SecretString::from("none"), "nowhere");
    let nobody: Arc<dyn TokenSource> = Arc::new(nobody.map_err(Failure::usage)?);
    let (tokens, token) = match (tokens, token) {
        (Ok(tokens), Ok(token)) => (tokens, token),
        _ => (
            Arc::clone(&nobody),
            nobody.token().await.map_err(Failure::usage)?,
        ),
    };
    let connection = setup.connection(tokens, claims);
    let reply = ask(&connection, ledger, &token, &clock).await?;
    let Some((reply, took)) = reply else {
        for step in ["clock", "reachability", "list"] {
            checkup.add(
                step,
                State::Skipped,
                "another process has spent the quota for listing; try again later",
            );
        }
        return Ok(());
    };
    let by = way_there(base.is_loopback());
    checkup.reply(&reply, is_signed_in, clock.wall(), took, &by);
    Ok(())
}

/// The one call; none if the quota has no room for it soon.
async fn ask(
    connection: &Connection,
    (quota_file, is_rehearsal): (Option<PathBuf>, bool),
    token: &Token,
    clock: &Arc<dyn Clock>,
) -> Result<Option<(Reply, Duration)>, Failure> {
    let client = connection.client(REQUEST_TIMEOUT, 1)?;
    let quota = Quota::documented();
    // A mock's calls are nobody's business.
    let note = QuotaNote::new(&quota, connection, quota_file, is_rehearsal)?;
    let pacer = note.pacer(&quota, clock, REQUEST_TIMEOUT + LONGEST_WAIT)?;
    let permit = match tokio::time::timeout(REQUEST_TIMEOUT, pacer.acquire(Kind::List)).await {
        Ok(permit) => permit.map_err(Failure::storage)?,
        Err(_) => return Ok(None),
    };
    let call = probe(clock.wall().saturating_sub(SINCE).unwrap_or(Timestamp::MIN));
    let sent = clock.now();
    let reply = client.call(&call, token).await;
    let took = clock.now().since(sent);
    match &reply {
        Ok(answer) if answer.status == 429 => permit.throttled(&Throttle::of(answer).into()),
        reply => classify(reply, is_page_of_scans).settle(permit),
    }
    pacer.flush().await.map_err(Failure::storage)?;
    Ok(Some((reply, took)))
}

fn signed_in(took: Duration, expires: Option<Timestamp>, now: Timestamp) -> String {
    let life = expires.map(|expires| expires.as_second() - now.as_second());
    let ms = took.as_millis();
    match life {
        Some(left) if left < 0 => format!(
            "a token in {ms} ms, but it says that it expired {} min ago",
            -left / 60
        ),
        Some(left) => format!("a token in {ms} ms, good for {} min", left / 60),
        None => format!("a token in {ms} ms"),
    }
}

/// Directly, or through which proxy. Whether `NO_PROXY` excepts the host is the HTTP client's affair.
fn way_there(is_loopback: bool) -> String {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let found = names
        .into_iter()
        .find_map(|name| Some((name, std::env::var(name).ok().filter(|v| !v.is_empty())?)));
    match found {
        Some((name, proxy)) if !is_loopback => {
            // A proxy's address may hold a password.
            let host = proxy.rsplit('@').next().unwrap_or_default();
            format!("{name} is {host}")
        }
        _ => "directly".to_owned(),
    }
}

fn report(checkup: &Checkup, json: bool) -> Result<(), Failure> {
    if json {
        return screen::json(checkup, "the report");
    }
    let lines = checkup.steps.iter().map(|step| {
        let state = match step.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Failed => "FAILED",
            State::Skipped => "-",
        };
        let line = format!("{state:<8} {:<14} {}", step.step, step.detail);
        one_line(&line).into_owned() + "\n"
    });
    screen::report(&lines.collect::<String>(), "the report")
}
