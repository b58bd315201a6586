//! The sentences of the report.

use std::time::Duration;

use super::facts::Report;
use crate::{
    campaign::outcome::Outcome,
    monitor::{count, span},
};

/// What came of it, in a sentence or two.
pub(super) fn lead(report: &Report) -> String {
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
pub(super) fn warning(report: &Report) -> Option<String> {
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

/// What an outcome means, for those who were not there.
pub(super) const fn meaning(outcome: Outcome) -> &'static str {
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

pub(super) fn latency(report: &Report) -> Option<String> {
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

/// What nobody has asked for, and how that is done.
pub(super) fn unknown(report: &Report) -> Vec<&'static str> {
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

/// Which rows the results have. Those of a run that is at work, or was killed, have what has ended.
pub(super) fn in_results(report: &Report) -> &'static str {
    match report.runs.last() {
        Some(run) if run.ended.is_none() => "Those that have ended are",
        _ => "Each of them is",
    }
}

/// Which machines are listed.
pub(super) fn listed(report: &Report) -> String {
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

/// "1 row", "1,500 rows".
pub(super) fn counted(count: u64, one: &str) -> String {
    let many = count::of(count, one);
    match many.split_once(' ') {
        Some((_, noun)) => format!("{} {noun}", count::grouped(count)),
        None => many,
    }
}

pub(super) fn percent(part: u64, whole: u64) -> String {
    let tenths = part * 1_000 / whole.max(1);
    match (part, tenths) {
        (1.., 0) => "under 0.1 %".to_owned(),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

pub(super) fn milliseconds(millis: u64) -> String {
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
