//! The record of a run: who started it, on which computer, with which command. The command is kept in a form that can
//! be typed again.

use std::ffi::OsString;

use crate::{
    audit::audit,
    campaign::brakes::Change,
    cli::{
        connect::Connection,
        shell_words::{put, shell_line},
        yes,
    },
    quota::Clock,
    store::Run,
};

/// Options that are meant for one run, and whether they take a value. Typed again they would give up, overwrite or
/// reopen what has been done or excluded since then, or recover a state that is whole.
const FOR_ONE_RUN: [(&str, bool); 5] = [
    ("--abandon", true),
    ("--recover", false),
    ("--force", false),
    ("--retry", true),
    ("--lift-exclusion", true),
];

/// Options whose values may hold a secret. They are neither recorded nor said again; an environment variable can stand
/// for them.
const SECRET: [(&str, bool); 1] = [("--notify", true)];

/// The record of this run, for the state's table of runs.
pub(super) fn this_run(
    connection: &Connection,
    clock: &dyn Clock,
    command: &[OsString],
    quota: String,
) -> Run {
    Run {
        // Both from the system and not from environment variables, which anybody can set.
        os_user: whoami::username().unwrap_or_default(),
        host: whoami::hostname().unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: shell_line(&resume_command(command, None)),
        tenant: connection.tenant.clone(),
        application: connection.application.clone(),
        quota,
        started: clock.wall(),
    }
}

/// Logs that a run begins.
pub(super) fn log(command: &[OsString]) {
    audit!(
        "run",
        os_user = whoami::username().unwrap_or_default(),
        host = whoami::hostname().unwrap_or_default(),
        version = env!("CARGO_PKG_VERSION"),
        command = shell_line(&without(command, &SECRET))
    );
}

/// The command that goes on with what this one has begun, with this change to its options.
pub(super) fn resume_command(command: &[OsString], change: Option<&Change>) -> Vec<OsString> {
    let mut words = without(&without(command, &FOR_ONE_RUN), &SECRET);
    let Some(change) = change else {
        return words;
    };
    words = put(&words, change.option, true, change.value.as_deref());
    match change.machines {
        Some(machines) => raise_yes(&words, machines),
        None => words,
    }
}

/// What to say beside the command that goes on, if an option with a secret was taken out of it.
pub(super) fn hint(command: &[OsString]) -> Option<&'static str> {
    let is_shorter = without(command, &SECRET).len() < command.len();
    is_shorter.then_some(
        "--notify is left out there, because its address may hold a secret: give it again, or keep it in \
         FLEETSWEEP_NOTIFY",
    )
}

/// The command without these options.
fn without(command: &[OsString], options: &[(&str, bool)]) -> Vec<OsString> {
    let words = command.to_vec();
    options.iter().fold(words, |words, (option, has_value)| {
        put(&words, option, *has_value, None)
    })
}

/// The command with every `--yes=N` raised to this many machines.
fn raise_yes(command: &[OsString], machines: u64) -> Vec<OsString> {
    let mut words = yes::joined(command);
    for word in words.iter_mut().take_while(|word| *word != "--") {
        let text = word.to_string_lossy();
        let most = text.strip_prefix("--yes=").and_then(|n| n.parse().ok());
        if most.is_some_and(|most: u64| most < machines) {
            *word = format!("--yes={machines}").into();
        }
    }
    words
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_changed_option_stands_where_it_stood() {
        let to = |value| Change::to("--max-failures", value);
        let without = Change::without("--not-after");
        for (change, typed, meant) in [
            (
                to("6"),
                "f run a --max-failures 5 -v",
                "f run a --max-failures 6 -v",
            ),
            (
                to("6%"),
                "f run --max-failures=5% a",
                "f run --max-failures 6% a",
            ),
            (to("6"), "f run a", "f run a --max-failures 6"),
            (to("6"), "f run -- a", "f run --max-failures 6 -- a"),
            (without.clone(), "f run --not-after 18:00 a", "f run a"),
            (without, "f run --not-after=18:00 a", "f run a"),
        ] {
            assert_eq!(
                shell_line(&resume_command(&words(typed), Some(&change))),
                meant
            );
        }
    }

    #[test]
    fn a_yes_to_a_number_becomes_one_to_as_many_as_are_needed() {
        let change = Change::to("--max-machines", 10).on(5);
        for (typed, meant) in [
            ("--yes=3", "--yes=5"),
            ("--yes 3", "--yes=5"),
            ("--yes=5", "--yes=5"),
            ("--yes=60", "--yes=60"),
            ("--yes", "--yes"),
            ("-v", "-v"),
        ] {
            let command = |yes, max| format!("f run --max-machines {max} {yes} a.csv");
            let typed = words(&command(typed, 5));
            assert_eq!(
                shell_line(&resume_command(&typed, Some(&change))),
                command(meant, 10)
            );
        }
        let file = "f run --max-machines 10 -- --yes=3";
        assert_eq!(
            shell_line(&resume_command(&words(file), Some(&change))),
            file
        );
    }

    #[test]
    fn what_was_meant_for_one_run_is_not_said_again() {
        for typed in [
            "f run --abandon abc --yes a",
            "f run --force --yes a --abandon=abc",
            "f run --yes a --recover",
            "f run --retry failed,unsure --yes --retry=refused a",
        ] {
            assert_eq!(
                shell_line(&resume_command(&words(typed), None)),
                "f run --yes a"
            );
        }
        let typed = words("f run a --notify https://s3cret -v --notify=https://s3cret");
        assert_eq!(shell_line(&resume_command(&typed, None)), "f run a -v");
        assert!(hint(&typed).is_some() && hint(&words("f run a")).is_none());
        let file = "f run --again -- --force";
        assert_eq!(shell_line(&resume_command(&words(file), None)), file);
    }

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }
}
