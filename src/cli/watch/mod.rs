//! Monitoring a run: numbers for Prometheus, notices to a URL, a command at the end.
//!
//! ```text
//!   engine ─→ monitors: what is shown, Metrics, Pulse ←── server (--metrics)
//!                       Occasions ─→ queue ─→ notifier ─→ webhook (--notify)
//!   end ──────────────────────────────↑ and ─→ command (--on-end)
//! ```
//!
//! - this file: the options, and what is begun and ended for them. `end`: the notice of the end.
//! - `server`: `/metrics` and `/healthz`. `command`: the command at the end.
//! - `notifier`: the queue of notices, and when one is posted again. `webhook`: posts it.

mod command;
mod end;
mod notifier;
mod server;
mod webhook;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use clap::Args;
use secrecy::SecretString;
use tokio::sync::mpsc;

use command::EndCommand;
use notifier::Notifier;
use server::Server;
use webhook::Webhook;

use super::{ExitCode, Failure, connect::ConnectArgs, screen, signals};
use crate::{
    campaign::{engine::trail, stop::Signal, summary::Summary},
    monitor::{Metrics, Monitor, Notice, Occasions, Pulse, Several},
    quota::{Clock as _, SystemClock},
};

/// The options for monitoring a run.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Monitoring")]
pub struct WatchArgs {
    /// Serve the run's numbers for Prometheus at this address, as in 127.0.0.1:9464.
    ///
    /// They are at `/metrics`, and whether the run is alive is at `/healthz`, until the process ends. Port 0 takes any
    /// that is free. An address that others can reach needs --yes.
    #[arg(long, value_name = "ADDR", hide_short_help = true)]
    metrics: Option<SocketAddr>,

    /// When the run has ended, start this program, and give it the facts as JSON on its standard input.
    ///
    /// The command is split into words as a shell does it, but no shell runs it. After 60 s it is killed. It never
    /// changes the exit code.
    #[arg(long, value_name = "COMMAND", hide_short_help = true)]
    on_end: Option<String>,

    /// Post the facts as JSON to this address when the run has ended, when a brake stops it, and when calls are held
    /// for over an hour.
    ///
    /// https, or http to this computer. The campaign does not wait for it; at the end the process does, for up to 30 s.
    /// The environment variable FLEETSWEEP_NOTIFY keeps an address with a secret in it off the command line.
    #[arg(long, value_name = "URL", value_parser = secret, hide_short_help = true)]
    notify: Option<SecretString>,

    /// Whether the environment does not count either: a simulation tells nobody.
    #[arg(skip)]
    is_off: bool,
}

/// The variable that stands for `--notify`.
const NOTIFY: &str = "FLEETSWEEP_NOTIFY";

/// Never fails: an error of the parser would quote the address.
#[expect(
    clippy::unnecessary_wraps,
    reason = "clap wants a parser that can fail"
)]
fn secret(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text))
}

impl WatchArgs {
    /// Refuses values that cannot be used. `yes` is whether `--yes` is given.
    ///
    /// # Errors
    /// There is one.
    pub fn validate(&self, yes: bool) -> Result<(), Failure> {
        if let Some(address) = self.metrics
            && !address.ip().is_loopback()
            && !yes
        {
            return Err(Failure::usage(format!(
                "at {address}, others than this computer can read the campaign's numbers: give --metrics an address \
                 that only this computer reaches, such as 127.0.0.1:9464, or --yes if that is meant"
            )));
        }
        self.command().map(drop)?;
        self.address()
            .map_or(Ok(()), |url| webhook::parse(&url).map(drop))
    }

    /// Nobody watches.
    pub(super) fn off() -> Self {
        Self {
            is_off: true,
            ..Self::default()
        }
    }

    fn command(&self) -> Result<Option<EndCommand>, Failure> {
        self.on_end.as_deref().map(EndCommand::parse).transpose()
    }

    /// Where notices go: the option, or else the environment.
    fn address(&self) -> Option<SecretString> {
        let by_environment = || {
            let url = std::env::var(NOTIFY).ok().filter(|_| !self.is_off);
            let url = url.filter(|url| !url.is_empty());
            url.map(SecretString::from)
        };
        self.notify.clone().or_else(by_environment)
    }
}

/// Says something: by the run's monitor while it runs, and afterwards without it.
struct Voice {
    shown: Arc<dyn Monitor>,
    is_quiet: bool,
    is_over: AtomicBool,
}

impl Voice {
    fn say(&self, text: &str) {
        // Also where nobody looks at a terminal.
        trail::note(text);
        if !self.is_over.load(Ordering::Relaxed) {
            self.shown.note(text);
        } else if !self.is_quiet {
            screen::say(text);
        }
    }
}

