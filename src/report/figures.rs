//! Which figures the report has, and what is in them.

use std::{collections::BTreeMap, time::Duration};

use super::{
    chart::{Bars, Course},
    facts::Report,
    words::milliseconds,
};
use crate::{
    campaign::findings::Severity,
    monitor::{count, span},
};

/// As many bars are in a figure at most.
const MOST_BARS: usize = 12;

pub(super) fn shares(report: &Report) -> Option<Bars> {
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

pub(super) fn courses(report: &Report) -> Vec<Course> {
    let windows = report.calls.windows.iter();
    windows
        .filter_map(|window| Course::of(&report.calls, window))
        .collect()
}

pub(super) fn waits(report: &Report) -> Option<Bars> {
    let mut waits: Vec<_> = report.waited_s.iter().collect();
    waits.sort_by(|a, b| b.1.total_cmp(a.1));
    let rows = waits.into_iter().map(|(cause, seconds)| {
        let span = Duration::try_from_secs_f64(*seconds).unwrap_or_default();
        (cause.clone(), span::in_words(span), "", *seconds)
    });
    Bars::of("waits", "What the next call waited for, in all", rows)
}

pub(super) fn latencies(report: &Report) -> Option<Bars> {
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

/// The figures on what happened after the scans were started.
pub(super) fn after(report: &Report) -> Vec<Bars> {
    let bars = |id, title, counts: Vec<(String, u64)>| {
        let rows = most(counts).into_iter();
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
    let by_family = found.map(|found| named(&found.by_family, "not named"));
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

/// The largest counts, in their order, and the sum of the others.
fn most(mut counts: Vec<(String, u64)>) -> Vec<(String, u64)> {
    if counts.len() <= MOST_BARS {
        return counts;
    }
    counts.sort_by_key(|(name, count)| (u64::MAX - count, name.clone()));
    let others = counts.split_off(MOST_BARS - 1);
    let sum = others.iter().map(|(_, count)| count).sum();
    counts.push((format!("{} others", others.len()), sum));
    counts
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
const fn as_f64(count: u64) -> f64 {
    count as f64
}
