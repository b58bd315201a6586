//! The report as a page in one file, which refers to nothing outside of it and can be read without a script.

use std::{collections::BTreeMap, path::Path, time::Duration};

use askama::Template;

use super::{
    chart::{Bars, Course},
    facts::Report,
    machines::Machine,
    packed::{Column, Packed},
};
use crate::{
    campaign::{findings::Severity, outcome::Outcome},
    monitor::{count, span},
    plain_text::one_line,
};

/// A comment that is at the beginning of each report, by which one is known.
pub const MARK: &str = "a report of fleetsweep";

/// How many machines are in the page for those who read it without a script, at most.
const STATIC: usize = 100;

/// How many families of threats are named.
const FAMILIES: usize = 12;

#[derive(Template)]
#[template(path = "report.html", config = "src/report/askama.toml")]
struct Page<'a> {
    mark: &'static str,
    report: &'a Report,
    lead: String,
    warning: Option<String>,
    outcomes: Vec<OutcomeRow>,
    shares: Option<Bars>,
    /// A link to the results, if they are beside the page.
    href: Option<String>,
    results_path: String,
    state_path: String,
    again: BTreeMap<&'a str, &'a str>,
    courses: Vec<Course>,
    effort: Vec<Bars>,
    latency: Option<String>,
    after: Vec<Bars>,
    unknown: Vec<&'static str>,
    listed: String,
    columns: Vec<Column>,
    static_rows: Vec<&'a Machine>,
    packed: Packed,
}

struct OutcomeRow {
    word: &'static str,
    meaning: &'static str,
    count: u64,
    share: String,
}

/// The report as HTML, for a file in `folder`.
///
/// # Errors
/// A text cannot be displayed, which is a bug.
pub fn html(report: &Report, folder: Option<&Path>) -> Result<String, askama::Error> {
    let columns = Column::used(&report.machines.rows);
    let results = report.results.as_deref();
    let page = Page {
        mark: MARK,
        report,
        lead: lead(report),
        warning: warning(report),
        outcomes: outcomes(report),
        shares: shares(report),
        href: href(report, folder),
        results_path: results.map(in_words).unwrap_or_default(),
        state_path: in_words(&report.state),
        again: again(report),
        courses: courses(report),
        effort: [waits(report), latencies(report)]
            .into_iter()
            .flatten()
            .collect(),
        latency: latency(report),
        after: after(report),
        unknown: unknown(report),
        listed: listed(report),
        static_rows: static_rows(&report.machines.rows),
        packed: Packed::of(&report.machines.rows, &columns),
        columns,
    };
    page.render()
}

fn in_words(path: &Path) -> String {
    one_line(&path.to_string_lossy()).into_owned()
}

/// What came of it, in a sentence or two.
fn lead(report: &Report) -> String {
    let of = |outcome| report.outcomes.of(outcome);
    let (accepted, busy) = (of(Outcome::Accepted), of(Outcome::AlreadyPending));
    let rows = count::grouped(report.targets);
    let started = format!(
        "A scan was started on {} of {rows} {}",
        count::grouped(accepted),
        count::word(report.targets, "row", "rows")
    );
    let busy = match busy {
        0 => String::new(),
        1 => "; one more machine was being scanned already".to_owned(),
        many => format!(
            "; {} more machines were being scanned already",
            count::grouped(many)
        ),
    };
    let bad: u64 = report.troubles.iter().map(|trouble| trouble.count).sum();
    let bad = match bad {
        0 => String::new(),
        1 => " One row ended badly.".to_owned(),
        many => format!(" {} rows ended badly.", count::grouped(many)),
    };
    format!("{started}{busy}.{bad}")
}

/// What is not over yet.
fn warning(report: &Report) -> Option<String> {
    if report.open == 0 {
        return None;
    }
    let open = count::grouped(report.open);
    let have = count::word(report.open, "row has", "rows have");
    let look_up = match report.to_look_up {
        0 => String::new(),
        some => format!(
            " {} of them may have a scan all the same, and will be looked up before anything is sent there.",
            count::grouped(some)
        ),
    };
    Some(if report.running {
        format!("The campaign is under way: {open} {have} not ended, and these numbers change.")
    } else {
        format!("The campaign is not finished: {open} {have} not ended.{look_up}")
    })
}

fn outcomes(report: &Report) -> Vec<OutcomeRow> {
    let all = report.outcomes.iter().map(|(outcome, count)| OutcomeRow {
        word: outcome.as_str(),
        meaning: meaning(outcome),
        count,
        share: percent(count, report.targets),
    });
    all.collect()
}

