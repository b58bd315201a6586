//! What a report tells besides the state: the limits, the settings of the last run, and the commands that try again.

use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, ArgMatches, parser::ValueSource};
use jiff::Timestamp;

use crate::{
    campaign::{outcome::Outcome, tag::CampaignId},
    cli::{Failure, ledger::QuotaNote, matches_of_run},
    report::{About, Report, Setting},
    store::Store,
};

/// The report of this campaign as of `now`.
///
/// # Errors
/// The state cannot be read.
pub(super) fn report_of(store: &Store, now: Timestamp) -> Result<Report, Failure> {
    let note = QuotaNote::of_last_run(store)?;
    let command = store.last_run()?.map(|run| run.command).unwrap_or_default();
    let again = |outcome: &str| again(&command, outcome);
    let about = About {
        made: now,
        results: results(store)?,
        limits: note.map_or_else(Vec::new, |note| note.quota().limits().collect()),
        settings: settings(&command),
        again: &again,
    };
    Ok(Report::of(store, about)?)
}

/// The results file, unless it goes with the temporary folder of a simulation.
fn results(store: &Store) -> Result<Option<PathBuf>, Failure> {
    let path = store.last_results()?.map(|(path, _)| PathBuf::from(path));
    let is_rehearsal = CampaignId::known(store.identity().campaign.as_str()).is_rehearsal();
    let goes = |path: &PathBuf| is_rehearsal && path.starts_with(std::env::temp_dir());
    Ok(path.filter(|path| !goes(path)))
}

/// The command that tries targets with this outcome again; `None` if that cannot help.
fn again(command: &str, outcome: &str) -> Option<String> {
    let may_help = matches!(
        outcome.parse(),
        Ok(Outcome::NotFound
            | Outcome::Unsupported
            | Outcome::Refused
            | Outcome::Failed
            | Outcome::Unsure)
    );
    if !may_help || command.is_empty() {
        return None;
    }
    // The form for schedulers begins another campaign where this one has finished.
    let command = format!("{command} ").replace(" --again ", " ");
    let command = command.trim_end();
    let retry = format!("--retry {outcome}");
    Some(match command.split_once(" -- ") {
        Some((options, rest)) => format!("{options} {retry} -- {rest}"),
        None => format!("{command} {retry}"),
    })
}

/// The options of the run with this command line, and those that it had by default. Nothing if the line cannot be read,
/// because another release or another system's shell wrote it.
fn settings(command: &str) -> Vec<Setting> {
    let words = shlex::split(command).unwrap_or_default();
    let words: Vec<_> = words.into_iter().map(OsString::from).collect();
    let Some((command, matches)) = matches_of_run(&words) else {
        return Vec::new();
    };
    let settings = command.get_arguments();
    settings.filter_map(|arg| setting(arg, &matches)).collect()
}

/// What an option was set to; `None` if it was not set, or by an environment variable of this process.
fn setting(arg: &Arg, matches: &ArgMatches) -> Option<Setting> {
    let id = arg.get_id().as_str();
    let given = match matches.value_source(id)? {
        ValueSource::CommandLine => true,
        ValueSource::DefaultValue => false,
        _ => return None,
    };
    let option = match arg.get_long() {
        Some(long) => format!("--{long}"),
        None => "the input".to_owned(),
    };
    let values = matches.get_raw(id)?;
    let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
    let value = values.join(" ");
    // A flag that was not given.
    let is_off = !given && value == "false";
    let value = if value == "true" { "yes" } else { &value };
    (!is_off).then(|| Setting {
        option,
        value: value.to_owned(),
        given,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_badly_can_be_tried_again_and_nothing_else() {
        let again = |command, outcome| again(command, outcome);
        let nightly = "fleetsweep run a.csv --again --extend";
        assert_eq!(
            again(nightly, "failed").as_deref(),
            Some("fleetsweep run a.csv --extend --retry failed")
        );
        assert_eq!(
            again("fleetsweep run --yes -- -a.csv", "unsure").as_deref(),
            Some("fleetsweep run --yes --retry unsure -- -a.csv")
        );
        for outcome in ["accepted", "invalid", "not_attempted", "duplicate"] {
            assert_eq!(again("fleetsweep run a.csv", outcome), None);
        }
        assert_eq!(again("", "failed"), None);
    }

    #[test]
    fn settings_tell_what_was_given_and_what_is_the_default() {
        let all = settings("fleetsweep run 'my fleet.csv' --max-failures 5 --follow");
        let of = |option: &str| {
            let found = all.iter().find(|setting| setting.option == option);
            found.map(|setting| (&*setting.value, setting.given))
        };
        assert_eq!(of("the input"), Some(("my fleet.csv", true)));
        assert_eq!(of("--max-failures"), Some(("5", true)));
        assert_eq!(of("--follow"), Some(("yes", true)));
        assert_eq!(of("--scan-type"), Some(("quick", false)));
        assert_eq!(of("--resolve"), None);
        assert!(settings("fleetsweep run 'open").is_empty());
        assert!(settings("fleetsweep run --no-such-option").is_empty());
    }
}
