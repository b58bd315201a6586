//! `tracing` events: on stderr, above the bar, and in a file. Never on stdout, which carries data only.

mod writer;

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Mutex,
};

use indicatif::MultiProgress;
use tracing::{Dispatch, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::Directive, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::audit;
use writer::{Place, Writers};

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object a line.
    Json,
}

/// Where people read events.
#[derive(Debug, Clone)]
pub enum LogTarget {
    /// stderr.
    Stderr,
    /// stderr, with the bar out of the way for as long as it takes; see [`Bar::bars`](super::Bar::bars).
    AboveBar(MultiProgress),
}

/// What is logged, how, and where.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// `RUST_LOG`, where it is set and not empty: it decides alone, but for the audit trail in the file.
    pub filter: Option<String>,
    /// `-q` is -1, nothing 0, `-v` 1, `-vv` 2, and so on.
    pub verbosity: i8,
    /// Text or JSON: the file's where there is one, for what stands above a bar is read by people then.
    pub format: LogFormat,
    /// Whether text may be coloured; see [`colour`].
    pub colour: bool,
    /// Where people read it.
    pub target: LogTarget,
    /// A file that holds it too, at its end.
    pub file: Option<PathBuf>,
}

/// Logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// `RUST_LOG` is no filter.
    #[error(
        "RUST_LOG={filter:?} is no log filter ({why}); it looks like RUST_LOG=fleetsweep=debug"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        why: String,
    },
    /// The log file cannot be written.
    #[error("cannot write the log to {}: {why}; give another path with --log-file", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        why: io::Error,
    },
    /// A process logs to one place.
    #[error("logging has begun already")]
    Twice,
}

/// Logs from here on, for the whole process.
///
/// # Errors
/// The filter or the file cannot be used, or logging has begun already.
pub fn start(options: &LogOptions) -> Result<(), LogsError> {
    dispatch(options)?.try_init().map_err(|_| LogsError::Twice)
}

/// What [`start`] installs, for whoever wants it for a part of the process only.
///
/// # Errors
/// The filter or the file cannot be used.
pub fn dispatch(options: &LogOptions) -> Result<Dispatch, LogsError> {
    let place = match &options.target {
        LogTarget::Stderr => Place::Stderr,
        LogTarget::AboveBar(bars) => Place::AboveBar(bars.clone()),
    };
    let format = match options.file {
        Some(_) => LogFormat::Text,
        None => options.format,
    };
    let colour = options.colour && format == LogFormat::Text;
    let mut layers = vec![layer(filter(options)?, format, Writers { place, colour })];
    if let Some(path) = &options.file {
        let filter = file_filter(options)?;
        let writers = Writers {
            place: Place::File(Mutex::new(open(path)?)),
            colour: false,
        };
        layers.push(layer(filter, options.format, writers));
    }
    Ok(tracing_subscriber::registry().with(layers).into())
}

fn layer(
    filter: EnvFilter,
    format: LogFormat,
    writers: Writers,
) -> Box<dyn Layer<Registry> + Send + Sync> {
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(writers.colour)
        .with_writer(writers);
    match format {
        LogFormat::Text => lines.with_filter(filter).boxed(),
        LogFormat::Json => lines.json().with_filter(filter).boxed(),
    }
}

/// Whether a terminal's text may be coloured: `no_color` is the value of `NO_COLOR` (<https://no-color.org>: set and
/// not empty means no).
#[must_use]
pub fn colour(no_color: Option<&OsStr>, is_terminal: bool) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

/// What people read.
fn filter(options: &LogOptions) -> Result<EnvFilter, LogsError> {
    if let Some(filter) = named(options) {
        return filter;
    }
    // A bug is told on stderr anyway.
    Ok(EnvFilter::new(format!(
        "{},fleetsweep::bug=off",
        words(options.verbosity)
    )))
}

/// What a file holds. It is kept for whoever asks one day what was done: the audit trail is in it, whatever anybody
/// says.
fn file_filter(options: &LogOptions) -> Result<EnvFilter, LogsError> {
    let filter = match named(options) {
        Some(filter) => filter?,
        None => EnvFilter::new(words(options.verbosity.max(1))),
    };
    let trail = [
        (audit::TRAIL, LevelFilter::INFO),
        (audit::BUG, LevelFilter::ERROR),
    ];
    Ok(trail.into_iter().fold(filter, |filter, (target, level)| {
        let directive = format!("{target}={level}").parse::<Directive>();
        match directive {
            Ok(directive) => filter.add_directive(directive),
            Err(_) => filter,
        }
    }))
}