impl Monitor for Voice {
    fn ended(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// What watches a run.
pub(super) struct Watch {
    monitor: Arc<dyn Monitor>,
    voice: Arc<Voice>,
    occasions: Arc<Occasions>,
    command: Option<EndCommand>,
    notifier: Option<Notifier>,
}

impl Watch {
    /// Begins to watch a run whose progress is shown by `shown`. Nothing has been sent.
    ///
    /// # Errors
    /// An address or a command cannot be used.
    pub(super) fn start(
        args: &WatchArgs,
        connect: &ConnectArgs,
        shown: Arc<dyn Monitor>,
        is_quiet: bool,
    ) -> Result<Self, Failure> {
        let voice = Arc::new(Voice {
            shown: Arc::clone(&shown),
            is_quiet,
            is_over: AtomicBool::new(false),
        });
        let mut monitors: Vec<Arc<dyn Monitor>> = vec![shown];
        if let Some(address) = args.metrics {
            let server = Server::bind(address)?;
            let (metrics, pulse) = (Arc::new(Metrics::default()), Arc::new(Pulse::default()));
            voice.say(&format!("metrics are at {}", server.url()));
            server.start(Arc::clone(&metrics), Arc::clone(&pulse))?;
            monitors.extend([metrics as Arc<dyn Monitor>, pulse]);
        }
        let command = args.command()?;
        let (queue, notices) = mpsc::channel(notifier::WAITING);
        let occasions = Arc::new(Occasions::new(queue.clone()));
        let mut notifier = None;
        if let Some(address) = args.address() {
            let webhook = Webhook::new(&address, &connect.network()?)?;
            let speaker = Arc::clone(&voice);
            let host = webhook.host().to_owned();
            let say = move |text: &str| speaker.say(text);
            notifier = Some(Notifier::start(webhook, host, queue, notices, say));
        }
        if command.is_some() || notifier.is_some() {
            monitors.extend([Arc::clone(&occasions) as Arc<dyn Monitor>, voice.clone()]);
        }
        let monitor: Arc<dyn Monitor> = match monitors.len() {
            1 => Arc::clone(&monitors[0]),
            _ => Arc::new(Several(monitors)),
        };
        Ok(Self {
            monitor,
            voice,
            occasions,
            command,
            notifier,
        })
    }

    /// The monitor that the run reports to.
    pub(super) fn monitor(&self) -> Arc<dyn Monitor> {
        Arc::clone(&self.monitor)
    }

    /// Tells how the run has ended: by the command and by a notice, and waits for both. All has been written before,
    /// and nothing of this changes how the process ends.
    pub(super) async fn ended(
        self,
        ended: Result<ExitCode, Failure>,
        summary: Option<&Summary>,
    ) -> Result<ExitCode, Failure> {
        self.voice.ended();
        if self.command.is_none() && self.notifier.is_none() {
            return ended;
        }
        let seen = self.occasions.so_far(SystemClock.wall());
        let notice = end::notice(seen, &ended, summary);
        let code = ended.as_ref().map_or_else(Failure::code, |code| *code);
        let ended = super::say_now(ended);
        // Whoever has interrupted the run has asked once already.
        let asked_before = code == ExitCode::Interrupted;
        let Self {
            command,
            notifier,
            voice,
            ..
        } = self;
        if asked_before {
            voice.say("waiting for --on-end and --notify; Ctrl-C again ends that");
        }
        let telling = tell(command, notifier, notice, &voice);
        tokio::select! {
            biased;
            () = to_stop_waiting(asked_before, &voice) => voice.say("nobody is waited for any longer"),
            () = telling => {}
        }
        ended
    }
}

async fn tell(
    command: Option<EndCommand>,
    notifier: Option<Notifier>,
    notice: Notice,
    voice: &Voice,
) {
    let facts = notice.line();
    let command = async {
        if let Some(command) = command
            && let Err(why) = command.run(&facts).await
        {
            voice.say(&format!("--on-end: {why}"));
        }
    };
    let posting = async {
        if let Some(notifier) = notifier {
            notifier.finish(notice).await;
        }
    };
    tokio::join!(command, posting);
}

/// Waits for a second Ctrl-C.
async fn to_stop_waiting(asked_before: bool, voice: &Voice) {
    let mut signals = signals::listen();
    let mut is_asked = asked_before;
    while let Some(signal) = signals.recv().await {
        if is_asked || signal == Signal::Abort {
            return;
        }
        is_asked = true;
        voice.say("waiting for --on-end and --notify; Ctrl-C again ends that");
    }
    std::future::pending::<()>().await;
}
