//! `machines --health`: what the devices report of their antivirus, as columns and as filters.

use clap::{ArgAction, Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};

use crate::{
    cli::{ExitCode, Failure, api::ApiClient, values},
    client::{
        caller::{CallError, Caller},
        health::{
            self, AvMode, DeviceHealth, HealthError, HealthReport, LastScan, ScanChoice, UpToDate,
        },
    },
    monitor::{Monitor, count, span},
};

/// The further columns of an inventory with what the devices report of their antivirus.
pub(super) const COLUMNS: [&str; 8] = [
    "av_mode",
    "av_signature_up_to_date",
    "av_engine_up_to_date",
    "quick_scan_utc",
    "quick_scan_result",
    "full_scan_utc",
    "full_scan_result",
    "av_report_utc",
];

/// The options for the report.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "What the devices report of their antivirus (machines without a report always stay)"
)]
pub(super) struct HealthArgs {
    /// Add what the devices report of their antivirus as columns: its mode, whether signatures and engine are up to
    /// date, the last quick and full scan with their results, and when the report was made. The next options do so
    /// too. (--health NAME, with a NAME, is --health-status NAME.)
    #[arg(
        long,
        value_name = "NAME",
        num_args = 0..=1,
        default_missing_value = "",
        action = ArgAction::Append
    )]
    health: Vec<String>,

    /// Leave out machines that have completed a scan within this time, by their own report, as in 7d.
    #[arg(long, value_name = "D", value_parser = values::days)]
    not_scanned_within: Option<SignedDuration>,

    /// The scans that count for --not-scanned-within. [default: any]
    #[arg(
        long,
        value_name = "TYPE",
        value_enum,
        requires = "not_scanned_within",
        hide_short_help = true
    )]
    scan_type: Option<ScanChoiceArg>,

    /// Only these modes: active, passive, disabled, other, edr-in-block-mode, passive-audit, or a number that is none
    /// of these.
    #[arg(
        long,
        value_name = "MODES",
        value_delimiter = ',',
        value_parser = mode,
        action = ArgAction::Append,
        hide_short_help = true
    )]
    av_mode: Vec<String>,

    /// Only machines whose signatures are old, current or unknown.
    #[arg(
        long,
        value_name = "WHICH",
        value_enum,
        value_delimiter = ',',
        action = ArgAction::Append,
        hide_short_help = true
    )]
    signatures: Vec<SignaturesArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScanChoiceArg {
    Quick,
    Full,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SignaturesArg {
    Old,
    Current,
    Unknown,
}

/// Reads a mode: one of the documented ones, or the number of another.
fn mode(text: &str) -> Result<String, String> {
    let plain = plain_mode(text);
    let is_number = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit());
    if is_number || AvMode::WORDS.iter().any(|word| plain_mode(word) == plain) {
        return Ok(plain);
    }
    let words = AvMode::WORDS.map(|word| plain_mode(word).replace(' ', "-"));
    Err(format!("the modes are {}", words.join(", ")))
}

/// A mode as it is compared: `EDR-in-block-mode` is `EDR in block mode`.
fn plain_mode(text: &str) -> String {
    text.trim().to_ascii_lowercase().replace(['-', '_'], " ")
}

/// Which machines are wanted, by their reports.
#[derive(Debug, Clone, Default)]
pub(super) struct ReportFilter {
    not_scanned_within: Option<SignedDuration>,
    scans: ScanChoice,
    modes: Vec<String>,
    signatures: Vec<UpToDate>,
}

impl HealthArgs {
    /// The names of `healthStatus` that were given with `--health`.
    pub(super) fn statuses(&self) -> impl Iterator<Item = &String> {
        self.health.iter().filter(|name| !name.is_empty())
    }

    /// The filter, if the report is wanted at all.
    pub(super) fn filter(&self) -> Option<ReportFilter> {
        let filters = self.not_scanned_within.is_some()
            || !self.av_mode.is_empty()
            || !self.signatures.is_empty();
        let asks = self.health.iter().any(String::is_empty);
        (asks || filters).then(|| ReportFilter {
            not_scanned_within: self.not_scanned_within,
            scans: match self.scan_type {
                Some(ScanChoiceArg::Quick) => ScanChoice::Quick,
                Some(ScanChoiceArg::Full) => ScanChoice::Full,
                Some(ScanChoiceArg::Any) | None => ScanChoice::Any,
            },
            modes: self.av_mode.clone(),
            signatures: self
                .signatures
                .iter()
                .map(|which| match which {
                    SignaturesArg::Old => UpToDate::No,
                    SignaturesArg::Current => UpToDate::Yes,
                    SignaturesArg::Unknown => UpToDate::Unknown,
                })
                .collect(),
        })
    }
}

impl ReportFilter {
    fn admits(&self, health: &DeviceHealth, now: Timestamp) -> bool {
        let was_scanned = self
            .not_scanned_within
            .is_some_and(|span| health.scanned_within(self.scans, span, now));
        let mode = plain_mode(health.mode.as_str());
        !was_scanned
            && (self.modes.is_empty() || self.modes.contains(&mode))
            && (self.signatures.is_empty() || self.signatures.contains(&health.signatures))
    }
}