/// What an outcome means, for those who were not there.
const fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "The service accepted the scan. Whether it ran, its state tells.",
        Outcome::AlreadyPending => "Somebody else's scan was waiting or running already.",
        Outcome::NotFound => "The service does not know the machine.",
        Outcome::Unsupported => "The machine's platform or agent cannot be scanned in this way.",
        Outcome::Refused => "The service refuses to scan this machine.",
        Outcome::Failed => "All tries failed.",
        Outcome::Unsure => "A scan may have been started, and nobody knows.",
        Outcome::Invalid => {
            "The row has no machine id that can be used, or another cell that cannot."
        }
        Outcome::Duplicate => "The machine is in an earlier row too.",
        Outcome::NotAttempted => "Left out on purpose, or not reached.",
    }
}

fn shares(report: &Report) -> Option<Bars> {
    let counts: Vec<_> = report.outcomes.iter().collect();
    let rows = counts.iter().map(|(outcome, count)| {
        (
            outcome.as_str().to_owned(),
            count::grouped(*count),
            outcome.as_str(),
            as_f64(*count),
        )
    });
    let amounts: Vec<_> = counts.iter().map(|(_, count)| *count).collect();
    Some(Bars::of("shares", "Rows by outcome", rows)?.shares(&amounts))
}

/// The address of the results from a page in this folder, if they are there too.
fn href(report: &Report, folder: Option<&Path>) -> Option<String> {
    let results = report.results.as_deref()?;
    let absolute = |path: &Path| std::path::absolute(path).ok();
    let is_there = absolute(results)?.parent() == Some(&absolute(folder?)?);
    let name = results.file_name()?.to_str()?;
    // What a browser takes for the end of a path. It encodes the rest itself.
    let name = name
        .replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23");
    is_there.then(|| format!("./{name}"))
}

/// The commands that try again what ended with an outcome.
fn again(report: &Report) -> BTreeMap<&str, &str> {
    let known = report.troubles.iter();
    let again = known.filter_map(|trouble| Some((&*trouble.outcome, trouble.again.as_deref()?)));
    again.collect()
}

fn courses(report: &Report) -> Vec<Course> {
    let windows = report.calls.windows.iter();
    windows
        .filter_map(|window| Course::of(&report.calls, window))
        .collect()
}

fn waits(report: &Report) -> Option<Bars> {
    let mut waits: Vec<_> = report.waited_s.iter().collect();
    waits.sort_by(|a, b| b.1.total_cmp(a.1));
    let rows = waits.into_iter().map(|(cause, seconds)| {
        let span = Duration::try_from_secs_f64(*seconds).unwrap_or_default();
        (cause.clone(), span::in_words(span), "", *seconds)
    });
    Bars::of("waits", "What the next call waited for, in all", rows)
}

fn latencies(report: &Report) -> Option<Bars> {
    let mut below = 0;
    let rows = report.latency.buckets.iter().map(|bucket| {
        let label = match bucket.up_to_ms {
            Some(up_to) => format!(
                "up to {}",
                milliseconds(std::mem::replace(&mut below, up_to).max(up_to))
            ),
            None => format!("over {}", milliseconds(below)),
        };
        (
            label,
            count::grouped(bucket.count),
            "",
            as_f64(bucket.count),
        )
    });
    let rows: Vec<_> = rows.collect();
    Bars::of("latency", "How long answers took", rows)
}

fn latency(report: &Report) -> Option<String> {
    let latency = &report.latency;
    Some(format!(
        "Of {}, half came within {}, 90 % within {}, 99 % within {}, the last one after {}.",
        counted(latency.answers, "answer"),
        milliseconds(latency.median_ms?),
        milliseconds(latency.p90_ms?),
        milliseconds(latency.p99_ms?),
        milliseconds(latency.longest_ms?)
    ))
}

fn milliseconds(millis: u64) -> String {
    if millis < 1_000 {
        format!("{millis} ms")
    } else if millis < 60_000 && millis % 1_000 >= 100 {
        format!("{}.{} s", millis / 1_000, millis % 1_000 / 100)
    } else if millis < 60_000 {
        format!("{} s", millis / 1_000)
    } else {
        span::in_words(Duration::from_millis(millis))
    }
}

