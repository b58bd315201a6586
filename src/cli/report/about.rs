//! What a report tells besides the state: the limits, the settings of the last run, and the commands that try again.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgMatches, parser::ValueSource};
use jiff::Timestamp;

use crate::{
    campaign::{outcome::Outcome, tag::CampaignId},
    cli::{
        Failure,
        ledger::QuotaNote,
        matches_of_run,
        shell_words::{put, shell_line, words_of},
        yes,
    },
    quota::Limit,
    report::{About, Report, Setting},
    results::{self, Owner},
    store::Store,
};

/// The report of this campaign as of `now`. `lost` says that the state has lost its end, if it has.
///
/// # Errors
/// The state cannot be read.
pub(super) fn report_of(
    store: &Store,
    now: Timestamp,
    lost: Option<&str>,
) -> Result<Report, Failure> {
    let command = store.last_run()?.map(|run| run.command).unwrap_or_default();
    let command = words_of(&command);
    let noted = results(store)?;
    let results = noted.clone().filter(|path| are_ours(store, path));
    // Elsewhere the command would go on with another campaign, or begin one.
    let is_in_place = noted.is_none() || results.is_some();
    let names_commands = is_in_place && lost.is_none();
    let warning = match lost {
        Some(lost) => Some(format!("What this page says is not the campaign's last state: {lost}")),
        None if is_in_place => None,
        None => Some(
            "The results are no longer where the last run wrote them, so this page names no command that continues."
                .to_owned(),
        ),
    };
    let again = |outcome: &str| again(&command, outcome);
    let (limits, no_limits) = limits(store)?;
    let about = About {
        made: now,
        results,
        limits,
        no_limits,
        settings: settings(&command),
        warning,
        names_commands,
        again: &again,
    };
    Ok(Report::of(store, about)?)
}

/// The results file of the last run, unless it goes with the temporary folder of a simulation.
fn results(store: &Store) -> Result<Option<PathBuf>, Failure> {
    let path = store.last_results()?.map(|(path, _)| PathBuf::from(path));
    let is_rehearsal = CampaignId::known(store.identity().campaign.as_str()).is_rehearsal();
    let goes = |path: &PathBuf| is_rehearsal && path.starts_with(std::env::temp_dir());
    Ok(path.filter(|path| !goes(path)))
}

/// Whether a results file is still this campaign's.
fn are_ours(store: &Store, path: &Path) -> bool {
    match results::owner(path) {
        Ok(Owner::Campaign(id)) => id == store.identity().campaign,
        // No row has ended yet.
        Ok(Owner::Empty) => true,
        Ok(Owner::Nobody | Owner::Foreign) | Err(_) => false,
    }
}

/// The limits of all runs, and why there are none if there are none.
fn limits(store: &Store) -> Result<(Vec<Limit>, &'static str), Failure> {
    let runs = store.runs()?;
    let notes = runs.iter().map(|run| {
        let note = QuotaNote::from_json(&run.quota)?;
        Some(note.quota().limits().collect::<Vec<_>>())
    });
    let mut notes: Vec<_> = notes.collect();
    notes.dedup();
    Ok(match notes.as_slice() {
        [Some(limits)] => (limits.clone(), "there was no limit"),
        [] | [None] => (Vec::new(), "the limit is not known"),
        _ => (
            Vec::new(),
            "the runs had different limits, which are in their commands",
        ),
    })
}

/// The command that tries targets with this outcome again, and no others; `None` if that cannot help. It asks before it
/// starts many scans, adds no machines that are new in the input, and does not begin another campaign.
fn again(command: &[OsString], outcome: &str) -> Option<String> {
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
    let command = yes::joined(command);
    let for_other_machines = ["--again", "--extend", "--yes"];
    let command = for_other_machines.iter().fold(command, |command, option| {
        put(&command, option, false, None)
    });
    Some(shell_line(&put(&command, "--retry", true, Some(outcome))))
}

/// The options of the run with this command line, and those that it had by default. Nothing if the line cannot be read,
/// because another release wrote it.
fn settings(command: &[OsString]) -> Vec<Setting> {
    let Some((command, matches)) = matches_of_run(command) else {
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

    #[cfg(unix)]
    #[test]
    fn what_ended_badly_can_be_tried_again_and_nothing_else() {
        let again = |command: &str, outcome| again(&words_of(command), outcome);
        for (command, meant) in [
            (
                "fleetsweep run a.csv --again --extend --yes 600",
                "fleetsweep run a.csv --retry failed",
            ),
            (
                "fleetsweep run --yes -- -a.csv",
                "fleetsweep run --retry failed -- -a.csv",
            ),
            (
                "fleetsweep run a.csv --comment 'Incident 42 -- phase --again 2'",
                "fleetsweep run a.csv --comment 'Incident 42 -- phase --again 2' --retry failed",
            ),
        ] {
            assert_eq!(again(command, "failed").as_deref(), Some(meant));
        }
        for outcome in ["accepted", "invalid", "not_attempted", "duplicate"] {
            assert_eq!(again("fleetsweep run a.csv", outcome), None);
        }
        assert_eq!(again("", "failed"), None);
    }

    #[test]
    fn settings_tell_what_was_given_and_what_is_the_default() {
        let settings = |line| settings(&words_of(line));
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