/// The report, and what has been said of it so far.
pub(super) struct Join {
    filter: ReportFilter,
    report: HealthReport,
    now: Timestamp,
    /// How many machines were written that have no report.
    without: u64,
    /// How many were left out because of their report.
    left_out: u64,
    /// How many of the reports do not say when they were made.
    undated: u64,
    /// When the oldest and the newest report of a written machine were made.
    made: Option<(Timestamp, Timestamp)>,
}

impl Join {
    /// Reads the report.
    ///
    /// # Errors
    /// It cannot be had.
    pub(super) async fn read(
        filter: ReportFilter,
        caller: &Caller<ApiClient>,
        shows_pages: Option<&dyn Monitor>,
    ) -> Result<Self, Failure> {
        let read = health::read(caller, |report| {
            if let Some(monitor) = shows_pages.filter(|_| report.calls > 1) {
                let rows = count::of(report.rows, "row");
                monitor.note(&format!("{rows} of the antivirus report so far"));
            }
        });
        Ok(Self {
            filter,
            report: read.await.map_err(failure)?,
            now: caller.clock().wall(),
            without: 0,
            left_out: 0,
            undated: 0,
            made: None,
        })
    }

    /// The cells of a machine, in the order of [`COLUMNS`]; `None` if its report leaves it out.
    pub(super) fn cells(&mut self, machine: &str) -> Option<[String; COLUMNS.len()]> {
        let Some(health) = self.report.of(machine) else {
            self.without += 1;
            let mut cells = [const { String::new() }; COLUMNS.len()];
            NO_REPORT.clone_into(&mut cells[0]);
            return Some(cells);
        };
        if !self.filter.admits(health, self.now) {
            self.left_out += 1;
            return None;
        }
        match (health.reported, &mut self.made) {
            (None, _) => self.undated += 1,
            (Some(at), None) => self.made = Some((at, at)),
            (Some(at), Some((oldest, newest))) => {
                *oldest = at.min(*oldest);
                *newest = at.max(*newest);
            }
        }
        let result = |scan: &LastScan| scan.result.as_deref().unwrap_or_default().to_owned();
        Some([
            health.mode.to_string(),
            health.signatures.as_str().to_owned(),
            health.engine.as_str().to_owned(),
            utc(health.quick.at),
            result(&health.quick),
            utc(health.full.at),
            result(&health.full),
            utc(health.reported),
        ])
    }

    /// How many machines their reports have left out.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// What is said of the reports at the end.
    pub(super) fn in_words(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.report.moved {
            lines.push(
                "the antivirus report changed each time that it was read, so a machine's report may be missing: run \
                 this again if you need every last one"
                    .to_owned(),
            );
        }
        if self.left_out > 0 {
            let machines = count::of(self.left_out, "machine");
            let are = count::word(self.left_out, "is", "are");
            lines.push(format!(
                "{machines} {are} left out because of what they report of their antivirus"
            ));
        }
        if self.without > 0 {
            let have = count::word(self.without, "has", "have");
            lines.push(format!(
                "{} {have} no report of the antivirus and stayed in the list: their av_mode says `{NO_REPORT}`",
                count::of(self.without, "machine")
            ));
        }
        lines.extend(self.made.map(|(oldest, newest)| {
            let ago = |at| span::in_words(self.now.duration_since(at).unsigned_abs());
            format!(
                "the reports were made from {} ({} ago) to {} ({} ago); a scan that ended later is not in them",
                utc(Some(oldest)),
                ago(oldest),
                utc(Some(newest)),
                ago(newest)
            )
        }));
        if self.undated > 0 {
            let reports = count::of(self.undated, "report");
            let says = count::word(
                self.undated,
                "does not say when it was",
                "do not say when they were",
            );
            lines.push(format!("{reports} {says} made"));
        }
        lines
    }
}

/// The mode of a machine that has no report.
const NO_REPORT: &str = "no report";

fn utc(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| {
        at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    })
}

fn failure(e: HealthError) -> Failure {
    let why = match e {
        HealthError::Call(CallError::Ledger(e)) => return e.into(),
        HealthError::Call(CallError::Unanswered { .. }) => {
            return Failure::new(
                ExitCode::Tenant,
                format!("{e}; nothing was changed, try again"),
            );
        }
        e => e,
    };
    Failure::new(
        ExitCode::Tenant,
        format!(
            "{why}. To list the machines without it, leave out --health, --not-scanned-within, --av-mode and \
             --signatures"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_people_write_them_and_others_are_refused() {
        for (text, plain) in [
            ("active", "active"),
            ("EDR-in-block-mode", "edr in block mode"),
            ("EDR in block mode", "edr in block mode"),
            ("Passive_Audit", "passive audit"),
            ("9", "9"),
        ] {
            assert_eq!(mode(text).as_deref(), Ok(plain));
        }
        for text in ["", "activ", "no report"] {
            let why = mode(text).unwrap_err();
            assert!(why.contains("edr-in-block-mode, passive-audit"), "{why}");
        }
    }
}