/// The figures on what happened after the scans were started.
fn after(report: &Report) -> Vec<Bars> {
    let bars = |id, title, counts: Vec<(String, u64)>| {
        let rows = counts.into_iter();
        let rows = rows.map(|(word, count)| (word, count::grouped(count), "", as_f64(count)));
        Bars::of(id, title, rows)
    };
    let named = |counts: &BTreeMap<String, u64>, nothing: &str| {
        let named = counts.iter().map(|(word, count)| {
            let word = if word.is_empty() { nothing } else { word };
            (word.to_owned(), *count)
        });
        named.collect::<Vec<_>>()
    };
    let scans = &report.scans;
    let verified = scans.verified.as_ref();
    let found = report.findings.as_ref();
    let by_severity = found.map(|found| {
        let all = Severity::ALL.into_iter();
        let all =
            all.filter_map(|one| Some((one.to_string(), *found.by_severity.get(one.as_str())?)));
        all.collect()
    });
    let by_family = found.map(|found| {
        let mut all = named(&found.by_family, "not named");
        all.sort_by_key(|(name, count)| (u64::MAX - count, name.clone()));
        all.truncate(FAMILIES);
        all
    });
    [
        bars(
            "scans",
            "Scans, as the service said last",
            named(&scans.by_status, "not known"),
        ),
        verified.and_then(|all| {
            bars(
                "verified",
                "Confirmed by the device",
                named(all, "not asked yet"),
            )
        }),
        bars(
            "devices",
            "How they ended by the device's word",
            named(&scans.device_results, ""),
        ),
        by_severity.and_then(|all| bars("severity", "Alerts by severity", all)),
        by_family.and_then(|all| bars("family", "Alerts by threat family", all)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What nobody has asked for, and how that is done.
fn unknown(report: &Report) -> Vec<&'static str> {
    let scans = &report.scans;
    let has_scans = scans.by_status.values().any(|count| *count > 0);
    let is_unknown = has_scans && scans.by_status.keys().all(String::is_empty);
    let notes = [
        (!has_scans).then_some("No scan was started, as far as is known."),
        is_unknown.then_some("How the scans ended is not known yet: fleetsweep follow asks."),
        (has_scans && scans.verified.is_none()).then_some(
            "The devices were not asked whether they ran them: fleetsweep follow --verify asks.",
        ),
        (has_scans && report.findings.is_none())
            .then_some("Nobody has asked for alerts since: fleetsweep findings asks."),
    ];
    notes.into_iter().flatten().collect()
}

/// Which machines are listed.
fn listed(report: &Report) -> String {
    let machines = &report.machines;
    let listed = count::grouped(machines.rows.len() as u64);
    if machines.all {
        return format!("All {listed} rows of the input.");
    }
    let more = match machines.left_out {
        0 => String::new(),
        some => format!(
            " There are {} more of them in the results.",
            count::grouped(some)
        ),
    };
    format!(
        "With {} rows the campaign is too large for a page: these {listed} are those that somebody has to look at. The \
         results have all.{more}",
        count::grouped(report.targets)
    )
}

/// The machines that are shown without a script: first those that somebody has to look at.
fn static_rows(machines: &[Machine]) -> Vec<&Machine> {
    let notable = machines.iter().filter(|machine| machine.is_notable());
    let others = machines.iter().filter(|machine| !machine.is_notable());
    let mut rows: Vec<_> = notable.chain(others).take(STATIC).collect();
    rows.sort_by_key(|machine| machine.line);
    rows
}

/// "1 row", "1,500 rows".
fn counted(count: u64, one: &str) -> String {
    let many = count::of(count, one);
    match many.split_once(' ') {
        Some((_, noun)) => format!("{} {noun}", count::grouped(count)),
        None => many,
    }
}

fn percent(part: u64, whole: u64) -> String {
    let tenths = part * 1_000 / whole.max(1);
    match (part, tenths) {
        (1.., 0) => "under 0.1 %".to_owned(),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
const fn as_f64(count: u64) -> f64 {
    count as f64
}

/// What the templates do with values.
#[expect(unreachable_pub, reason = "askama makes a public item of each filter")]
mod filters {
    use std::convert::Infallible;

    use askama::Values;
    use jiff::Timestamp;

    use crate::monitor::count;

    #[askama::filter_fn]
    pub(super) fn utc(at: &Timestamp, _: &dyn Values) -> Result<String, Infallible> {
        Ok(at.strftime("%Y-%m-%d %H:%M:%S").to_string())
    }

    #[askama::filter_fn]
    pub(super) fn grouped(count: impl ToString, _: &dyn Values) -> Result<String, Infallible> {
        Ok(count::grouped(number(&count)))
    }

    #[askama::filter_fn]
    pub(super) fn counted(
        count: impl ToString,
        _: &dyn Values,
        one: &str,
    ) -> Result<String, Infallible> {
        Ok(super::counted(number(&count), one))
    }

    /// A count of any width, or a reference to one.
    fn number(count: &impl ToString) -> u64 {
        count.to_string().parse().unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
