//! The options of `findings`, and where it writes.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::{ArgAction, Args, ValueEnum};
use jiff::{Timestamp, Zoned, civil::DateTime, tz::TimeZone};

use super::report::{COLUMNS, cells};
use crate::{
    campaign::findings::{Severity, Wanted},
    cli::{Failure, existing_campaign::CampaignArgs, follow::FollowArgs, screen},
    results::Table,
    store::Finding,
};

/// What the rows are, for messages.
const WHAT: &str = "findings";

/// List the alerts on a campaign's machines since their scans began, as a CSV. Whether the scan has found what an alert
/// tells of is not known. Needs the role Alert.Read.All.
#[derive(Debug, Args)]
pub struct FindingsCommand {
    #[command(flatten)]
    pub(super) campaign: CampaignArgs,

    /// The CSV to write. [default: standard output]
    #[arg(short = 'o', long, value_name = "FILE", help_heading = "Options")]
    output: Option<PathBuf>,

    /// Write JSON to standard output, with the counts, in place of the CSV.
    #[arg(
        long,
        conflicts_with_all = ["output", "watch"],
        help_heading = "Options"
    )]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) which: WhichArgs,

    /// Go on until the scans have ended, and tell new findings as they come.
    #[arg(long, help_heading = "Options")]
    pub(super) watch: bool,

    /// End with exit code 7 if there is a finding of at least this severity.
    #[arg(long, value_name = "SEVERITY", value_enum, help_heading = "Options")]
    pub(super) fail_on: Option<SeverityArg>,

    #[command(flatten)]
    pub(super) follow: FollowArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Which alerts")]
pub(super) struct WhichArgs {
    /// Alerts of the antivirus alone, or of all sources.
    #[arg(
        long,
        value_name = "WHICH",
        value_enum,
        default_value = "antivirus",
        action = ArgAction::Set
    )]
    source: Source,

    /// Only alerts of at least this severity. [default: all]
    #[arg(long, value_name = "SEVERITY", value_enum)]
    severity: Option<SeverityArg>,

    /// Alerts that were created at this time or later, in place of the beginning of each machine's scan; also on
    /// machines without one. As in 2026-11-24T18:00, local time, or with a zone: 2026-11-24T18:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,

    /// Alerts that were created at this time or before. [default: now]
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "watch")]
    until: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Source {
    Antivirus,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SeverityArg {
    Informational,
    Low,
    Medium,
    High,
}

impl From<SeverityArg> for Severity {
    fn from(severity: SeverityArg) -> Self {
        match severity {
            SeverityArg::Informational => Self::Informational,
            SeverityArg::Low => Self::Low,
            SeverityArg::Medium => Self::Medium,
            SeverityArg::High => Self::High,
        }
    }
}

/// Reads an instant, or a local date with a time.
fn time(text: &str) -> Result<Timestamp, String> {
    let zoned = || text.parse::<Zoned>().ok().map(|zoned| zoned.timestamp());
    let local = || {
        let shown: DateTime = text.parse().ok()?;
        let zoned = shown.to_zoned(TimeZone::try_system().ok()?).ok()?;
        Some(zoned.timestamp())
    };
    let instant = text.parse().ok().or_else(zoned).or_else(local);
    instant.ok_or_else(|| {
        "write a time such as 2026-11-24T18:00, or 2026-11-24T18:00:00Z for UTC".to_owned()
    })
}

impl WhichArgs {
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            since: self.since,
            until: self.until,
            only_antivirus: self.source == Source::Antivirus,
            least: self.severity.map(Severity::from),
        }
    }

    /// Which alerts are asked for, in words, for the state and the report.
    pub(super) fn in_words(&self) -> String {
        let source = match self.source {
            Source::Antivirus => "alerts of the antivirus",
            Source::All => "alerts of all sources",
        };
        let least = self.severity.map(|severity| {
            let severity = Severity::from(severity);
            format!(", {severity} or graver")
        });
        let since = match self.since {
            Some(since) => format!(" since {since}"),
            None => " since the scans began".to_owned(),
        };
        let until = self.until.map(|until| format!(" until {until}"));
        [
            source,
            &least.unwrap_or_default(),
            &since,
            &until.unwrap_or_default(),
        ]
        .concat()
    }
}

impl FindingsCommand {
    /// Refuses options that have no effect.
    ///
    /// # Errors
    /// There is one.
    pub(super) fn refuse_idle(&self, now: Timestamp) -> Result<(), Failure> {
        if self.follow.verify {
            return Err(Failure::usage(
                "--verify is an option of `fleetsweep follow`: findings come from alerts, not from the devices' report",
            ));
        }
        let since = self.which.since;
        if since
            .zip(self.which.until)
            .is_some_and(|(since, until)| since > until)
        {
            return Err(Failure::usage(
                "--since is later than --until: no alert lies between them",
            ));
        }
        if since.is_some_and(|since| since > now) {
            return Err(Failure::usage(
                "--since lies in the future: no alert was created after it",
            ));
        }
        let follows = self.follow.follow_interval.is_some() || self.follow.follow_timeout.is_some();
        if follows && !self.watch {
            return Err(Failure::usage(
                "--follow-interval and --follow-timeout have no effect without --watch: give that too, or leave them \
                 out",
            ));
        }
        Ok(())
    }

    /// The file to write; `None` for standard output.
    pub(super) fn file(&self) -> Option<&Path> {
        let file = self.output.as_deref();
        file.filter(|file| file.as_os_str() != "-")
    }

    /// Starts the CSV.
    ///
    /// # Errors
    /// The file cannot be written, or is something else than a list of findings.
    pub(super) fn table(&self) -> Result<Table, Failure> {
        Ok(match self.file() {
            Some(path) if is_foreign(path) => {
                return Err(Failure::usage(format!(
                    "{} is no list of findings, and is not overwritten: name another file with -o",
                    path.display()
                )));
            }
            Some(path) => Table::create(path, WHAT, COLUMNS)?,
            None => Table::stream(screen::csv(), WHAT, COLUMNS)?,
        })
    }
}

/// Whether there is a file with something else in it than findings.
fn is_foreign(path: &Path) -> bool {
    let mut start = Vec::new();
    let header = COLUMNS.join(",");
    let read = File::open(path).and_then(|file| {
        let length = header.len() as u64;
        file.take(length).read_to_end(&mut start)
    });
    read.is_ok() && !start.is_empty() && start != header.as_bytes()
}

/// Adds findings to the CSV, at once.
///
/// # Errors
/// The disk is full or gone.
pub(super) fn add<'a>(
    table: &mut Table,
    findings: impl IntoIterator<Item = &'a Finding>,
) -> Result<(), Failure> {
    for finding in findings {
        let cells = cells(finding);
        table.row(cells.iter().map(String::as_str))?;
    }
    Ok(table.flush()?)
}
