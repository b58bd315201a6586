//! The notice of a run's end.

use crate::{
    campaign::summary::{REHEARSED, Summary},
    cli::{ExitCode, Failure},
    monitor::{Notice, count::grouped, notice::Occasion},
    plain_text::one_line,
};

/// The notice of an end like this, after what was `seen` of the run. The summary is that of a run that had begun.
pub(super) fn notice(
    seen: Notice,
    ended: &Result<ExitCode, Failure>,
    summary: Option<&Summary>,
) -> Notice {
    let code = ended.as_ref().map_or_else(Failure::code, |code| *code);
    let failed = ended.as_ref().err().map(|failure| failure.why.clone());
    let mut notice = Notice {
        event: Occasion::End,
        exit_code: Some(code.number()),
        ..seen
    };
    if let Some(summary) = summary {
        notice.campaign = Some(summary.campaign.clone());
        notice.targets = summary.targets;
        let outcomes = summary.outcomes.iter();
        notice.outcomes = outcomes.map(|(o, n)| (o.as_str().to_owned(), n)).collect();
        notice.summary = serde_json::to_value(summary).ok();
    }
    let stopped = summary.and_then(|summary| summary.stopped.as_ref());
    notice.stopped = failed.or_else(|| stopped.map(ToString::to_string));
    let text = in_words(&notice, summary);
    notice.text = one_line(&text).into_owned();
    notice
}

fn in_words(notice: &Notice, summary: Option<&Summary>) -> String {
    let who = match &notice.campaign {
        Some(campaign) => format!("campaign {campaign}"),
        None => "fleetsweep run".to_owned(),
    };
    let how = match &notice.stopped {
        Some(why) => format!("stopped: {why}"),
        None => "done".to_owned(),
    };
    let counts: Vec<_> = summary.map_or_else(Vec::new, |summary| {
        let some = summary.outcomes.iter().filter(|(_, count)| *count > 0);
        let some = some.map(|(outcome, n)| {
            let outcome = outcome.as_str().replace('_', " ");
            format!("{outcome} {}", grouped(n))
        });
        some.collect()
    });
    let so = match summary {
        Some(summary) if summary.rehearsal => REHEARSED,
        _ => "",
    };
    let mut parts = vec![format!("{who}: {how}{so}"), counts.join(", ")];
    parts.extend(
        summary
            .into_iter()
            .flat_map(|summary| summary.not_written.clone()),
    );
    parts.extend(notice.exit_code.map(|code| format!("exit code {code}")));
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_was_refused_has_its_reason_and_its_code_and_no_summary() {
        let time = "2024-10-21T11:20:00Z".parse().unwrap();
        let seen = Notice::new(Occasion::End, time, String::new());
        let refused = Err(Failure::usage("there is no\nfleet.csv"));
        let notice = notice(seen, &refused, None);
        assert_eq!(
            notice.text,
            "fleetsweep run: stopped: there is no fleet.csv; exit code 2"
        );
        assert_eq!((notice.exit_code, notice.summary), (Some(2), None));
        assert_eq!(notice.stopped.as_deref(), Some("there is no\nfleet.csv"));
        assert_eq!(notice.campaign, None);
    }
}
