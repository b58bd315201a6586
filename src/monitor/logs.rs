//! Writes `tracing` events to stderr, above the bar, and to a file. Never to stdout, which is for data only.

mod now;
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

use crate::{audit, private_file::for_its_owner};
pub use now::Now;
use writer::{Place, Writers};

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object per line.
    Json,
}

/// Where events are shown to people.
#[derive(Debug, Clone)]
pub enum LogTarget {
    /// stderr.
    Stderr,
    /// stderr, with the bar hidden meanwhile; see [`Bar::bars`](super::Bar::bars).
    AboveBar(MultiProgress),
    /// stderr, among the events of [`Json`](super::Json): in JSON, whatever the format is.
    AmongEvents,
}

/// What is logged, how, and where.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The value of `RUST_LOG`. If it is not empty, it alone decides, except that the file always has the audit trail.
    pub filter: Option<String>,
    /// -1 for `-q`, 0 without an option, 1 for `-v`, 2 for `-vv`, and so on.
    pub verbosity: i8,
    /// Text or JSON. If there is a file, this is the file's format, and people get text.
    pub format: LogFormat,
    /// Whether text may be coloured; see [`colour`].
    pub colour: bool,
    /// Where events are shown to people.
    pub target: LogTarget,
    /// A file to which events are appended too.
    pub file: Option<PathBuf>,
    /// The time that events are stamped with. `None` means the computer's.
    pub now: Option<Now>,
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// `RUST_LOG` is not a valid filter.
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
        /// The operating system's error.
        why: io::Error,
    },
    /// Logging was started before. A process can start it only once.
    #[error("logging has begun already")]
    Twice,
}

/// Starts logging for the whole process.
///
/// # Errors
/// The filter or the file cannot be used, or logging has begun already.
pub fn start(options: &LogOptions) -> Result<(), LogsError> {
    dispatch(options)?.try_init().map_err(|_| LogsError::Twice)
}

/// What [`start`] installs, for use in a part of the process only.
///
/// # Errors
/// The filter or the file cannot be used.
pub fn dispatch(options: &LogOptions) -> Result<Dispatch, LogsError> {
    let place = match &options.target {
        LogTarget::Stderr | LogTarget::AmongEvents => Place::Stderr,
        LogTarget::AboveBar(bars) => Place::AboveBar(bars.clone()),
    };
    let format = match (&options.target, &options.file) {
        (LogTarget::AmongEvents, _) => LogFormat::Json,
        (_, Some(_)) => LogFormat::Text,
        (_, None) => options.format,
    };
    let colour = options.colour && format == LogFormat::Text;
    let now = options.now.as_ref();
    let mut layers = vec![layer(
        filter(options)?,
        format,
        Writers { place, colour },
        now,
    )];
    if let Some(path) = &options.file {
        let filter = file_filter(options)?;
        let writers = Writers {
            place: Place::File(Mutex::new(open(path)?)),
            colour: false,
        };
        layers.push(layer(filter, options.format, writers, now));
    }
    Ok(tracing_subscriber::registry().with(layers).into())
}

fn layer(
    filter: EnvFilter,
    format: LogFormat,
    writers: Writers,
    now: Option<&Now>,
) -> Box<dyn Layer<Registry> + Send + Sync> {
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(writers.colour)
        .with_writer(writers);
    match (format, now.cloned()) {
        (LogFormat::Text, None) => lines.with_filter(filter).boxed(),
        (LogFormat::Json, None) => lines.json().with_filter(filter).boxed(),
        (LogFormat::Text, Some(now)) => lines.with_timer(now).with_filter(filter).boxed(),
        (LogFormat::Json, Some(now)) => lines.with_timer(now).json().with_filter(filter).boxed(),
    }
}

/// Whether text on a terminal may be coloured. `no_color` is the value of `NO_COLOR`, which forbids it if it is not
/// empty (<https://no-color.org>).
#[must_use]
pub fn colour(no_color: Option<&OsStr>, is_terminal: bool) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

/// The filter for what is shown to people.
fn filter(options: &LogOptions) -> Result<EnvFilter, LogsError> {
    if let Some(filter) = named(options) {
        return filter;
    }
    // Bugs are reported on stderr anyway.
    Ok(EnvFilter::new(format!(
        "{},fleetsweep::bug=off",
        words(options.verbosity)
    )))
}

/// The filter for the file. It always admits the audit trail, so that one can find out later what was done.
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

/// The filter in `RUST_LOG`, if it is set.
fn named(options: &LogOptions) -> Option<Result<EnvFilter, LogsError>> {
    let filter = options.filter.as_deref()?;
    (!filter.trim().is_empty()).then(|| {
        EnvFilter::try_new(filter).map_err(|why| LogsError::Filter {
            filter: filter.to_owned(),
            why: why.to_string(),
        })
    })
}

/// The filter for a verbosity. It never admits other crates' `trace`, which has the bytes on the wire. For that, the
/// user has to set `RUST_LOG`.
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
    for_its_owner(&mut options)
        .open(path)
        .map_err(|why| LogsError::File {
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
            now: None,
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
    fn the_environments_filter_decides_alone_except_for_the_trail_in_a_file() {
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
    fn a_terminal_shows_only_warnings_unless_more_is_asked_for() {
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
