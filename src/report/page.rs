//! The report as a page in one file, which refers to nothing outside of it and can be read without a script.

use std::{collections::BTreeMap, path::Path};

use askama::Template;

use super::{
    chart::{Bars, Course},
    facts::Report,
    figures,
    machines::Machine,
    packed::{Column, Packed},
    words,
};
use crate::{plain_text::one_line, store::PastRun};

/// The beginning of the comment by which a report is known; the campaign's id follows.
pub const MARK: &str = "a report of fleetsweep on campaign";

/// How many runs are told of, the last ones.
const RUNS: usize = 20;

/// How many machines are in the page for those who read it without a script, at most.
const STATIC: usize = 100;

#[derive(Template)]
#[template(path = "report.html", config = "src/report/askama.toml")]
struct Page<'a> {
    mark: &'static str,
    report: &'a Report,
    lead: String,
    warning: Option<String>,
    outcomes: Vec<OutcomeRow>,
    shares: Option<Bars>,
    /// Which rows the results have.
    they_are: &'static str,
    /// A link to the results, if they are beside the page.
    href: Option<String>,
    results_path: String,
    state_path: String,
    runs: &'a [PastRun],
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
        lead: words::lead(report),
        warning: words::warning(report),
        outcomes: outcomes(report),
        shares: figures::shares(report),
        they_are: words::in_results(report),
        href: href(report, folder),
        results_path: results.map(in_words).unwrap_or_default(),
        state_path: in_words(&report.state),
        runs: &report.runs[report.runs.len().saturating_sub(RUNS)..],
        again: again(report),
        courses: figures::courses(report),
        effort: [figures::waits(report), figures::latencies(report)]
            .into_iter()
            .flatten()
            .collect(),
        latency: words::latency(report),
        after: figures::after(report),
        unknown: words::unknown(report),
        listed: words::listed(report),
        static_rows: static_rows(&report.machines.rows),
        packed: Packed::of(&report.machines.rows, &columns),
        columns,
    };
    page.render()
}

fn in_words(path: &Path) -> String {
    one_line(&path.to_string_lossy()).into_owned()
}

fn outcomes(report: &Report) -> Vec<OutcomeRow> {
    let all = report.outcomes.iter().map(|(outcome, count)| OutcomeRow {
        word: outcome.as_str(),
        meaning: words::meaning(outcome),
        count,
        share: words::percent(count, report.targets),
    });
    all.collect()
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

/// The machines that are shown without a script: first those that somebody has to look at.
fn static_rows(machines: &[Machine]) -> Vec<&Machine> {
    let notable = machines.iter().filter(|machine| machine.is_notable());
    let others = machines.iter().filter(|machine| !machine.is_notable());
    let mut rows: Vec<_> = notable.chain(others).take(STATIC).collect();
    rows.sort_by_key(|machine| machine.line);
    rows
}

/// What the templates do with values.
#[expect(
    unreachable_pub,
    clippy::inline_always,
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "this is what askama makes of a filter"
)]
mod filters {
    use std::convert::Infallible;

    use askama::Values;
    use jiff::Timestamp;

    use crate::{monitor::count, report::words};

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
        Ok(words::counted(number(&count), one))
    }

    /// A count of any width, or a reference to one.
    fn number(count: &impl ToString) -> u64 {
        count.to_string().parse().unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
