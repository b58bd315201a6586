//! The options for progress and logs. The monitors and the log itself are in [`monitor`](crate::monitor).

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    io::{self, IsTerminal},
    path::PathBuf,
    sync::Arc,
};

use clap::{ArgAction, Args, ValueEnum};
use jiff::tz::TimeZone;

use super::{Failure, paths::FileUse};
use crate::monitor::{
    Bar, Json, Lines, Monitor, NotesOnly, Silent,
    logs::{self, LogFormat, LogOptions, LogTarget, Now},
};

/// The options for progress and logs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Progress and logs")]
pub struct ProgressArgs {
    /// How progress is shown on stderr: a bar, a line every 10 s, events as JSON, or not at all. `auto` is a bar on a
    /// terminal, and lines elsewhere or if TERM is `dumb`. Screen readers read `lines` best.
    ///
    /// With `json`, every line on stderr is a JSON object: an event, or what -v shows of the log.
    #[arg(long, value_enum, default_value_t = Shown::Auto, hide_short_help = true)]
    progress: Shown,

    /// The format of the lines in --log-file, or without that of those on stderr.
    #[arg(long, value_enum, default_value_t = Format::Text, hide_short_help = true)]
    log_format: Format,

    /// Write the log to this file too: always the audit trail, even without -v and whatever RUST_LOG says, and what -vv
    /// and -vvv add to it.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    log_file: Option<PathBuf>,

    /// Show the audit trail.
    ///
    /// Twice: decisions too; three times: the HTTP library's log too. RUST_LOG overrides this.
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,

    /// Show no progress and no notes, and log errors only.
    ///
    /// Why a run stopped and where the results are is still printed, and so are the events of --progress json.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shown {
    Auto,
    Bar,
    Lines,
    Json,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Shown {
    /// What `auto` stands for. A bar moves the cursor, which a dumb terminal cannot do.
    fn on(self, terminal: bool, term: Option<&OsStr>) -> Self {
        match self {
            Self::Auto if terminal && term.is_none_or(|term| term != "dumb") => Self::Bar,
            Self::Auto => Self::Lines,
            shown => shown,
        }
    }
}

/// Whether a command line asks for events in place of text. It is looked for before the command line is parsed, so that
/// each refusal is an event too.
pub(super) fn asks_for_events(words: &[OsString]) -> bool {
    let words = words.iter().take_while(|word| *word != "--");
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    let is_apart = |pair: &[Cow<'_, str>]| pair[0] == "--progress" && pair[1] == "json";
    words.windows(2).any(is_apart) || words.iter().any(|word| word == "--progress=json")
}

impl ProgressArgs {
    /// The log file, if there is one.
    #[must_use]
    pub fn files(&self) -> Vec<FileUse> {
        let file = self.log_file.as_ref();
        file.map(|file| FileUse::written("the log (--log-file)", file))
            .into_iter()
            .collect()
    }

    /// Starts to log, and returns the monitor. This opens the log file, so check first that it is
    /// [not another file](super::paths::keep_apart) of the command.
    ///
    /// # Errors
    /// The log cannot be written, or `RUST_LOG` is no filter.
    pub fn start(&self) -> Result<Arc<dyn Monitor>, Failure> {
        let terminal = io::stderr().is_terminal();
        let zone = TimeZone::system();
        let shown = match self.progress {
            // `-q` is about what people read.
            Shown::Json => Shown::Json,
            _ if self.quiet => Shown::None,
            shown => shown.on(terminal, std::env::var_os("TERM").as_deref()),
        };
        let mut target = LogTarget::Stderr;
        let monitor: Arc<dyn Monitor> = match shown {
            // Elsewhere its lines could not be drawn again.
            Shown::Bar if !terminal => Arc::new(NotesOnly),
            Shown::Bar => {
                let bar = Bar::on_stderr(zone);
                target = LogTarget::AboveBar(bar.bars());
                Arc::new(bar)
            }
            Shown::None if self.quiet => Arc::new(Silent),
            Shown::None => Arc::new(NotesOnly),
            Shown::Json => {
                target = LogTarget::AmongEvents;
                Arc::new(Json::new(Box::new(io::stderr())))
            }
            Shown::Lines | Shown::Auto => Arc::new(Lines::new(Box::new(io::stderr()), zone)),
        };
        self.start_log(target, None)?;
        Ok(monitor)
    }

    /// Starts to log events with this time, for a run that shows no progress.
    ///
    /// # Errors
    /// The log cannot be written, or `RUST_LOG` is no filter.
    pub(super) fn log(&self, now: Now) -> Result<(), Failure> {
        self.start_log(LogTarget::Stderr, Some(now))
    }

    fn start_log(&self, target: LogTarget, now: Option<Now>) -> Result<(), Failure> {
        let options = LogOptions {
            filter: std::env::var("RUST_LOG")
                .ok()
                .filter(|filter| !filter.is_empty()),
            verbosity: if self.quiet {
                -1
            } else {
                i8::try_from(self.verbose).unwrap_or(i8::MAX)
            },
            format: match self.log_format {
                Format::Text => LogFormat::Text,
                Format::Json => LogFormat::Json,
            },
            colour: logs::colour(
                std::env::var_os("NO_COLOR").as_deref(),
                io::stderr().is_terminal(),
            ),
            target,
            file: self.log_file.clone(),
            now,
        };
        logs::start(&options).map_err(Failure::usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_asked_for_before_the_command_line_is_parsed() {
        let asks = |line: &str| {
            let words: Vec<_> = line.split(' ').map(OsString::from).collect();
            asks_for_events(&words)
        };
        assert!(asks("run --progress json nowhere.csv") && asks("run --progress=json --what"));
        assert!(!asks("run --progress lines json") && !asks("run -- --progress json"));
    }

    #[test]
    fn a_bar_is_for_terminals_that_can_move_their_cursor() {
        for (shown, terminal, term, meant) in [
            (Shown::Auto, true, Some("xterm"), Shown::Bar),
            (Shown::Auto, true, None, Shown::Bar),
            (Shown::Auto, true, Some("dumb"), Shown::Lines),
            (Shown::Auto, false, Some("xterm"), Shown::Lines),
            (Shown::Bar, true, Some("dumb"), Shown::Bar),
        ] {
            assert_eq!(shown.on(terminal, term.map(OsStr::new)), meant, "{term:?}");
        }
    }
}
