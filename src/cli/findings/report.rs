//! What is written and said of findings.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::{
    campaign::findings::{Findings, Severity, computer, family},
    monitor::count,
    store::Finding,
};

/// The columns of the CSV.
pub(super) const COLUMNS: [&str; 15] = [
    "machine_id",
    "computer",
    "severity",
    "threat_family",
    "threat_name",
    "title",
    "category",
    "status",
    "alert_id",
    "incident_id",
    "detection_source",
    "created_utc",
    "last_event_utc",
    "scan_began_utc",
    "link",
];

/// The cells of a finding, in the order of [`COLUMNS`].
pub(super) fn cells(finding: &Finding) -> [String; COLUMNS.len()] {
    [
        finding.machine_id.clone(),
        finding.computer.clone(),
        finding.severity.clone(),
        finding.family.clone(),
        finding.threat.clone(),
        finding.title.clone(),
        finding.category.clone(),
        finding.status.clone(),
        finding.alert.clone(),
        finding.incident.clone(),
        finding.source.clone(),
        finding.created.clone(),
        finding.last_event.clone(),
        finding
            .began
            .map(|at| format!("{at:.3}"))
            .unwrap_or_default(),
        link(&finding.alert),
    ]
}

/// The alert's page in Microsoft's portal for the commercial clouds.
fn link(alert: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if alert.is_empty() || !alert.bytes().all(is_plain) {
        return String::new();
    }
    format!("https://security.microsoft.com/alerts/{alert}")
}

/// Writes each finding as an object with the columns' names.
fn rows<S: Serializer>(findings: &Vec<&Finding>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(findings.iter().map(|finding| {
        let named = COLUMNS.into_iter().zip(cells(finding));
        named.collect::<BTreeMap<_, _>>()
    }))
}

/// How many families and machines are named in words.
const SHOWN: usize = 5;

/// What was found. The fields are those of the JSON that `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    campaign: &'a str,
    /// Which alerts were asked for, in words.
    asked: &'a str,
    /// How many machines were asked about.
    machines_asked: u64,
    machines_with_findings: u64,
    /// Whether the list changed each time that it was read, so that an alert may be missing.
    incomplete: bool,
    by_severity: BTreeMap<&'static str, u64>,
    by_family: BTreeMap<&'a str, u64>,
    by_machine: BTreeMap<&'a str, u64>,
    #[serde(serialize_with = "rows")]
    findings: Vec<&'a Finding>,
    #[serde(skip)]
    gravest: Option<Severity>,
}

impl<'a> Report<'a> {
    /// What was found on the machines of the campaign: `asked` of them were asked about, for `which` alerts.
    pub(super) fn new(
        campaign: &'a str,
        which: &'a str,
        asked: u64,
        findings: &'a Findings,
    ) -> Self {
        let all = findings.all();
        let mut report = Self {
            campaign,
            asked: which,
            machines_asked: asked,
            machines_with_findings: 0,
            incomplete: findings.moved,
            by_severity: BTreeMap::new(),
            by_family: BTreeMap::new(),
            by_machine: BTreeMap::new(),
            findings: all,
            gravest: None,
        };
        for finding in report.findings.clone() {
            let severity = Severity::of(&finding.severity);
            report.gravest = report.gravest.max(Some(severity));
            *report.by_severity.entry(severity.as_str()).or_default() += 1;
            *report.by_family.entry(family(finding)).or_default() += 1;
            *report.by_machine.entry(&finding.machine_id).or_default() += 1;
        }
        report.machines_with_findings = report.by_machine.len() as u64;
        report
    }

    /// The gravest severity of all findings.
    pub(super) const fn gravest(&self) -> Option<Severity> {
        self.gravest
    }

    /// The counts, in lines for a person.
    pub(super) fn in_words(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.machines_asked == 0 {
            lines.push(
                "no scan of this campaign has begun, so there is nothing to ask for; --since TIME asks for alerts \
                 since then"
                .to_owned(),
            );
            return lines;
        }
        if self.incomplete {
            lines.push(
                "the list of alerts changed each time that it was read, so one may be missing: run this again"
                    .to_owned(),
            );
        }
        let findings = count::of(self.findings.len() as u64, "finding");
        let asked = count::of(self.machines_asked, "machine");
        lines.push(format!(
            "{findings} on {} of {asked}: {}",
            self.machines_with_findings, self.asked
        ));
        if self.findings.is_empty() {
            lines.push(
                "that is no proof that the machines are clean: alerts may come hours later, and a scan that has not \
                 run finds nothing"
                    .to_owned(),
            );
            return lines;
        }
        let by_severity = Severity::ALL.into_iter().filter_map(|severity| {
            let count = self.by_severity.get(severity.as_str())?;
            Some(format!("{count} {severity}"))
        });
        lines.push(format!(
            "  by severity: {}",
            by_severity.collect::<Vec<_>>().join(", ")
        ));
        lines.push(format!("  by family: {}", most(&self.by_family)));
        let mut by_computer: BTreeMap<&str, u64> = BTreeMap::new();
        for finding in &self.findings {
            *by_computer.entry(computer(finding)).or_default() += 1;
        }
        lines.push(format!("  by machine: {}", most(&by_computer)));
        lines
    }
}

/// The most frequent of them, in words.
fn most(counts: &BTreeMap<&str, u64>) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(name, count)| (u64::MAX - **count, **name));
    let shown = counts.iter().take(SHOWN);
    let mut words: Vec<_> = shown
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let left = counts.len().saturating_sub(SHOWN);
    if left > 0 {
        words.push(format!("and {left} more"));
    }
    words.join(", ")
}