/// What `RUST_LOG` names, if it is set.
fn named(options: &LogOptions) -> Option<Result<EnvFilter, LogsError>> {
    let filter = options.filter.as_deref()?;
    (!filter.trim().is_empty()).then(|| {
        EnvFilter::try_new(filter).map_err(|why| LogsError::Filter {
            filter: filter.to_owned(),
            why: why.to_string(),
        })
    })
}

/// Other crates' `trace` is the bytes on the wire, which are nobody's business but those who ask by `RUST_LOG`.
fn words(verbosity: i8) -> &'static str {
    match verbosity {
        ..=-1 => "error",
        0 => "warn",
        1 => "warn,fleetsweep=info",
        2 => "info,fleetsweep=debug",
        _ => "debug,fleetsweep=trace",
    }
}

fn open(path: &Path) -> Result<File, LogsError> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    // It names the machines, and what was done to them.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|why| LogsError::File {
        path: path.to_owned(),
        why,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn to_stderr() -> LogOptions {
        LogOptions {
            filter: None,
            verbosity: -1,
            format: LogFormat::Text,
            colour: false,
            target: LogTarget::Stderr,
            file: None,
        }
    }

    fn logged(change: impl FnOnce(&mut LogOptions)) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut options = LogOptions {
            verbosity: 0,
            colour: true,
            file: Some(path.clone()),
            ..to_stderr()
        };
        change(&mut options);
        let dispatch = dispatch(&options).unwrap();
        tracing::dispatcher::with_default(&dispatch, || {
            tracing::info!(target: "fleetsweep::audit", event = "sent", "of the trail");
            tracing::error!(code = 429, "an error");
            tracing::warn!("a warning");
            tracing::info!("an info");
            tracing::debug!("a debug");
            tracing::trace!("a trace");
            tracing::debug!(target: "hyper", "of others");
            tracing::trace!(target: "hyper", "the wire");
        });
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn each_v_says_more_and_a_file_has_the_trail_without_any() {
        for (verbosity, lines) in [(-2, 4), (-1, 4), (0, 4), (1, 4), (2, 5), (3, 7), (9, 7)] {
            let text = logged(|options| options.verbosity = verbosity);
            assert_eq!(text.lines().count(), lines, "{verbosity}: {text}");
            assert!(!text.contains("the wire"), "{text}");
        }
        for (verbosity, level) in [(-1, "error"), (0, "warn"), (1, "fleetsweep=info")] {
            let options = LogOptions {
                verbosity,
                ..to_stderr()
            };
            let told = filter(&options).unwrap().to_string();
            assert!(told.contains(level), "{verbosity}: {told}");
        }
    }

    #[test]
    fn the_environments_filter_decides_alone_but_for_the_trail_in_a_file() {
        for (filter, lines) in [
            ("off,hyper=trace", 3),
            ("off", 1),
            ("error", 2),
            ("error,fleetsweep::audit=off", 2),
            (" ", 4),
        ] {
            let text = logged(|options| {
                options.filter = Some(filter.to_owned());
                options.verbosity = if filter == " " { 0 } else { 3 };
            });
            assert_eq!(text.lines().count(), lines, "{filter}: {text}");
            assert!(text.contains("of the trail"), "{filter}: {text}");
        }
        let told = filter(&LogOptions {
            filter: Some("off".to_owned()),
            ..to_stderr()
        });
        assert_eq!(told.unwrap().to_string(), "off");
    }

    #[test]
    fn a_terminal_hears_of_warnings_only_unless_it_is_asked_for() {
        for (verbosity, level) in [(-1, "error"), (0, "warn"), (1, "fleetsweep=info")] {
            let filter = filter(&LogOptions {
                verbosity,
                ..to_stderr()
            });
            let filter = filter.unwrap().to_string();
            assert!(filter.contains(level), "{verbosity}: {filter}");
            assert_eq!(filter.contains("info"), verbosity > 0, "{filter}");
        }
    }

    #[test]
    fn a_file_is_never_coloured_and_json_is_an_object_a_line() {
        assert!(!logged(|_| ()).contains('\u{1b}'));
        let text = logged(|options| options.format = LogFormat::Json);
        for line in text.lines() {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(object["fields"]["message"].is_string(), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_in_words() {
        let mut options = LogOptions {
            filter: Some("fleetsweep=loud".to_owned()),
            ..to_stderr()
        };
        let told = dispatch(&options).unwrap_err().to_string();
        assert!(told.contains("fleetsweep=loud"), "{told}");
        options.filter = None;
        options.file = Some("/nowhere/log".into());
        let told = dispatch(&options).unwrap_err().to_string();
        assert!(
            told.contains("/nowhere/log") && told.contains("--log-file"),
            "{told}"
        );
    }

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        assert!(colour(None, true));
        assert!(colour(Some(OsStr::new("")), true));
        assert!(!colour(Some(OsStr::new("1")), true));
        assert!(!colour(None, false));
    }
}
