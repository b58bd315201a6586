//! `fleetsweep doctor`: check whether a campaign could run, and say what is missing. [`Checkup`] judges what is found
//! here.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::{
    ExitCode, Failure,
    connect::{ConnectArgs, ConnectSettings, Connection},
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
        sign_in::{Claims, FixedToken, SignInError, Token, TokenSource},
    },
    plain_text::one_line,
    quota::{Clock, Kind, Quota, SystemClock},
};

/// Check configuration, sign-in, roles, clock and network with one harmless call, and say what is wrong.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Write the steps as JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connect: ConnectArgs,

    /// The ledger in which the one call is counted; use the one that you give to `run`.
    #[arg(long, value_name = "FILE")]
    quota_file: Option<PathBuf>,

    #[command(flatten)]
    progress: ProgressArgs,
}

/// Short, because somebody is waiting for the answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// How far back the list of scans goes. Any time will do, because nobody reads the list.
const SINCE: SignedDuration = SignedDuration::from_hours(1);

/// Checks everything and prints what was found. The exit code is 0, or 4 if a step failed.
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
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let settings = if args.connect.mock {
        args.connect.demo(Arc::clone(&clock)).await
    } else {
        args.connect.settings(Arc::clone(&clock))
    };
    let mut checkup = Checkup::new();
    match settings {
        Ok(settings) => {
            let examination = Examination {
                settings,
                quota_file: args.quota_file,
                is_rehearsal: args.connect.mock,
                clock,
            };
            examination.fill_in(&mut checkup).await?;
        }
        Err(failure) if failure.code == ExitCode::Tenant => {
            checkup.judge("configuration", Err(failure.why));
            let steps = ["sign-in", "audience", "roles"].into_iter().chain(BY_CALL);
            skip(
                &mut checkup,
                steps.chain(["alerts"]),
                "there is no configuration",
            );
        }
        Err(failure) => return Err(failure),
    }
    print(&checkup, args.json)?;
    Ok(if checkup.ok {
        ExitCode::Clean
    } else {
        ExitCode::Tenant
    })
}

/// The steps that the one call answers.
const BY_CALL: [&str; 3] = ["clock", "reachability", "list"];

fn skip(checkup: &mut Checkup, steps: impl IntoIterator<Item = &'static str>, why: &str) {
    for step in steps {
        checkup.add(step, State::Skipped, why);
    }
}

/// The examination of one configuration.
struct Examination {
    settings: ConnectSettings,
    quota_file: Option<PathBuf>,
    is_rehearsal: bool,
    clock: Arc<dyn Clock>,
}

/// What a sign-in yields: where tokens come from, the first of them, and what it says of itself.
type SignedIn = (Arc<dyn TokenSource>, Token, Option<Claims>);

impl Examination {
    async fn fill_in(&self, checkup: &mut Checkup) -> Result<(), Failure> {
        let ConnectSettings {
            base,
            credential,
            sign_in,
        } = &self.settings;
        checkup.add(
            "configuration",
            State::Ok,
            format!("{}, for {base}, by {}", credential.words, sign_in.authority),
        );
        let signed_in = self.sign_in(checkup).await;
        let is_signed_in = signed_in.is_some();
        let (tokens, token, claims) = match signed_in {
            Some(signed_in) => signed_in,
            // The API is called all the same: its refusal has a date, and shows that it can be reached.
            None => invalid_token().await?,
        };
        let connection = self.settings.connection(tokens, claims.clone());
        match self.call(&connection, &token).await? {
            Some((reply, took)) => {
                let by = route(base.is_loopback());
                checkup.reply(&reply, is_signed_in, self.clock.wall(), took, &by);
            }
            None => skip(
                checkup,
                BY_CALL,
                "another process has spent the quota for listing; try again later",
            ),
        }
        if is_signed_in {
            checkup.alerts(claims.as_ref());
        } else {
            checkup.add("alerts", State::Skipped, "there is no token");
        }
        Ok(())
    }

    /// Checks the sign-in and the token. Returns `None` if there is no token.
    async fn sign_in(&self, checkup: &mut Checkup) -> Option<SignedIn> {
        let ConnectSettings {
            credential,
            sign_in,
            ..
        } = &self.settings;
        let began = self.clock.now();
        let signed_in = async {
            let tokens = credential.source(sign_in)?;
            let token = tokens.token().await?;
            let claims = Claims::of(&token);
            Ok::<SignedIn, SignInError>((tokens, token, claims))
        };
        let signed_in = signed_in.await;
        let took = self.clock.now().since(began);
        match signed_in {
            Ok((tokens, token, claims)) => {
                let expires = claims.as_ref().and_then(|claims| claims.expires);
                let detail = token_in_words(took, expires, self.clock.wall());
                checkup.add("sign-in", State::Ok, detail);
                checkup.token(
                    claims.as_ref(),
                    credential.tenant.as_deref(),
                    &sign_in.resource,
                );
                Some((tokens, token, claims))
            }
            Err(why) => {
                checkup.add("sign-in", State::Failed, why.to_string());
                skip(checkup, ["audience", "roles"], "there is no token");
                None
            }
        }
    }

    /// Makes the one call. Returns `None` if the quota will not have room for it soon.
    async fn call(
        &self,
        connection: &Connection,
        token: &Token,
    ) -> Result<Option<(Reply, Duration)>, Failure> {
        let client = connection.client(REQUEST_TIMEOUT, 1)?;
        let quota = Quota::documented();
        let ledger = self.quota_file.clone();
        let note = QuotaNote::new(&quota, connection, ledger, self.is_rehearsal)?;
        let pacer = note.pacer(&quota, &self.clock, REQUEST_TIMEOUT)?;
        let acquiring = tokio::time::timeout(REQUEST_TIMEOUT, pacer.acquire(Kind::List));
        let Ok(permit) = acquiring.await else {
            return Ok(None);
        };
        let permit = permit?;
        let since = self.clock.wall().saturating_sub(SINCE);
        let call = probe(since.unwrap_or(Timestamp::MIN));
        let sent = self.clock.now();
        let reply = client.call(&call, token).await;
        let took = self.clock.now().since(sent);
        match &reply {
            Ok(answer) if answer.status == 429 => permit.throttled(&Throttle::of(answer).into()),
            reply => classify(reply, is_page_of_scans).settle(permit),
        }
        pacer.flush().await?;
        Ok(Some((reply, took)))
    }
}

/// A token that the API is bound to refuse.
async fn invalid_token() -> Result<SignedIn, Failure> {
    let tokens = FixedToken::new(&SecretString::from("none"), "nowhere").map_err(Failure::usage)?;
    let token = tokens.token().await.map_err(Failure::usage)?;
    Ok((Arc::new(tokens), token, None))
}

/// Says how long it took to get a token, and how long it is valid.
fn token_in_words(took: Duration, expires: Option<Timestamp>, now: Timestamp) -> String {
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

/// How the API is reached: directly, or through which proxy. The HTTP client decides whether `NO_PROXY` excepts the
/// host.
fn route(is_loopback: bool) -> String {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let found = names
        .into_iter()
        .find_map(|name| Some((name, std::env::var(name).ok().filter(|v| !v.is_empty())?)));
    match found {
        Some((name, proxy)) if !is_loopback => {
            // Without the user and password that a proxy's address may contain.
            let host = proxy.rsplit('@').next().unwrap_or_default();
            format!("{name} is {host}")
        }
        _ => "directly".to_owned(),
    }
}

fn print(checkup: &Checkup, json: bool) -> Result<(), Failure> {
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
